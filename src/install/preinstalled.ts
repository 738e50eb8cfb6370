import { existsSync } from 'node:fs';
import { access, constants, stat } from 'node:fs/promises';
import path from 'node:path';
import type { Binary } from '../kubernetes/binary.js';

/** Names that other actions give to the architecture in the tool cache. */
const CACHE_NAMES: Readonly<Record<string, readonly string[]>> = {
  amd64: ['x64', 'amd64'],
  '386': ['ia32', '386'],
  ppc64le: ['ppc64', 'ppc64le'],
};

/** Where a copy that somebody else installed may be found. */
export interface SearchPaths {
  /** RUNNER_TOOL_CACHE, which other actions share; undefined outside of a workflow, where there are none. */
  readonly toolCache: string | undefined;
  /** Folders of `PATH`. */
  readonly path: readonly string[];
}

/**
 * Copies of a tool that are on this machine already: in the tool cache of another action, under
 * this version, or on `PATH`, of whatever version. None of them is trusted, nor executed.
 */
export async function preinstalledCopies(
  { toolCache, path: onPath }: SearchPaths,
  artifact: Binary,
): Promise<string[]> {
  const folders = [...(await foldersOfOthers(toolCache, artifact)), ...onPath];
  const places = folders.map((folder) => path.join(folder, artifact.fileName));
  const found = await Promise.all(places.map(isReadable));
  return places.filter((_, index) => found[index]);
}

async function foldersOfOthers(
  toolCache: string | undefined,
  { name, version, platform }: Binary,
): Promise<string[]> {
  if (toolCache === undefined || !existsSync(path.join(toolCache, name))) {
    return [];
  }
  // Evaluated only where there is something to find, which saves other runs 4 ms.
  const { find } = await import(/* webpackMode: "eager" */ '@actions/tool-cache');
  const names = CACHE_NAMES[platform.arch] ?? [platform.arch];
  const found = names.map((arch) => find(name, version.slice(1), arch));
  return found.filter((folder) => folder !== '');
}

async function isReadable(file: string): Promise<boolean> {
  try {
    await access(file, constants.R_OK);
    const found = await stat(file);
    return found.isFile() && found.size > 0; // A pipe, or a file in /proc, would never end.
  } catch {
    return false; // Not there, or not for us: then it is downloaded.
  }
}
