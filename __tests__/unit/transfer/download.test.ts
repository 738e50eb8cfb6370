import { createHash, randomBytes } from 'node:crypto';
import {
  existsSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { download } from '../../../src/transfer/download.js';
import { downloadFailed } from '../../../src/transfer/download-failed.js';
import type { DigestedFile } from '../../../src/files/digested-file.js';
import { TransferError } from '../../../src/transfer/errors.js';
import { ReleaseHost, fault, type FaultAction } from '../../support/index.js';
import { MISSING, testUnless } from '../../support/skip.js';
import { testClient } from './server.js';

const SIZE = 3_000_000;
const OBJECT = randomBytes(SIZE);

let host: ReleaseHost;
let folder: string;
let path: string;

beforeAll(async () => {
  host = await ReleaseHost.start();
  host.put('object', OBJECT);
});

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'download-'));
  path = join(folder, 'file');
});

afterEach(() => {
  host.server.reset();
  host.put('object', OBJECT);
  rmSync(folder, { recursive: true });
});

afterAll(() => host.stop());

const get = (options: { maxBytes?: number } = {}): Promise<DigestedFile> =>
  download(testClient().http, new URL('object', `${host.url}/`), path, {
    maxBytes: SIZE,
    ...options,
  });

const ranges = (): (string | undefined)[] =>
  host.server.requests.map(({ headers }) => headers.range);

function expectWhole(file: DigestedFile, object = OBJECT): void {
  expect(readFileSync(path).equals(object)).toBe(true);
  expect(file.size).toBe(object.length);
  expect(file.sha256.equals(createHash('sha256').update(object).digest())).toBe(true);
}

describe('download', () => {
  test('writes and hashes', async () => {
    expectWhole(await get());
    expect(ranges()).toEqual([undefined]);
  });

  test('an empty object', async () => {
    host.put('object', '');
    expectWhole(await get(), Buffer.alloc(0));
  });

  test('tells how far it is', async () => {
    const seen: (number | undefined)[][] = [];
    await download(testClient().http, new URL('object', `${host.url}/`), path, {
      maxBytes: SIZE,
      onProgress: (received, total) => seen.push([received, total]),
    });
    expect(seen.at(-1)).toEqual([SIZE, SIZE]);
  });

  test.each([
    ['reset', fault.resetAfter(1_000_000)],
    ['truncate', fault.truncate(1_000_000)],
  ])('%s: goes on where it broke', async (_name, act) => {
    host.server.fail('object', act, 3);
    expectWhole(await get());
    expect(ranges()[0]).toBeUndefined();
    expect(
      ranges()
        .slice(1)
        .every((range) => /^bytes=\d+-$/.test(range ?? '')),
    ).toBe(true);
  });

  const withHeaders =
    (headers: Record<string, string>, bytes = 1_000_000): FaultAction =>
    async ({ response, answer }) => {
      const { body } = await answer();
      response.writeHead(200, {
        'content-length': String(body.length),
        connection: 'close',
        ...headers,
      });
      response.end(body.subarray(0, bytes));
    };

  test.each([
    ['no entity tag', { 'accept-ranges': 'bytes' }],
    ['a weak entity tag', { 'accept-ranges': 'bytes', etag: 'W/"1"' }],
    ['no ranges', { etag: '"1"' }],
  ])('%s: begins anew', async (_what, headers) => {
    host.server.fail('object', withHeaders(headers));
    expectWhole(await get());
    expect(ranges()).toEqual([undefined, undefined]);
  });

  test('another entity tag: begins anew with the other object', async () => {
    const other = randomBytes(1000);
    host.server.fail('object', async (delivery) => {
      await fault.resetAfter(1_000_000)(delivery);
      host.put('object', other);
    });
    expectWhole(await get(), other);
    expect(ranges()).toHaveLength(2);
  });

  test.each([
    ['from another place', { 'content-range': 'bytes 5-9/10' }],
    ['from nowhere', {}],
    ['of another object', { etag: '"other"' }],
  ])('a continuation %s: begins anew', async (_what, headers) => {
    host.server.fail('object', fault.resetAfter(1_000_000));
    host.server.fail('object', async ({ response, answer }) => {
      const { headers: right, body } = await answer();
      const { 'content-range': range = '', ...rest } = right;
      response.writeHead(206, {
        ...rest,
        ...('etag' in headers ? { 'content-range': range } : {}),
        ...headers,
      });
      response.end(body);
    });
    expectWhole(await get());
    expect(ranges().map((range) => range !== undefined)).toEqual([false, true, false]);
  });

  test('nothing left to ask for (416): begins anew', async () => {
    const isHere = Promise.withResolvers<undefined>();
    host.server.fail('object', async ({ response, answer }) => {
      const { headers, body } = await answer();
      response.writeHead(200, headers); // Chunked, and never ended: all is here, but who knows?
      response.write(body);
      await isHere.promise;
      response.socket?.resetAndDestroy();
    });
    const whole = await download(testClient().http, new URL('object', `${host.url}/`), path, {
      maxBytes: SIZE,
      onProgress: (received) => {
        if (received === SIZE) isHere.resolve(undefined);
      },
    });
    expectWhole(whole);
    expect(ranges().map((range) => range !== undefined)).toEqual([false, true, false]);
  });

  test.each([
    ['announced', fault.extraBytes(1)],
    ['unannounced', fault.endless()],
  ])('larger than allowed, %s: refused at once, and nothing is left', async (_what, act) => {
    host.server.fail('object', act, Infinity);
    await expect(get()).rejects.toThrow('larger than');
    expect(ranges()).toHaveLength(1);
    expect(readdirSync(folder)).toEqual([]);
  });

  test('given up: nothing is left', async () => {
    host.server.fail('object', fault.resetAfter(1000), Infinity);
    await expect(get()).rejects.toMatchObject({ tries: 5, local: false });
    expect(readdirSync(folder)).toEqual([]);
  });

  test('absent: no file is made', async () => {
    host.remove('object');
    await expect(get()).rejects.toMatchObject({ notFound: true });
    expect(readdirSync(folder)).toEqual([]);
  });

  test('aborted: nothing is left', async () => {
    host.server.fail('object', fault.stallAfter(1_000_000));
    const { http, abort } = testClient();
    const reason = new Error('enough');
    await expect(
      download(http, new URL('object', `${host.url}/`), path, {
        maxBytes: SIZE,
        onProgress: () => abort.abort(reason),
      }),
    ).rejects.toBe(reason);
    expect(readdirSync(folder)).toEqual([]);
  });
});

describe('a failure of the disk is local, and not tried again', () => {
  const expectLocal = async (): Promise<void> => {
    const error: unknown = await get().catch((reason: unknown) => reason);
    expect(error).toBeInstanceOf(TransferError);
    expect(error).toMatchObject({ local: true, tries: 1 });
    expect(downloadFailed(error, 'it')).toMatchObject({ code: 'INSTALL_FAILED' });
    expect(host.server.requests).toHaveLength(1);
  };

  test('a file is there already: it stays as it is', async () => {
    writeFileSync(path, 'mine');
    await expectLocal();
  });

  testUnless(MISSING.symbolicLinks)('a link is there: it is not followed', async () => {
    const target = join(folder, 'target');
    symlinkSync(target, path);
    await expectLocal();
    expect(existsSync(target)).toBe(false);
  });

  test('the folder is not there', async () => {
    path = join(folder, 'absent', 'file');
    await expectLocal();
  });

  test('a small object, whose error comes at the end', async () => {
    host.put('object', 'x');
    path = join(folder, 'absent', 'file');
    await expectLocal();
  });
});
