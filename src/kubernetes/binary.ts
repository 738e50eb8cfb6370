import { urlsOf, type PlatformArtifact } from './artifact.js';
import { platformName, publishedPlatforms, type Platform, type Tool } from './platform.js';

/** The largest binary of a release is about 130 MB. */
const MAX_BINARY_BYTES = 1 << 30;

/** A program of a release. */
export interface Binary extends PlatformArtifact {
  readonly name: Tool;
}

/**
 * @param version with `v`
 * @param base where `release/` is, ending in a slash
 */
export function binaryOf(version: string, base: URL, tool: Tool, platform: Platform): Binary {
  const fileName = platform.os === 'windows' ? `${tool}.exe` : tool;
  const path = `bin/${platformName(platform)}/${fileName}`;
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
  };
}
