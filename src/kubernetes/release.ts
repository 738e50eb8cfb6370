import { urlsOf, type Artifact } from './artifact.js';
import { binaryOf, type Binary } from './binary.js';
import type { Platform, Tool } from './platform.js';
import { MAX_SBOM_BYTES } from './sbom.js';

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

  /** The release's SBOM: SPDX 2.3, tag-value. */
  sbom(): Artifact {
    const path = 'kubernetes-release.spdx';
    return {
      ...urlsOf(this.base, this.version, path),
      path,
      name: path,
      fileName: path,
      version: this.version,
      maxBytes: MAX_SBOM_BYTES,
      delivery: 'evidence',
    };
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
