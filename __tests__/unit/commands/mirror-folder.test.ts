import { existsSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { MirrorFolder } from '../../../src/commands/mirror-folder.js';

let folder: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'mirror-folder-'));
});

afterEach(() => {
  rmSync(folder, { recursive: true });
});

/** [what it is, its name, whether it is left alone] */
const FOLDERS: [string, string, boolean][] = [
  ['a process that ended', '.mirror-9999999-AbC123', false],
  ['an earlier process with the number of this one', `.mirror-${process.pid}-AbC123`, false],
  ['a process that runs', `.mirror-${process.ppid}-AbC123`, true],
  ['somebody else', '.mirror-9999999', true],
];

test.each(FOLDERS)('the temporary folder of %s', async (_, name, isKept) => {
  mkdirSync(join(folder, name));
  await MirrorFolder.make(folder);
  expect(existsSync(join(folder, name))).toBe(isKept);
});

test('opening a folder removes nothing', async () => {
  const name = '.mirror-9999999-AbC123';
  mkdirSync(join(folder, name));
  await MirrorFolder.open(folder);
  expect(existsSync(join(folder, name))).toBe(true);
});
