import { constants } from 'node:fs';
import { access, stat } from 'node:fs/promises';
import path from 'node:path';
import { isBinary } from '../kubernetes/binary.js';
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
 * Warns when later steps that call a tool by name will not start the file that was installed.
 *
 * The runner puts the folders of this step at the front of `PATH`, the last one first, so copies
 * from earlier steps or from the image come later. What can still get in the way is a folder that
 * cannot be a `PATH` entry or does not allow execution, and an exported bash function, which bash
 * prefers to programs. Shell start-up files and later steps cannot be seen from here.
 */
export async function checkPathLookup(
  installed: readonly InstalledArtifact[],
  lookup: PathLookup,
  logger: Logger,
): Promise<void> {
  const programs = installed.filter(({ artifact }) => isBinary(artifact));
  const added = programs.map(({ folder }) => folder).reverse();
  const folders = [...added, ...lookup.path].flatMap((folder) => folder.split(path.delimiter));
  for (const { artifact, cacheEntry } of programs) {
    const tool = artifact.name;
    const ours = cacheEntry.files().file;
    const [first, ...others] = await executables(folders, path.basename(ours));
    if (first !== ours) {
      logger.warning(
        `Later steps do not run the verified ${tool}`,
        `Later steps that call ${tool} will find ${first ?? 'nothing'} instead of ${ours}: ${path.dirname(ours)} cannot be a PATH entry, or its file system does not allow execution. Use the output "${tool}-path".`,
      );
    } else if (others.length > 0) {
      logger.info(`Later steps find ${ours} before ${others.join(', ')}`);
    }
    if (lookup.shellFunctions.includes(tool)) {
      logger.warning(
        `A shell function hides ${tool}`,
        `An earlier step exported a bash function named ${tool}, and bash runs functions before programs. Remove it with "unset -f ${tool}", or use the output "${tool}-path".`,
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
    return false; // Missing, or not executable for this user: a shell skips it as well.
  }
}
