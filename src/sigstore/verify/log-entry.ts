import type { Bundle, TransparencyLogEntry } from '@sigstore/bundle';
import type { X509Certificate } from '@sigstore/core';
import type { TrustMaterial } from '@sigstore/verify';
import { SetupError } from '../../errors.js';
import { isSignedByLogAlone } from '../checkpoint.js';
import { KIND, VERSION_V1, VERSION_V2, parseHashedRekord } from '../hashedrekord.js';
import type { SignedContent } from './signature.js';

/** At most 15 digits, so below 2^53 and exact as a number. */
const DECIMAL = /^(?:0|[1-9]\d{0,14})$/;

/**
 * The one log entry of a bundle. With several, another reader of the bundle might verify a
 * different one.
 */
export function soleEntry({ verificationMaterial }: Bundle): TransparencyLogEntry {
  const [entry, ...more] = verificationMaterial.tlogEntries;
  if (entry === undefined || more.length > 0) {
    throw invalidEntry(`expected one log entry, found ${String(more.length + (entry ? 1 : 0))}`);
  }
  return entry;
}

/** Only a `hashedrekord` can be compared with a detached signature. */
export function checkEntryKind(entry: TransparencyLogEntry): void {
  const { kind, version } = entry.kindVersion;
  if (kind !== KIND || (version !== VERSION_V1 && version !== VERSION_V2)) {
    throw invalidEntry(`unsupported kind ${JSON.stringify(`${kind} ${version}`)}`);
  }
}

/** The logged digest, signature and certificate are the file's, byte for byte. */
export function checkEntryBody(entry: TransparencyLogEntry, expected: SignedContent): void {
  const logged = parseHashedRekord(entry.canonicalizedBody);
  if (logged === undefined) {
    throw invalidEntry('its body is not a well-formed hashedrekord');
  }
  if (logged.digest !== expected.digest.toString('hex')) {
    throw invalidEntry('it is for a different file');
  }
  if (!logged.signature.equals(expected.signature)) {
    throw invalidEntry('it is for a different signature');
  }
  if (!logged.certificate.equals(expected.certificate)) {
    throw invalidEntry('it is for a different certificate');
  }
}

/**
 * There is an inclusion proof, which both versions of Rekor return: `@sigstore/verify` would accept
 * a timestamp instead of one.
 *
 * It has the tree size and root hash of its checkpoint, because `@sigstore/verify` reads them from
 * the checkpoint, and other readers of the bundle from the proof. The checkpoint has one signature,
 * which names the log. `@sigstore/verify` verifies it.
 */
export function checkInclusionProof({ inclusionProof, logId }: TransparencyLogEntry): void {
  if (inclusionProof?.checkpoint === undefined) {
    throw invalidEntry('it has no inclusion proof with a checkpoint');
  }
  const { treeSize, rootHash, checkpoint } = inclusionProof;
  const [, size, root] = checkpoint.envelope.split('\n', 3);
  if (treeSize !== size || rootHash.toString('base64') !== root) {
    throw invalidEntry('its inclusion proof and its checkpoint are for different trees');
  }
  if (!isSignedByLogAlone(checkpoint.envelope, logId.keyId)) {
    throw invalidEntry('its checkpoint does not have exactly one signature, by its log');
  }
}

/** The log saw the signature while the certificate was valid. */
export function checkIntegratedTime(entry: TransparencyLogEntry, leaf: X509Certificate): void {
  if (entry.inclusionPromise === undefined) {
    return; // Nobody signed the time, and nothing relies on it.
  }
  const integrated = new Date(Number(entry.integratedTime) * 1000);
  if (!leaf.validForDate(integrated)) {
    throw invalidEntry(
      `its time ${isoDate(integrated)} is outside the certificate's validity, ${isoDate(leaf.notBefore)} to ${isoDate(leaf.notAfter)}`,
    );
  }
}

/**
 * Indexes, tree size and time are canonical decimals, so that every reader sees the same numbers.
 *
 * Without an inclusion promise, nobody signed the time or the index over all shards. Then the time
 * must be absent, and the index must be the one in the proof.
 */
export function checkNumbers(entry: TransparencyLogEntry): void {
  const { logIndex, integratedTime, inclusionPromise, inclusionProof } = entry;
  const numbers = [logIndex, integratedTime, inclusionProof?.logIndex, inclusionProof?.treeSize];
  if (!numbers.every((number) => number !== undefined && DECIMAL.test(number))) {
    throw invalidEntry('its log index, tree size or time is not a number');
  }
  if (inclusionPromise === undefined && integratedTime !== '0') {
    throw invalidEntry('its time is not signed');
  }
  if (inclusionPromise === undefined && logIndex !== inclusionProof?.logIndex) {
    throw invalidEntry('its log index differs from that of its inclusion proof');
  }
}

/**
 * The log was in use when the signature was made.
 *
 * `@sigstore/verify` checks this for a signed entry timestamp, but not for a checkpoint.
 */
export function checkLogValidity(
  entry: TransparencyLogEntry,
  signedAt: Date,
  trust: TrustMaterial,
): void {
  const isInUse = trust.tlogs.some(
    ({ logID, validFor }) =>
      logID.equals(entry.logId.keyId) && validFor.start <= signedAt && signedAt <= validFor.end,
  );
  if (!isInUse) {
    throw invalidEntry(`its log key was not valid at ${isoDate(signedAt)}`);
  }
}

export function invalidEntry(reason: string, cause?: unknown): SetupError {
  return new SetupError(
    'LOG_ENTRY_INVALID',
    `the transparency-log entry does not prove this signature: ${reason}`,
    { cause },
  );
}

function isoDate(date: Date): string {
  return Number.isNaN(date.getTime()) ? 'unknown' : date.toISOString();
}
