import type { Bundle } from '@sigstore/bundle';
import { X509Certificate } from '@sigstore/core';
import { SetupError, explain } from '../../errors.js';
import { toBundle } from '../bundle.js';
import { parseDetached, type DetachedSignature } from '../detached.js';
import {
  ImagePayload,
  PAYLOAD_TYPE,
  checkImagePayload,
  type ExpectedImage,
} from '../image-payload.js';
import { parseLeaf } from '../verify/certificate.js';
import { checkIdentity, type ExpectedIdentity } from '../verify/identity.js';
import { checkSignature } from '../verify/signature.js';
import { verify, type Verified } from '../verify/verify.js';
import { LoggedSignatures } from './logged.js';
import type { TransparencyLog } from './rekor.js';
import type { Policy } from './source.js';

/** Annotations of a layer (sigstore/cosign, pkg/oci/static and specs/SIGNATURE_SPEC.md). */
const SIGNATURE_ANNOTATION = 'dev.cosignproject.cosign/signature';
const CERTIFICATE_ANNOTATION = 'dev.sigstore.cosign/certificate';

/** Images are sometimes signed again when they are promoted. At most this many signatures are read. */
const MAX_SIGNATURES = 32;
/** At most this many are verified. Only signatures with the expected identity count: others cost no request. */
const MAX_TRIES = 8;

/** A layer of the manifest at cosign's signature tag: a candidate. Nothing in it is verified yet. */
export interface SignatureLayer {
  readonly mediaType: string;
  readonly annotations: ReadonlyMap<string, string>;
  /** Reads the payload, and checks its digest. */
  payload(): Promise<Buffer>;
}

/**
 * Steps 3 to 6 of the verification for the signature of an image, and the check of its payload. One
 * signature that passes everything is enough.
 *
 * cosign stores the log's timestamp next to a signature. It does not prove that the entry is in the
 * log, so the entry is requested from the log instead.
 *
 * @param name of the image, for messages
 * @throws {SetupError} IMAGE_NOT_SIGNED, IMAGE_MISMATCH, and every code of the verification. If
 *   several signatures fail, the error is that of the one that passed the most checks.
 */
export async function verifyImageSignature(
  policy: Policy,
  log: TransparencyLog,
  name: string,
  image: ExpectedImage,
  layers: readonly SignatureLayer[],
): Promise<Verified<ImagePayload>> {
  const candidates = layers.filter(({ mediaType }) => mediaType === PAYLOAD_TYPE);
  const failures: SetupError[] = [];
  let tries = 0;
  for (const candidate of candidates.slice(0, MAX_SIGNATURES)) {
    try {
      const detached = readDetached(candidate);
      // verify() checks the identity again. This check saves the requests for signatures by others.
      checkSigner(detached, policy.identity);
      tries += 1;
      if (tries > MAX_TRIES) {
        break;
      }
      return await verifyCandidate(policy, log, image, detached, candidate);
    } catch (error) {
      if (!(error instanceof SetupError) || !ABOUT_ONE_SIGNATURE.includes(error.code)) {
        throw error;
      }
      failures.push(error);
    }
  }
  const failure = mostTelling(failures);
  throw failure === undefined ? notSigned(`${name} has no signature`) : ofImage(name, failure);
}

/**
 * Steps 3 to 6 of the verification for a signature that was stored with its log entry. Which image
 * the payload names is not checked.
 *
 * @param name of the image, for messages
 * @throws {SetupError} every code of the verification
 */
export async function verifyStoredSignature(
  policy: Policy,
  name: string,
  payload: ImagePayload,
  bundle: Bundle,
): Promise<Verified<ImagePayload>> {
  const trust = await policy.trust;
  try {
    return await verify(payload, bundle, trust, policy.identity);
  } catch (error) {
    throw error instanceof SetupError ? ofImage(name, error) : error;
  }
}

async function verifyCandidate(
  policy: Policy,
  log: TransparencyLog,
  image: ExpectedImage,
  detached: DetachedSignature,
  candidate: SignatureLayer,
): Promise<Verified<ImagePayload>> {
  const payload = new ImagePayload(await candidate.payload());
  await checkSignature(payload, detached.signature, parseLeaf(detached.certificate));
  const entry = await new LoggedSignatures(log, payload).entryOf(detached);
  if (entry === undefined) {
    throw new SetupError(
      'LOG_ENTRY_NOT_FOUND',
      `the transparency log has no entry for the signature (payload SHA-256 ${payload.sha256.toString('hex')})`,
    );
  }
  const bundle = toBundle(payload.sha256, detached, entry);
  const verified = await verify(payload, bundle, await policy.trust, policy.identity);
  checkImagePayload(verified, image);
  return verified;
}

function readDetached({ annotations }: SignatureLayer): DetachedSignature {
  const signature = annotations.get(SIGNATURE_ANNOTATION);
  const certificate = annotations.get(CERTIFICATE_ANNOTATION);
  if (signature === undefined || certificate === undefined) {
    throw malformed('it has no certificate; signatures with a plain key are not supported');
  }
  try {
    return parseDetached(Buffer.from(signature), Buffer.from(certificate));
  } catch (error) {
    throw malformed(explain(error), error);
  }
}

function checkSigner({ certificate }: DetachedSignature, expected: ExpectedIdentity): void {
  try {
    checkIdentity(X509Certificate.parse(Buffer.from(certificate)), expected);
  } catch (error) {
    throw error instanceof SetupError
      ? error
      : malformed(`its certificate cannot be read: ${explain(error)}`, error);
  }
}

/** Codes that say what is wrong with one signature, in the order of the checks. */
const ABOUT_ONE_SIGNATURE: readonly string[] = [
  'SIGNATURE_MALFORMED',
  'IDENTITY_MISMATCH',
  'SIGNATURE_MISMATCH',
  'CERTIFICATE_UNTRUSTED',
  'LOG_ENTRY_NOT_FOUND',
  'LOG_ENTRY_INVALID',
  'IMAGE_MISMATCH',
];

/** The failure of the signature that passed the most checks. */
function mostTelling(failures: readonly SetupError[]): SetupError | undefined {
  const rank = ({ code }: SetupError): number => ABOUT_ONE_SIGNATURE.indexOf(code);
  return failures.toSorted((a, b) => rank(b) - rank(a))[0];
}

/** @param reason names the image */
export function notSigned(reason: string): SetupError {
  return new SetupError('IMAGE_NOT_SIGNED', reason);
}

function malformed(reason: string, cause?: unknown): SetupError {
  return new SetupError(
    'SIGNATURE_MALFORMED',
    `the signature of the image cannot be read: ${reason}`,
    { cause },
  );
}

/** The failure of one signature, as that of the image. */
function ofImage(name: string, failure: SetupError): SetupError {
  return new SetupError(failure.code, `${name}: ${failure.message}`, {
    situation: failure.situation ?? 'image',
    cause: failure,
  });
}
