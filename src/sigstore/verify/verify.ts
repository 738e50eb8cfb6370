import { createPublicKey } from 'node:crypto';
import type { Bundle, TransparencyLogEntry } from '@sigstore/bundle';
import { X509Certificate } from '@sigstore/core';
import { HashAlgorithm } from '@sigstore/protobuf-specs';
import {
  VerificationError,
  Verifier,
  toSignedEntity,
  type SignedEntity,
  type TrustMaterial,
} from '@sigstore/verify';
import { SetupError, explain } from '../../errors.js';
import { isSignedByLogAlone } from '../checkpoint.js';
import { KIND, VERSION_V1, VERSION_V2, leafHash, parseHashedRekord } from '../hashedrekord.js';
import { certificateDefect } from './certificate.js';
import { checkIdentity, type ExpectedIdentity } from './identity.js';
import type { Subject } from './subject.js';
import { timestampDefect } from './timestamp.js';

/** RFC 5280 §4.2.1.12: id-kp-codeSigning. */
const CODE_SIGNING = '1.3.6.1.5.5.7.3.3';
/**
 * How a SubjectPublicKeyInfo (DER, RFC 5480) of P-256, P-384 or P-521 begins: the curve by its
 * name, the point uncompressed. OpenSSL takes other curves and encodings; Go's crypto/x509 does
 * not.
 */
const EC_KEYS = [
  '3059301306072a8648ce3d020106082a8648ce3d03010703420004',
  '3076301006072a8648ce3d020106052b8104002203620004',
  '30819b301006072a8648ce3d020106052b810400230381860004',
];
/** More are refused by sigstore-go (internal/limits). */
const MAX_TIMESTAMPS = 32;
/** Below 2^53. */
const DECIMAL = /^(?:0|[1-9]\d{0,14})$/;

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
export function verify<S extends Subject>(
  subject: S,
  bundle: Bundle,
  trust: TrustMaterial,
  expected: ExpectedIdentity,
): Verified<S> {
  const { signature, digest, certificate } = signedContent(bundle);
  const leaf = parseLeaf(certificate);
  checkDigest(subject, digest);
  checkSignature(subject, signature, certificate);
  inspect(() => {
    checkCodeSigningLeaf(leaf);
    checkIdentity(leaf, expected);
  });
  const [entry, ...more] = bundle.verificationMaterial.tlogEntries;
  if (entry === undefined || more.length > 0) {
    throw invalidEntry(`expected one log entry, found ${String(more.length + (entry ? 1 : 0))}`);
  }
  checkEntryKind(entry);
  checkEntryBody(entry, { digest: subject.sha256, signature, certificate });
  checkInclusionProofPresent(entry);
  checkInclusionProofMatchesCheckpoint(entry);
  checkNumbers(entry);
  inspect(() => {
    checkIntegratedTime(entry, leaf);
  });
  const signedAt = checkAgainstTrustRoot(subject, bundle, trust);
  checkLogValidity(entry, signedAt, trust);
  return new Verified(seal, subject, bundle, expected, entry, signedAt);
}

interface SignedContent {
  /** ECDSA, DER. */
  readonly signature: Buffer;
  /** SHA-256, 32 bytes. */
  readonly digest: Buffer;
  /** X.509, DER. */
  readonly certificate: Buffer;
}

/** A signature over the file itself, made with the key of a certificate. */
function signedContent(bundle: Bundle): SignedContent {
  const { content, verificationMaterial } = bundle;
  const key = verificationMaterial.content;
  const certificate =
    key.$case === 'certificate'
      ? key.certificate
      : key.$case === 'x509CertificateChain' && key.x509CertificateChain.certificates.length === 1
        ? key.x509CertificateChain.certificates[0]
        : undefined;
  if (
    content.$case !== 'messageSignature' ||
    content.messageSignature.messageDigest.algorithm !== HashAlgorithm.SHA2_256 ||
    certificate === undefined
  ) {
    throw new SetupError(
      'SIGNATURE_MALFORMED',
      'the Sigstore bundle does not contain a certificate and a signature over the SHA-256 of the file',
      { situation: 'not-a-blob-bundle' },
    );
  }
  return {
    signature: content.messageSignature.signature,
    digest: content.messageSignature.messageDigest.digest,
    certificate: certificate.rawBytes,
  };
}

function parseLeaf(certificate: Buffer): X509Certificate {
  let leaf: X509Certificate;
  try {
    leaf = X509Certificate.parse(Buffer.from(certificate));
    createPublicKey({ key: leaf.publicKey, format: 'der', type: 'spki' });
  } catch (error) {
    throw untrusted(`cannot parse it: ${explain(error)}`, error);
  }
  const defect = certificateDefect(leaf);
  if (defect !== undefined) {
    throw untrusted(`it ${defect}`);
  }
  return leaf;
}

/** A certificate's fields are read when they are asked for: only then it shows that one is damaged. */
function inspect(check: () => void): void {
  try {
    check();
  } catch (error) {
    throw error instanceof SetupError
      ? error
      : untrusted(`cannot parse it: ${explain(error)}`, error);
  }
}

/** The digest that the bundle states is the file's. */
export function checkDigest(subject: Subject, digest: Buffer): void {
  if (!subject.sha256.equals(digest)) {
    throw mismatch(`the signature is for a file with SHA-256 ${digest.toString('hex')}`);
  }
}

/**
 * ECDSA with SHA-256 over the file, with the certificate's key.
 *
 * @param signature DER
 * @param certificate X.509, DER
 */
export function checkSignature(subject: Subject, signature: Buffer, certificate: Buffer): void {
  const { publicKey } = parseLeaf(certificate);
  const key = createPublicKey({ key: publicKey, format: 'der', type: 'spki' });
  if (key.asymmetricKeyType !== 'ec') {
    throw untrusted(`its key is of type ${key.asymmetricKeyType ?? 'unknown'}, not ECDSA`);
  }
  if (!EC_KEYS.some((beginning) => publicKey.toString('hex').startsWith(beginning))) {
    throw untrusted('its key is not an uncompressed point on P-256, P-384 or P-521');
  }
  if (!subject.isSignedBy(key, signature)) {
    throw mismatch('the signature does not verify over the file');
  }
}

/** The certificate may sign code, and is not an authority itself (RFC 5280 §4.2.1). */
export function checkCodeSigningLeaf(leaf: X509Certificate): void {
  if (leaf.extBasicConstraints?.isCA === true || leaf.extKeyUsage?.keyCertSign === true) {
    throw untrusted('it is a CA certificate');
  }
  if (leaf.extKeyUsage?.digitalSignature !== true) {
    throw untrusted('its key usage does not include digital signatures');
  }
  if (!extendedKeyUsages(leaf).includes(CODE_SIGNING)) {
    throw untrusted('its extended key usage does not include code signing');
  }
}

function extendedKeyUsages(leaf: X509Certificate): string[] {
  const extension = leaf.extension('2.5.29.37');
  return (extension?.valueObj.subs[0]?.subs ?? []).map((usage) => usage.toOID());
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

/** `@sigstore/verify` is content with a timestamp or a proof; Rekor v1 gives both, v2 the proof. */
export function checkInclusionProofPresent(entry: TransparencyLogEntry): void {
  if (entry.inclusionProof?.checkpoint === undefined) {
    throw invalidEntry('it has no inclusion proof with a checkpoint');
  }
}

/**
 * Tree size and root hash that the proof states are those of the checkpoint, and the checkpoint
 * has one signature, which names the log. Whether that verifies is for `@sigstore/verify` to say.
 *
 * `@sigstore/verify` computes with the checkpoint's; other readers of the bundle take the proof's.
 */
export function checkInclusionProofMatchesCheckpoint(entry: TransparencyLogEntry): void {
  const proof = entry.inclusionProof;
  const [, size, root] = proof?.checkpoint?.envelope.split('\n', 3) ?? [];
  if (proof?.treeSize !== size || proof?.rootHash.toString('base64') !== root) {
    throw invalidEntry('its inclusion proof and its checkpoint are for different trees');
  }
  if (!isSignedByLogAlone(proof?.checkpoint?.envelope ?? '', entry.logId.keyId)) {
    throw invalidEntry('its checkpoint is not signed by its log alone');
  }
}

/** The log saw the signature while the certificate was valid. */
export function checkIntegratedTime(entry: TransparencyLogEntry, leaf: X509Certificate): void {
  if (entry.inclusionPromise === undefined) {
    return; // Without a promise nobody signed the time, and nothing here relies on it.
  }
  const integrated = new Date(Number(entry.integratedTime) * 1000);
  if (!leaf.validForDate(integrated)) {
    throw invalidEntry(
      `its time ${isoDate(integrated)} is outside the certificate's validity, ${isoDate(leaf.notBefore)} to ${isoDate(leaf.notAfter)}`,
    );
  }
}

/**
 * Indexes, tree size and time are written in the one way that every reader takes for the same
 * number.
 *
 * Without a promise nobody signed the position in the whole log and the time: the one must be the
 * proof's, the other absent.
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
 * What `@sigstore/verify` checks: certificate chain and certificate timestamp, entry timestamp or
 * RFC 3161 timestamp, inclusion proof, checkpoint; all against the keys of the trust root.
 *
 * @returns the earliest verified time of the signature
 */
function checkAgainstTrustRoot(subject: Subject, bundle: Bundle, trust: TrustMaterial): Date {
  const entity = signedEntity(subject, bundle);
  // An authority's constraints in extensions that nobody here processes must not be ignored.
  const certificateAuthorities = trust.certificateAuthorities.filter(({ certChain }) =>
    certChain.every((certificate) => certificateDefect(certificate) === undefined),
  );
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

/** DER TimeStampResp. */
function timestampResponses({ verificationMaterial }: Bundle): Buffer[] {
  const { rfc3161Timestamps = [] } = verificationMaterial.timestampVerificationData ?? {};
  return rfc3161Timestamps.map(({ signedTimestamp }) => signedTimestamp);
}

/** No byte of an RFC 3161 response can be changed by anybody but its authority. */
function checkTimestampResponses(responses: readonly Buffer[], trust: TrustMaterial): void {
  const chains = trust.timestampAuthorities.map(({ certChain }) => certChain);
  for (const response of responses) {
    const defect = timestampDefect(response, chains);
    if (defect !== undefined) {
      throw invalidEntry(`its timestamp ${defect}`);
    }
  }
}

/**
 * The log was in use when the signature was made.
 *
 * `@sigstore/verify` looks at that for an entry timestamp, but not for a checkpoint.
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
    throw invalidEntry(`its log was not in use at ${isoDate(signedAt)}`);
  }
}

/** The library's view of the bundle, but with the signature check that was fed while streaming. */
function signedEntity(subject: Subject, bundle: Bundle): SignedEntity {
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
      verifySignature: (key) => subject.isSignedBy(key, signature),
    },
  };
}

/** Only times that were verified: an entry without a promise tells none. */
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

/** The library's codes that speak of the log; its others speak of the certificate. */
const LOG_CODES = /^(?:TLOG|TIMESTAMP)_/;

function translated(error: unknown): SetupError {
  const reason = explain(error);
  const code = error instanceof VerificationError ? error.code : '';
  return LOG_CODES.test(code) ? invalidEntry(reason, error) : untrusted(reason, error);
}

function mismatch(reason: string): SetupError {
  return new SetupError('SIGNATURE_MISMATCH', reason);
}

function untrusted(reason: string, cause?: unknown): SetupError {
  return new SetupError(
    'CERTIFICATE_UNTRUSTED',
    `the signing certificate is not trusted: ${reason}`,
    { cause },
  );
}

function invalidEntry(reason: string, cause?: unknown): SetupError {
  return new SetupError(
    'LOG_ENTRY_INVALID',
    `the transparency-log entry does not prove this signature: ${reason}`,
    { cause },
  );
}

function isoDate(date: Date): string {
  return Number.isNaN(date.getTime()) ? 'unknown' : date.toISOString();
}
