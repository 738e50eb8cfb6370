import { sign, type KeyObject } from 'node:crypto';

/** What a log commits to: its first `size` entries have this root (32 bytes). */
export interface TreeHead {
  readonly origin: string;
  readonly size: number;
  readonly root: Buffer;
}

/** Who signs a checkpoint: a name, the four bytes that hint at the key, and the key. */
export interface CheckpointSigner {
  readonly name: string;
  readonly keyHint: Buffer;
  readonly privateKey: KeyObject;
}

/** The text of a checkpoint, which is what gets signed (transparency-dev/formats, log/README.md). */
export const checkpointText = ({ origin, size, root }: TreeHead): string =>
  `${origin}\n${size}\n${root.toString('base64')}\n`;

/** A checkpoint as a signed note: its text, an empty line, and one signature line per signer. */
export function signedCheckpoint(head: TreeHead, ...signers: readonly CheckpointSigner[]): string {
  const text = checkpointText(head);
  const lines = signers.map((signer) => signatureLine(text, signer));
  return `${text}\n${lines.join('')}`;
}

function signatureLine(text: string, { name, keyHint, privateKey }: CheckpointSigner): string {
  const hash = privateKey.asymmetricKeyType === 'ed25519' ? null : 'sha256';
  const signature = sign(hash, Buffer.from(text), privateKey);
  return `\u2014 ${name} ${Buffer.concat([keyHint, signature]).toString('base64')}\n`;
}
