import { closeSync, fstatSync, openSync, readSync } from 'node:fs';
import { FileError, TooLargeError } from './errors.js';
import { READ } from './open-flags.js';

/**
 * Reads a file, and no more of it than the size it claims to have: none of a file in /proc, where the
 * size is 0 and a read may never return.
 *
 * @throws {FileError} if it is not a plain file, or larger than `maxBytes`; or the error of the file system
 */
export function readPlainFile(file: string, maxBytes: number): Buffer {
  const opened = openSync(file, READ);
  try {
    const found = fstatSync(opened);
    if (!found.isFile()) {
      throw new FileError('it is not a file'); // Reading a pipe or a device may never end.
    }
    if (found.size > maxBytes) {
      throw new TooLargeError(maxBytes);
    }
    const bytes = Buffer.alloc(found.size);
    let filled = 0;
    for (let read = -1; read !== 0 && filled < bytes.length; filled += read) {
      read = readSync(opened, bytes, filled, bytes.length - filled, null);
    }
    return bytes.subarray(0, filled);
  } finally {
    closeSync(opened);
  }
}
