import { rename } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { codeOf } from '../errors.js';

/** What Windows says while another process, such as a virus scanner, has a file in the folder open. */
const HELD = new Set(['EPERM', 'EBUSY', 'EACCES']);

export interface RenameOptions {
  /** Whether to wait for other processes to let go; on Windows alone unless given. */
  readonly isPatient?: boolean;
  /** How long to go on trying, in milliseconds. */
  readonly patience?: number;
  /** Whether waiting is pointless, because the error has another cause. Asked after each failure. */
  readonly isFinal?: () => Promise<boolean>;
}

const PAUSE = 100;

/**
 * Renames a file or folder. On Windows, where scanners hold fresh files for a moment, it is tried again for 10 s.
 *
 * @throws the error of the file system; the last one
 */
export async function renameHeld(
  from: string,
  to: string,
  {
    isPatient = process.platform === 'win32',
    patience = 10_000,
    isFinal = () => Promise.resolve(false),
  }: RenameOptions = {},
): Promise<void> {
  const deadline = performance.now() + patience;
  for (;;) {
    try {
      await rename(from, to);
      return;
    } catch (error) {
      const isOver = performance.now() + PAUSE > deadline;
      if (!isPatient || !HELD.has(codeOf(error)) || isOver || (await isFinal())) {
        throw error;
      }
    }
    await sleep(PAUSE);
  }
}
