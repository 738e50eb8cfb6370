import { decodeBase64 } from './base64.js';

const SIGNATURE_LINE = /^\u2014 (\S+) (\S+)$/;

/** A checkpoint as a signed note (C2SP signed-note, tlog-checkpoint). */
interface SignedNote {
  /** What is signed: origin, tree size, root hash, and what else the log says. */
  readonly text: string;
  /** The lines behind the text and the empty line. */
  readonly signatures: readonly string[];
}

/**
 * The checkpoint without signatures by others than its log.
 *
 * Nobody signs the signatures, so anybody can add some. Witnesses do; but no key of a witness is
 * in the trust root, and Rekor's own client refuses a checkpoint with a second signature.
 *
 * @param logId of the log, as in the log entry; its first four bytes are the log's key hint
 * @returns the same text where something is malformed: the verification refuses it
 */
export function withoutForeignSignatures(checkpoint: string, logId: Buffer): string {
  const note = parseNote(checkpoint);
  if (note === undefined) {
    return checkpoint;
  }
  const kept = note.signatures.filter(
    (line) => !isWellFormed(line) || isOwnSignature(line, note.text, logId),
  );
  return `${note.text}\n${kept.map((line) => `${line}\n`).join('')}`;
}

/** Whether the checkpoint has one signature, and that under the name and the key hint of its log. */
export function isSignedByLogAlone(checkpoint: string, logId: Buffer): boolean {
  const note = parseNote(checkpoint);
  const [signature, ...more] = note?.signatures ?? [];
  return (
    note !== undefined &&
    signature !== undefined &&
    more.length === 0 &&
    isOwnSignature(signature, note.text, logId)
  );
}

function parseNote(checkpoint: string): SignedNote | undefined {
  const end = checkpoint.indexOf('\n\n');
  if (end < 0 || !checkpoint.endsWith('\n')) {
    return undefined;
  }
  const signatures = checkpoint.slice(end + 2, -1).split('\n');
  return { text: checkpoint.slice(0, end + 1), signatures };
}

function isWellFormed(line: string): boolean {
  return decodeBase64(SIGNATURE_LINE.exec(line)?.[2] ?? '') !== undefined;
}

function isOwnSignature(line: string, text: string, logId: Buffer): boolean {
  const [, name, signature = ''] = SIGNATURE_LINE.exec(line) ?? [];
  // Rekor v1 writes the tree id behind its name: "rekor.sigstore.dev - 2605736670972794746".
  const [origin] = text.split(/\n| - /, 1);
  const keyHint = decodeBase64(signature)?.subarray(0, 4);
  return name === origin && keyHint?.equals(logId.subarray(0, 4)) === true;
}
