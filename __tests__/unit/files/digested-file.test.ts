import { createHash, randomBytes } from 'node:crypto';
import {
  appendFileSync,
  closeSync,
  constants,
  mkdtempSync,
  openSync,
  rmSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { execFileSync } from 'node:child_process';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { MISSING, testUnless } from '../../support/skip.js';
import { digestFile } from '../../../src/files/digested-file.js';

const BYTES = randomBytes(3_000_001);

let folder: string;
let path: string;

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'digested-'));
});

beforeEach(() => {
  path = join(folder, 'file');
  writeFileSync(path, BYTES);
});

afterAll(() => {
  rmSync(folder, { recursive: true });
});

describe('digestFile', () => {
  test('digest and size', async () => {
    const file = await digestFile(path, BYTES.length);
    expect(file.sha256).toEqual(createHash('sha256').update(BYTES).digest());
    expect(file.size).toBe(BYTES.length);
  });

  test('a larger file is refused', async () => {
    await expect(digestFile(path, BYTES.length - 1)).rejects.toThrow('larger than');
  });

  test('an absent file, a folder', async () => {
    await expect(digestFile(join(folder, 'absent'), 10)).rejects.toThrow('ENOENT');
    await expect(digestFile(folder, 10)).rejects.toThrow('is not a file');
  });

  // Opened to be read in the usual way, it would block until somebody writes to it.
  testUnless(MISSING.namedPipes)('a pipe, without waiting for a writer', async () => {
    rmSync(path);
    execFileSync('mkfifo', [path]);
    try {
      const watch = setTimeout(() => {
        // Ends a wait, so that the test fails and the process can end.
        closeSync(openSync(path, constants.O_RDWR | constants.O_NONBLOCK));
      }, 2_000);
      const started = performance.now();
      await expect(digestFile(path, 10)).rejects.toThrow('is not a file');
      expect(performance.now() - started).toBeLessThan(1_000);
      clearTimeout(watch);
    } finally {
      rmSync(path);
    }
  });

  test('an empty file', async () => {
    writeFileSync(path, '');
    expect((await digestFile(path, 10)).sha256).toEqual(createHash('sha256').digest());
  });

  // Files of /proc claim to be empty, and reading one of them (/proc/kmsg) never ends.
  testUnless(MISSING.proc)('nothing is read of a file that claims to be empty', async () => {
    expect((await digestFile('/proc/version', 1000)).size).toBe(0);
  });

  test('a file that grows while it is read', async () => {
    truncateSync(path, 64 << 20);
    const writing = setInterval(() => {
      appendFileSync(path, 'x');
    }, 1);
    try {
      await expect(digestFile(path, 128 << 20)).rejects.toThrow('changed');
    } finally {
      clearInterval(writing);
    }
  });
});
