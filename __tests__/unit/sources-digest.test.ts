import { cpSync, mkdirSync, mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { isFresh, writeSourcesDigest } from '../../scripts/sources-digest.js';
import { ROOT } from './repository.js';

let root: string;
let dist: string;

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'sources-digest-'));
  dist = join(root, 'dist');
  mkdirSync(dist);
  mkdirSync(join(root, 'scripts'));
  for (const name of [
    'src',
    'stubs',
    'package-lock.json',
    'tsconfig.json',
    'scripts/build.js',
    'scripts/build.tsconfig.json',
    'scripts/licenses.js',
  ]) {
    cpSync(join(ROOT, name), join(root, name), { recursive: true });
  }
  writeFileSync(join(dist, 'index.js'), 'built');
  writeFileSync(join(dist, '1.index.js'), 'built too');
  writeSourcesDigest(root, dist);
});

afterEach(() => {
  rmSync(root, { recursive: true });
});

test('a folder is fresh after the build', () => {
  expect(isFresh(root, dist)).toBe(true);
});

test('and stays so when what is not built changes', () => {
  writeFileSync(join(root, 'stubs', 'debug', 'README.md'), 'changed');
  writeFileSync(join(root, 'README.md'), 'changed');
  expect(isFresh(root, dist)).toBe(true);
});

test.each<[string, () => void]>([
  ['a source is changed', () => writeFileSync(join(root, 'src', 'setup.ts'), 'changed')],
  ['a source is new', () => writeFileSync(join(root, 'src', 'new.ts'), '')],
  ['a source is deleted', () => rmSync(join(root, 'src', 'report.ts'))],
  [
    'a source is renamed',
    () => renameSync(join(root, 'src', 'report.ts'), join(root, 'src', 'r.ts')),
  ],
  ['a stub is changed', () => writeFileSync(join(root, 'stubs', 'debug', 'index.js'), 'changed')],
  ['a dependency is changed', () => writeFileSync(join(root, 'package-lock.json'), '{}')],
  ['the build is changed', () => writeFileSync(join(root, 'scripts', 'build.js'), '')],
  ['dist/index.js is changed', () => writeFileSync(join(dist, 'index.js'), 'edited')],
  ['a script of dist is changed', () => writeFileSync(join(dist, '1.index.js'), 'edited')],
  ['a script of dist is missing', () => rmSync(join(dist, '1.index.js'))],
  ['a script of dist is new', () => writeFileSync(join(dist, '2.index.js'), '')],
  ['dist/index.js is missing', () => rmSync(join(dist, 'index.js'))],
  ['dist/sources.sha256 is missing', () => rmSync(join(dist, 'sources.sha256'))],
])('it is stale when %s', (_, change) => {
  change();
  expect(isFresh(root, dist)).toBe(false);
});
