import type { Artifact } from './artifact.js';
import { binaryOf, type Binary } from './binary.js';
import type { Platform, Tool } from './platform.js';
import { releaseFileOf, type ReleaseFileRequest } from './release-file.js';

/** What a run asks of a release. */
export interface RequestedFiles {
  readonly tools: readonly Tool[];
  /** That the tools are for. */
  readonly platform: Platform;
  readonly artifacts: readonly ReleaseFileRequest[];
}

/** The names of every file that is asked for: they are the same in every release. */
export function requestedNames({
  tools,
  artifacts,
  platform,
}: RequestedFiles): Pick<Artifact, 'name' | 'platform'>[] {
  return [...tools.map((name) => ({ name, platform })), ...artifacts];
}

/** One Kubernetes release at dl.k8s.io, or at a mirror with the same layout. */
export class Release {
  /** With `v`: `v1.31.9`. */
  readonly version: string;
  /** Where `release/` is, ending in a slash. */
  readonly base: URL;

  constructor(version: string, base: URL) {
    this.version = version;
    this.base = base;
  }

  binary(tool: Tool, platform: Platform): Binary {
    return binaryOf(this.version, this.base, tool, platform);
  }

  file(request: Omit<ReleaseFileRequest, 'requested'>): Artifact {
    return releaseFileOf(this.version, this.base, request);
  }

  /** Every file that is asked for, each once. */
  requested({ tools, artifacts, platform }: RequestedFiles): Artifact[] {
    const files = new Map<string, Artifact>();
    for (const request of artifacts) {
      files.set(request.name, this.file(request));
    }
    return [...tools.map((tool) => this.binary(tool, platform)), ...files.values()];
  }

  /** The release's SBOM as evidence for its other files: SPDX 2.3, tag-value. */
  sbom(): Artifact {
    const name = 'kubernetes-release.spdx';
    const file = this.file({ name, platform: undefined, platforms: [] });
    return { ...file, delivery: 'evidence' };
  }
}

/**
 * A pointer to a version: a small, unsigned text file.
 *
 * @param channel `stable` releases, or `latest`: the newest pre-release
 * @param minor `1.31` for the newest of that minor
 */
export function pointerUrl(base: URL, channel: 'stable' | 'latest', minor?: string): URL {
  return new URL(`release/${channel}${minor === undefined ? '' : `-${minor}`}.txt`, base);
}
