import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { World } from '../support/index.js';
import { NATIVE, expectInstalled, fileNameOf, runIn } from './expectations.js';

let world: World;
let folder: string;

beforeAll(async () => {
  world = await World.start({ publish: [{ version: 'v1.31.9', platforms: [NATIVE] }] });
  folder = mkdtempSync(join(tmpdir(), 'path-'));
});

afterAll(async () => {
  await world.stop();
  rmSync(folder, { recursive: true });
});

test('alone on PATH there is nothing to tell', async () => {
  const run = await runIn(world);
  expectInstalled(run, { version: 'v1.31.9' });
  expect(run.annotations).toEqual([]);
  expect(run.stdout).not.toContain('Later steps');
});

test('another copy that is on PATH stands behind, and the log says so', async () => {
  const other = join(folder, fileNameOf('kubectl'));
  writeFileSync(other, '#!/bin/sh\n', { mode: 0o755 });
  const run = await runIn(world, {}, { env: { PATH: folder } });
  expectInstalled(run, { version: 'v1.31.9' });
  expect(run.annotations).toEqual([]);
  expect(run.stdout).toContain(
    `Later steps find ${run.outputs['kubectl-path'] ?? ''} before ${other}`,
  );
});

test('is left alone when the outputs cannot be written', async () => {
  const run = await runIn(
    world,
    {},
    { env: { GITHUB_OUTPUT: join(folder, 'no', 'such', 'file') } },
  );
  expect(run.exitCode).not.toBe(0);
  expect(run.paths).toEqual([]);
});

test('a function exported to bash comes before PATH: a warning says so', async () => {
  const env = { 'BASH_FUNC_kubectl%%': '() {  echo other; }' };
  const run = await runIn(world, {}, { env });
  expectInstalled(run, { version: 'v1.31.9', warnings: ['A shell function hides kubectl'] });
});

test('a function of another name does not matter', async () => {
  const run = await runIn(world, {}, { env: { 'BASH_FUNC_helm%%': '() {  echo other; }' } });
  expectInstalled(run, { version: 'v1.31.9' });
  expect(run.annotations).toEqual([]);
});

test('a tool cache whose path cannot stand in PATH: a warning says so', async () => {
  const toolCache = join(folder, `tool${delimiter}cache`);
  mkdirSync(toolCache);
  const run = await runIn(world, {}, { toolCache });
  expectInstalled(run, {
    version: 'v1.31.9',
    warnings: ['Later steps do not run the verified kubectl'],
  });
  expect(run.annotations[0]?.message).toContain('kubectl-path');
});
