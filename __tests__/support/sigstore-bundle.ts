import { createHash } from 'node:crypto';
import type { IssuedCertificate } from './certificate-authority.js';
import type { BundledLogEntry } from './transparency-log-v2.js';
import type { AnsweredEntry, LogEntryAnswer } from './transparency-log.js';

/** A Sigstore bundle 0.3 over a blob, as JSON; bytes are base64. */
export interface BundleJson {
  mediaType: 'application/vnd.dev.sigstore.bundle.v0.3+json';
  verificationMaterial: {
    certificate: { rawBytes: string };
    tlogEntries: BundledLogEntry[];
    timestampVerificationData?: { rfc3161Timestamps: { signedTimestamp: string }[] };
  };
  messageSignature: {
    messageDigest: { algorithm: 'SHA2_256'; digest: string };
    signature: string;
  };
}

export interface BundleParts {
  readonly artifact: Buffer;
  readonly signature: Buffer;
  readonly certificate: Pick<IssuedCertificate, 'der'>;
  readonly entries: readonly BundledLogEntry[];
  /** TimeStampResp, DER. */
  readonly timestamps?: readonly Buffer[];
}

export function bundleJson({
  artifact,
  signature,
  certificate,
  entries,
  timestamps = [],
}: BundleParts): BundleJson {
  return {
    mediaType: 'application/vnd.dev.sigstore.bundle.v0.3+json',
    verificationMaterial: {
      certificate: { rawBytes: certificate.der.toString('base64') },
      tlogEntries: [...entries],
      ...(timestamps.length > 0 && {
        timestampVerificationData: {
          rfc3161Timestamps: timestamps.map((timestamp) => ({
            signedTimestamp: timestamp.toString('base64'),
          })),
        },
      }),
    },
    messageSignature: {
      messageDigest: {
        algorithm: 'SHA2_256',
        digest: createHash('sha256').update(artifact).digest('base64'),
      },
      signature: signature.toString('base64'),
    },
  };
}

/** Rekor v1's answer as a bundle's entries. */
export function bundledEntries(answer: LogEntryAnswer): BundledLogEntry[] {
  return Object.values(answer).map(bundledEntry);
}

function bundledEntry(entry: AnsweredEntry): BundledLogEntry {
  const { signedEntryTimestamp, inclusionProof } = entry.verification ?? {};
  return {
    logIndex: String(entry.logIndex),
    logId: { keyId: base64(entry.logID) },
    kindVersion: { kind: 'hashedrekord', version: '0.0.1' },
    integratedTime: String(entry.integratedTime),
    ...(signedEntryTimestamp !== undefined && { inclusionPromise: { signedEntryTimestamp } }),
    ...(inclusionProof !== undefined && {
      inclusionProof: {
        logIndex: String(inclusionProof.logIndex),
        rootHash: base64(inclusionProof.rootHash),
        treeSize: String(inclusionProof.treeSize),
        hashes: inclusionProof.hashes.map(base64),
        checkpoint: { envelope: inclusionProof.checkpoint },
      },
    }),
    canonicalizedBody: entry.body,
  };
}

const base64 = (hex: string): string => Buffer.from(hex, 'hex').toString('base64');
