import { open } from 'node:fs/promises';
import path from 'node:path';
import { renameHeld } from './rename.js';

/**
 * Gives a finished file its name, in one step. Its bytes are on the disk before, so that after a
 * power cut there is the whole file or none. A link at the name is replaced, and not followed.
 *
 * @param partial on the same file system as `target`
 * @throws the error of the file system
 */
export async function placeFile(partial: string, target: string): Promise<void> {
  await flush(partial, 'r+'); // Windows flushes only what is open for writing.
  await renameHeld(partial, target);
  // Windows opens no folder, and some file systems flush none. The name may then be lost, and no more.
  await flush(path.dirname(target), 'r').catch(() => undefined);
}

async function flush(file: string, flags: string): Promise<void> {
  const handle = await open(file, flags);
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}
