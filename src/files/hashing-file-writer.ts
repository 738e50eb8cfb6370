import { open, rm, type FileHandle } from 'node:fs/promises';
import { Writable } from 'node:stream';
import { Digester, type DigestedFile } from './digested-file.js';
import { StorageError, TooLargeError } from './errors.js';

/** Pieces from a TLS connection have 16 KiB; the disk and the hash are given pages of this size. */
const PAGE_BYTES = 256 << 10;

/**
 * A file that is written and hashed as its bytes arrive, over as many connections as it takes.
 *
 * Memory is bounded: one page is being filled while the one before it is being written.
 */
export class HashingFileWriter {
  readonly #path: string;
  readonly #handle: FileHandle;
  readonly #digester = new Digester();
  #page = Buffer.allocUnsafeSlow(PAGE_BYTES);
  #otherPage = Buffer.allocUnsafeSlow(PAGE_BYTES);
  /** Bytes of the page that are filled. */
  #filled = 0;
  #writing: Promise<void> = Promise.resolve();
  #appending: Promise<void> = Promise.resolve();

  private constructor(path: string, handle: FileHandle) {
    this.#path = path;
    this.#handle = handle;
  }

  /**
   * @param path must not exist: it is never followed if it is a link, nor overwritten
   * @throws {StorageError}
   */
  static async create(path: string): Promise<HashingFileWriter> {
    return new HashingFileWriter(path, await stored(path, open(path, 'wx', 0o600)));
  }

  /** In bytes. */
  get size(): number {
    return this.#digester.size + this.#filled;
  }

  /**
   * A stream that appends what is written to it, up to so many bytes in the whole file.
   *
   * It fails with a {@link StorageError} or {@link TooLargeError}; it may end, and another one
   * go on where it ended.
   *
   * @param onPiece called after each piece that was taken
   */
  appender(maxBytes: number, onPiece: () => void): Writable {
    return new Writable({
      write: (piece: Buffer, _encoding, done) => {
        if (this.size + piece.length > maxBytes) {
          done(new TooLargeError(maxBytes));
        } else if (this.#filled + piece.length < PAGE_BYTES) {
          this.#filled += piece.copy(this.#page, this.#filled);
          onPiece();
          done();
        } else {
          this.#appending = this.#appendAcrossPages(piece);
          this.#appending.then(() => {
            onPiece();
            done();
          }, done);
        }
      },
    });
  }

  /** Waits until a stream that failed has no piece in its hands any more. */
  async settled(): Promise<void> {
    await this.#appending.catch(() => undefined); // The stream has thrown it already.
  }

  /** @throws {StorageError} */
  async end(): Promise<DigestedFile> {
    await this.#turnPage();
    await this.#writing;
    const entry = await stored(this.#path, this.#handle.stat());
    await stored(this.#path, this.#handle.close());
    return this.#digester.toFile(this.#path, entry);
  }

  /** Removes what there is. */
  async discard(): Promise<void> {
    await this.#writing.catch(() => undefined);
    await this.#handle.close().catch(() => undefined);
    await rm(this.#path, { force: true });
  }

  async #appendAcrossPages(piece: Buffer): Promise<void> {
    for (let taken = 0; taken < piece.length;) {
      const copied = piece.copy(this.#page, this.#filled, taken);
      this.#filled += copied;
      taken += copied;
      if (this.#filled === PAGE_BYTES) {
        await this.#turnPage();
      }
    }
  }

  /** Hashes the page and begins to write it, when the one before it is written. */
  async #turnPage(): Promise<void> {
    const page = this.#page.subarray(0, this.#filled);
    const position = this.#digester.size;
    this.#digester.update(page);
    this.#filled = 0;
    await this.#writing;
    this.#writing = this.#write(page, position);
    this.#writing.catch(() => undefined); // Thrown by the next one who waits for it.
    [this.#page, this.#otherPage] = [this.#otherPage, this.#page];
  }

  async #write(page: Buffer, position: number): Promise<void> {
    for (let written = 0; written < page.length;) {
      const rest = page.length - written;
      const write = this.#handle.write(page, written, rest, position + written);
      written += (await stored(this.#path, write)).bytesWritten;
    }
  }
}

async function stored<T>(path: string, operation: Promise<T>): Promise<T> {
  try {
    return await operation;
  } catch (error) {
    throw new StorageError(`cannot write ${path}`, error);
  }
}
