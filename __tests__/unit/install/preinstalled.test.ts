import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { preinstalledCopies } from '../../../src/install/preinstalled.js';
import { Release } from '../../../src/kubernetes/release.js';

const VERSION = 'v1.36.0-rc.1';
const kubectl = new Release(VERSION, new URL('https://dl.k8s.io/')).binary('kubectl', {
  os: 'linux',
  arch: 'amd64',
});

let toolCache: string;

beforeEach(() => {
  toolCache = mkdtempSync(join(tmpdir(), 'preinstalled-'));
  process.env['RUNNER_TOOL_CACHE'] = toolCache; // Where the library looks.
});
afterEach(() => {
  delete process.env['RUNNER_TOOL_CACHE'];
  rmSync(toolCache, { recursive: true });
});

/** Keeps a copy as other actions do. */
function keep(arch: string): string {
  const file = join(toolCache, 'download');
  writeFileSync(file, 'kubectl');
  return library('cacheFile', file, 'kubectl', 'kubectl', VERSION, arch);
}

/** Calls `@actions/tool-cache` in a process of its own: it reads its folder from the environment, and logs to stdout. */
function library(name: 'cacheFile' | 'find', ...args: string[]): string {
  const script = `
    import * as library from '@actions/tool-cache';
    process.stderr.write(await library[process.argv[1]](...process.argv.slice(2)));`;
  const env = { ...process.env, RUNNER_TOOL_CACHE: toolCache };
  const options = { encoding: 'utf8', env } as const;
  const { status, stderr } = spawnSync(
    process.execPath,
    ['--input-type=module', '--eval', script, name, ...args],
    options,
  );
  expect([status, stderr]).toEqual([0, stderr]);
  return stderr;
}

const copies = (): Promise<string[]> => preinstalledCopies({ toolCache, path: [] }, kubectl);

test.each(['x64', 'amd64'])('finds what @actions/tool-cache has kept for %s', async (arch) => {
  const folder = keep(arch);

  expect(library('find', 'kubectl', VERSION, arch)).toBe(folder);
  expect(await copies()).toEqual([join(folder, 'kubectl')]);
});

test('skips a copy without the marker that it is complete, as the library does', async () => {
  const folder = keep('x64');
  rmSync(`${folder}.complete`);

  expect(library('find', 'kubectl', VERSION, 'x64')).toBe('');
  expect(await copies()).toEqual([]);
});

test('skips a copy for another architecture', async () => {
  keep('arm64');

  expect(await copies()).toEqual([]);
});
