import { open } from 'node:fs/promises';
import path from 'node:path';
import type { FileEntry } from './digested-file.js';
import { FileError } from './errors.js';
import { WRITE_NO_LINK } from './open-flags.js';
import { renameHeld } from './rename.js';

/**
 * Gives a finished file its name, in one step. Its bytes are on the disk before, so that after a
 * power cut there is the whole file or none. A link at the name is replaced, and not followed.
 *
 * @param partial on the same file system as `target`
 * @param entry of the finished file; `partial` must still lead to it, and not through a link
 * @throws {FileError} if it does not; or the error of the file system
 */
export async function placeFile(partial: string, target: string, entry: FileEntry): Promise<void> {
  const file = await open(partial, WRITE_NO_LINK); // Windows flushes only what is open for writing.
  try {
    const { dev, ino } = await file.stat();
    if (dev !== entry.dev || ino !== entry.ino) {
      throw new FileError(`${partial} was replaced by another process`);
    }
    await file.sync();
  } finally {
    await file.close();
  }
  await renameHeld(partial, target);
  // Windows opens no folder, and some file systems flush none. The name may then be lost, and no more.
  await flushFolder(path.dirname(target)).catch(() => undefined);
}

async function flushFolder(folder: string): Promise<void> {
  const handle = await open(folder, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}
