import type SemVer from 'semver';
import { SetupError } from '../errors.js';
import { TooLargeError } from '../files/errors.js';
import { downloadFailed } from '../transfer/download-failed.js';
import type { HttpClient } from '../transfer/http.js';
import { TransferError } from '../transfer/errors.js';
import { firstPublished } from './published.js';
import { pointerUrl } from './release.js';

/** What a user asked for. Versions are written with `v`, minors without. */
export type VersionRequest =
  | { readonly kind: 'exact'; readonly version: string }
  | { readonly kind: 'stable'; readonly minor?: string }
  | { readonly kind: 'prerelease'; readonly minor?: string }
  | { readonly kind: 'range'; readonly range: string };

export const ACCEPTED_VERSIONS =
  'an exact version (1.31.9, v1.31.9, 1.36.0-rc.1), a minor (1.31), a semver range (1.31.x, ~1.31.2, ">=1.30 <1.32"), stable, latest, stable-1.31, prerelease or prerelease-1.36';

const NUMBER = '(?:0|[1-9]\\d{0,3})';
const EXACT = new RegExp(`^${NUMBER}\\.${NUMBER}\\.${NUMBER}(?:-(?:alpha|beta|rc)\\.${NUMBER})?$`);
const MINOR = new RegExp(`^${NUMBER}\\.${NUMBER}$`);
const RANGE = /^[\dvVxX*. <>=~^|a-z-]{1,100}$/;
/** More digits than {@link NUMBER} has. */
const LONG_NUMBER = /\d{5}/;

/** A pointer holds about ten bytes. */
const MAX_POINTER_BYTES = 256;

/** @returns undefined for text that asks for no version */
export async function parseVersionRequest(text: string): Promise<VersionRequest | undefined> {
  const request = parseSimpleRequest(text);
  return request ?? (await parseRange(text));
}

function parseSimpleRequest(text: string): VersionRequest | undefined {
  const plain = text.replace(/^v/i, '');
  if (EXACT.test(plain)) {
    return { kind: 'exact', version: `v${plain}` };
  }
  if (MINOR.test(plain)) {
    return { kind: 'stable', minor: plain };
  }
  const word = text.toLowerCase();
  if (word === 'stable' || word === 'latest') {
    return { kind: 'stable' };
  }
  if (word === 'prerelease') {
    return { kind: 'prerelease' };
  }
  const [, channel, minor] = /^(stable|prerelease)-v?(.+)$/.exec(word) ?? [];
  if (channel !== undefined && minor !== undefined && MINOR.test(minor)) {
    return channel === 'stable' ? { kind: 'stable', minor } : { kind: 'prerelease', minor };
  }
  return undefined;
}

async function parseRange(text: string): Promise<VersionRequest | undefined> {
  if (!RANGE.test(text) || !/\d/.test(text) || LONG_NUMBER.test(text)) {
    return undefined;
  }
  const { valid, validRange } = await semver();
  const range = validRange(text);
  // One whole version that EXACT does not know is no range of releases either.
  return range === null || valid(text) !== null ? undefined : { kind: 'range', range };
}

/** Loaded only when a range was asked for: it costs more than a whole look-up by pointer. */
async function semver(): Promise<typeof SemVer> {
  return (await import(/* webpackMode: "eager" */ 'semver')).default;
}

/**
 * Whether a version is one that the request asks for.
 *
 * @param version with `v`
 */
export async function satisfies(version: string, request: VersionRequest): Promise<boolean> {
  switch (request.kind) {
    case 'exact':
      return version === request.version;
    case 'stable':
      return !isPrerelease(version) && isOfMinor(version, request.minor);
    case 'prerelease':
      return isOfMinor(version, request.minor);
    case 'range':
      return (await semver()).satisfies(version, request.range);
  }
}

/**
 * The newest of some versions that a request asks for.
 *
 * @param versions with `v`
 */
export async function newestSatisfying(
  versions: readonly string[],
  request: VersionRequest,
): Promise<string | undefined> {
  if (versions.length === 0) {
    return undefined;
  }
  const { rcompare } = await semver();
  const asked = await Promise.all(versions.map((version) => satisfies(version, request)));
  return versions.filter((_, index) => asked[index]).sort(rcompare)[0];
}

/**
 * The versions that a pointer should have named instead, newest first.
 *
 * The pointers for stable releases and those for pre-releases move apart: `latest-1.31.txt` can be
 * older than `stable-1.31.txt`. So each is compared with versions of its own kind.
 *
 * @param named the version that the pointers gave for the request, with `v`
 * @param versions with `v`
 */
export async function newerThan(
  named: string,
  versions: readonly string[],
  request: VersionRequest,
): Promise<string[]> {
  if (versions.length === 0) {
    return [];
  }
  const { gt, rcompare } = await semver();
  const asked = await Promise.all(versions.map((version) => satisfies(version, request)));
  return versions
    .filter((version, index) => asked[index] === true && gt(version, named))
    .filter((version) => isPrerelease(version) === (request.kind === 'prerelease'))
    .sort(rcompare);
}

/** @param text without `v` */
export function isExactVersion(text: string): boolean {
  return EXACT.test(text);
}

/** @param version with `v` */
function isPrerelease(version: string): boolean {
  return version.includes('-');
}

/** `1.31` of `v1.31.9` */
function minorOf(version: string): string {
  return version.slice(1).split('.', 2).join('.');
}

function isOfMinor(version: string, minor: string | undefined): boolean {
  return minor === undefined || minorOf(version) === minor;
}

/**
 * Finds the exact version that a request means, by the pointers of the release host.
 *
 * @param base where `release/` is, ending in a slash
 * @param info receives a line before a search that takes many requests
 * @returns with `v`
 * @throws {SetupError} VERSION_NOT_FOUND when the host has no such version or its pointer holds
 *   something else, DOWNLOAD_FAILED when it cannot be reached
 */
export async function resolveVersion(
  request: VersionRequest,
  http: HttpClient,
  base: URL,
  info?: (line: string) => void,
): Promise<string> {
  switch (request.kind) {
    case 'exact':
      return request.version;
    case 'stable':
      return readPointer(http, base, 'stable', request.minor);
    case 'prerelease':
      return readPointer(http, base, 'latest', request.minor);
    case 'range':
      return newestInRange(request.range, http, base, info);
  }
}

/**
 * The pointer that answers a request.
 *
 * @param base where `release/` is, ending in a slash
 * @returns undefined for an exact version, which needs none, and for a range, which takes several
 */
export function pointerOf(request: VersionRequest, base: URL): URL | undefined {
  switch (request.kind) {
    case 'stable':
      return pointerUrl(base, 'stable', request.minor);
    case 'prerelease':
      return pointerUrl(base, 'latest', request.minor);
    case 'exact':
    case 'range':
      return undefined;
  }
}

/** Pointers are unsigned text: nothing but a version ever leaves this function. */
async function readPointer(
  http: HttpClient,
  base: URL,
  channel: 'stable' | 'latest',
  minor?: string,
): Promise<string> {
  const url = pointerUrl(base, channel, minor);
  const text = await readPointerText(http, url);
  const version = text.trim();
  const isVersion = version.startsWith('v') && EXACT.test(version.slice(1));
  const isAsked = isOfMinor(version, minor) && (channel === 'latest' || !isPrerelease(version));
  if (!isVersion || !isAsked) {
    // Of a folder's pointer, which may be a link to a file that is not for the log, nothing is shown.
    const found = url.protocol === 'file:' ? '' : `: ${JSON.stringify(text.slice(0, 60))}`;
    throw new SetupError(
      'VERSION_NOT_FOUND',
      `${url.href} does not name a ${channel === 'stable' ? 'stable ' : ''}version${minor === undefined ? '' : ` of ${minor}`}${found}`,
      { situation: 'pointer-not-a-version' },
    );
  }
  return version;
}

async function readPointerText(http: HttpClient, url: URL): Promise<string> {
  try {
    return (await http.read(url, MAX_POINTER_BYTES)).toString('utf8');
  } catch (error) {
    if (error instanceof TransferError && error.notFound) {
      throw new SetupError(
        'VERSION_NOT_FOUND',
        `the release host has no such version: ${url.href} does not exist`,
        { cause: error },
      );
    }
    if (error instanceof TransferError && error.cause instanceof TooLargeError) {
      throw new SetupError(
        'VERSION_NOT_FOUND',
        `${url.href} does not name a version: it is larger than ${String(MAX_POINTER_BYTES)} bytes`,
        { situation: 'pointer-not-a-version', cause: error },
      );
    }
    throw downloadFailed(error, 'the pointer to the version');
  }
}

/**
 * The newest version in a range. The pointers name the newest patch of each minor; they are
 * asked from the newest minor downwards, and only for minors that the range touches.
 */
async function newestInRange(
  range: string,
  http: HttpClient,
  base: URL,
  info?: (line: string) => void,
): Promise<string> {
  const { intersects, minVersion, satisfies: isIn } = await semver();
  const newest = await readPointer(http, base, 'stable');
  const [major = 1, newestMinor = 0] = minorOf(newest).split('.').map(Number);
  const oldestMinor = minVersion(range)?.minor ?? 0;
  for (let minor = newestMinor; minor >= oldestMinor; minor--) {
    const name = `${String(major)}.${String(minor)}`;
    if (!intersects(range, `${name}.x`)) {
      continue;
    }
    const newestPatch =
      minor === newestMinor ? newest : await readPointer(http, base, 'stable', name);
    if (isIn(newestPatch, range)) {
      return newestPatch;
    }
    const older = olderPatches(newestPatch).filter((version) => isIn(version, range));
    if (older.length > 0) {
      const count = String(older.length);
      info?.(`Looking for the newest release of ${name} in the range, in up to ${count} requests`);
    }
    const found = await firstPublished(older, http, base);
    if (found !== undefined) {
      return found;
    }
  }
  throw new SetupError(
    'VERSION_NOT_FOUND',
    `no stable release satisfies the range "${range}"; the newest release is ${newest}`,
    { situation: 'range-without-release' },
  );
}

/** No minor has had more patches than about 30; a pointer could name any number. */
const MAX_PATCHES = 100;

/** Newest first. Patches are numbered without gaps, except for a rare one that was withdrawn. */
function olderPatches(newestPatch: string): string[] {
  const newest = Number(newestPatch.split('.')[2]);
  return Array.from(
    { length: Math.min(newest, MAX_PATCHES) },
    (_, index) => `v${minorOf(newestPatch)}.${String(newest - 1 - index)}`,
  );
}
