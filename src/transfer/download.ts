import { pipeline } from 'node:stream/promises';
import type { DigestedFile } from './digested-file.js';
import { GrowingFile } from './growing-file.js';
import type { Answer, HttpClient } from './http.js';
import { withRetries } from './retry.js';
import { StatusError, TooLargeError } from './transfer-error.js';

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
  const partial = new PartialObject(path);
  try {
    return await withRetries('GET', url, patience.artifact, patience, signal, async (trySignal) => {
      const answer = await partial.ask(http, url, trySignal);
      return partial.complete(answer, options);
    });
  } catch (error) {
    await partial.discard();
    throw error;
  }
}

/** What has arrived of an object, and which one it was. */
class PartialObject {
  readonly #path: string;
  #file: GrowingFile | undefined;
  /** The strong entity tag (RFC 9110 §8.8.3) of the object that the bytes so far belong to. */
  #entityTag: string | undefined;

  constructor(path: string) {
    this.#path = path;
  }

  /** Asks for what is missing; for the whole object when the server cannot tell what that is. */
  async ask(http: HttpClient, url: URL, signal: AbortSignal): Promise<Answer> {
    try {
      return await http.open(url, { headers: this.#rangeHeaders(), lane: 'large' }, signal);
    } catch (error) {
      if (error instanceof StatusError && error.status === RANGE_NOT_SATISFIABLE) {
        this.#entityTag = undefined;
        throw new Error('the server has no bytes behind the ones that arrived', { cause: error });
      }
      throw error;
    }
  }

  async complete(answer: Answer, options: DownloadOptions): Promise<DigestedFile> {
    const file = answer.status === 206 ? this.#continued(answer) : await this.#startedOver();
    this.#entityTag = strongEntityTag(answer);
    const announced = contentLength(answer);
    const total = announced === undefined ? undefined : file.size + announced;
    if (total !== undefined && total > options.maxBytes) {
      answer.body.destroy();
      throw new TooLargeError(options.maxBytes);
    }
    const appender = file.appender(options.maxBytes, () => {
      options.onProgress?.(file.size, total);
    });
    try {
      await pipeline(answer.body, appender);
    } finally {
      await file.settled();
    }
    if (total !== undefined && file.size !== total) {
      throw new Error(`${String(file.size)} of ${String(total)} bytes arrived`);
    }
    return file.end();
  }

  async discard(): Promise<void> {
    const file = this.#file;
    this.#file = undefined;
    await file?.discard();
  }

  #rangeHeaders(): Record<string, string> {
    const size = this.#file?.size ?? 0;
    if (size === 0 || this.#entityTag === undefined) {
      return {};
    }
    return { range: `bytes=${String(size)}-`, 'if-range': this.#entityTag };
  }

  async #startedOver(): Promise<GrowingFile> {
    if (this.#file === undefined || this.#file.size > 0) {
      await this.discard();
      this.#file = await GrowingFile.create(this.#path);
    }
    return this.#file;
  }

  /** RFC 9110 §14.4: the answer must begin at the missing byte of the same object. */
  #continued(answer: Answer): GrowingFile {
    const start = /^bytes (\d{1,15})-/.exec(answer.headers['content-range'] ?? '')?.[1];
    const isSameObject = answer.headers.etag === this.#entityTag;
    const file = this.#file;
    if (file === undefined || start !== String(file.size) || !isSameObject) {
      answer.body.destroy();
      this.#entityTag = undefined;
      throw new Error('the server continued with other bytes than the ones asked for');
    }
    return file;
  }
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
