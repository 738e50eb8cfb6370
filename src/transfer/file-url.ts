import { createReadStream } from 'node:fs';
import { stat } from 'node:fs/promises';
import { Readable } from 'node:stream';
import { codeOf } from '../errors.js';
import { NonRetryableError, StatusError } from './errors.js';

/**
 * Opens the file that a file URL names.
 *
 * @throws {StatusError} 404 if there is none
 * @throws {NonRetryableError} if it is not a plain file, or cannot be read
 */
export async function openFile(url: URL, signal: AbortSignal): Promise<Readable> {
  const size = await sizeOf(url);
  if (size === 0) {
    return Readable.from([]); // A file in /proc claims to be empty, and reading it may never end.
  }
  return new Promise((resolve, reject) => {
    const body = createReadStream(url, { signal, end: size - 1, highWaterMark: 1 << 20 });
    body.once('ready', () => {
      resolve(body);
    });
    body.once('error', (error) => {
      reject(new NonRetryableError(`cannot read ${url.pathname}`, error));
    });
  });
}

/** Opening a pipe may block forever, and a device may have no end. */
async function sizeOf(url: URL): Promise<number> {
  const found = await stat(url).catch((error: unknown) => {
    throw codeOf(error) === 'ENOENT'
      ? new StatusError(404, undefined)
      : new NonRetryableError(`cannot read ${url.pathname}`, error);
  });
  if (!found.isFile()) {
    throw new NonRetryableError(`${url.pathname} is not a file`);
  }
  return found.size;
}
