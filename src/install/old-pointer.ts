import { existsSync } from 'node:fs';
import { explain } from '../errors.js';
import { Release, requestedNames } from '../kubernetes/release.js';
import { newerThan } from '../kubernetes/version.js';
import { verifySubject } from '../sigstore/evidence/source.js';
import { StoredBundle } from '../sigstore/evidence/stored.js';
import type { Subject } from '../sigstore/verify/subject.js';
import type { Verified } from '../sigstore/verify/verify.js';
import { SbomBinder } from './binding.js';
import type { InstallContext } from './context.js';
import { inspect } from './from-cache.js';
import type { ReleaseRequest } from './resolve-release.js';
import { cacheEntries, type CacheEntry } from './cache-entry.js';
import { cachedVersions } from './tool-cache.js';

const DAY = 86_400_000;
/** Kubernetes publishes a patch about every month. Longer than this without one is unusual. */
const STABLE_AGE_DAYS = 120;
/** How many cached copies are tried at most, until one passes. Anybody can plant some that do not. */
const MAX_COPIES = 30;

const MAYBE_OUTDATED =
  'A mirror, a CDN or a proxy may be serving an outdated pointer. Compare with https://kubernetes.io/releases/.';

/**
 * Warns when the pointers that chose the version of this run may be held back. They are not signed,
 * and the old release that they name is genuine, so no check of the verification can tell.
 *
 * @param signed files and images of the version that the pointers named
 * @param now milliseconds since the epoch
 */
export async function warnOfOldPointer(
  context: InstallContext,
  request: ReleaseRequest,
  signed: readonly { readonly verified: Verified<Subject> }[],
  now = Date.now(),
): Promise<void> {
  const { version, base } = context.release;
  const newer = await newerCopy(context, request);
  if (newer !== undefined) {
    const { artifact } = newer;
    context.logger.warning(
      'Pointer names an older version',
      `${base.href} names ${version} for "${request.versionSource}", but the tool cache has ${artifact.name} ${artifact.version}, which passes every check. Either ${artifact.version} was withdrawn, or the pointer is outdated. ${MAYBE_OUTDATED}`,
    );
  }
  const signedAt = Math.min(...signed.map(({ verified }) => verified.signedAt.getTime()));
  const isNewestOfAll = request.version.kind === 'stable' && request.version.minor === undefined;
  if (isNewestOfAll && now - signedAt > STABLE_AGE_DAYS * DAY) {
    context.logger.warning(
      'Newest stable release is old',
      `${base.href} names ${version} as the newest stable release, but it was signed at ${new Date(signedAt).toISOString()}, more than ${String(STABLE_AGE_DAYS)} days ago. ${MAYBE_OUTDATED} To refuse such releases, set "maximum-release-age".`,
    );
  }
}

/**
 * A copy in the tool cache that the pointers should have named, verified in this run. The name of a
 * folder alone proves nothing: anybody who can write to the tool cache can make one.
 */
async function newerCopy(
  context: InstallContext,
  request: ReleaseRequest,
): Promise<CacheEntry | undefined> {
  if (!(context.binder instanceof SbomBinder)) {
    return undefined; // Nothing proves which version a copy is.
  }
  for (const entry of await newerEntries(context, request)) {
    try {
      await verifyEntry(context, entry);
      return entry;
    } catch (error) {
      context.logger.debug(`${entry.folder} is not compared with the pointer: ${explain(error)}`);
    }
  }
  return undefined;
}

async function newerEntries(
  { toolCache, release }: InstallContext,
  request: ReleaseRequest,
): Promise<CacheEntry[]> {
  const entries: CacheEntry[] = [];
  for (const file of requestedNames(request)) {
    const versions = await cachedVersions(toolCache, file);
    for (const version of await newerThan(release.version, versions, request.version)) {
      const newer = new Release(version, release.base).requested(request);
      for (const artifact of newer.filter(({ name }) => name === file.name)) {
        entries.push(...(await cacheEntries(toolCache, artifact)));
      }
      if (entries.length >= MAX_COPIES) {
        return entries.slice(0, MAX_COPIES);
      }
    }
  }
  return entries;
}

/**
 * Every check on a cached copy, from what is kept beside it alone: no request is made for a version
 * that nobody asked for, and nothing is executed.
 *
 * @throws {SetupError}
 */
async function verifyEntry(context: InstallContext, entry: CacheEntry): Promise<void> {
  const { artifact } = entry;
  const files = entry.files();
  if (!existsSync(files.sbom)) {
    throw new Error('it has no SBOM');
  }
  const file = await inspect(entry);
  const evidence = [new StoredBundle(files.bundle)];
  const { verified } = await verifySubject(context.policy, artifact.path, file, evidence);
  const release = new Release(artifact.version, context.release.base);
  const binder = new SbomBinder({ ...context, release, isNative: false });
  await binder.bindCached(artifact, verified, files);
}
