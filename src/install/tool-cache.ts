import { readdir } from 'node:fs/promises';
import path from 'node:path';
import type { Artifact } from '../kubernetes/artifact.js';
import { isExactVersion } from '../kubernetes/version.js';

/** The runner's tool cache, as one run sees it. */
export interface ToolCache {
  /** RUNNER_TOOL_CACHE */
  readonly folder: string;
  /** See {@link trustKey}: a run sees only copies that were verified for what it asks. */
  readonly trustKey: string;
}

/** What tells the copies of one artifact from those of others, in whatever version. */
export type CachedArtifact = Pick<Artifact, 'name' | 'platform'>;

/**
 * The versions that the tool cache claims to hold of an artifact.
 *
 * @returns with `v`, in no particular order
 */
export async function cachedVersions(
  toolCache: ToolCache,
  artifact: CachedArtifact,
): Promise<string[]> {
  const names = await namesIn(artifactFolder(toolCache, artifact.name));
  const versions = names.filter(isExactVersion).map((version) => `v${version}`);
  const digests = await Promise.all(
    versions.map((version) => cachedDigests(toolCache, artifact, version)),
  );
  return versions.filter((_, index) => digests[index]?.length !== 0);
}

/** SHA-256 in hex, sorted. */
export async function cachedDigests(
  toolCache: ToolCache,
  { name, platform }: CachedArtifact,
  version: string,
): Promise<string[]> {
  const start = prefix(toolCache, platform);
  const folders = await namesIn(versionFolder(toolCache, name, version));
  return folders
    .filter((folder) => folder.startsWith(start))
    .map((folder) => folder.slice(start.length))
    .filter((rest) => /^[0-9a-f]{64}$/.test(rest))
    .sort();
}

/** Nothing for a folder that is not there, or is none: what is wrong with it shows when it is used. */
function namesIn(folder: string): Promise<string[]> {
  return readdir(folder).catch(() => []);
}

function prefix({ trustKey }: ToolCache, platform: CachedArtifact['platform']): string {
  const madeFor = platform === undefined ? 'any' : `${platform.os}-${platform.arch}`;
  return `${madeFor}-${trustKey}-`;
}

/** Above the copies of an artifact, of all versions. */
export function artifactFolder(toolCache: ToolCache, name: string): string {
  return path.join(toolCache.folder, `verified-${name}`);
}

/** The folder of one copy, which need not exist. */
export function entryFolder(
  toolCache: ToolCache,
  { name, version, platform }: Artifact,
  sha256: string,
): string {
  return path.join(
    versionFolder(toolCache, name, version),
    `${prefix(toolCache, platform)}${sha256}`,
  );
}

function versionFolder(toolCache: ToolCache, name: string, version: string): string {
  return path.join(artifactFolder(toolCache, name), version.slice(1));
}
