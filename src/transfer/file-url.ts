import { createReadStream } from 'node:fs';
import { stat } from 'node:fs/promises';
import type { Readable } from 'node:stream';
import { codeOf } from '../errors.js';
import { NonRetryableError, StatusError } from './errors.js';

/**
 * Opens the file that a file URL names.
 *
 * @throws {StatusError} 404 if there is none
 * @throws {NonRetryableError} if it is not a plain file, or cannot be read
 */
export async function openFile(url: URL, signal: AbortSignal): Promise<Readable> {
  await assertFile(url);
  return new Promise((resolve, reject) => {
    const body = createReadStream(url, { signal, highWaterMark: 1 << 20 });
    body.once('ready', () => {
      resolve(body);
    });
    body.once('error', (error) => {
      reject(new NonRetryableError(`cannot read ${url.pathname}`, error));
    });
  });
}

/** Opening a pipe may block forever, and a device may have no end. */
async function assertFile(url: URL): Promise<void> {
  const found = await stat(url).catch((error: unknown) => {
    throw codeOf(error) === 'ENOENT'
      ? new StatusError(404, undefined)
      : new NonRetryableError(`cannot read ${url.pathname}`, error);
  });
  if (!found.isFile()) {
    throw new NonRetryableError(`${url.pathname} is not a file`);
  }
}
