import { mkdir, stat } from 'node:fs/promises';
import path from 'node:path';
import { codeOf } from '../errors.js';

/**
 * Makes a folder, and those above it that are missing.
 *
 * Not `mkdir` with `recursive`: where a system says that there is no such file although the folder above
 * exists, as Linux does in /proc, it never ends.
 *
 * @param mode of every folder that is made
 * @throws the error of the file system
 */
export async function makeFolders(folder: string, mode = 0o777): Promise<void> {
  if (await isFolder(folder)) {
    return;
  }
  const parent = path.dirname(folder);
  if (parent !== folder) {
    await makeFolders(parent, mode);
  }
  try {
    await mkdir(folder, { mode });
  } catch (error) {
    // Another run may have been faster.
    if (codeOf(error) !== 'EEXIST' || !(await isFolder(folder))) {
      throw error;
    }
  }
}

async function isFolder(file: string): Promise<boolean> {
  const found = await stat(file).catch(() => undefined); // Making a folder there says why.
  return found?.isDirectory() === true;
}
