import type { Artifact } from './artifact.js';
import {
  ARCHITECTURES,
  OPERATING_SYSTEMS,
  TOOLS,
  assertPublished,
  isTarball,
  isTool,
  parsePlatform,
  type Platform,
  type Tool,
} from './platform.js';
import { parseReleaseFile, type ReleaseFileRequest } from './release-file.js';
import type { Release } from './release.js';

/** One file of a release, whatever the version. */
export type NamedFile =
  | { readonly kind: 'binary'; readonly tool: Tool; readonly platform: Platform }
  | { readonly kind: 'top'; readonly request: ReleaseFileRequest };

/** For messages. */
export const ACCEPTED_NAMED_FILES =
  'a tool (kubectl), a tarball (client, server, node, test), the name of a file (kubernetes-src.tar.gz), or a path in the release (bin/linux/amd64/kubectl)';

export function artifactOf(release: Release, named: NamedFile): Artifact {
  return named.kind === 'binary'
    ? release.binary(named.tool, named.platform)
    : release.file(named.request);
}

/**
 * Which file of a release a user means.
 *
 * @param text `kubectl`, `client`, or what {@link parseReleasePath} accepts
 * @param platform asked only if the text does not name one
 * @returns undefined for a name that no release has
 * @throws {SetupError} PLATFORM_NOT_PUBLISHED
 */
export function parseNamedFile(text: string, platform: () => Platform): NamedFile | undefined {
  if (isTool(text)) {
    return binary(text, platform());
  }
  return isTarball(text) ? topFile(text, platform()) : parseReleasePath(text);
}

/**
 * Which file a path inside a release is, as SBOMs and lock files write it.
 *
 * @param path `bin/linux/amd64/kubectl`, `kubernetes-src.tar.gz`
 * @returns undefined for a path that no release has
 * @throws {SetupError} PLATFORM_NOT_PUBLISHED
 */
export function parseReleasePath(path: string): NamedFile | undefined {
  const [, folder, tool = '', suffix] = /^bin\/([^/]+\/[^/]+)\/([a-z-]+)(\.exe)?$/.exec(path) ?? [];
  if (folder === undefined) {
    return isTarball(path) ? undefined : topFile(path, ANY_PLATFORM);
  }
  const platform = parsePlatform(folder);
  return platform !== undefined &&
    isTool(tool) &&
    (suffix !== undefined) === (platform.os === 'windows')
    ? binary(tool, platform)
    : undefined;
}

/** Only for names that say themselves what they are for. */
const ANY_PLATFORM: Platform = { os: 'linux', arch: 'amd64' };

const VERSION = 'v?(\\d+\\.\\d+\\.\\d+(?:-[a-z]+\\.\\d+)?)';
const PLATFORM = `(${OPERATING_SYSTEMS.join('|')})[-_.](${ARCHITECTURES.join('|')})`;
/** Longest first: `kubectl-convert` begins with `kubectl`. */
const TOOL = `(${TOOLS.toSorted((a, b) => b.length - a.length).join('|')})`;
const BINARY_FILE = new RegExp(
  `^${TOOL}(?:[-_.]${VERSION})?(?:[-_.]${PLATFORM})?(?:[-_.]${VERSION})?(\\.exe)?$`,
);

/** What the name of a file on disk says. A name is a claim: only the bytes prove it. */
export interface NameClaim {
  readonly file: NamedFile;
  /** With `v`. */
  readonly version: string | undefined;
}

/**
 * Which file of a release a file on disk claims to be, as people name downloads: `kubectl`,
 * `kubectl.exe`, `kubectl-v1.31.9`, `kubectl-linux-arm64`, `kubernetes-client-linux-amd64.tar.gz`.
 *
 * @param name without folder
 * @param platform asked only if the name does not say it
 * @returns undefined for any other name
 * @throws {SetupError} PLATFORM_NOT_PUBLISHED
 */
export function readFileName(name: string, platform: () => Platform): NameClaim | undefined {
  const [match, tool = '', before, os, arch, after, suffix] = BINARY_FILE.exec(name) ?? [];
  if (match === undefined || !isTool(tool)) {
    const file = name.startsWith('bin/') ? undefined : parseReleasePath(name);
    return file === undefined ? undefined : { file, version: undefined };
  }
  const version = before ?? after;
  const named = os === undefined ? undefined : parsePlatform(`${os}/${arch ?? ''}`);
  return {
    file: binary(tool, named ?? withSuffix(platform(), suffix)),
    version: version === undefined ? undefined : `v${version}`,
  };
}

/** Only Windows has `.exe`. */
function withSuffix(platform: Platform, suffix: string | undefined): Platform {
  return suffix === undefined ? platform : { ...platform, os: 'windows' };
}

/** @throws {SetupError} PLATFORM_NOT_PUBLISHED */
function binary(tool: Tool, platform: Platform): NamedFile {
  assertPublished(tool, platform);
  return { kind: 'binary', tool, platform };
}

/** @throws {SetupError} PLATFORM_NOT_PUBLISHED */
function topFile(name: string, platform: Platform): NamedFile | undefined {
  const request = parseReleaseFile(name, platform);
  return request === undefined ? undefined : { kind: 'top', request };
}
