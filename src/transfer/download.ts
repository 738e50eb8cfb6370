import { pipeline } from 'node:stream/promises';
import { TooLargeError } from '../files/errors.js';
import type { DigestedFile } from '../files/digested-file.js';
import { HashingFileWriter } from '../files/hashing-file-writer.js';
import type { HttpClient } from './http.js';
import type { HttpResponse } from './response.js';
import { StatusError } from './errors.js';

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
  const partial = new PartialObject(path);
  try {
    return await http.retry('GET', url, http.limits.downloadTimeout, async (trySignal) => {
      const response = await partial.request(http, url, trySignal);
      return partial.complete(response, options);
    });
  } catch (error) {
    await partial.discard();
    throw error;
  }
}

/** What has arrived of an object, and which one it was. */
class PartialObject {
  readonly #path: string;
  #file: HashingFileWriter | undefined;
  /** The strong entity tag (RFC 9110 §8.8.3) of the object that the bytes so far belong to. */
  #entityTag: string | undefined;

  constructor(path: string) {
    this.#path = path;
  }

  /** Asks for what is missing; for the whole object when the server cannot tell what that is. */
  async request(http: HttpClient, url: URL, signal: AbortSignal): Promise<HttpResponse> {
    try {
      return await http.open(url, { headers: this.#rangeHeaders(), lane: 'large' }, signal);
    } catch (error) {
      if (error instanceof StatusError && error.status === RANGE_NOT_SATISFIABLE) {
        this.#entityTag = undefined;
        throw new Error('the server rejected the resume offset (416)', { cause: error });
      }
      throw error;
    }
  }

  async complete(response: HttpResponse, options: DownloadOptions): Promise<DigestedFile> {
    const file = response.status === 206 ? this.#continued(response) : await this.#startedOver();
    this.#entityTag = strongEntityTag(response);
    const announced = contentLength(response);
    const total = announced === undefined ? undefined : file.size + announced;
    if (total !== undefined && total > options.maxBytes) {
      response.body.destroy();
      throw new TooLargeError(options.maxBytes);
    }
    const appender = file.appender(options.maxBytes, () => {
      options.onProgress?.(file.size, total);
    });
    try {
      await pipeline(response.body, appender);
    } finally {
      await file.settled();
    }
    if (total !== undefined && file.size !== total) {
      throw new Error(`received ${String(file.size)} of ${String(total)} bytes`);
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

  async #startedOver(): Promise<HashingFileWriter> {
    if (this.#file === undefined || this.#file.size > 0) {
      await this.discard();
      this.#file = await HashingFileWriter.create(this.#path);
    }
    return this.#file;
  }

  /** RFC 9110 §14.4: the answer must begin at the missing byte of the same object. */
  #continued(response: HttpResponse): HashingFileWriter {
    const start = /^bytes (\d{1,15})-/.exec(response.headers['content-range'] ?? '')?.[1];
    const isSameObject = response.headers.etag === this.#entityTag;
    const file = this.#file;
    if (file === undefined || start !== String(file.size) || !isSameObject) {
      response.body.destroy();
      this.#entityTag = undefined;
      throw new Error('the server resumed at the wrong offset');
    }
    return file;
  }
}

function strongEntityTag(response: HttpResponse): string | undefined {
  const { etag } = response.headers;
  return response.headers['accept-ranges'] === 'bytes' && etag?.startsWith('"') === true
    ? etag
    : undefined;
}

function contentLength(response: HttpResponse): number | undefined {
  const length = response.headers['content-length'];
  return length !== undefined && /^\d{1,15}$/.test(length) ? Number(length) : undefined;
}
