import type { KeyObject } from 'node:crypto';
import type { Bundle } from '@sigstore/bundle';
import {
  VerificationError,
  Verifier,
  toSignedEntity,
  type SignedEntity,
  type TrustMaterial,
} from '@sigstore/verify';
import { SetupError, explain } from '../../errors.js';
import { certificateDefect, rememberEncoding, untrusted } from './certificate.js';
import { invalidEntry } from './log-entry.js';
import type { Subject } from './subject.js';
import { timestampDefect } from './timestamp.js';

/** sigstore-go refuses bundles with more (internal/limits). */
const MAX_TIMESTAMPS = 32;

/**
 * Checks everything that the keys of the trust root sign: certificate chain, signed certificate
 * timestamp, signed entry timestamp or RFC 3161 timestamp, inclusion proof, and checkpoint.
 * `@sigstore/verify` does it.
 *
 * @param signer the key with which the bundle's signature over the subject was verified
 * @returns the earliest verified time of the signature
 * @throws {SetupError} SIGNATURE_MALFORMED, CERTIFICATE_UNTRUSTED, LOG_ENTRY_INVALID
 */
export function checkAgainstTrustRoot(
  subject: Subject,
  bundle: Bundle,
  signer: KeyObject,
  trust: TrustMaterial,
): Date {
  const entity = signedEntity(subject, bundle, signer);
  // Critical extensions may constrain an authority. Nothing here processes them, so it is not used.
  const certificateAuthorities = trust.certificateAuthorities.filter(({ certChain }) =>
    certChain.every((certificate) => certificateDefect(certificate) === undefined),
  );
  const authorities = certificateAuthorities.flatMap(({ certChain }) => certChain);
  const leaf = entity.key.$case === 'certificate' ? [entity.key.certificate] : [];
  for (const certificate of [...authorities, ...leaf]) {
    rememberEncoding(certificate);
  }
  const timestamps = timestampResponses(bundle);
  if (timestamps.length > MAX_TIMESTAMPS) {
    throw invalidEntry(
      `it has ${String(timestamps.length)} timestamps, more than ${String(MAX_TIMESTAMPS)}`,
    );
  }
  const verifier = new Verifier(
    { ...trust, certificateAuthorities },
    { ctlogThreshold: 1, tlogThreshold: 1, timestampThreshold: 1 },
  );
  try {
    verifier.verify(entity);
  } catch (error) {
    throw translated(error);
  }
  checkTimestampResponses(timestamps, trust);
  return earliestTime(entity);
}

/** RFC 3161 TimeStampResp, DER. */
function timestampResponses({ verificationMaterial }: Bundle): Buffer[] {
  const { rfc3161Timestamps = [] } = verificationMaterial.timestampVerificationData ?? {};
  return rfc3161Timestamps.map(({ signedTimestamp }) => signedTimestamp);
}

/** Refuses a response with bytes that its authority did not sign. */
function checkTimestampResponses(responses: readonly Buffer[], trust: TrustMaterial): void {
  const chains = trust.timestampAuthorities.map(({ certChain }) => certChain);
  for (const response of responses) {
    const defect = timestampDefect(response, chains);
    if (defect !== undefined) {
      throw invalidEntry(`its timestamp ${defect}`);
    }
  }
}

/** The library's view of the bundle. Its signature was verified before, over the subject's digest. */
function signedEntity(subject: Subject, bundle: Bundle, signer: KeyObject): SignedEntity {
  let entity: SignedEntity;
  try {
    entity = toSignedEntity(bundle, Buffer.alloc(0));
  } catch (error) {
    throw new SetupError(
      'SIGNATURE_MALFORMED',
      `cannot parse the timestamp of the signature: ${explain(error)}`,
      { cause: error },
    );
  }
  const { signature } = entity.signature;
  return {
    ...entity,
    signature: {
      signature,
      compareSignature: (other) => signature.equals(other),
      compareDigest: (other) => subject.sha256.equals(other),
      compareSignedDigest: (other) => subject.sha256.equals(other),
      verifySignature: (key) => key.equals(signer),
    },
  };
}

/** Of the verified times. Without an inclusion promise, an entry's time is not verified. */
function earliestTime({ timestamps }: SignedEntity): Date {
  const times = timestamps.flatMap((timestamp) => {
    if (timestamp.$case === 'timestamp-authority') {
      return [timestamp.timestamp.signingTime.getTime()];
    }
    const { inclusionPromise, integratedTime } = timestamp.tlogEntry;
    return inclusionPromise === undefined ? [] : [Number(integratedTime) * 1000];
  });
  return new Date(Math.min(...times));
}

/** The library's error codes about the log entry. Its other ones are about the certificate. */
const LOG_CODES = /^(?:TLOG|TIMESTAMP)_/;

function translated(error: unknown): SetupError {
  const reason = explain(error);
  const code = error instanceof VerificationError ? error.code : '';
  return LOG_CODES.test(code) ? invalidEntry(reason, error) : untrusted(reason, error);
}
