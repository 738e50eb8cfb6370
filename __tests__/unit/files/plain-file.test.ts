import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { readPlainFile } from '../../../src/files/plain-file.js';
import { MISSING, testUnless } from '../../support/skip.js';

let folder: string;

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'plain-file-'));
});

afterAll(() => {
  rmSync(folder, { recursive: true });
});

test.each([0, 1, 100_000])('a file of %i bytes', (size) => {
  const path = join(folder, 'file');
  const bytes = Buffer.alloc(size, 'abc');
  writeFileSync(path, bytes);
  expect(readPlainFile(path, size)).toEqual(bytes);
});

test('a file that is too large, and a folder', () => {
  const path = join(folder, 'large');
  writeFileSync(path, 'hello');
  expect(() => readPlainFile(path, 4)).toThrow('larger than 4 bytes');
  expect(() => readPlainFile(folder, 1 << 20)).toThrow('is not a file');
});

// Files of /proc claim to be empty, and reading one of them (/proc/kmsg) never ends.
testUnless(MISSING.proc)('nothing is read of a file that claims to be empty', () => {
  expect(readPlainFile('/proc/version', 1000)).toEqual(Buffer.alloc(0));
});

// Files of /sys claim to have a page (4096 bytes), and have less.
testUnless(MISSING.proc)('a file with less than it claims', () => {
  expect(readPlainFile('/sys/kernel/uevent_seqnum', 1 << 20).toString()).toMatch(/^\d+\n$/);
});

testUnless(MISSING.namedPipes)('a pipe that nobody writes to is refused, not waited for', () => {
  const pipe = join(folder, 'pipe');
  execFileSync('mkfifo', [pipe]);
  expect(() => readPlainFile(pipe, 1000)).toThrow('is not a file');
});
