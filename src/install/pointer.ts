import { existsSync } from 'node:fs';
import { explain } from '../errors.js';
import { Release } from '../kubernetes/release.js';
import { newerThan, type VersionRequest } from '../kubernetes/version.js';
import { verifyBundle } from '../sigstore/evidence/published.js';
import { inspect, type InstallContext, type VerifiedTool } from './obtain.js';
import { ReleaseProver } from './release-proof.js';
import { cacheEntries, cachedVersions, type CacheEntry } from './tool-cache.js';

const DAY = 86_400_000;
/** Kubernetes publishes a patch about every month. Longer than this without one is unusual. */
const STABLE_AGE_DAYS = 120;
/** How many cached copies are verified at most: each is read as a whole. */
const MAX_COPIES = 3;

const MAYBE_HELD_BACK =
  'A mirror, a CDN or somebody in between may be holding the pointer back. Compare with https://kubernetes.io/releases/.';

/**
 * Warns when the pointers that chose the version of this run may be held back. They are not signed,
 * and the old release that they name is genuine: no check of the verification can tell.
 *
 * @param request what was asked for, and not an exact version
 * @param shown the request as the user wrote it
 * @param tools what was verified; of one version, the one that the pointers named
 * @param now milliseconds since the epoch
 */
export async function warnOfOldPointer(
  context: InstallContext,
  request: VersionRequest,
  shown: string,
  tools: readonly VerifiedTool[],
  now = Date.now(),
): Promise<void> {
  const { version } = context.release;
  const newer = await newerCopy(context, request, tools);
  if (newer !== undefined) {
    context.logger.warning(
      'Pointer names an older version',
      `${context.base.href} names ${version} for "${shown}", and the tool cache holds ${newer.tool} ${newer.version}, which passes every check. ${newer.version} was withdrawn, or the pointer is old. ${MAYBE_HELD_BACK}`,
    );
  }
  const signedAt = Math.min(...tools.map(({ verified }) => verified.signedAt.getTime()));
  const isNewestOfAll = request.kind === 'stable' && request.minor === undefined;
  if (isNewestOfAll && now - signedAt > STABLE_AGE_DAYS * DAY) {
    context.logger.warning(
      'Newest stable release is old',
      `${context.base.href} names ${version} as the newest stable release, and it was signed at ${new Date(signedAt).toISOString()}, more than ${String(STABLE_AGE_DAYS)} days ago. ${MAYBE_HELD_BACK} The input "maximum-release-age" refuses such a release.`,
    );
  }
}

/**
 * A copy in the tool cache that the pointers should have named, verified in this run. The name of a
 * folder alone proves nothing: anybody who can write to the tool cache can make one.
 */
async function newerCopy(
  context: InstallContext,
  request: VersionRequest,
  tools: readonly VerifiedTool[],
): Promise<CacheEntry | undefined> {
  if (context.releaseProver === undefined) {
    return undefined; // Nothing proves which version a copy is.
  }
  for (const entry of await newerEntries(context, request, tools)) {
    try {
      await verifyEntry(context, entry);
      return entry;
    } catch (error) {
      context.logger.debug(`${entry.folder} says nothing of the pointer: ${explain(error)}`);
    }
  }
  return undefined;
}

async function newerEntries(
  { toolCache, platform, release }: InstallContext,
  request: VersionRequest,
  tools: readonly VerifiedTool[],
): Promise<CacheEntry[]> {
  const entries: CacheEntry[] = [];
  for (const { tool } of tools) {
    const versions = await cachedVersions(toolCache, tool, platform);
    for (const version of await newerThan(release.version, versions, request)) {
      entries.push(...(await cacheEntries(toolCache, tool, version, platform)));
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
  const { verification, platform, base, scratch, logger } = context;
  const files = entry.files();
  if (!existsSync(files.sbom)) {
    throw new Error('no SBOM is kept with it');
  }
  const { file, bundle } = await inspect(entry);
  const verified = await verifyBundle(verification, file, bundle);
  const release = new Release(entry.version, base);
  const artifact = release.binary(entry.tool, platform);
  const prover = new ReleaseProver(verification, release, scratch, logger);
  await prover.bindCached(entry.tool, artifact, platform, verified, files, undefined);
}
