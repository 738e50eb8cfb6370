import { urlsOf, type Artifact } from './artifact.js';
import { platformName, publishedPlatforms, type Platform, type Tool } from './platform.js';

/** The largest binary of a release is about 130 MB. */
const MAX_BINARY_BYTES = 1 << 30;

/** A program of a release. */
export interface Binary extends Artifact {
  readonly name: Tool;
  readonly platform: Platform;
  readonly delivery: 'on-path';
}

/** Only programs go on `PATH`. */
export function isBinary(artifact: Artifact): artifact is Binary {
  return artifact.delivery === 'on-path';
}

/** `kubectl`, or `kubectl.exe` for Windows. */
export function binaryFileName(tool: Tool, { os }: Platform): string {
  return os === 'windows' ? `${tool}.exe` : tool;
}

/** Path inside the release: `bin/linux/amd64/kubectl`. */
export function binaryPath(tool: Tool, platform: Platform): string {
  return `bin/${platformName(platform)}/${binaryFileName(tool, platform)}`;
}

/**
 * @param version with `v`
 * @param base where `release/` is, ending in a slash
 */
export function binaryOf(version: string, base: URL, tool: Tool, platform: Platform): Binary {
  const fileName = binaryFileName(tool, platform);
  const path = binaryPath(tool, platform);
  return {
    ...urlsOf(base, version, path),
    path,
    name: tool,
    fileName,
    version,
    platform,
    platforms: publishedPlatforms(tool),
    maxBytes: MAX_BINARY_BYTES,
    delivery: 'on-path',
    boundBy: { kind: 'sbom' },
  };
}
