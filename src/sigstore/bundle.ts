import {
  BUNDLE_V01_MEDIA_TYPE,
  BUNDLE_V02_MEDIA_TYPE,
  BUNDLE_V03_LEGACY_MEDIA_TYPE,
  BUNDLE_V03_MEDIA_TYPE,
  bundleFromJSON,
  bundleToJSON,
  toMessageSignatureBundle,
  type Bundle,
} from '@sigstore/bundle';
import { SetupError } from '../errors.js';
import { withoutForeignSignatures } from './checkpoint.js';
import type { DetachedSignature } from './detached.js';
import { KIND, VERSION_V1 } from './hashedrekord.js';
import type { LogEntry } from './evidence/rekor.js';

/** `@sigstore/bundle` takes any other for the latest; other readers of the evidence refuse it. */
const MEDIA_TYPES = [
  BUNDLE_V01_MEDIA_TYPE,
  BUNDLE_V02_MEDIA_TYPE,
  BUNDLE_V03_LEGACY_MEDIA_TYPE,
  BUNDLE_V03_MEDIA_TYPE,
];

/** A bundle with one entry is about 6 KiB. */
export const MAX_BUNDLE_BYTES = 256 << 10;

/**
 * Puts a detached signature and its log entry together: a Sigstore bundle v0.3.
 *
 * @param sha256 digest of the artifact, 32 bytes
 */
export function toBundle(sha256: Buffer, detached: DetachedSignature, entry: LogEntry): Bundle {
  const bundle = toMessageSignatureBundle({
    digest: sha256,
    signature: detached.signature,
    certificate: detached.certificate,
    certificateChain: false,
  });
  const { inclusionProof } = entry;
  bundle.verificationMaterial.tlogEntries.push({
    logIndex: String(entry.logIndex),
    logId: { keyId: entry.logId },
    kindVersion: { kind: KIND, version: VERSION_V1 },
    integratedTime: String(entry.integratedTime),
    inclusionPromise: { signedEntryTimestamp: entry.signedEntryTimestamp },
    inclusionProof: {
      logIndex: String(inclusionProof.logIndex),
      treeSize: String(inclusionProof.treeSize),
      rootHash: inclusionProof.rootHash,
      hashes: [...inclusionProof.hashes],
      checkpoint: { envelope: inclusionProof.checkpoint },
    },
    canonicalizedBody: entry.body,
  });
  return withoutUnverified(bundle);
}

/**
 * Parses a bundle, and drops what `verify()` does not check: certificates after the leaf (those of
 * the authorities are in the trust root), signatures of others under a checkpoint, and the time of
 * an entry without an inclusion promise, which nobody signed. Other tools may refuse a bundle
 * because of them.
 *
 * @param json a Sigstore bundle of version 0.1, 0.2 or 0.3
 * @throws {SetupError} SIGNATURE_MALFORMED
 */
export function parseBundle(json: Buffer): Bundle {
  try {
    const bundle = bundleFromJSON(JSON.parse(json.toString('utf8')));
    if (!MEDIA_TYPES.includes(bundle.mediaType)) {
      throw new UnknownMediaTypeError();
    }
    return withoutUnverified(bundle);
  } catch (error) {
    throw new SetupError(
      'SIGNATURE_MALFORMED',
      `cannot parse the Sigstore bundle: ${whyNotParsed(error)}`,
    );
  }
}

class UnknownMediaTypeError extends Error {}

/** The file may be a link to something that is not for the log, so nothing in it is repeated. */
function whyNotParsed(error: unknown): string {
  if (error instanceof SyntaxError) {
    return 'it is not JSON';
  }
  return error instanceof UnknownMediaTypeError
    ? 'its media type is unknown'
    : 'it does not have the structure of a bundle';
}

/**
 * The same bundle in version 0.3, the form that stays: with the leaf certificate alone, and without
 * an empty list of timestamps.
 *
 * @param bundle that {@link parseBundle} or {@link toBundle} returned, of any version
 */
export function toCurrentVersion(bundle: Bundle): Bundle {
  const { verificationMaterial } = bundle;
  const { content, timestampVerificationData } = verificationMaterial;
  const timestamps = timestampVerificationData?.rfc3161Timestamps ?? [];
  const [leaf] =
    content.$case === 'x509CertificateChain' ? content.x509CertificateChain.certificates : [];
  return {
    ...bundle,
    mediaType: BUNDLE_V03_MEDIA_TYPE,
    verificationMaterial: {
      ...verificationMaterial,
      content: leaf === undefined ? content : { $case: 'certificate', certificate: leaf },
      timestampVerificationData: timestamps.length === 0 ? undefined : timestampVerificationData,
    },
  };
}

/** Sigstore bundle as JSON, UTF-8, ending in a newline. */
export function serializeBundle(bundle: Bundle): Buffer {
  return Buffer.from(`${JSON.stringify(bundleToJSON(bundle), undefined, 2)}\n`);
}

function withoutUnverified(bundle: Bundle): Bundle {
  const { content, tlogEntries } = bundle.verificationMaterial;
  if (content.$case === 'x509CertificateChain') {
    content.x509CertificateChain.certificates.splice(1);
  }
  for (const entry of tlogEntries) {
    const checkpoint = entry.inclusionProof?.checkpoint;
    if (checkpoint !== undefined) {
      checkpoint.envelope = withoutForeignSignatures(checkpoint.envelope, entry.logId.keyId);
    }
    if (entry.inclusionPromise === undefined) {
      entry.integratedTime = '0';
    }
  }
  return bundle;
}
