import { createHash } from 'node:crypto';
import { open, type FileHandle } from 'node:fs/promises';
import { FileError, TooLargeError } from './errors.js';
import { READ } from './open-flags.js';

const PIECE = 1 << 20;

/**
 * A file whose bytes were hashed once, on their way to the disk or from it. Made by {@link Digester}:
 * no other object with a path and a digest can be given in its place.
 */
export class DigestedFile {
  readonly path: string;
  /** In bytes. */
  readonly size: number;
  /** SHA-256, 32 bytes. */
  readonly sha256: Buffer;
  readonly #entry: FileEntry;

  constructor(path: string, size: number, sha256: Buffer, entry: FileEntry) {
    this.path = path;
    this.size = size;
    this.sha256 = sha256;
    this.#entry = entry;
  }

  /** The file itself, whatever its path may lead to later. */
  get entry(): FileEntry {
    return this.#entry;
  }
}

/** What tells a file of this machine from all others (POSIX `stat`). */
export interface FileEntry {
  readonly dev: number;
  readonly ino: number;
}

/** Takes the bytes of a file as they come. */
export class Digester {
  readonly #hash = createHash('sha256');
  #size = 0;

  update(piece: Buffer): void {
    this.#size += piece.length;
    this.#hash.update(piece);
  }

  /** In bytes. */
  get size(): number {
    return this.#size;
  }

  /** @param path where the bytes are */
  toFile(path: string, entry: FileEntry): DigestedFile {
    return new DigestedFile(path, this.#size, this.#hash.digest(), entry);
  }
}

/**
 * Reads a file that is already on this machine. Nothing is read of a file that claims to be empty: one in
 * /proc does, and reading it may never end.
 *
 * @param maxBytes a larger file is refused, unread
 * @throws {TooLargeError} for a file larger than `maxBytes`
 * @throws {FileError} for a file that is not a plain one, or that grows while it is read; or the error of the
 *   file system
 */
export async function digestFile(path: string, maxBytes: number): Promise<DigestedFile> {
  const file = await open(path, READ);
  try {
    return await digestOpenFile(file, path, maxBytes);
  } finally {
    await file.close();
  }
}

/**
 * As {@link digestFile}, of a file that is open. It stays open.
 *
 * @param path for {@link DigestedFile.path}
 */
export async function digestOpenFile(
  file: FileHandle,
  path: string,
  maxBytes: number,
): Promise<DigestedFile> {
  const digester = new Digester();
  let page = Buffer.allocUnsafeSlow(PIECE);
  let nextPage = Buffer.allocUnsafeSlow(PIECE);
  let reading: ReturnType<typeof file.read> | undefined;
  try {
    const entry = await file.stat();
    if (!entry.isFile()) {
      throw new FileError(`${path} is not a file`);
    }
    if (entry.size > maxBytes) {
      throw new TooLargeError(maxBytes);
    }
    if (entry.size === 0) {
      return digester.toFile(path, entry);
    }
    reading = file.read(page, 0, PIECE);
    for (let read = (await reading).bytesRead; read > 0; read = (await reading).bytesRead) {
      // The next page comes from the disk while this one is hashed.
      reading = file.read(nextPage, 0, PIECE);
      digester.update(page.subarray(0, read));
      if (digester.size > entry.size) {
        throw new FileError(`${path} was changed by another process`);
      }
      [page, nextPage] = [nextPage, page];
    }
    return digester.toFile(path, entry);
  } finally {
    await reading?.catch(() => undefined); // Nothing may be read into a page that is gone.
  }
}
