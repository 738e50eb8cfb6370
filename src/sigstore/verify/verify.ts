import type { Bundle, TransparencyLogEntry } from '@sigstore/bundle';
import type { TrustMaterial } from '@sigstore/verify';
import { leafHash } from '../hashedrekord.js';
import { checkAgainstTrustRoot } from './against-trust-root.js';
import { checkCodeSigningLeaf, inspectCertificate, parseLeaf } from './certificate.js';
import { checkIdentity, type ExpectedIdentity } from './identity.js';
import {
  checkEntryBody,
  checkEntryKind,
  checkInclusionProof,
  checkIntegratedTime,
  checkLogValidity,
  checkNumbers,
  soleEntry,
} from './log-entry.js';
import { checkDigest, checkSignature, signedContent } from './signature.js';
import type { Subject } from './subject.js';

/** Only this module holds the seal, so only {@link verify} can make a {@link Verified}. */
const seal = Symbol('verified');

/** A subject whose signature, certificate, identity and log entry were all verified in this run. */
class Verified<S extends Subject> {
  readonly subject: S;
  readonly bundle: Bundle;
  readonly identity: ExpectedIdentity;
  /** Of the log entry: RFC 6962 leaf hash, 64 hex digits. */
  readonly uuid: string;
  /** Of the log entry, counted over all shards of the log. */
  readonly logIndex: string;
  /** When the log, or a timestamp authority, saw the signature. */
  readonly signedAt: Date;

  constructor(
    key: typeof seal,
    subject: S,
    bundle: Bundle,
    identity: ExpectedIdentity,
    entry: TransparencyLogEntry,
    signedAt: Date,
  ) {
    if (key !== seal) {
      throw new TypeError('only verify() can create a Verified');
    }
    this.subject = subject;
    this.bundle = bundle;
    this.identity = identity;
    this.uuid = leafHash(entry.canonicalizedBody);
    this.logIndex = entry.logIndex;
    this.signedAt = signedAt;
  }
}

export type { Verified };

/**
 * Steps 3 to 6 of the verification: signature, certificate, identity, transparency log.
 *
 * @param bundle what was published, or put together from a detached signature and its log entry
 * @throws {SetupError} SIGNATURE_MALFORMED, SIGNATURE_MISMATCH, CERTIFICATE_UNTRUSTED,
 *   IDENTITY_MISMATCH, LOG_ENTRY_INVALID
 */
export async function verify<S extends Subject>(
  subject: S,
  bundle: Bundle,
  trust: TrustMaterial,
  expected: ExpectedIdentity,
): Promise<Verified<S>> {
  const { signature, digest, certificate } = signedContent(bundle);
  const leaf = parseLeaf(certificate);
  checkDigest(subject, digest);
  const signer = await checkSignature(subject, signature, leaf);
  inspectCertificate(() => {
    checkCodeSigningLeaf(leaf);
    checkIdentity(leaf, expected);
  });
  const entry = soleEntry(bundle);
  checkEntryKind(entry);
  checkEntryBody(entry, { digest: subject.sha256, signature, certificate });
  checkInclusionProof(entry);
  checkNumbers(entry);
  inspectCertificate(() => {
    checkIntegratedTime(entry, leaf);
  });
  const signedAt = checkAgainstTrustRoot(subject, bundle, signer, trust);
  checkLogValidity(entry, signedAt, trust);
  return new Verified(seal, subject, bundle, expected, entry, signedAt);
}
