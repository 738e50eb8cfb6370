import { chownSync, existsSync, mkdirSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { MISSING, testUnless } from '../support/skip.js';
import { World, fault, keptMetadataPath } from '../support/index.js';
import {
  IMPATIENT,
  NATIVE,
  expectRefused,
  expectInstalled,
  fileNameOf,
  requestedPaths,
  runIn,
  warningsOf,
} from './expectations.js';

let world: World;

const publish = (version: string): void =>
  world.release.publish({ version, platforms: [...new Set([NATIVE, 'linux/amd64'])] });

beforeAll(async () => {
  world = await World.start();
  for (const version of ['v1.30.2', 'v1.31.8', 'v1.32.0-rc.1']) publish(version);
});

afterAll(async () => {
  await world.stop();
});

beforeEach(() => {
  world.reset();
});

/** A tool cache that holds v1.31.8; the world knows a newer patch afterwards. */
async function cacheWithOlder(): Promise<string> {
  const run = await runIn(world, { version: '1.31.8' });
  expectInstalled(run, { version: 'v1.31.8' });
  expect(run.outputs['cache-hit']).toBe('false');
  publish('v1.31.9');
  world.reset();
  return run.dirs.toolCache;
}

test('three hundred planted copies: ten warnings, and one with the number of the others', async () => {
  const { toolCache } = (await runIn(world, { version: '1.30.2' })).dirs;
  const parent = dirname(join(toolCache, world.cacheEntry('v1.31.8')));
  const start = join(toolCache, world.cacheEntry('v1.31.8')).slice(0, -64);
  for (let n = 0; n < 300; n++) {
    mkdirSync(join(start + n.toString(16).padStart(64, '0'), 'sub'), { recursive: true });
  }
  expect(readdirSync(parent)).toHaveLength(300);
  const run = await runIn(world, { version: '1.31.8' }, { toolCache });
  expectInstalled(run, {
    version: 'v1.31.8',
    warnings: Array.from({ length: 11 }, () => 'Cached copy refused'),
  });
  expect(warningsOf(run).at(-1)?.message).toBe(
    '290 other copies of kubectl v1.31.8 in the tool cache were refused too',
  );
});

describe('a verified copy that satisfies the request', () => {
  test.each(['1.31.8', '1.31', 'stable-1.31', '1.31.x', '~1.31.2', '>=1.30 <1.32'])(
    'is used for %s, and nobody is asked',
    async (version) => {
      const toolCache = await cacheWithOlder();
      const run = await runIn(world, { version }, { toolCache });
      expectInstalled(run, { version: 'v1.31.8' });
      expect(run.outputs['cache-hit']).toBe('true');
      expect(requestedPaths(world)).toEqual([]);
    },
  );

  test.each(['1.31', 'stable-1.31', '1.31.x', '~1.31.2', '>=1.30 <1.32'])(
    'is not used for %s when check-latest asks for the newest',
    async (version) => {
      const toolCache = await cacheWithOlder();
      const run = await runIn(world, { version, 'check-latest': 'true' }, { toolCache });
      expectInstalled(run, { version: 'v1.31.9' });
      expect(run.outputs['cache-hit']).toBe('false');
    },
  );

  test.each(['stable', 'latest', ''])('is not used for %j, which always asks', async (version) => {
    const toolCache = await cacheWithOlder();
    const run = await runIn(world, { version }, { toolCache });
    expectInstalled(run, { version: 'v1.31.9' });
    expect(run.outputs['cache-hit']).toBe('false');
  });

  test('is used with check-latest where it is the newest: the pointer is asked, and no more', async () => {
    const toolCache = await cacheWithOlder();
    const inputs = { version: '1.31', 'check-latest': 'true' };
    await runIn(world, inputs, { toolCache });
    world.reset();
    const run = await runIn(world, inputs, { toolCache });
    expectInstalled(run, { version: 'v1.31.9' });
    expect(run.outputs['cache-hit']).toBe('true');
    expect(requestedPaths(world)).toEqual(['/release/stable-1.31.txt']);
  });

  test('is used for an exact version, check-latest or not', async () => {
    const toolCache = await cacheWithOlder();
    const inputs = { version: '1.31.8', 'check-latest': 'true' };
    expectInstalled(await runIn(world, inputs, { toolCache }), { version: 'v1.31.8' });
    expect(requestedPaths(world)).toEqual([]);
  });

  test('is not a copy of another minor', async () => {
    const toolCache = await cacheWithOlder();
    expectInstalled(await runIn(world, { version: '1.30' }, { toolCache }), { version: 'v1.30.2' });
  });

  test('counts only when every tool has it', async () => {
    const toolCache = await cacheWithOlder();
    const platforms = [...new Set([NATIVE, 'linux/amd64'])];
    const tools = ['kubectl', 'kubectl-convert'];
    world.release.publish({ version: 'v1.31.9', tools, platforms });
    const inputs = { version: '1.31', tools: tools.join() };
    expectInstalled(await runIn(world, inputs, { toolCache }), { version: 'v1.31.9', tools });
  });

  test('is verified again: one that was changed does not choose the version', async () => {
    const toolCache = await cacheWithOlder();
    const copy = join(toolCache, world.cacheEntry('v1.31.8'), fileNameOf('kubectl'));
    writeFileSync(copy, '#!/bin/sh\n');
    const run = await runIn(world, { version: '1.31' }, { toolCache });
    expectInstalled(run, { version: 'v1.31.9', warnings: ['Cached copy refused'] });
    expect(run.outputs['cache-hit']).toBe('false');
    expect(requestedPaths(world).filter((path) => path.includes('/v1.31.8/'))).toEqual([]);
  });

  test('a folder with the name of a copy does not choose the version', async () => {
    const toolCache = await cacheWithOlder();
    rmSync(join(toolCache, world.cacheEntry('v1.31.8')), { recursive: true });
    mkdirSync(join(toolCache, world.cacheEntry('v1.31.8')));
    const run = await runIn(world, { version: '1.31' }, { toolCache });
    expectInstalled(run, { version: 'v1.31.9', warnings: ['Cached copy refused'] });
  });
});

describe('the tool cache', () => {
  const asRoot = testUnless(MISSING.root);

  asRoot('may belong to another user, together with what is above a entry', async () => {
    const first = await runIn(world, { version: '1.31.8' });
    const { toolCache } = first.dirs;
    const entry = join(toolCache, world.cacheEntry('v1.31.8'));
    for (const path of [toolCache, dirname(dirname(entry)), dirname(entry)]) {
      chownSync(path, 65534, 65534);
    }
    const run = await runIn(world, { version: '1.31.8' }, { toolCache });
    expectInstalled(run, { version: 'v1.31.8' });
    expect(run.outputs['cache-hit']).toBe('true');
  });

  test('holds a copy for each trust root, and each run finds its own', async () => {
    const version = '1.31.8';
    const byTuf = await runIn(world, { version });
    const { toolCache } = byTuf.dirs;
    const trustedRoot = { 'trusted-root': world.writeTrustedRoot() };
    const inputs = { version, ...trustedRoot, 'tuf-mirror-url': '', 'tuf-root': '' };
    const byFile = await runIn(world, inputs, { toolCache });
    expect(byFile.outputs['cache-hit']).toBe('false');
    for (const [first, again] of [
      [byTuf, await runIn(world, { version }, { toolCache })],
      [byFile, await runIn(world, inputs, { toolCache })],
    ] as const) {
      expect(again.outputs['cache-hit']).toBe('true');
      expect(again.paths).toEqual(first.paths);
    }
    expect(byTuf.paths).not.toEqual(byFile.paths);
  });

  test('keeps what is not ours beside the metadata of the trust root', async () => {
    const { toolCache } = (await runIn(world, { version: '1.31.8' })).dirs;
    const kept = join(toolCache, 'verified-trust-root');
    rmSync(keptMetadataPath(kept));
    writeFileSync(join(kept, 'notes.txt'), 'not ours');
    world.publishTrustedRoot();
    expectInstalled(await runIn(world, { version: '1.31.8' }, { toolCache }), {
      version: 'v1.31.8',
    });
    expect(existsSync(join(kept, 'notes.txt'))).toBe(true);
    expect(readdirSync(kept)).toHaveLength(2);
  });
});

describe('when the release host is down', () => {
  test.each(['stable', 'latest', '', 'prerelease'])(
    '%j fails and says so: it does not guess',
    async (version) => {
      const toolCache = await cacheWithOlder();
      world.host.server.fail(/./, fault.status(503), Infinity);
      const run = await runIn(world, { version }, { toolCache, env: IMPATIENT });
      expectRefused(run, 'DOWNLOAD_FAILED', { says: ['the pointer to the version', '503'] });
    },
  );

  test('so does check-latest', async () => {
    const toolCache = await cacheWithOlder();
    world.host.server.fail(/./, fault.status(503), Infinity);
    const inputs = { version: '1.31', 'check-latest': 'true' };
    expectRefused(await runIn(world, inputs, { toolCache, env: IMPATIENT }), 'DOWNLOAD_FAILED');
  });

  test.each(['1.31', '1.31.8', '~1.31.2'])('%s comes from the cache', async (version) => {
    const toolCache = await cacheWithOlder();
    world.host.server.fail(/./, fault.status(503), Infinity);
    expectInstalled(await runIn(world, { version }, { toolCache, env: IMPATIENT }), {
      version: 'v1.31.8',
    });
  });
});
