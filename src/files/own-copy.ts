import { createHash } from 'node:crypto';
import { lstat, open, type FileHandle } from 'node:fs/promises';
import { digestOpenFile } from './digested-file.js';
import { FileError, TooLargeError } from './errors.js';
import { CREATE, READ_NO_LINK } from './open-flags.js';
import { renameHeld } from './rename.js';

const PIECE = 1 << 20;

/**
 * A copy of a file, in a folder where somebody else may rename and remove what is there.
 *
 * It is written, hashed and given its mode through one handle: its path may lead somewhere else a moment
 * later. The handle stays open until {@link close}, so that no other file can get the same inode number.
 */
export class OwnCopy {
  readonly path: string;
  /** SHA-256 of what was written, 32 bytes. */
  readonly sha256: Buffer;
  readonly #handle: FileHandle;

  private constructor(path: string, handle: FileHandle, sha256: Buffer) {
    this.path = path;
    this.#handle = handle;
    this.sha256 = sha256;
  }

  /**
   * @param path must not exist
   * @param maxBytes a larger source is refused
   * @throws {TooLargeError}
   * @throws the error of the file system
   */
  static async create(source: string, path: string, maxBytes: number): Promise<OwnCopy> {
    const from = await open(source, READ_NO_LINK);
    try {
      const handle = await open(path, CREATE, 0o600);
      try {
        return new OwnCopy(path, handle, await copyBytes(from, handle, maxBytes));
      } catch (error) {
        await handle.close();
        throw error;
      }
    } finally {
      await from.close();
    }
  }

  /** Gives it a mode, and puts its bytes on the disk: its name must not be there before them. */
  async finish(mode: number): Promise<void> {
    await this.#handle.chmod(mode);
    await this.#handle.sync();
  }

  /**
   * Renames the copy. What is at `target` is replaced.
   *
   * @throws {FileError} if something else is at the path of the copy, or at `target` afterwards
   * @throws the error of the file system
   */
  async moveTo(target: string): Promise<void> {
    if (!(await this.#isAt(this.path))) {
      throw replaced(this.path);
    }
    await renameHeld(this.path, target);
    // Some file systems give a renamed file another inode number. Then its bytes must be those of the copy.
    if (!(await this.#isAt(target)) && !(await this.#hasItsBytes(target))) {
      throw replaced(target);
    }
  }

  async close(): Promise<void> {
    await this.#handle.close();
  }

  async #isAt(path: string): Promise<boolean> {
    const found = await lstat(path, { bigint: true });
    const own = await this.#handle.stat({ bigint: true });
    return found.isFile() && found.dev === own.dev && found.ino === own.ino;
  }

  async #hasItsBytes(target: string): Promise<boolean> {
    if (!(await lstat(target)).isFile()) {
      return false;
    }
    const { size } = await this.#handle.stat();
    const found = await open(target, READ_NO_LINK);
    try {
      const { sha256 } = await digestOpenFile(found, target, size);
      return sha256.equals(this.sha256);
    } finally {
      await found.close();
    }
  }
}

function replaced(path: string): FileError {
  return new FileError(`${path} was replaced by another process`);
}

/** @returns the SHA-256 of the bytes, 32 bytes */
async function copyBytes(from: FileHandle, to: FileHandle, maxBytes: number): Promise<Buffer> {
  const hash = createHash('sha256');
  const piece = Buffer.allocUnsafeSlow(PIECE);
  for (let size = 0; ;) {
    const { bytesRead } = await from.read(piece, 0, PIECE);
    if (bytesRead === 0) {
      return hash.digest();
    }
    const bytes = piece.subarray(0, bytesRead);
    size += bytesRead;
    if (size > maxBytes) {
      throw new TooLargeError(maxBytes);
    }
    hash.update(bytes);
    await to.writeFile(bytes); // At its position; all of them, where `write` may write less.
  }
}
