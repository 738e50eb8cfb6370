import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, beforeEach, expect, test } from '@jest/globals';
import { publishedPlatforms } from '../../src/kubernetes/platform.js';
import { World, artifactPath, executable } from '../support/index.js';
import { MISSING, describeUnless } from '../support/skip.js';
import {
  FOREIGN,
  FOREIGN_ARCH,
  NATIVE,
  expectRefused,
  expectInstalled,
  fileNameOf,
  reportsOf,
  runIn,
} from './expectations.js';

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
  expectInstalled(run, { version: 'v1.31.9' });
  expect(reportsOf(run)[0]).toMatchObject({
    platform,
    'release-proof': 'proven by its signed SBOM',
  });
  expect(run.toolCacheFiles()).toContain(
    `${world.cacheEntry('v1.31.9', 'kubectl', platform)}/${fileNameOf('kubectl')}`,
  );
});

/**
 * dist on this machine, told that it is Windows: `process.platform` is all that it reads to choose
 * binaries. Paths and permissions stay this machine's. On Windows, the tests above cover all of it.
 */
const AS_WINDOWS = {
  NODE_OPTIONS: `--import=data:text/javascript,${encodeURIComponent("Object.defineProperty(process, 'platform', { value: 'win32' })")}`,
};

describe('windows/amd64, whose clients every SBOM lists twice', () => {
  const CLIENTS = ['kubectl', 'kubectl-convert'];
  const name = 'bin/windows/amd64/kubectl.exe';
  const inputs = { architecture: 'amd64', tools: CLIENTS.join(' ') };
  const publish = (version: string, sbom: object = {}): void => {
    const platforms = ['windows/amd64'];
    world.release.publish({ version, platforms, tools: CLIENTS, sbom, pointers: false });
  };

  test('equal digests are one statement', async () => {
    publish('v1.31.8');
    const lines = world.release.sbom('v1.31.8').bytes.toString().split('\n');
    expect(lines.filter((line) => line === `FileName: ${name}`)).toHaveLength(2);
    const run = await runIn(world, { ...inputs, version: '1.31.8' }, { env: AS_WINDOWS });
    expect(run.annotations).toEqual([]);
    expect(run.exitCode).toBe(0);
    expect(reportsOf(run)).toMatchObject(
      CLIENTS.map((tool) => ({
        tool,
        platform: 'windows/amd64',
        'release-proof': 'proven by its signed SBOM',
      })),
    );
    expect(run.outputs['kubectl-path']).toMatch(/kubectl\.exe$/);
  });

  test('different digests are a contradiction', async () => {
    publish('v1.31.7');
    const sbom = world.release.sbom('v1.31.7');
    const { sha256 } = world.release.artifact('v1.31.7', 'windows/amd64', 'kubectl');
    sbom.replace(Buffer.from(sbom.bytes.toString().replace(sha256, 'a'.repeat(64))));
    sbom.sign();
    const run = await runIn(world, { ...inputs, version: '1.31.7' }, { env: AS_WINDOWS });
    expectRefused(run, 'RELEASE_MISMATCH', {
      says: [`contradicts itself: it lists ${name} with 2 different`],
    });
  });
});

test.each([
  ['x64', 'amd64'],
  ['X64', 'amd64'],
  ['ARM64', 'arm64'],
  ['aarch64', 'arm64'],
])("architecture %s is Kubernetes' %s", async (architecture, expected) => {
  const run = await runIn(world, { version: '1.31.9', architecture });
  expectInstalled(run, { version: 'v1.31.9' });
  expect(reportsOf(run)[0]?.['platform']).toBe(`${dirname(NATIVE)}/${expected}`);
});

test("without the input it is the runner's", async () => {
  expect(reportsOf(await runIn(world, { version: '1.31.9' }))[0]?.['platform']).toBe(NATIVE);
});

test('copies for two architectures stand side by side', async () => {
  const first = await runIn(world, { version: '1.31.9' });
  const { toolCache } = first.dirs;
  const inputs = { version: '1.31.9', architecture: FOREIGN_ARCH };
  const second = await runIn(world, inputs, { toolCache });
  expect(second.outputs['cache-hit']).toBe('false');
  for (const platform of [NATIVE, FOREIGN]) {
    expect(second.toolCacheFiles()).toContain(
      `${world.cacheEntry('v1.31.9', 'kubectl', platform)}/${fileNameOf('kubectl')}`,
    );
  }
});

describeUnless(MISSING.executables)(
  'a release without SBOM, whose binary tells when it runs',
  () => {
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
      expectInstalled(run, { version: 'v1.30.0', warnings: ['Release proven without SBOM'] });
      expect(existsSync(witness(NATIVE))).toBe(true);
    });

    test('for another one: it is never executed, and so cannot be proven', async () => {
      const run = await runIn(world, { version: '1.30.0', architecture: FOREIGN_ARCH });
      expectRefused(run, 'RELEASE_MISMATCH', { says: ['cannot be executed on this runner'] });
      expect(existsSync(witness(FOREIGN))).toBe(false);
    });
  },
);
