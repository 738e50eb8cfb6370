import { setTimeout as sleep } from 'node:timers/promises';
import { SetupError } from '../errors.js';
import { isPublished } from '../kubernetes/published.js';
import { Release, requestedNames, type RequestedFiles } from '../kubernetes/release.js';
import { newestSatisfying, resolveVersion, type VersionRequest } from '../kubernetes/version.js';
import type { HttpClient } from '../transfer/http.js';
import type { Logger } from './logger.js';
import { cachedVersions, type ToolCache } from './tool-cache.js';

/** Which release is asked for, what of it, and where to look for it. */
export interface ReleaseRequest extends RequestedFiles {
  readonly version: VersionRequest;
  /** The request as the user wrote it, for messages. */
  readonly versionSource: string;
  /** Where `release/` is, ending in a slash. */
  readonly downloadBaseUrl: URL;
  /** Ask the release host even when the tool cache has a version that satisfies the request. */
  readonly checkLatest: boolean;
}

export interface ResolvedRelease {
  readonly release: Release;
  /**
   * Who named the version: the user, the tool cache, a pointer of the release host, or a pointer
   * in a folder.
   */
  readonly namedBy: 'user' | 'tool-cache' | 'host' | 'folder';
  /** Whether this run has waited for it to appear. */
  readonly isAwaited?: true;
}

/**
 * Finds the exact version that is asked for. A minor or a range may be answered from the tool
 * cache, unless `checkLatest` is set; the newest release of all is always asked for.
 *
 * @throws {SetupError} VERSION_NOT_FOUND, DOWNLOAD_FAILED
 */
export async function resolveRelease(
  request: ReleaseRequest,
  toolCache: ToolCache,
  http: HttpClient,
  logger: Logger,
): Promise<ResolvedRelease> {
  const { version, downloadBaseUrl } = request;
  if (mayComeFromCache(request)) {
    const newest = await newestSatisfying(await versionsInCache(request, toolCache), version);
    if (newest !== undefined) {
      logger.info(
        `The tool cache has a copy of ${newest}; set "check-latest" to true to look for a newer version`,
      );
      return { release: new Release(newest, downloadBaseUrl), namedBy: 'tool-cache' };
    }
  }
  return resolveFromHost(request, http, logger);
}

/**
 * Finds the exact version that is asked for, whatever the tool cache holds.
 *
 * @throws {SetupError} VERSION_NOT_FOUND, DOWNLOAD_FAILED
 */
export async function resolveFromHost(
  { version, downloadBaseUrl }: ReleaseRequest,
  http: HttpClient,
  logger: Logger,
): Promise<ResolvedRelease> {
  const resolved = await resolveVersion(version, http, downloadBaseUrl, (line) => {
    logger.info(line);
  });
  const pointer = downloadBaseUrl.protocol === 'file:' ? 'folder' : 'host';
  return {
    release: new Release(resolved, downloadBaseUrl),
    namedBy: version.kind === 'exact' ? 'user' : pointer,
  };
}

function mayComeFromCache(request: ReleaseRequest): boolean {
  const { version, checkLatest } = request;
  const hasFiles = requestedNames(request).length > 0;
  const isNewestOfAll =
    (version.kind === 'stable' || version.kind === 'prerelease') && version.minor === undefined;
  return hasFiles && version.kind !== 'exact' && !isNewestOfAll && !checkLatest;
}

/** Versions of which the tool cache claims to hold every file. */
async function versionsInCache(request: ReleaseRequest, toolCache: ToolCache): Promise<string[]> {
  const files = requestedNames(request);
  const cached = await Promise.all(files.map((file) => cachedVersions(toolCache, file)));
  return cached.reduce((some, more) => some.filter((version) => more.includes(version)));
}

/**
 * What to try after a release turned out not to be at its host.
 *
 * A version that a pointer of the host names is waited for: pointers and files reach the host's
 * edges separately, minutes apart, once hours.
 *
 * @param error VERSION_NOT_FOUND, thrown again where nothing is left to try
 * @throws {SetupError} VERSION_NOT_FOUND
 */
export async function resolveAgain(
  { release, namedBy, isAwaited }: ResolvedRelease,
  error: SetupError,
  http: HttpClient,
  logger: Logger,
): Promise<ResolvedRelease> {
  switch (namedBy) {
    case 'host':
      if (isAwaited === true) {
        throw error;
      }
      await awaitPublication(release, http, logger);
      return { release, namedBy, isAwaited: true };
    case 'tool-cache':
    case 'user':
    case 'folder':
      throw error;
  }
}

/** @throws {SetupError} VERSION_NOT_FOUND when the release does not appear in time */
async function awaitPublication(release: Release, http: HttpClient, logger: Logger): Promise<void> {
  const { publicationTimeout, publicationInterval } = http.limits;
  const { version, base } = release;
  const rounds = Math.floor(publicationTimeout / publicationInterval);
  for (let round = 0; round < rounds; round++) {
    const left = seconds(publicationTimeout - round * publicationInterval);
    logger.info(
      `${version} is announced but not yet available at ${base.href}; waiting up to ${left}`,
    );
    await sleep(publicationInterval, undefined, { signal: http.signal });
    if (await isPublished(version, http, base)) {
      return;
    }
  }
  throw new SetupError(
    'VERSION_NOT_FOUND',
    `Kubernetes ${version} is announced at ${base.href}, but its files did not appear there within ${seconds(publicationTimeout)}`,
    { situation: 'announced-only' },
  );
}

function seconds(milliseconds: number): string {
  return `${String(Math.round(milliseconds / 1000))} s`;
}
