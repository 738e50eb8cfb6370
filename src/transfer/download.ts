import { createWriteStream, type WriteStream } from 'node:fs';
import { rm } from 'node:fs/promises';
import { Digester, type DigestedFile } from './digested-file.js';
import type { Answer, HttpClient } from './http.js';
import { withRetries } from './retry.js';
import { StatusError, StorageError, TooLargeError } from './transfer-error.js';

/** Pieces that may wait for the disk before the network is asked to pause, in bytes. */
const WRITE_AHEAD = 4 << 20;
/** RFC 9110 §15.5.17 */
const RANGE_NOT_SATISFIABLE = 416;

export interface DownloadOptions {
  /** More than these bytes are never written: the transfer fails. */
  readonly maxBytes: number;
  /** Called for each piece with the bytes so far and, when the server told it, of all. */
  readonly onProgress?: (received: number, total: number | undefined) => void;
}

/**
 * Streams an object to a new file while it is being hashed.
 *
 * A connection that breaks is taken up again where it broke, when the server supports ranges and
 * its entity tag shows that the object is still the same; else from the start. What is left of a
 * failed transfer is removed.
 *
 * @param path must not exist: it is never followed if it is a link, nor overwritten
 * @throws {TransferError}
 */
export async function download(
  http: HttpClient,
  url: URL,
  path: string,
  options: DownloadOptions,
): Promise<DigestedFile> {
  const { patience, signal } = http;
  const partial = new PartialFile(path);
  try {
    await withRetries('GET', url, patience.artifact, patience, signal, async (trySignal) => {
      const answer = await partial.open(http, url, trySignal);
      await partial.continueWith(answer, options);
      await partial.close();
    });
    return partial.digested();
  } catch (error) {
    await partial.discard();
    throw error;
  }
}

/** A file that grows, together with the digest of what it holds so far. */
class PartialFile {
  readonly #path: string;
  #file: WriteStream | undefined;
  #storageError: Error | undefined;
  #digester = new Digester();
  /** The strong entity tag (RFC 9110 §8.8.3) of the object that the bytes so far belong to. */
  #entityTag: string | undefined;

  constructor(path: string) {
    this.#path = path;
  }

  /** Asks for what is missing; for the whole object when the server cannot tell what that is. */
  async open(http: HttpClient, url: URL, signal: AbortSignal): Promise<Answer> {
    try {
      return await http.open(url, { headers: this.#rangeHeaders() }, signal);
    } catch (error) {
      if (error instanceof StatusError && error.status === RANGE_NOT_SATISFIABLE) {
        this.#entityTag = undefined;
        throw new Error('the server has no bytes behind the ones that arrived', { cause: error });
      }
      throw error;
    }
  }

  #rangeHeaders(): Record<string, string> {
    if (this.#digester.size === 0 || this.#entityTag === undefined) {
      return {};
    }
    return { range: `bytes=${String(this.#digester.size)}-`, 'if-range': this.#entityTag };
  }

  async continueWith(answer: Answer, options: DownloadOptions): Promise<void> {
    if (answer.status === 206) {
      this.#assertContinues(answer);
    } else {
      await this.#startOver();
    }
    this.#entityTag = strongEntityTag(answer);
    const announced = contentLength(answer);
    const total = announced === undefined ? undefined : this.#digester.size + announced;
    if (total !== undefined && total > options.maxBytes) {
      answer.body.destroy();
      throw new TooLargeError(options.maxBytes);
    }
    const file = this.#open();
    for await (const piece of answer.body as AsyncIterable<Buffer>) {
      if (this.#digester.size + piece.length > options.maxBytes) {
        throw new TooLargeError(options.maxBytes);
      }
      this.#digester.update(piece);
      if (!file.write(piece)) {
        await eitherEvent(file, 'drain', 'close');
        this.#assertStored();
      }
      options.onProgress?.(this.#digester.size, total);
    }
    if (total !== undefined && this.#digester.size !== total) {
      throw new Error(`${String(this.#digester.size)} of ${String(total)} bytes arrived`);
    }
  }

  async close(): Promise<void> {
    const file = this.#open();
    file.end();
    await eitherEvent(file, 'close');
    this.#assertStored();
  }

  digested(): DigestedFile {
    return this.#digester.toFile(this.#path);
  }

  async discard(): Promise<void> {
    const file = this.#file;
    this.#file = undefined;
    if (file !== undefined) {
      file.destroy();
      await eitherEvent(file, 'close');
      await rm(this.#path, { force: true });
    }
  }

  async #startOver(): Promise<void> {
    if (this.#digester.size > 0) {
      await this.discard();
      this.#digester = new Digester();
    }
  }

  #open(): WriteStream {
    if (this.#file === undefined) {
      this.#file = createWriteStream(this.#path, {
        flags: 'wx',
        mode: 0o600,
        highWaterMark: WRITE_AHEAD,
      });
      this.#file.on('error', (error) => {
        this.#storageError = error;
      });
    }
    this.#assertStored();
    return this.#file;
  }

  #assertStored(): void {
    if (this.#storageError !== undefined) {
      throw new StorageError(`cannot write ${this.#path}`, this.#storageError);
    }
  }

  /** RFC 9110 §14.4: the answer must begin at the missing byte of the same object. */
  #assertContinues(answer: Answer): void {
    const start = /^bytes (\d{1,15})-/.exec(answer.headers['content-range'] ?? '')?.[1];
    const isSameObject = answer.headers.etag === this.#entityTag;
    if (start === undefined || Number(start) !== this.#digester.size || !isSameObject) {
      answer.body.destroy();
      this.#entityTag = undefined;
      throw new Error('the server continued with other bytes than the ones asked for');
    }
  }
}

/** Waits until one of the events has come; a file that is closed sends none any more. */
function eitherEvent(file: WriteStream, ...events: ('drain' | 'close')[]): Promise<void> {
  if (file.closed) {
    return Promise.resolve();
  }
  return new Promise((resolve) => {
    const done = (): void => {
      for (const event of events) {
        file.off(event, done);
      }
      resolve();
    };
    for (const event of events) {
      file.once(event, done);
    }
  });
}

function strongEntityTag(answer: Answer): string | undefined {
  const { etag } = answer.headers;
  return answer.headers['accept-ranges'] === 'bytes' && etag?.startsWith('"') === true
    ? etag
    : undefined;
}

function contentLength(answer: Answer): number | undefined {
  const length = answer.headers['content-length'];
  return length !== undefined && /^\d{1,15}$/.test(length) ? Number(length) : undefined;
}
