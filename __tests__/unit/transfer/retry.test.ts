import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, test } from '@jest/globals';
import {
  describeRetry,
  describeWait,
  withRetries,
  type RetryRecord,
  type WaitRecord,
} from '../../../src/transfer/retry.js';
import { NonRetryableError, StatusError, TransferError } from '../../../src/transfer/errors.js';
import { StorageError } from '../../../src/files/errors.js';
import { TRANSFER_LIMITS, scaled } from '../../../src/transfer/limits.js';
import { SHORT } from './server.js';

const URL_ASKED = new URL('https://host.test/object');
const NEVER = new AbortController().signal;

/** Fails with each error in turn, then succeeds. */
function attempts(...errors: Error[]): { attempt: () => Promise<string>; count: () => number } {
  let tries = 0;
  return {
    attempt: async () => {
      const error = errors[tries];
      tries += 1;
      if (error !== undefined) throw error;
      return 'done';
    },
    count: () => tries,
  };
}

const run = (attempt: (signal: AbortSignal) => Promise<string>, limits = SHORT): Promise<string> =>
  withRetries(
    { method: 'GET', url: URL_ASKED, total: limits.metadataTimeout, limits, signal: NEVER },
    attempt,
  );

describe('withRetries', () => {
  test('tries again after a passing fault', async () => {
    const { attempt, count } = attempts(new Error('reset'), new StatusError(503, 0));
    expect(await run(attempt)).toBe('done');
    expect(count()).toBe(3);
  });

  test('gives up after the last try', async () => {
    const { attempt, count } = attempts(
      ...Array.from({ length: 9 }, (_, i) => new Error(`no ${i}`)),
    );
    await expect(run(attempt)).rejects.toMatchObject({
      message: 'GET https://host.test/object (host.test, 5 attempts): no 4',
      tries: 5,
    });
    expect(count()).toBe(5);
  });

  test.each<[string, Error, boolean]>([
    ['final', new NonRetryableError('never'), false],
    ['of the disk', new StorageError('full', new Error('ENOSPC')), true],
    ['status 400', new StatusError(400, undefined), false],
  ])('an error that is %s: one try', async (_what, error, local) => {
    const { attempt, count } = attempts(error);
    await expect(run(attempt)).rejects.toMatchObject({ tries: 1, local });
    expect(count()).toBe(1);
  });

  test('Retry-After is bounded by the longest pause', async () => {
    const { attempt } = attempts(new StatusError(429, 3_600_000));
    expect(await run(attempt, { ...SHORT, maxRetryDelay: 5 })).toBe('done');
  });

  test('the total is bounded, and the last cause named', async () => {
    const limits = { ...SHORT, metadataTimeout: 80, retryDelay: 60_000, maxRetryDelay: 60_000 };
    const { attempt } = attempts(...Array.from({ length: 9 }, () => new Error('the last cause')));
    const failed = run(attempt, limits);
    await expect(failed).rejects.toBeInstanceOf(TransferError);
    await expect(failed).rejects.toThrow('the last cause');
  });

  test('an attempt that outlives the total is told to stop', async () => {
    const failed = run(
      (signal) =>
        new Promise((_resolve, reject) => {
          signal.addEventListener('abort', () => reject(new Error('stopped')));
        }),
      { ...SHORT, metadataTimeout: 20 },
    );
    // What waits for the deadline alone must not be all that keeps the process alive.
    const alive = setTimeout(() => {}, 5_000);
    await expect(failed).rejects.toThrow('gave up after 0.02 s');
    clearTimeout(alive);
  });

  test('the reason of an abort comes out unchanged', async () => {
    const abort = new AbortController();
    const reason = new Error('enough');
    const { signal } = abort;
    const transfer = { method: 'GET', url: URL_ASKED, total: 1e6, limits: SHORT, signal };
    const failed = withRetries(transfer, async () => {
      abort.abort(reason);
      throw new Error('reset');
    });
    await expect(failed).rejects.toBe(reason);
  });

  test.each([
    [20, 0],
    [150, 1],
    [350, 2],
  ])('a transfer of %i ms is reported %i times, and no more once it ended', async (time, count) => {
    const records: WaitRecord[] = [];
    const limits = { ...SHORT, firstWaitNotice: 100, waitNoticeInterval: 150 };
    const url = new URL('https://user:secret@host.test/object?token=secret');
    const transfer = { method: 'GET', url, total: 10_000, limits, signal: NEVER };
    const onWait = (record: WaitRecord): void => void records.push(record);
    await withRetries({ ...transfer, onWait }, () => sleep(time));
    await sleep(400);
    expect(records.map(describeWait)).toEqual(
      Array<string>(count).fill('still waiting for GET https://host.test/object'),
    );
  });

  describe('a retry is announced', () => {
    const announced = async (
      errors: Error[],
      limits = SHORT,
      url = URL_ASKED,
    ): Promise<RetryRecord[]> => {
      const records: RetryRecord[] = [];
      const onRetry = (record: RetryRecord): void => void records.push(record);
      const total = limits.metadataTimeout;
      const transfer = { method: 'GET', url, total, limits, signal: NEVER, onRetry };
      await withRetries(transfer, attempts(...errors).attempt).catch(() => 'failed');
      return records;
    };

    test('once for each further try: what, why, and when', async () => {
      const records = await announced([new Error('reset'), new StatusError(503, undefined)]);
      expect(records).toEqual([
        {
          method: 'GET',
          url: 'https://host.test/object',
          reason: 'reset',
          delay: expect.any(Number),
          nextTry: 2,
          maxTries: 5,
        },
        expect.objectContaining({ reason: 'HTTP status 503', nextTry: 3 }),
      ]);
      expect(records.map(describeRetry)).toEqual([
        'GET https://host.test/object: reset; retrying in 0.0 s (attempt 2 of 5)',
        'GET https://host.test/object: HTTP status 503; retrying in 0.0 s (attempt 3 of 5)',
      ]);
    });

    test('not after the first try, nor after the last', async () => {
      expect(await announced([])).toEqual([]);
      const errors = Array.from({ length: 9 }, () => new Error('reset'));
      expect((await announced(errors)).map(({ nextTry }) => nextTry)).toEqual([2, 3, 4, 5]);
    });

    test.each<[string, Error]>([
      ['final', new NonRetryableError('never')],
      ['of the disk', new StorageError('full', new Error('ENOSPC'))],
      ['status 400', new StatusError(400, undefined)],
      ['a defect', new TypeError('x is not a function')],
    ])('not after an error that is %s', async (_what, error) => {
      expect(await announced([error])).toEqual([]);
    });

    test('not when the time is over before the next try', async () => {
      const limits = { ...SHORT, metadataTimeout: 50, retryDelay: 60_000, maxRetryDelay: 60_000 };
      const alive = setTimeout(() => {}, 5_000);
      expect(await announced([new Error('reset')], limits)).toEqual([]);
      clearTimeout(alive);
    });

    test('with the delay that the server asked for', async () => {
      const limits = { ...SHORT, retryDelay: 1, maxRetryDelay: 100 };
      const [first] = await announced([new StatusError(429, 60)], limits);
      expect(first?.delay).toBe(60);
      const [second] = await announced([new StatusError(429, 3_600_000)], limits);
      expect(second?.delay).toBe(100);
    });

    test('without secrets, and in bounded length', async () => {
      const url = new URL(`https://user:secret@host.test/${'a'.repeat(10_000)}?sig=secret`);
      const [record] = await announced([new Error('b'.repeat(10_000))], SHORT, url);
      const line = record === undefined ? '' : describeRetry(record);
      expect(line).toMatch(/^GET https:\/\/host\.test\/a+…: b+…; retrying in/);
      expect(line).not.toContain('secret');
      expect(line.length).toBeLessThan(500);
    });
  });

  test('limits is scaled in its times, not in its tries', () => {
    const half = scaled(TRANSFER_LIMITS, 0.5);
    expect(half.retries).toBe(TRANSFER_LIMITS.retries);
    expect(half.metadataTimeout).toBe(TRANSFER_LIMITS.metadataTimeout / 2);
    expect(half.maxRetryDelay).toBe(TRANSFER_LIMITS.maxRetryDelay / 2);
  });
});
