import { readdir, rm } from 'node:fs/promises';
import path from 'node:path';
import { entryAt } from '../files/private-file.js';

/** Copies that were being made when their run ended; older ones are swept away, in milliseconds. */
const STALE_AFTER = 60 * 60_000;
export const PARTIAL_PREFIX = '.partial-';

/** Removes what is in nobody's way. */
export async function discard(path: string): Promise<void> {
  // What resists is no reason to fail: a later run sweeps it away, or tries to.
  await rm(path, { force: true, recursive: true, maxRetries: 3 }).catch(() => undefined);
}

export async function sweep(folder: string): Promise<void> {
  for (const name of await readdir(folder)) {
    const stale = path.join(folder, name);
    if (name.startsWith(PARTIAL_PREFIX)) {
      const modified = (await entryAt(stale))?.mtimeMs ?? Infinity;
      if (modified < Date.now() - STALE_AFTER) {
        await discard(stale);
      }
    }
  }
}
