import { execFileSync } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import {
  closeSync,
  openSync,
  chmodSync,
  mkdtempSync,
  renameSync,
  rmSync,
  statSync,
  truncateSync,
  utimesSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { readUntouched } from '../../../src/files/untouched-file.js';
import { MISSING, testUnless } from '../../support/skip.js';

const BYTES = randomBytes(100_000);

let folder: string;
let path: string;

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'untouched-'));
});

beforeEach(() => {
  path = join(folder, 'file');
  writeFileSync(path, BYTES);
});

afterAll(() => {
  rmSync(folder, { recursive: true });
});

test('digest and size', async () => {
  const { digested } = await readUntouched(path, BYTES.length);
  expect(digested.sha256).toEqual(createHash('sha256').update(BYTES).digest());
  expect(digested.size).toBe(BYTES.length);
});

describe('refused', () => {
  test('a larger file, an empty one, a folder, nothing', async () => {
    await expect(readUntouched(path, BYTES.length - 1)).rejects.toThrow('larger than');
    await expect(readUntouched(folder, 10)).rejects.toThrow('is not a plain file');
    await expect(readUntouched(join(folder, 'absent'), 10)).rejects.toThrow('ENOENT');
    writeFileSync(path, '');
    await expect(readUntouched(path, 10)).rejects.toThrow('is empty');
  });

  testUnless(MISSING.proc)('a pipe, without waiting for a writer; a device; /proc', async () => {
    const pipe = join(folder, 'pipe');
    execFileSync('mkfifo', [pipe]);
    for (const file of [pipe, '/dev/zero']) {
      await expect(readUntouched(file, 2 ** 34)).rejects.toThrow('is not a plain file');
    }
    await expect(readUntouched('/proc/kmsg', 2 ** 34)).rejects.toThrow('is empty');
  });

  testUnless(MISSING.proc)('a file with fewer bytes than it claims, as in /sys', async () => {
    const file = '/sys/kernel/mm/transparent_hugepage/enabled';
    expect(statSync(file).size).toBe(4096);
    await expect(readUntouched(file, 2 ** 34)).rejects.toThrow('changed by another process');
  });

  test.each<[string, (file: number) => void]>([
    ['is written to', (file) => void writeSync(file, Buffer.of(1), 0, 1, 0)],
    ['gets shorter', () => truncateSync(path, 63 << 20)],
    [
      'is written to, and its time set back',
      (file) => {
        writeSync(file, Buffer.of(1), 0, 1, 0);
        utimesSync(path, 1000, 1000);
      },
    ],
  ])('a file that %s while it is read', async (_, change) => {
    truncateSync(path, 64 << 20);
    utimesSync(path, 1000, 1000);
    await sleep(20);
    const file = openSync(path, 'r+');
    const changing = setInterval(() => {
      change(file);
    }, 1);
    try {
      await expect(readUntouched(path, 128 << 20)).rejects.toThrow('changed by another process');
    } finally {
      clearInterval(changing);
      closeSync(file);
    }
  });
});

describe('afterwards', () => {
  test('a file that stays is untouched', async () => {
    const { assertUntouched } = await readUntouched(path, BYTES.length);
    await expect(assertUntouched()).resolves.toBeUndefined();
  });

  test.each<[string, () => void]>([
    ['written to', () => writeFileSync(path, BYTES)],
    ['removed', () => rmSync(path)],
    [
      'replaced by the same bytes',
      () => {
        writeFileSync(`${path}.new`, BYTES);
        renameSync(`${path}.new`, path);
      },
    ],
    ['given other permissions', () => chmodSync(path, 0o600)],
  ])('one that was %s is not', async (what, change) => {
    const { assertUntouched } = await readUntouched(path, BYTES.length);
    await sleep(20); // Longer than the clock of the file system.
    change();
    // On Windows, permissions are no part of it.
    if (process.platform === 'win32' && what.endsWith('permissions')) return;
    await expect(assertUntouched()).rejects.toThrow('changed by another process');
  });
});
