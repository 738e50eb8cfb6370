import { readdir, rm } from 'node:fs/promises';
import path from 'node:path';
import { isOtherProcess } from '../files/other-process.js';

/** Temporary folders are in the mirror itself, so that files can be renamed into place. */
const SCRATCH = /^\.mirror-(\d{1,10})-[A-Za-z0-9]{6}$/;

/** The prefix of a temporary folder of this process. */
export const scratchPrefix = (): string => `.mirror-${String(process.pid)}-`;

/** Removes the temporary folders of processes that were killed. */
export async function removeLeftovers(folder: string): Promise<void> {
  for (const name of await readdir(folder)) {
    const pid = Number(SCRATCH.exec(name)?.[1] ?? 0);
    if (pid !== 0 && !isOtherProcess(pid)) {
      await rm(path.join(folder, name), { recursive: true, force: true, maxRetries: 3 });
    }
  }
}
