import { SetupError } from '../errors.js';
import type { ImageInputs } from '../inputs.js';
import type { ProofContext } from '../install/context.js';
import { LockedImages, RegistryImages } from '../install/image-source.js';
import { verifyImages, type VerifiedImage } from '../install/images.js';
import type { Logger } from '../install/logger.js';
import { imageOf } from '../kubernetes/image.js';
import type { Release } from '../kubernetes/release.js';
import { Lock, type LockedImage } from '../lock/lock.js';
import { RegistryClient } from '../registry/client.js';
import { toCurrentVersion } from '../sigstore/bundle.js';
import type { Policy } from '../sigstore/evidence/source.js';
import type { HttpClient } from '../transfer/http.js';

/** What locking the images of one release needs. */
interface ImagesToLock {
  readonly inputs: ImageInputs;
  readonly release: Release;
  /** The lock file as it is; undefined if there is none. */
  readonly before: Lock | undefined;
  readonly logger: Logger;
  readonly http: HttpClient;
}

/**
 * Verifies the images as a run does.
 *
 * @returns the entries of the lock file, by full reference
 * @throws {SetupError} every code of the verification
 */
export async function lockImages(
  { inputs, release, before, logger, http }: ImagesToLock,
  context: ProofContext,
): Promise<Map<string, LockedImage>> {
  const policy = { ...context.policy, identity: inputs.imageIdentity };
  const registry = new RegistryClient(http, inputs.imageRegistry);
  const verified = await verifyImages(
    { ...context, images: new RegistryImages(registry, context.log, policy) },
    inputs.images.map((request) => imageOf(request, release.version)),
  );
  const entries = new Map<string, LockedImage>();
  for (const one of verified) {
    entries.set(one.image.name, await lockedImage(policy, one, release.version, before));
    logger.info(`Verified ${one.image.name}: ${one.contents.manifest.digest}`);
  }
  return entries;
}

/** The entry of an image, with the evidence that the lock file has, if that proves the same. */
async function lockedImage(
  policy: Policy,
  one: VerifiedImage,
  version: string,
  before: Lock | undefined,
): Promise<LockedImage> {
  const { image, contents, verified } = one;
  const { digest } = contents.manifest;
  const kept = before?.version === version ? before.images.get(image.name) : undefined;
  if (kept?.digest === digest && (await proves(policy, one, version, kept))) {
    return kept;
  }
  const fresh = {
    digest,
    payload: verified.subject.bytes,
    bundle: toCurrentVersion(verified.bundle),
    contents,
  };
  if (!(await proves(policy, one, version, fresh))) {
    throw new TypeError(
      `the evidence for ${image.name} does not pass in the form of the lock file`,
    );
  }
  return fresh;
}

/** Whether a run would accept the entry, by the log entry that was just verified. */
async function proves(
  policy: Policy,
  { image, verified }: VerifiedImage,
  version: string,
  locked: LockedImage,
): Promise<boolean> {
  const images = new Map([[image.name, locked]]);
  const lock = new Lock('the lock file', { version, files: new Map(), images });
  try {
    const again = await new LockedImages(lock, policy).find(image);
    return again.verified.uuid === verified.uuid;
  } catch (error) {
    if (error instanceof SetupError) {
      return false;
    }
    throw error;
  }
}
