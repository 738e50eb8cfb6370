import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { TOOLS, publishedPlatforms } from '../../src/kubernetes/platform.js';
import { World, artifactPath, fault } from '../support/index.js';
import { MISSING, describeUnless } from '../support/skip.js';
import {
  FOREIGN_ARCH,
  NATIVE,
  expectRefused,
  expectInstalled,
  reportsOf,
  requestedPaths,
  runIn,
} from './expectations.js';

let world: World;

const BOTH = ['kubectl', 'kubectl-convert'];
const CONVERT = /\/kubectl-convert(\.exe)?$/;
/** Published for every platform of this operating system that has all tools; none but Linux has. */
const SERVER = 'linux/amd64';

beforeAll(async () => {
  world = await World.start({
    publish: [
      // Every release has a kubectl for Linux: by that the action knows that the version exists.
      { version: 'v1.31.9', tools: BOTH, platforms: [...new Set([NATIVE, SERVER])] },
      { version: 'v1.31.8', tools: TOOLS, platforms: [SERVER] },
    ],
  });
});

afterAll(async () => {
  await world.stop();
});

beforeEach(() => {
  world.reset();
});

describe('several tools', () => {
  test.each(['kubectl,kubectl-convert', 'kubectl kubectl-convert', 'kubectl\nkubectl-convert'])(
    '%j are all installed',
    async (tools) => {
      const run = await runIn(world, { version: '1.31.9', tools });
      expectInstalled(run, { version: 'v1.31.9', tools: BOTH });
      expect(reportsOf(run).map(({ tool }) => tool)).toEqual(BOTH);
    },
  );

  test('share one SBOM, which is fetched once', async () => {
    await runIn(world, { version: '1.31.9', tools: BOTH.join() });
    for (const suffix of ['', '.sig', '.cert']) {
      const path = `/release/v1.31.9/kubernetes-release.spdx${suffix}`;
      expect(requestedPaths(world).filter((asked) => asked === path)).toHaveLength(1);
    }
  });

  test('the single-valued outputs are those of kubectl, wherever it stands', async () => {
    const run = await runIn(world, { version: '1.31.9', tools: 'kubectl-convert,kubectl' });
    const { sha256 } = world.release.artifact('v1.31.9', NATIVE, 'kubectl');
    expect(run.outputs['sha256']).toBe(sha256);
    expect(run.outputs['bundle-path']).toBe(`${run.outputs['kubectl-path'] ?? ''}.sigstore.json`);
  });

  test('without kubectl they are those of the first', async () => {
    const run = await runIn(world, { version: '1.31.9', tools: 'kubectl-convert' });
    expectInstalled(run, { version: 'v1.31.9', tools: ['kubectl-convert'] });
    const { sha256 } = world.release.artifact('v1.31.9', NATIVE, 'kubectl-convert');
    expect(run.outputs['sha256']).toBe(sha256);
    expect(run.outputs).not.toHaveProperty('kubectl-path');
  });

  test('some from the cache: no cache hit until all are', async () => {
    const first = await runIn(world, { version: '1.31.9' });
    const { toolCache } = first.dirs;
    const inputs = { version: '1.31.9', tools: BOTH.join() };
    const second = await runIn(world, inputs, { toolCache });
    expectInstalled(second, { version: 'v1.31.9', tools: BOTH });
    expect(second.outputs['cache-hit']).toBe('false');
    expect(reportsOf(second).map((one) => one['cache-hit'])).toEqual([true, false]);
    const third = await runIn(world, inputs, { toolCache });
    expect(third.outputs['cache-hit']).toBe('true');
  });

  test.each([
    ['changed', CONVERT, fault.flippedBit(100), 'SIGNATURE_MISMATCH'],
    ['not there', CONVERT, fault.status(404), 'PLATFORM_NOT_PUBLISHED'],
  ])('one of them is %s: none is installed', async (_, path, act, code) => {
    world.host.server.fail(path, act, Infinity);
    const run = await runIn(world, { version: '1.31.9', tools: BOTH.join() });
    expectRefused(run, code, { says: ['kubectl-convert'] });
  });
});

describeUnless(MISSING.linux)('every binary of a release', () => {
  test('together', async () => {
    const inputs = { version: '1.31.8', architecture: 'amd64', tools: TOOLS.join('\n') };
    const run = await runIn(world, inputs);
    expectInstalled(run, { version: 'v1.31.8', tools: TOOLS });
    for (const tool of TOOLS) {
      const published = world.host.get(artifactPath('v1.31.8', SERVER, tool));
      expect(readFileSync(run.outputs[`${tool}-path`] ?? '').equals(published)).toBe(true);
    }
  });

  test('where this platform has none, the others are listed, and nothing is asked for', async () => {
    const inputs = { version: '1.31.8', architecture: '386', tools: 'kubectl kube-apiserver' };
    const run = await runIn(world, inputs);
    const message = expectRefused(run, 'PLATFORM_NOT_PUBLISHED', {
      says: ['kube-apiserver', 'linux/386'],
    });
    for (const platform of publishedPlatforms('kube-apiserver')) {
      expect(message).toContain(platform);
    }
    expect(requestedPaths(world)).toEqual([]);
  });

  test('where this release has none for the platform', async () => {
    const inputs = { version: '1.31.8', architecture: 'arm', tools: 'kube-apiserver' };
    expectRefused(await runIn(world, inputs), 'PLATFORM_NOT_PUBLISHED', {
      says: [
        'Kubernetes v1.31.8 has no kube-apiserver binary for linux/arm',
        'linux/amd64, linux/arm64, linux/ppc64le, linux/s390x',
      ],
    });
  });
});

test('a release without this platform is not a release that does not exist', async () => {
  world.release.publish({ version: 'v1.31.7', platforms: ['linux/amd64'], pointers: false });
  const architecture = FOREIGN_ARCH === 'amd64' ? 'arm64' : FOREIGN_ARCH;
  const run = await runIn(world, { version: '1.31.7', architecture });
  expectRefused(run, 'PLATFORM_NOT_PUBLISHED', {
    says: ['Kubernetes v1.31.7 has no kubectl binary for'],
  });
});
