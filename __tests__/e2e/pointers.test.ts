import { afterAll, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { cpSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { DAY, World, type ActionResult } from '../support/index.js';
import { NATIVE, expectInstalled, requestedPaths, runIn, titlesOf } from './expectations.js';

const OLDER = 'Pointer names an older version';
const OLD = 'Newest stable release is old';

let world: World;

/** Days since each release was signed. */
const RELEASES: Readonly<Record<string, number>> = {
  'v1.26.0': 400,
  'v1.35.2': 100,
  'v1.35.4': 60,
  'v1.36.1': 119,
  'v1.36.2': 10,
  'v1.36.3-rc.0': 5,
  'v1.37.0-rc.0': 4,
  'v1.37.0-rc.1': 3,
};

beforeAll(async () => {
  world = await World.start();
  for (const [version, days] of Object.entries(RELEASES)) {
    const signing = { at: new Date(Date.now() - days * DAY) };
    const tools = ['kubectl', 'kubeadm'];
    world.release.publish({ version, platforms: [NATIVE, 'linux/amd64'], tools, signing });
  }
});

afterAll(async () => {
  await world.stop();
});

const POINTERS: Readonly<Record<string, string>> = {
  stable: 'v1.36.2',
  'stable-1.35': 'v1.35.4',
  'stable-1.36': 'v1.36.2',
  latest: 'v1.37.0-rc.1',
  'latest-1.36': 'v1.36.3-rc.0',
};

beforeEach(() => {
  world.reset();
  for (const [pointer, version] of Object.entries(POINTERS)) {
    world.release.point(pointer, version);
  }
});

/** A tool cache that holds what these runs left there. */
async function cacheWith(...versions: readonly string[]): Promise<string> {
  const [first = '', ...rest] = versions;
  const run = await runIn(world, { version: first });
  expectInstalled(run, { version: first });
  const { toolCache } = run.dirs;
  for (const version of rest) {
    expectInstalled(await runIn(world, { version }, { toolCache }), { version });
  }
  return toolCache;
}

const warningsOf = (run: ActionResult): string =>
  run.annotations
    .filter(({ level }) => level === 'warning')
    .map(({ message }) => message)
    .join('\n');

describe('a pointer that names an older version than a verified copy in the tool cache', () => {
  test.each([
    ['stable', { version: 'stable' }, 'v1.36.1', 'v1.36.2'],
    ['stable', { version: 'latest' }, 'v1.36.1', 'v1.36.2'],
    ['stable-1.35', { version: 'stable-1.35', 'check-latest': 'true' }, 'v1.35.2', 'v1.35.4'],
    ['stable-1.35', { version: '1.35', 'check-latest': 'true' }, 'v1.35.2', 'v1.35.4'],
    ['stable-1.35', { version: '>=1.35.0 <1.36.0', 'check-latest': 'true' }, 'v1.35.2', 'v1.35.4'],
    ['latest', { version: 'prerelease' }, 'v1.37.0-rc.0', 'v1.37.0-rc.1'],
  ])('%s, for %j: a warning', async (pointer, inputs, named, held) => {
    const toolCache = await cacheWith(held);
    world.release.point(pointer, named);
    world.reset();
    const run = await runIn(world, inputs, { toolCache });
    expectInstalled(run, { version: named, warnings: [OLDER] });
    expect(warningsOf(run)).toContain(`names ${named} for "${inputs.version}"`);
    expect(warningsOf(run)).toContain(`has kubectl ${held}, which passes every check`);
    expect(warningsOf(run)).toContain('may be serving an outdated pointer');
    expect(requestedPaths(world).filter((path) => path.includes(held))).toEqual([]);
    // The copy is left as it is.
    expectInstalled(await runIn(world, { version: held }, { toolCache }), { version: held });
  });

  test('a version file that says stable: a warning', async () => {
    const toolCache = await cacheWith('v1.36.2');
    world.release.point('stable', 'v1.36.1');
    const workspace = { '.kubectl-version': 'stable\n' };
    const inputs = { 'version-file': '.kubectl-version' };
    const run = await runIn(world, inputs, { toolCache, workspace });
    expectInstalled(run, { version: 'v1.36.1', warnings: [OLDER] });
    expect(warningsOf(run)).toContain('for "stable (.kubectl-version, line 1)"');
  });

  test('when the version that it names is in the tool cache as well: a warning', async () => {
    const toolCache = await cacheWith('v1.36.1', 'v1.36.2');
    world.release.point('stable', 'v1.36.1');
    const run = await runIn(world, {}, { toolCache });
    expect(run.outputs['cache-hit']).toBe('true');
    expect(titlesOf(run, 'warning')).toEqual([OLDER]);
  });

  test('for the second of two tools: a warning', async () => {
    const first = await runIn(world, { version: 'v1.36.2', tools: 'kubeadm' });
    world.release.point('stable', 'v1.36.1');
    const run = await runIn(
      world,
      { tools: 'kubectl kubeadm' },
      { toolCache: first.dirs.toolCache },
    );
    expectInstalled(run, { version: 'v1.36.1', tools: ['kubectl', 'kubeadm'], warnings: [OLDER] });
    expect(warningsOf(run)).toContain('kubeadm v1.36.2');
  });
});

describe('no warning', () => {
  test.each([
    ['the pointer names what the tool cache holds', 'v1.36.2', { version: 'stable' }, {}],
    ['the tool cache holds an older version', 'v1.36.1', { version: 'stable' }, {}],
    ['the tool cache holds a newer minor', 'v1.36.2', { version: 'stable-1.35' }, {}],
    ['an exact version was asked for', 'v1.36.2', { version: 'v1.36.1' }, {}],
    ['the copy is for another tool', 'v1.36.2', { tools: 'kubeadm' }, { stable: 'v1.36.1' }],
    ['the newer copy is a pre-release', 'v1.37.0-rc.1', { version: 'stable' }, {}],
    [
      'the pre-release pointer is older than a stable version',
      'v1.36.2',
      { version: 'prerelease-1.36' },
      { 'latest-1.36': 'v1.36.3-rc.0' },
    ],
  ])('%s', async (_, held, inputs, pointers) => {
    const toolCache = await cacheWith(held);
    for (const [pointer, version] of Object.entries(pointers)) {
      world.release.point(pointer, version);
    }
    const run = await runIn(world, inputs, { toolCache });
    expect(run.exitCode).toBe(0);
    expect(run.annotations).toEqual([]);
  });

  test('the tool cache is empty: nothing is known', async () => {
    world.release.point('stable', 'v1.36.1');
    const run = await runIn(world);
    expectInstalled(run, { version: 'v1.36.1' });
    expect(run.annotations).toEqual([]);
  });

  test('bind-release: false: nothing proves the version of a copy', async () => {
    const inputs = { 'bind-release': 'false' };
    const first = await runIn(world, { ...inputs, version: 'v1.36.2' });
    world.release.point('stable', 'v1.36.1');
    const run = await runIn(world, inputs, { toolCache: first.dirs.toolCache });
    expectInstalled(run, { version: 'v1.36.1' });
    expect(run.annotations).toEqual([]);
  });
});

describe('a copy in the tool cache that only looks newer', () => {
  const entryOf = (toolCache: string, version: string): string =>
    join(toolCache, world.cacheEntry(version, 'kubectl', NATIVE));
  const planted = (toolCache: string, version: string, of: string): string => {
    const target = world.cacheEntry(of, 'kubectl', NATIVE).replace(of.slice(1), version.slice(1));
    return join(toolCache, target);
  };

  test.each<[string, (toolCache: string) => void]>([
    [
      'an empty folder',
      (toolCache) => mkdirSync(planted(toolCache, 'v1.40.0', 'v1.36.1'), { recursive: true }),
    ],
    [
      'a genuine copy of another version with its evidence',
      (toolCache) =>
        cpSync(entryOf(toolCache, 'v1.36.1'), planted(toolCache, 'v1.40.0', 'v1.36.1'), {
          recursive: true,
        }),
    ],
    [
      'a newer copy without its SBOM',
      (toolCache) => {
        rmSync(join(entryOf(toolCache, 'v1.36.2'), 'kubernetes-release.spdx'));
      },
    ],
    [
      'a newer copy whose binary was changed',
      (toolCache) => {
        const entry = entryOf(toolCache, 'v1.36.2');
        writeFileSync(join(entry, NATIVE.startsWith('windows') ? 'kubectl.exe' : 'kubectl'), 'x');
      },
    ],
    [
      'a newer copy with another file beside it',
      (toolCache) => {
        writeFileSync(join(entryOf(toolCache, 'v1.36.2'), 'kubeadm'), '');
      },
    ],
  ])('%s: no warning, and it stays as it is', async (_, plant) => {
    const toolCache = await cacheWith('v1.36.1', 'v1.36.2');
    plant(toolCache);
    if (!_.startsWith('a newer')) {
      rmSync(dirname(entryOf(toolCache, 'v1.36.2')), { recursive: true });
    }
    world.release.point('stable', 'v1.36.1');
    const run = await runIn(world, {}, { toolCache, env: { RUNNER_DEBUG: '1' } });
    expectInstalled(run, { version: 'v1.36.1' });
    expect(run.annotations).toEqual([]);
    expect(run.stdout).toMatch(/::debug::.* is not compared with the pointer: /);
  });

  test('the thirty newest are looked at, and no more', async () => {
    const toolCache = await cacheWith('v1.36.1', 'v1.36.2');
    for (let patch = 0; patch < 30; patch++) {
      const version = `v1.40.${String(patch)}`;
      mkdirSync(planted(toolCache, version, 'v1.36.1'), { recursive: true });
    }
    world.release.point('stable', 'v1.36.1');
    const env = { RUNNER_DEBUG: '1' };
    const run = await runIn(world, {}, { toolCache, env });
    expect(run.stdout.match(/is not compared with the pointer/g)).toHaveLength(30);
    expect(run.annotations).toEqual([]);
    rmSync(dirname(planted(toolCache, 'v1.40.0', 'v1.36.1')), { recursive: true });
    expect(titlesOf(await runIn(world, {}, { toolCache, env }), 'warning')).toEqual([OLDER]);
  });
});

describe('the newest stable release was signed', () => {
  test('119 days ago: no warning', async () => {
    world.release.point('stable', 'v1.36.1');
    const run = await runIn(world);
    expectInstalled(run, { version: 'v1.36.1' });
    expect(run.annotations).toEqual([]);
  });

  test.each(['stable', 'latest', ''])(
    '400 days ago, asked for as %j: a warning',
    async (version) => {
      world.release.point('stable', 'v1.26.0');
      const run = await runIn(world, { version });
      expectInstalled(run, { version: 'v1.26.0', warnings: [OLD] });
      expect(warningsOf(run)).toContain('names v1.26.0 as the newest stable release');
      expect(warningsOf(run)).toContain(
        world.release.artifact('v1.26.0', NATIVE, 'kubectl').entry.integratedTime.toISOString(),
      );
    },
  );

  test('400 days ago, with a newer one in the tool cache: both warnings', async () => {
    const toolCache = await cacheWith('v1.36.2');
    world.release.point('stable', 'v1.26.0');
    const run = await runIn(world, {}, { toolCache });
    expectInstalled(run, { version: 'v1.26.0', warnings: [OLDER, OLD] });
  });

  test.each(['stable-1.26', 'v1.26.0', '~1.26.0'])(
    '400 days ago, asked for as %j: no warning',
    async (version) => {
      world.release.point('stable-1.26', 'v1.26.0');
      const run = await runIn(world, { version });
      expectInstalled(run, { version: 'v1.26.0' });
      expect(run.annotations).toEqual([]);
    },
  );
});
