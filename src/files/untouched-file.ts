import type { BigIntStats } from 'node:fs';
import { open, stat, type FileHandle } from 'node:fs/promises';
import { digestOpenFile, type DigestedFile } from './digested-file.js';
import { FileError } from './errors.js';
import { READ } from './open-flags.js';

/** Another process changed or replaced the file. */
export class FileChangedError extends FileError {
  constructor(path: string) {
    super(`${path} was changed by another process while it was verified`);
  }
}

/** A user's file that was read once, and is only read. */
export interface UntouchedFile {
  readonly digested: DigestedFile;
  /**
   * Requires the path to lead to the same, unchanged file as when it was read.
   *
   * @throws {FileChangedError}
   */
  assertUntouched(): Promise<void>;
}

/**
 * Reads a file that somebody else may be writing to. Links are followed. Nothing but a plain file is
 * opened: to read a pipe or a device may never end, and takes what another process waits for.
 *
 * @param maxBytes a larger file is refused, unread
 * @throws {FileChangedError} for a file that changes while it is read
 * @throws {FileError} for what is not a plain file, is empty, or is larger; or the error of the file
 *   system
 */
export async function readUntouched(path: string, maxBytes: number): Promise<UntouchedFile> {
  assertPlain(path, await stat(path, { bigint: true }));
  const file = await open(path, READ);
  try {
    const before = await file.stat({ bigint: true });
    assertPlain(path, before);
    const digested = await digestOpenFile(file, path, maxBytes);
    await assertSame(path, before, file, digested);
    return {
      digested,
      assertUntouched: async () => {
        const after = await stat(path, { bigint: true }).catch(() => undefined);
        if (after === undefined || !isSame(before, after)) {
          throw new FileChangedError(path);
        }
      },
    };
  } finally {
    await file.close();
  }
}

function assertPlain(path: string, found: BigIntStats): void {
  if (!found.isFile()) {
    throw new FileError(`${path} is not a plain file`);
  }
  if (found.size === 0n) {
    throw new FileError(`${path} is empty, or a file of /proc, which claims to be`);
  }
}

/** A file of /sys has fewer bytes than it claims. */
async function assertSame(
  path: string,
  before: BigIntStats,
  file: FileHandle,
  { size }: DigestedFile,
): Promise<void> {
  if (BigInt(size) !== before.size || !isSame(before, await file.stat({ bigint: true }))) {
    throw new FileChangedError(path);
  }
}

/** The same file, not written to since: the system sets `ctime`, and no process can set it back. */
function isSame(before: BigIntStats, after: BigIntStats): boolean {
  const keys = ['dev', 'ino', 'size', 'mtimeNs', 'ctimeNs'] as const;
  return keys.every((key) => before[key] === after[key]);
}
