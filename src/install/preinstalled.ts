import { access, constants, stat } from 'node:fs/promises';
import path from 'node:path';
import { find } from '@actions/tool-cache';
import type { PlatformArtifact } from '../kubernetes/artifact.js';

/** Names that other actions give to the architecture in the tool cache. */
const CACHE_NAMES: Readonly<Record<string, readonly string[]>> = {
  amd64: ['x64', 'amd64'],
  '386': ['ia32', '386'],
  ppc64le: ['ppc64', 'ppc64le'],
};

/** Where a copy that somebody else installed may be found, besides the tool cache. */
export interface SearchPaths {
  /** Folders of `PATH`. */
  readonly path: readonly string[];
}

/**
 * Copies of a tool that are on this machine already: in the tool cache of another action, under
 * this version, or on `PATH`, of whatever version. None of them is trusted, nor executed.
 */
export async function preinstalledCopies(
  { path: onPath }: SearchPaths,
  { name, fileName, version, platform }: PlatformArtifact,
): Promise<string[]> {
  const names = CACHE_NAMES[platform.arch] ?? [platform.arch];
  const cached = names.map((arch) => find(name, version.slice(1), arch));
  const folders = [...cached.filter((folder) => folder !== ''), ...onPath];
  const places = folders.map((folder) => path.join(folder, fileName));
  const found = await Promise.all(places.map(isReadable));
  return places.filter((_, index) => found[index]);
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
