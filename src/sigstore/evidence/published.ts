import type { TrustMaterial } from '@sigstore/verify';
import type { Bundle } from '@sigstore/bundle';
import { SetupError } from '../../errors.js';
import type { DigestedFile } from '../../files/digested-file.js';
import { downloadFailed } from '../../transfer/download-failed.js';
import type { HttpClient } from '../../transfer/http.js';
import { MAX_BUNDLE_BYTES, parseBundle, toBundle } from '../bundle.js';
import {
  MAX_CERTIFICATE_BYTES,
  MAX_SIGNATURE_BYTES,
  parseDetached,
  type DetachedSignature,
} from '../detached.js';
import { hashedRekordBody, leafHash, parseHashedRekord } from '../hashedrekord.js';
import type { ExpectedIdentity } from '../verify/identity.js';
import type { LogEntry, TransparencyLog } from './rekor.js';
import { checkSignature, verify, type Verified } from '../verify/verify.js';

/** Where the material for one file is published. */
export interface MaterialUrls {
  /** For messages: `bin/linux/amd64/kubectl`. */
  readonly name: string;
  readonly signatureUrl: URL;
  readonly certificateUrl: URL;
  readonly bundleUrl: URL;
}

/** Everything that a proof needs besides the file and its material. */
export interface VerificationContext {
  readonly http: HttpClient;
  readonly log: TransparencyLog;
  readonly trust: Promise<TrustMaterial>;
  readonly expected: ExpectedIdentity;
}

export interface VerifiedPublication {
  readonly verified: Verified;
  /** For a warning: why the published material was not used. */
  readonly recovered?: string;
}

/**
 * Steps 2 to 6 of the verification for one file, with what is published beside it.
 *
 * Runs while the file is still being downloaded: what the log holds for the digest that
 * `hint` tells is asked for early, and asked again if the hint turns out to be wrong.
 *
 * @param file the bytes, when they have arrived
 * @param claimedDigest SHA-256 of the file as hex, as an unsigned file beside it tells; undefined if none
 * @throws {SetupError} every code of the verification
 */
export async function verifyPublished(
  context: VerificationContext,
  urls: MaterialUrls,
  file: Promise<DigestedFile>,
  claimedDigest: Promise<string | undefined>,
): Promise<VerifiedPublication> {
  file.catch(() => undefined); // Awaited below; until then a failed download has no other listener.
  try {
    return await provePublished(context, urls, file, claimedDigest);
  } catch (error) {
    throw naming(urls.name, error);
  }
}

async function provePublished(
  context: VerificationContext,
  urls: MaterialUrls,
  file: Promise<DigestedFile>,
  claimedDigest: Promise<string | undefined>,
): Promise<VerifiedPublication> {
  const published = await fetchDetached(context.http, urls);
  if (published.kind === 'absent') {
    return proveWithoutDetached(context, urls, await file, published.reason);
  }
  if (published.kind === 'malformed') {
    return retryWithFreshPair(context, urls, await file, published.error);
  }
  const { detached } = published;
  const early = lookUpEarly(context.log, detached, claimedDigest);
  const arrived = await file;
  const failure = signatureFailure(arrived, detached);
  if (failure !== undefined) {
    return retryWithFreshPair(context, urls, arrived, failure);
  }
  const entry = await lookUp(context.log, arrived, detached, early);
  return entry === undefined
    ? recover(context, arrived, entryNotFound(urls.name, arrived))
    : proof(context, arrived, toBundle(arrived.sha256, detached, entry));
}

/**
 * Steps 3 to 6 for a file whose bundle is already at hand.
 *
 * @throws {SetupError}
 */
export async function verifyBundle(
  context: VerificationContext,
  file: DigestedFile,
  bundle: Bundle,
): Promise<Verified> {
  return verify(file, bundle, await context.trust, context.expected);
}

async function proof(
  context: VerificationContext,
  file: DigestedFile,
  bundle: Bundle,
  recovered?: string,
): Promise<VerifiedPublication> {
  const verified = await verifyBundle(context, file, bundle);
  return { verified, ...(recovered === undefined ? {} : { recovered }) };
}

type Published =
  | { readonly kind: 'pair'; readonly detached: DetachedSignature }
  | { readonly kind: 'malformed'; readonly error: SetupError }
  | { readonly kind: 'absent'; readonly reason: string };

/** Signature and certificate belong together, so they are always fetched together. */
async function fetchDetached(http: HttpClient, urls: MaterialUrls): Promise<Published> {
  const [signature, certificate] = await Promise.all([
    readMaterial(http, urls.signatureUrl, MAX_SIGNATURE_BYTES),
    readMaterial(http, urls.certificateUrl, MAX_CERTIFICATE_BYTES),
  ]);
  if (signature === undefined || certificate === undefined) {
    const missing = [
      ...(signature === undefined ? ['.sig'] : []),
      ...(certificate === undefined ? ['.cert'] : []),
    ];
    return { kind: 'absent', reason: `${urls.name} has no ${missing.join(' and no ')} beside it` };
  }
  try {
    return { kind: 'pair', detached: parseDetached(signature, certificate) };
  } catch (error) {
    if (error instanceof SetupError) {
      return { kind: 'malformed', error };
    }
    throw error;
  }
}

async function readMaterial(
  http: HttpClient,
  url: URL,
  maxBytes: number,
): Promise<Buffer | undefined> {
  try {
    return await http.readIfPresent(url, maxBytes);
  } catch (error) {
    throw downloadFailed(error, 'the signature');
  }
}

/** Undefined when the signature verifies over the file. */
function signatureFailure(file: DigestedFile, detached: DetachedSignature): SetupError | undefined {
  try {
    checkSignature(file, detached.signature, detached.certificate);
    return undefined;
  } catch (error) {
    if (error instanceof SetupError && error.code === 'SIGNATURE_MISMATCH') {
      return error;
    }
    throw error;
  }
}

/** Asks while the file is on its way. What fails here is asked again, with the true digest. */
function lookUpEarly(
  log: TransparencyLog,
  detached: DetachedSignature,
  claimedDigest: Promise<string | undefined>,
): Promise<LogEntry | undefined> {
  const early = claimedDigest.then((digest) =>
    digest === undefined
      ? undefined
      : log.entryByLeafHash(leafHash(hashedRekordBody(digest, detached))),
  );
  early.catch(() => undefined); // Awaited later, perhaps never: no unhandled rejection meanwhile.
  return early;
}

/** By the UUID that follows from digest, signature and certificate; then by the digest. */
async function lookUp(
  log: TransparencyLog,
  file: DigestedFile,
  detached: DetachedSignature,
  early: Promise<LogEntry | undefined>,
): Promise<LogEntry | undefined> {
  const uuid = leafHash(hashedRekordBody(file.sha256.toString('hex'), detached));
  const hinted = await early.catch(() => undefined);
  if (hinted?.uuid.endsWith(uuid) === true) {
    return hinted;
  }
  const entry = await log.entryByLeafHash(uuid);
  if (entry !== undefined) {
    return entry;
  }
  // The same pair, written down in another way (line breaks in the PEM), has another UUID.
  const entries = await log.entriesByDigest(file.sha256.toString('hex'));
  return entries.find(({ body }) => {
    const logged = parseHashedRekord(body);
    return (
      logged?.signature.equals(detached.signature) === true &&
      logged.certificate.equals(detached.certificate)
    );
  });
}

/** A signing job that is run again replaces both files, and a reader may meet it half-way. */
async function retryWithFreshPair(
  context: VerificationContext,
  urls: MaterialUrls,
  file: DigestedFile,
  failure: SetupError,
): Promise<VerifiedPublication> {
  const published = await fetchDetached(context.http, urls);
  if (published.kind === 'pair' && signatureFailure(file, published.detached) === undefined) {
    const { detached } = published;
    const entry = await lookUp(context.log, file, detached, Promise.resolve(undefined));
    if (entry !== undefined) {
      const bundle = toBundle(file.sha256, detached, entry);
      const recovered = `${failure.message}; verified with the pair that was published a moment later`;
      return proof(context, file, bundle, recovered);
    }
  }
  return recover(context, file, failure);
}

async function proveWithoutDetached(
  context: VerificationContext,
  urls: MaterialUrls,
  file: DigestedFile,
  reason: string,
): Promise<VerifiedPublication> {
  const json = await readMaterial(context.http, urls.bundleUrl, MAX_BUNDLE_BYTES);
  return json === undefined
    ? recover(context, file, notSigned(reason))
    : proof(context, file, parseBundle(json));
}

/**
 * The publication is broken. The log may hold what should have been published: signature and
 * certificate of an entry for this digest, and every check applies to them. The earliest entry
 * that passes wins.
 *
 * @throws the complaint, when no entry passes
 */
async function recover(
  context: VerificationContext,
  file: DigestedFile,
  failure: SetupError,
): Promise<VerifiedPublication> {
  for (const entry of await candidates(context.log, file, failure)) {
    const logged = parseHashedRekord(entry.body);
    if (logged === undefined) {
      continue;
    }
    try {
      const recovered = `${failure.message}; verified with the signature and certificate in log entry ${entry.uuid}`;
      return await proof(context, file, toBundle(file.sha256, logged, entry), recovered);
    } catch (error) {
      if (!(error instanceof SetupError) || error.code === 'TRUST_ROOT_UNAVAILABLE') {
        throw error;
      }
    }
  }
  throw failure;
}

async function candidates(
  log: TransparencyLog,
  file: DigestedFile,
  failure: SetupError,
): Promise<LogEntry[]> {
  try {
    return await log.entriesByDigest(file.sha256.toString('hex'));
  } catch (error) {
    // A signature that is there and wrong is the worse news, whatever the log would have said.
    const isWrong = ['SIGNATURE_MISMATCH', 'SIGNATURE_MALFORMED'].includes(failure.code);
    throw isWrong && error instanceof SetupError ? failure : error;
  }
}

/** Codes that say what is wrong with one file; a release has several. */
const OF_ONE_FILE = new Set<string>([
  'SIGNATURE_MALFORMED',
  'SIGNATURE_MISMATCH',
  'CERTIFICATE_UNTRUSTED',
  'IDENTITY_MISMATCH',
  'LOG_ENTRY_INVALID',
]);

/** The error with the file's name in front; any other error unchanged. */
function naming(name: string, error: unknown): unknown {
  return error instanceof SetupError && OF_ONE_FILE.has(error.code)
    ? new SetupError(error.code, `${name}: ${error.message}`, error.hint, error)
    : error;
}

function notSigned(reason: string): SetupError {
  return new SetupError(
    'RELEASE_NOT_SIGNED',
    `${reason}, no Sigstore bundle, and the transparency log holds no valid entry for it`,
    'Kubernetes signs its releases since v1.26.0 (and the last patches of 1.22 to 1.25). Choose a signed one. With "download-base-url", check that the mirror carries .sig and .cert too.',
  );
}

function entryNotFound(name: string, file: DigestedFile): SetupError {
  return new SetupError(
    'LOG_ENTRY_NOT_FOUND',
    `the transparency log holds no entry for the signature of ${name} (SHA-256 ${file.sha256.toString('hex')})`,
    'The signature was never made public, which Kubernetes always does. Do not use the file. With a Sigstore instance of your own, check "rekor-url".',
  );
}
