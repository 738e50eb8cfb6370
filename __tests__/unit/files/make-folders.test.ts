import { existsSync, mkdtempSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { makeFolders } from '../../../src/files/make-folders.js';
import { MISSING, testUnless } from '../../support/skip.js';

let folder: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'make-folders-'));
});

afterEach(() => {
  rmSync(folder, { recursive: true });
});

test.each(['a', 'a/b/c', 'a//b/', '.'])('%s', async (path) => {
  await makeFolders(join(folder, path));
  expect(statSync(join(folder, path)).isDirectory()).toBe(true);
  await makeFolders(join(folder, path));
});

test('by several runs at once', async () => {
  const path = join(folder, 'a', 'b', 'c');
  await Promise.all(Array.from({ length: 20 }, () => makeFolders(path)));
  expect(existsSync(path)).toBe(true);
});

testUnless(MISSING.permissionBits)('with a mode', async () => {
  await makeFolders(join(folder, 'a', 'b'), 0o700);
  expect(statSync(join(folder, 'a')).mode & 0o777).toBe(0o700);
  expect(statSync(join(folder, 'a', 'b')).mode & 0o777).toBe(0o700);
});

test('a file in the way', async () => {
  writeFileSync(join(folder, 'file'), '');
  await expect(makeFolders(join(folder, 'file'))).rejects.toThrow('EEXIST');
  await expect(makeFolders(join(folder, 'file', 'a'))).rejects.toThrow(/ENOTDIR|ENOENT|EEXIST/);
});

testUnless(MISSING.symbolicLinks)('links in the way', async () => {
  symlinkSync(join(folder, 'absent'), join(folder, 'nowhere'));
  await expect(makeFolders(join(folder, 'nowhere'))).rejects.toThrow('EEXIST');
  await expect(makeFolders(join(folder, 'nowhere', 'a'))).rejects.toThrow('EEXIST');
  symlinkSync(folder, join(folder, 'link'));
  await makeFolders(join(folder, 'link', 'a', 'b'));
  expect(existsSync(join(folder, 'a', 'b'))).toBe(true);
});

// The kernel says ENOENT although the folder above exists. Node's mkdir with `recursive` then tries forever.
testUnless(MISSING.proc)('where nobody can make a folder', async () => {
  await expect(makeFolders('/proc/absent')).rejects.toThrow('ENOENT');
  await expect(makeFolders('/proc/absent/a')).rejects.toThrow('ENOENT');
});
