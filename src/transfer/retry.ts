import { setTimeout as sleep } from 'node:timers/promises';
import pRetry from 'p-retry';
import { explain } from '../errors.js';
import { FileError, StorageError } from '../files/errors.js';
import type { TransferLimits } from './limits.js';
import { NonRetryableError, StatusError, TransferError } from './errors.js';

/** Statuses that a later request may change: time-outs, throttling, trouble at the server. */
const TRANSIENT_STATUSES = new Set([408, 425, 429, 500, 502, 503, 504]);

/** The most characters of a URL, and of a reason, that a line about a retry shows. */
const MAX_SHOWN = 200;

/** A try that failed, and the one that follows. */
export interface RetryRecord {
  readonly method: string;
  /** Without query or credentials. */
  readonly url: string;
  readonly reason: string;
  /** Until the next try, in milliseconds. */
  readonly delay: number;
  /** The number of the next try; 2 or more. */
  readonly nextTry: number;
  readonly maxTries: number;
}

/** One line of the log, of bounded length. */
export function describeRetry(record: RetryRecord): string {
  const { method, url, reason, delay, nextTry, maxTries } = record;
  const when = `retrying in ${(delay / 1000).toFixed(1)} s`;
  const count = `attempt ${String(nextTry)} of ${String(maxTries)}`;
  return `${method} ${shortened(url)}: ${shortened(reason)}; ${when} (${count})`;
}

/** A transfer that has not finished yet. */
export interface WaitRecord {
  readonly method: string;
  /** Without query or credentials. */
  readonly url: string;
}

/** One line of the log, of bounded length. */
export function describeWait({ method, url }: WaitRecord): string {
  return `still waiting for ${method} ${shortened(url)}`;
}

function shortened(text: string): string {
  return text.length > MAX_SHOWN ? `${text.slice(0, MAX_SHOWN)}…` : text;
}

export interface Transfer {
  readonly method: string;
  /** What is being transferred, for the error. */
  readonly url: URL;
  /** Bound on the time of all tries together, in milliseconds. */
  readonly total: number;
  readonly limits: TransferLimits;
  readonly signal: AbortSignal;
  readonly onRetry?: ((record: RetryRecord) => void) | undefined;
  /** Called from time to time while the transfer has not finished. */
  readonly onWait?: ((record: WaitRecord) => void) | undefined;
}

/**
 * Runs one transfer, again after a passing fault: exponential backoff with jitter, `Retry-After`
 * respected, the number of tries and the total time bounded.
 *
 * @param attempt one try; it must stop when its signal is aborted
 * @throws {TransferError} after the last try, naming host, tries and the last cause; or the
 *   reason of `signal` when that was aborted
 */
export async function withRetries<T>(
  transfer: Transfer,
  attempt: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  const stopNotices = startWaitNotices(transfer);
  try {
    return await retried(transfer, attempt);
  } finally {
    stopNotices();
  }
}

/** @returns ends the notices */
function startWaitNotices({ method, url, limits, onWait }: Transfer): () => void {
  const notice = (): void => {
    onWait?.({ method, url: withoutSecrets(url) });
    timer = setTimeout(notice, limits.waitNoticeInterval).unref();
  };
  let timer = setTimeout(notice, limits.firstWaitNotice).unref();
  return () => {
    clearTimeout(timer);
  };
}

async function retried<T>(
  { method, url, total, limits, signal, onRetry }: Transfer,
  attempt: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  const started = performance.now();
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
          if (retriesLeft === 0 || !isTransient(error)) {
            return;
          }
          const asked = error instanceof StatusError ? (error.retryAfter ?? 0) : 0;
          const delay = Math.max(retryDelay, Math.min(asked, limits.maxRetryDelay));
          if (performance.now() - started + delay < total) {
            onRetry?.({
              method,
              url: withoutSecrets(url),
              reason: explain(error),
              delay,
              nextTry: tries + 1,
              maxTries: limits.retries + 1,
            });
          }
          await sleep(delay - retryDelay, undefined, { signal: either });
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
  // A TypeError is a defect of this program, and p-retry does not retry it.
  if (
    error instanceof NonRetryableError ||
    error instanceof FileError ||
    error instanceof TypeError
  ) {
    return false;
  }
  return error instanceof StatusError ? TRANSIENT_STATUSES.has(error.status) : true;
}

function transferError(method: string, url: URL, tries: number, cause: unknown): TransferError {
  const shown = withoutSecrets(url);
  const times = tries === 1 ? '1 attempt' : `${String(tries)} attempts`;
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
