import { constants } from 'node:fs';
import { access, stat } from 'node:fs/promises';
import path from 'node:path';
import type { Logger } from './logger.js';
import type { InstalledArtifact } from './verified-artifact.js';

/** What decides which program a later step starts. */
export interface PathLookup {
  /** Folders of `PATH` as this step sees it. */
  readonly path: readonly string[];
  /** Functions that every bash of a later step knows. */
  readonly shellFunctions: readonly string[];
}

/**
 * Looks whether later steps will start what was installed when they call it by name, and tells
 * what stands in the way.
 *
 * The runner puts the folders of this step in front of `PATH`, the last one first, so a copy that
 * an earlier step or the image brought stands behind. What is left is a folder that `PATH` cannot
 * name or that nothing can be executed in, and a function exported to bash, which comes before
 * `PATH`. What a shell's own start-up files do, or a later step, cannot be seen from here.
 */
export async function checkPathLookup(
  installed: readonly InstalledArtifact[],
  lookup: PathLookup,
  logger: Logger,
): Promise<void> {
  const added = installed.map(({ folder }) => folder).reverse();
  const folders = [...added, ...lookup.path].flatMap((folder) => folder.split(path.delimiter));
  for (const { artifact, cacheEntry } of installed) {
    const tool = artifact.name;
    const ours = cacheEntry.files().file;
    const [first, ...others] = await executables(folders, path.basename(ours));
    if (first !== ours) {
      logger.warning(
        `${tool} is not found on PATH`,
        `Later steps that call ${tool} start ${first ?? 'nothing'} and not ${ours}: ${path.dirname(ours)} cannot stand in PATH, or does not allow execution. Use the output "${tool}-path".`,
      );
    } else if (others.length > 0) {
      logger.info(`Later steps find ${ours} before ${others.join(', ')}`);
    }
    if (lookup.shellFunctions.includes(tool)) {
      logger.warning(
        `A shell function hides ${tool}`,
        `An earlier step exported a bash function named ${tool}, which bash prefers to every file. Remove it (unset -f ${tool}), or use the output "${tool}-path".`,
      );
    }
  }
}

async function executables(folders: readonly string[], name: string): Promise<string[]> {
  const files = [...new Set(folders.map((folder) => path.join(folder, name)))];
  const found = await Promise.all(files.map(isExecutable));
  return files.filter((_, index) => found[index]);
}

async function isExecutable(file: string): Promise<boolean> {
  try {
    await access(file, constants.X_OK);
    return (await stat(file)).isFile();
  } catch {
    return false; // Not there, or not for us: a shell passes it over as well.
  }
}
