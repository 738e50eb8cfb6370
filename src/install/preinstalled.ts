import { access, constants, stat } from 'node:fs/promises';
import path from 'node:path';
import type { PlatformArtifact } from '../kubernetes/artifact.js';

/** Names that other actions give to the architecture in the tool cache. */
const CACHE_NAMES: Readonly<Record<string, readonly string[]>> = {
  amd64: ['x64', 'amd64'],
  '386': ['ia32', '386'],
  ppc64le: ['ppc64', 'ppc64le'],
};

/** Where a copy that somebody else installed may be found, besides the tool cache. */
export interface SearchPaths {
  /** RUNNER_TOOL_CACHE */
  readonly toolCache: string;
  /** Folders of `PATH`. */
  readonly path: readonly string[];
}

/**
 * Copies of a tool that are on this machine already: in the tool cache of another action, under
 * this version, or on `PATH`, of whatever version. None of them is trusted, nor executed.
 */
export async function preinstalledCopies(
  { toolCache, path: onPath }: SearchPaths,
  { name, fileName, version, platform }: PlatformArtifact,
): Promise<string[]> {
  const names = CACHE_NAMES[platform.arch] ?? [platform.arch];
  const cached = names.map((arch) => path.join(toolCache, name, version.slice(1), arch));
  const folders = [...(await filterReadable(cached, completionMarker)), ...onPath];
  return filterReadable(
    folders.map((folder) => path.join(folder, fileName)),
    (file) => file,
  );
}

/** `@actions/tool-cache` writes it last; `find` of that library skips a folder without it. */
function completionMarker(folder: string): string {
  return `${folder}.complete`;
}

async function filterReadable(
  paths: readonly string[],
  fileFor: (path: string) => string,
): Promise<string[]> {
  const found = await Promise.all(paths.map((path) => isReadable(fileFor(path))));
  return paths.filter((_, index) => found[index]);
}

async function isReadable(file: string): Promise<boolean> {
  try {
    await access(file, constants.R_OK);
    return (await stat(file)).isFile(); // A pipe of that name would never end.
  } catch {
    return false; // Not there, or not for us: then it is downloaded.
  }
}
