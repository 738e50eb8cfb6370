import { createHash, createVerify, type KeyObject } from 'node:crypto';
import { closeSync, openSync, readSync } from 'node:fs';
import { open, type FileHandle } from 'node:fs/promises';
import { FileError, TooLargeError } from './errors.js';
import { READ } from './open-flags.js';

const PIECE = 1 << 20;

/**
 * A file whose bytes were hashed once while they passed by, on their way to the disk or from it.
 *
 * Made by {@link Digester}; the signature check has been fed in the same pass.
 */
export class DigestedFile {
  readonly path: string;
  /** In bytes. */
  readonly size: number;
  /** SHA-256, 32 bytes. */
  readonly sha256: Buffer;
  /** The file itself, whatever its path may lead to later. */
  readonly entry: FileEntry;
  #fed: ReturnType<typeof createVerify> | undefined;
  readonly #checked = new Map<string, boolean>();

  constructor(
    path: string,
    size: number,
    sha256: Buffer,
    fed: ReturnType<typeof createVerify>,
    entry: FileEntry,
  ) {
    this.path = path;
    this.size = size;
    this.sha256 = sha256;
    this.entry = entry;
    this.#fed = fed;
  }

  /**
   * Whether `signature` is an ECDSA signature with SHA-256 over the file's bytes by `key`.
   *
   * The first question is answered from what was fed while streaming; a question about another
   * key or signature reads the file again and refuses if it is no longer the same.
   *
   * @param signature DER (RFC 3279 §2.2.3)
   */
  isSignedBy(key: KeyObject, signature: Buffer): boolean {
    const question = `${key.export({ type: 'spki', format: 'der' }).toString('hex')} ${signature.toString('hex')}`;
    const known = this.#checked.get(question);
    if (known !== undefined) {
      return known;
    }
    const check = this.#fed ?? this.#readAgain();
    this.#fed = undefined;
    const isSigned = check.verify(key, signature);
    this.#checked.set(question, isSigned);
    return isSigned;
  }

  #readAgain(): ReturnType<typeof createVerify> {
    const digester = new Digester();
    const piece = Buffer.allocUnsafe(PIECE);
    const file = openSync(this.path, READ);
    try {
      for (let read = -1; read !== 0 && digester.size <= this.size;) {
        read = readSync(file, piece, 0, PIECE, null);
        digester.update(piece.subarray(0, read));
      }
    } finally {
      closeSync(file);
    }
    const { sha256, check } = digester.end();
    if (!sha256.equals(this.sha256)) {
      throw new FileError(`${this.path} was changed by another process`);
    }
    return check;
  }
}

/** What tells a file of this machine from all others (POSIX `stat`). */
export interface FileEntry {
  readonly dev: number;
  readonly ino: number;
}

/** Takes the bytes of a file as they come: one SHA-256 and one ECDSA-with-SHA-256 check. */
export class Digester {
  readonly #hash = createHash('sha256');
  readonly #check = createVerify('sha256');
  #size = 0;

  update(piece: Buffer): void {
    this.#size += piece.length;
    this.#hash.update(piece);
    this.#check.update(piece);
  }

  /** In bytes. */
  get size(): number {
    return this.#size;
  }

  end(): { readonly sha256: Buffer; readonly check: ReturnType<typeof createVerify> } {
    return { sha256: this.#hash.digest(), check: this.#check };
  }

  /** @param path where the bytes are */
  toFile(path: string, entry: FileEntry): DigestedFile {
    const { sha256, check } = this.end();
    return new DigestedFile(path, this.#size, sha256, check, entry);
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
