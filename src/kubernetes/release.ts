import { platformName, type Platform, type Tool } from './platform.js';

/** One file of a release, and where it and what vouches for it are. */
export interface Artifact {
  /** The path inside the release, as the SBOM names it: `bin/linux/amd64/kubectl`. */
  readonly name: string;
  readonly url: URL;
  /** Base64 of a DER ECDSA signature. */
  readonly signatureUrl: URL;
  /** Base64 of one PEM certificate. */
  readonly certificateUrl: URL;
  /** A Sigstore bundle, which Kubernetes does not publish yet. */
  readonly bundleUrl: URL;
  /** Hex SHA-256. A hint: nobody signs it. */
  readonly digestUrl: URL;
}

/** One Kubernetes release at dl.k8s.io, or at a mirror with the same layout. */
export class Release {
  /** With `v`: `v1.31.9`. */
  readonly version: string;
  readonly #base: URL;

  /** @param base where `release/` is, ending in a slash */
  constructor(version: string, base: URL) {
    this.version = version;
    this.#base = base;
  }

  binary(tool: Tool, platform: Platform): Artifact {
    return this.#artifact(`bin/${platformName(platform)}/${fileName(tool, platform)}`);
  }

  /** The release's SBOM: SPDX 2.3, tag-value. */
  sbom(): Artifact {
    return this.#artifact('kubernetes-release.spdx');
  }

  #artifact(name: string): Artifact {
    const path = `release/${this.version}/${name}`;
    const at = (suffix: string): URL => new URL(`${path}${suffix}`, this.#base);
    return {
      name,
      url: at(''),
      signatureUrl: at('.sig'),
      certificateUrl: at('.cert'),
      bundleUrl: at('.sigstore.json'),
      digestUrl: at('.sha256'),
    };
  }
}

/** `kubectl`, or `kubectl.exe` on Windows. */
export function fileName(tool: Tool, platform: Platform): string {
  return platform.os === 'windows' ? `${tool}.exe` : tool;
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
