import { urlsOf, type Artifact, type ReleaseStatement } from './artifact.js';
import {
  ARCHITECTURES,
  OPERATING_SYSTEMS,
  TARBALLS,
  isTarball,
  platformName,
  platformNotPublished,
  tarballPlatforms,
  type Platform,
  type Tarball,
} from './platform.js';
import { MAX_PROVENANCE_BYTES } from './provenance.js';
import { MAX_SBOM_BYTES, sbomNamespace } from './sbom.js';

/** A server tarball is about 400 MB. */
const MAX_TARBALL_BYTES = 2 ** 31;

/** Files at the top of every release that are the same for all platforms. */
const COMMON_FILES = [
  'kubernetes.tar.gz',
  'kubernetes-src.tar.gz',
  'kubernetes-manifests.tar.gz',
  'kubernetes-test-portable.tar.gz',
  'kubernetes-release.spdx',
  'kubernetes-source.spdx',
  'provenance.json',
] as const;

type CommonFile = (typeof COMMON_FILES)[number];

/** For messages. */
export const ACCEPTED_RELEASE_FILES = `one or more of ${TARBALLS.join(', ')} (the tarball for the platform), ${COMMON_FILES.join(', ')}, or kubernetes-<${TARBALLS.join('|')}>-<os>-<arch>.tar.gz, separated by commas, spaces or lines`;

/** A file at the top of a release that is asked for: a tarball, an SBOM, the provenance. */
export interface ReleaseFileRequest {
  /** In the words of the user: `server`, or the name of the file. */
  readonly requested: string;
  /** In the release: `kubernetes-server-linux-amd64.tar.gz`. */
  readonly name: string;
  /** What it is made for; undefined for a file that is the same for all. */
  readonly platform: Platform | undefined;
  /** Every platform that there is one for, as `<os>/<arch>`. */
  readonly platforms: readonly string[];
}

/**
 * Which file of a release a user means.
 *
 * @param text `client`, `server`, `node`, `test`, or a name as it is in the release
 * @param platform that `client` and the like are for
 * @returns undefined for a name that no release has
 * @throws {SetupError} PLATFORM_NOT_PUBLISHED
 */
export function parseReleaseFile(text: string, platform: Platform): ReleaseFileRequest | undefined {
  if (isCommonFile(text)) {
    return { requested: text, name: text, platform: undefined, platforms: [] };
  }
  if (isTarball(text)) {
    return tarballFor(text, text, platform);
  }
  const [, kind = '', os, arch] =
    /^kubernetes-([a-z]+)-([a-z]+)-([a-z0-9]+)\.tar\.gz$/.exec(text) ?? [];
  const named = {
    os: OPERATING_SYSTEMS.find((known) => known === os),
    arch: ARCHITECTURES.find((known) => known === arch),
  };
  return isTarball(kind) && named.os !== undefined && named.arch !== undefined
    ? tarballFor(text, kind, { os: named.os, arch: named.arch })
    : undefined;
}

function isCommonFile(name: string): name is CommonFile {
  return (COMMON_FILES as readonly string[]).includes(name);
}

/** @throws {SetupError} PLATFORM_NOT_PUBLISHED */
function tarballFor(requested: string, kind: Tarball, platform: Platform): ReleaseFileRequest {
  const platforms = tarballPlatforms(kind);
  if (!platforms.includes(platformName(platform))) {
    throw platformNotPublished(`${kind} tarball`, platformName(platform), platforms);
  }
  const name = `kubernetes-${kind}-${platform.os}-${platform.arch}.tar.gz`;
  return { requested, name, platform, platforms };
}

/**
 * @param version with `v`
 * @param base where `release/` is, ending in a slash
 */
export function releaseFileOf(
  version: string,
  base: URL,
  { name, platform, platforms }: Omit<ReleaseFileRequest, 'requested'>,
): Artifact {
  return {
    ...urlsOf(base, version, name),
    path: name,
    name,
    fileName: name,
    version,
    platform,
    platforms,
    delivery: 'in-tool-cache',
    ...statementOf(name, version),
  };
}

/**
 * The SBOM lists every tarball. It cannot list itself, nor what refers to it: krel writes the SBOM
 * of the source before it, and makes the provenance of it.
 */
function statementOf(
  name: string,
  version: string,
): { readonly boundBy: ReleaseStatement; readonly maxBytes: number } {
  switch (name) {
    case 'kubernetes-release.spdx':
      return { boundBy: namespace(version, 'release'), maxBytes: MAX_SBOM_BYTES };
    case 'kubernetes-source.spdx':
      return { boundBy: namespace(version, 'source'), maxBytes: MAX_SBOM_BYTES };
    case 'provenance.json':
      return { boundBy: { kind: 'subjects' }, maxBytes: MAX_PROVENANCE_BYTES };
    default:
      return { boundBy: { kind: 'sbom' }, maxBytes: MAX_TARBALL_BYTES };
  }
}

function namespace(version: string, of: 'release' | 'source'): ReleaseStatement {
  return { kind: 'namespace', namespace: sbomNamespace(version, of) };
}
