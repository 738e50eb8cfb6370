import { setTimeout as sleep } from 'node:timers/promises';
import pRetry from 'p-retry';
import { explain } from '../errors.js';
import { FileError, StorageError } from '../files/errors.js';
import type { TransferLimits } from './limits.js';
import { NonRetryableError, StatusError, TransferError } from './errors.js';

/** Statuses that a later request may change: time-outs, throttling, trouble at the server. */
const TRANSIENT_STATUSES = new Set([408, 425, 429, 500, 502, 503, 504]);

/**
 * Runs one transfer, again after a passing fault: exponential backoff with jitter, `Retry-After`
 * respected, the number of tries and the total time bounded.
 *
 * @param url what is being transferred, for the error
 * @param total bound on the time of all tries together, in milliseconds
 * @param attempt one try; it must stop when its signal is aborted
 * @throws {TransferError} after the last try, naming host, tries and the last cause; or the
 *   reason of `signal` when that was aborted
 */
export async function withRetries<T>(
  method: string,
  url: URL,
  total: number,
  limits: TransferLimits,
  signal: AbortSignal,
  attempt: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  const deadline = AbortSignal.timeout(Math.ceil(total));
  const either = AbortSignal.any([signal, deadline]);
  let tries = 0;
  let last: unknown;
  try {
    return await pRetry(
      () => {
        tries += 1;
        return attempt(either);
      },
      {
        retries: limits.retries,
        minTimeout: limits.retryDelay,
        maxTimeout: limits.maxRetryDelay,
        randomize: true,
        maxRetryTime: total,
        signal: either,
        shouldRetry: ({ error }) => isTransient(error),
        onFailedAttempt: async ({ error, retriesLeft, retryDelay }) => {
          last = error;
          if (retriesLeft > 0 && error instanceof StatusError && error.retryAfter !== undefined) {
            const asked = Math.min(error.retryAfter, limits.maxRetryDelay);
            await sleep(Math.max(0, asked - retryDelay), undefined, { signal: either });
          }
        },
      },
    );
  } catch (error) {
    if (signal.aborted) {
      throw signal.reason;
    }
    const cause = deadline.aborted
      ? new NonRetryableError(`gave up after ${String(total / 1000)} s`, last ?? error)
      : error;
    throw transferError(method, url, tries, cause);
  }
}

function isTransient(error: unknown): boolean {
  if (error instanceof NonRetryableError || error instanceof FileError) {
    return false;
  }
  return error instanceof StatusError ? TRANSIENT_STATUSES.has(error.status) : true;
}

function transferError(method: string, url: URL, tries: number, cause: unknown): TransferError {
  const shown = withoutSecrets(url);
  const times = tries === 1 ? '1 try' : `${String(tries)} tries`;
  const where = url.protocol === 'file:' ? '' : ` (${url.host}, ${times})`;
  return new TransferError(`${method} ${shown}${where}: ${explain(cause)}`, {
    url: shown,
    tries,
    local: cause instanceof StorageError,
    cause,
    ...(cause instanceof StatusError ? { status: cause.status } : {}),
  });
}

/** The URL as it may be shown: no credentials, no query (a mirror's may hold a signature). */
export function withoutSecrets(url: URL): string {
  return url.protocol === 'file:' ? url.href : `${url.protocol}//${url.host}${url.pathname}`;
}
