import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, beforeEach, expect, test } from '@jest/globals';
import { publishedPlatforms } from '../../src/kubernetes/platform.js';
import { NO_EXECUTABLES, World, artifactPath, executable } from '../support/index.js';
import { describeUnless } from '../support/skip.js';
import {
  FOREIGN,
  FOREIGN_ARCHITECTURE,
  NATIVE,
  expectFailure,
  expectInstalled,
  expectNothingCached,
  fileNameOf,
  reportOf,
  runIn,
  titlesOf,
} from './runs.js';

let world: World;
let folder: string;

const HERE = publishedPlatforms('kubectl').filter((name) => dirname(name) === dirname(NATIVE));

beforeAll(async () => {
  world = await World.start({ publish: [{ version: 'v1.31.9', platforms: HERE }] });
  folder = mkdtempSync(join(tmpdir(), 'platforms-'));
});

afterAll(async () => {
  await world.stop();
  rmSync(folder, { recursive: true });
});

beforeEach(() => {
  world.reset();
});

test.each(HERE)('kubectl for %s', async (platform) => {
  const architecture = platform.split('/')[1] ?? '';
  const run = await runIn(world, { version: '1.31.9', architecture });
  expectInstalled(run, 'v1.31.9');
  expect(reportOf(run)[0]).toMatchObject({
    platform,
    'release-proof': 'signed SBOM of the release',
  });
  expect(run.toolCacheFiles()).toContain(
    `${world.cacheEntry('v1.31.9', 'kubectl', platform)}/${fileNameOf('kubectl')}`,
  );
});

test.each([
  ['x64', 'amd64'],
  ['X64', 'amd64'],
  ['ARM64', 'arm64'],
  ['aarch64', 'arm64'],
])("architecture %s is Kubernetes' %s", async (architecture, expected) => {
  const run = await runIn(world, { version: '1.31.9', architecture });
  expectInstalled(run, 'v1.31.9');
  expect(reportOf(run)[0]?.['platform']).toBe(`${dirname(NATIVE)}/${expected}`);
});

test("without the input it is the runner's", async () => {
  expect(reportOf(await runIn(world, { version: '1.31.9' }))[0]?.['platform']).toBe(NATIVE);
});

test('copies for two architectures stand side by side', async () => {
  const first = await runIn(world, { version: '1.31.9' });
  const { toolCache } = first.dirs;
  const inputs = { version: '1.31.9', architecture: FOREIGN_ARCHITECTURE };
  const second = await runIn(world, inputs, { toolCache });
  expect(second.outputs['cache-hit']).toBe('false');
  for (const platform of [NATIVE, FOREIGN]) {
    expect(second.toolCacheFiles()).toContain(
      `${world.cacheEntry('v1.31.9', 'kubectl', platform)}/${fileNameOf('kubectl')}`,
    );
  }
});

describeUnless(NO_EXECUTABLES)('a release without SBOM, whose binary tells when it runs', () => {
  const witness = (platform: string): string => join(folder, platform.replace('/', '-'));

  beforeAll(() => {
    for (const platform of [NATIVE, FOREIGN]) {
      const before = [{ call: 'create', path: witness(platform) }] as const;
      const telling = executable({ tool: 'kubectl', version: 'v1.30.0', platform, before });
      world.release.putFile(artifactPath('v1.30.0', platform, 'kubectl'), telling);
    }
  });

  test('for this architecture: it is verified, then asked', async () => {
    const run = await runIn(world, { version: '1.30.0' });
    expectInstalled(run, 'v1.30.0');
    expect(titlesOf(run, 'warning')).toEqual(['Release proven without SBOM']);
    expect(existsSync(witness(NATIVE))).toBe(true);
  });

  test('for another one: it is never executed, and so cannot be proven', async () => {
    const run = await runIn(world, { version: '1.30.0', architecture: FOREIGN_ARCHITECTURE });
    expectFailure(run, 'RELEASE_MISMATCH', 'cannot be executed here');
    expectNothingCached(run);
    expect(existsSync(witness(FOREIGN))).toBe(false);
  });
});
