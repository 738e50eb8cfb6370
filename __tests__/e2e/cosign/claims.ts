// The lines of the comparison in docs/verification.md.
export const SIGNATURE = 'digest and signature over the bytes';
export const CHAIN = 'certificate chain at the time of signing';
export const TIMESTAMP = 'certificate timestamp by a known CT log';
export const USAGE = 'certificate for another usage than code signing';
export const NO_USAGE = 'certificate without extended key usage';
export const IDENTITY = 'identity compared as a whole';
export const SECOND_NAME = 'certificate with a second subject alternative name';
export const TWO_ISSUERS = 'certificate whose two issuer extensions differ';
export const DUPLICATE = 'certificate with two extensions of one kind';
export const CRITICAL = 'certificate with an unknown critical extension';
export const MALFORMED_EXTENSION = 'certificate with a malformed extension';
export const UNUSED_EXTENSION = 'certificate with policies, name constraints or revocation lists';
export const CURVE = 'key on another curve than P-256, P-384 or P-521';
export const RSA = 'RSA key';
export const SHA_384 = 'SHA-384 over the bytes';
export const ATTESTATION = 'attestation that names the bytes';
export const BODY = 'log entry made for another digest, signature or certificate';
export const PROOF = 'entry timestamp and inclusion proof';
export const CHECKPOINT = 'checkpoint signature';
export const TREE = 'proof’s root hash unlike the checkpoint’s';
export const SIZE = 'proof’s tree size unlike the checkpoint’s';
export const NO_PROOF = 'bundle 0.1 without inclusion proof';
export const TIME = 'entry time outside of the certificate’s validity';
export const NO_TIME = 'Rekor v2 entry without RFC 3161 timestamp';
export const NUMBERS = 'numbers that are not canonical decimals';
export const RESPONSE = 'RFC 3161 response changed where nobody signed it';
export const BAD_TIMESTAMP_TOO = 'a bad RFC 3161 timestamp beside a good one';
export const CHAIN_BEHIND = 'certificates behind the leaf';
export const COSIGNED = 'checkpoint signatures by others than the log';
export const UNSIGNED_TIME = 'entry time that nobody signed';
export const RELEASE = 'another version, tool or platform under the requested name';
export const BROKEN = 'broken publication';
export const PAIR = 'published `.sig` and `.cert`';
export const BUNDLES = 'bundles 0.1, 0.2, 0.3; Rekor v1 and v2';
export const GIVEN = 'identity and issuer must be given';
export const SKIP = 'can be told to skip the log or the certificate timestamp';
export const TRUST_ROOT = 'trust root through TUF, or a file';

/** What cosign complains of, in its own words: it must refuse for the right reason. */
export const INVALID_SIGNATURE = /invalid signature when validating ASN.1 encoded signature/;
export const UNKNOWN_AUTHORITY = /signed by unknown authority/;
export const WRONG_USAGE = /incompatible key usage/;
export const DUPLICATE_EXTENSION = /certificate contains duplicate extension/;
export const UNHANDLED_EXTENSION = /unhandled critical extension/;
export const NO_SCT = /embedded SCT|ctfe public key not found/;
export const ANOTHER_IDENTITY = /none of the expected identities matched/;
export const NOT_IN_LOG = /signature not found in transparency log/;
export const ANOTHER_ENTRY = /no valid tlog entries found/;
export const BAD_TIMESTAMP = /unable to verify SET/;
export const BAD_PROOF = /verifying inclusion proof: calculated root/;
export const UNKNOWN_LOG = /rekor log public key not found/;
export const OUT_OF_TIME = /certificate (?:expired before|was issued after) observed time/;

/** The same of a bundle. */
export const OF_BUNDLE = {
  BAD_CHAIN: /failed to verify leaf certificate/,
  NO_SCT: /failed to verify signed certificate timestamp/,
  ANOTHER_IDENTITY: /no matching CertificateIdentity found/,
  /** What it cannot read as a bundle it takes for one of the format before, and has no trusted root for that. */
  UNREADABLE: /--trusted-root only supported with --new-bundle-format/,
  NOT_PROVEN: /not enough verified log entries/,
  NO_TIME: /failed to verify timestamps/,
  BAD_INCLUSION: /failed to verify log inclusion/,
} as const;
