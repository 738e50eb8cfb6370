import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { tally } from '../../support/index.js';
import { MISSING, testUnless } from '../../support/skip.js';
import { failureOf } from './failure.js';
import { testClient } from './server.js';

let folder: string;

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'file-url-'));
});

afterAll(() => rmSync(folder, { recursive: true }));

describe('file URLs', () => {
  const put = (name: string): URL => {
    const path = join(folder, name);
    writeFileSync(path, 'hello');
    return pathToFileURL(path);
  };

  test('are read, within their bound', async () => {
    expect((await testClient().http.read(put('a'), 5)).toString()).toBe('hello');
    const error = await failureOf(testClient().http.read(put('a'), 4));
    expect(error.message).toContain('larger than 4 bytes');
  });

  test('absent: as with 404', async () => {
    const url = pathToFileURL(join(folder, 'absent'));
    expect(await testClient().http.readIfPresent(url, 5)).toBeUndefined();
  });

  test('a folder is no file, and not tried again', async () => {
    const error = await failureOf(testClient().http.read(pathToFileURL(folder), 5));
    expect(error).toMatchObject({ tries: 1, notFound: false });
    expect(error.message).toContain('is not a file');
  });

  testUnless(MISSING.namedPipes)('a pipe is no file', async () => {
    const pipe = join(folder, 'pipe');
    execFileSync('mkfifo', [pipe]);
    const error = await failureOf(testClient().http.read(pathToFileURL(pipe), 5));
    expect(error.message).toContain('is not a file');
    tally('faults refused with a named cause');
  });

  test('an empty file is read', async () => {
    const empty = join(folder, 'empty');
    writeFileSync(empty, '');
    expect(await testClient().http.read(pathToFileURL(empty), 5)).toEqual(Buffer.alloc(0));
  });

  // Files of /proc claim to be empty, and reading one of them (/proc/kmsg) never ends.
  testUnless(MISSING.proc)('nothing is read of a file that claims to be empty', async () => {
    const url = pathToFileURL('/proc/version');
    expect(await testClient().http.read(url, 1000)).toEqual(Buffer.alloc(0));
  });
});
