import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { TOOLS, type Tool } from '../../src/kubernetes/platform.js';
import { World, type ActionResult } from '../support/index.js';
import { MISSING, describeUnless } from '../support/skip.js';
import {
  NATIVE,
  expectInstalled,
  expectRefused,
  reportOf,
  requestedPaths,
  runIn,
} from './expectations.js';

let world: World;

const SERVER = 'linux/amd64';

beforeAll(async () => {
  world = await World.start({
    publish: [
      { version: 'v1.31.8', platforms: [NATIVE] },
      { version: 'v1.31.9', platforms: [NATIVE] },
      { version: 'v1.33.4', tools: TOOLS, platforms: [...new Set([NATIVE, SERVER])] },
      // Newer than the table of release dates will be for a long time.
      { version: 'v1.998.1', platforms: [NATIVE] },
    ],
  });
});

afterAll(async () => {
  await world.stop();
});

beforeEach(() => {
  world.reset();
});

const releaseRequests = (): string[] =>
  requestedPaths(world).filter((path) => path.startsWith('/release/v'));

describe('without a version', () => {
  test.each(['1.31', 'v1.31.4-eks-1a2b3c', 'v1.31.1+k3s1', '1.31.8-gke.1013000'])(
    '%s installs the newest patch of its minor',
    async (clusterVersion) => {
      const run = await runIn(world, { 'cluster-version': clusterVersion });
      expectInstalled(run, { version: 'v1.31.9' });
      expect(run.stdout).toContain(
        `Version: v1.31.9 (requested: 1.31 (the minor of cluster-version ${clusterVersion}))`,
      );
      expect(requestedPaths(world)).toContain('/release/stable-1.31.txt');
    },
  );

  test('the JSON of kubectl version does, too', async () => {
    const serverVersion = { major: '1', minor: '31+', gitVersion: 'v1.31.4-eks-1a2b3c' };
    const json = JSON.stringify(
      { clientVersion: { gitVersion: 'v1.33.4' }, serverVersion },
      null,
      2,
    );
    const run = await runIn(world, { 'cluster-version': json });
    expectInstalled(run, { version: 'v1.31.9' });
    expect(reportOf(run)).toMatchObject({ 'cluster-version': 'v1.31.4-eks-1a2b3c' });
  });

  test('a minor that is not published is not found', async () => {
    const run = await runIn(world, { 'cluster-version': '1.32' });
    expectRefused(run, 'VERSION_NOT_FOUND', { says: ['stable-1.32.txt does not exist'] });
  });

  test('text that is no version is refused, and nothing is asked for', async () => {
    const run = await runIn(world, { 'cluster-version': '4.14.8' });
    expectRefused(run, 'INVALID_INPUT', {
      says: ['Input "cluster-version": "4.14.8"', 'OpenShift'],
    });
    expect(requestedPaths(world)).toEqual([]);
  });
});

describe('with a version', () => {
  test('that fits: report, log and summary say how far apart they are', async () => {
    const inputs = { version: '1.33.4', 'cluster-version': 'v1.32.6-gke.1013000' };
    const run = await runIn(world, inputs);
    expectInstalled(run, { version: 'v1.33.4' });
    expect(reportOf(run)).toMatchObject({
      tool: 'kubectl',
      'cluster-version': 'v1.32.6-gke.1013000',
      'minor-version-skew': 1,
    });
    const words = 'kubectl is 1 minor version newer than the cluster';
    expect(run.stdout).toContain(`Cluster: v1.32.6-gke.1013000; ${words}`);
    expect(run.summary.replaceAll('&#45;', '-')).toContain(words);
  });

  test('that does not: both versions, the range, and what to set; nothing is downloaded', async () => {
    const inputs = { version: '1.33.4', 'cluster-version': 'v1.31.4-eks-1a2b3c' };
    const run = await runIn(world, inputs);
    expectRefused(run, 'VERSION_SKEW', {
      says: [
        'kubectl v1.33.4 is 2 minor versions newer than the cluster (v1.31.4-eks-1a2b3c): supported: 1.30 to 1.32',
        'Set "version" to the minor version of the cluster',
      ],
    });
    expect(releaseRequests()).toEqual([]);
    expect(run.summary).toContain('VERSION_SKEW');
  });

  test('from a range: the name of a folder in the tool cache does not decide', async () => {
    const range = { version: '1.31.x || >=1.33.90 <1.34.0', 'cluster-version': '1.31' };
    const first = await runIn(world, { version: '1.31.9' });
    const { toolCache } = first.dirs;
    const planted = world.cacheEntry('v1.31.9').replace('1.31.9', '1.33.99');
    mkdirSync(join(toolCache, planted), { recursive: true });
    expectInstalled(await runIn(world, range, { toolCache }), {
      version: 'v1.31.9',
      warnings: ['Cached copy refused'],
    });
  });

  test('from a file: the file chooses, and the policy still holds', async () => {
    const workspace = { '.tool-versions': 'kubectl 1.31.8\n' };
    const inputs = { 'version-file': '.tool-versions', 'cluster-version': '1.32' };
    expectInstalled(await runIn(world, inputs, { workspace }), { version: 'v1.31.8' });
    const refused = await runIn(world, { ...inputs, 'cluster-version': '1.33' }, { workspace });
    expectRefused(refused, 'VERSION_SKEW', { says: ['kubectl v1.31.8 is 2 minor versions older'] });
  });

  test.each(['stable-1.33', '>=1.32 <1.34', '1.33'])(
    '%s: what it turns out to be is checked',
    async (version) => {
      const run = await runIn(world, { version, 'cluster-version': '1.31' });
      expectRefused(run, 'VERSION_SKEW', { says: ['kubectl v1.33.4'] });
      expect(releaseRequests()).toEqual([]);
    },
  );

  test('from the tool cache it is checked as well', async () => {
    const first = await runIn(world, { version: '1.33.4' });
    const { toolCache } = first.dirs;
    const inputs = { version: '1.33', 'cluster-version': '1.31' };
    expectRefused(await runIn(world, inputs, { toolCache }), 'VERSION_SKEW');
    const fitting = { ...inputs, 'cluster-version': '1.32' };
    expectInstalled(await runIn(world, fitting, { toolCache }), { version: 'v1.33.4' });
  });
});

test('without a cluster nothing is refused, and the report says null', async () => {
  const run = await runIn(world, { version: '1.33.4' });
  expectInstalled(run, { version: 'v1.33.4' });
  expect(reportOf(run)).toMatchObject({ 'cluster-version': null, 'minor-version-skew': null });
  expect(run.stdout).not.toContain('Cluster:');
  expect(run.summary).not.toContain('Cluster');
});

/** v1.33 of a tool is supported with clusters of these minors; undefined: with any. */
const CLUSTERS: Readonly<Record<Tool, readonly [oldest: number, newest: number] | undefined>> = {
  kubectl: [32, 34],
  kubeadm: [32, 33],
  kubelet: [33, 36],
  'kube-proxy': [33, 36],
  'kube-apiserver': [32, 34],
  'kube-controller-manager': [33, 34],
  'kube-scheduler': [33, 34],
  'kubectl-convert': undefined,
  'kube-log-runner': undefined,
  'kube-aggregator': undefined,
  'apiextensions-apiserver': undefined,
  mounter: undefined,
};

// Kubernetes publishes its servers for Linux alone.
describeUnless(MISSING.linux)('every tool', () => {
  const install = (tools: string, cluster: number): ReturnType<typeof runIn> =>
    runIn(world, {
      version: '1.33.4',
      architecture: 'amd64',
      tools,
      'cluster-version': `v1.${String(cluster)}.0`,
    });

  const ends = (tool: Tool): readonly [number, number] => CLUSTERS[tool] ?? [19, 99];
  const accepted = TOOLS.flatMap((tool) =>
    [...new Set(ends(tool))].map((cluster): [Tool, number] => [tool, cluster]),
  );
  const refused = TOOLS.filter((tool) => CLUSTERS[tool] !== undefined).flatMap(
    (tool): [Tool, number][] => [
      [tool, ends(tool)[0] - 1],
      [tool, ends(tool)[1] + 1],
    ],
  );

  test.each(accepted)('%s v1.33 is installed for 1.%i', async (tool, cluster) => {
    const run = await install(tool, cluster);
    expectInstalled(run, { version: 'v1.33.4', tools: [tool] });
    expect(reportOf(run, tool)).toMatchObject({ 'minor-version-skew': 33 - cluster });
  });

  test.each(refused)('%s v1.33 is refused for 1.%i', async (tool, cluster) => {
    expectRefused(await install(tool, cluster), 'VERSION_SKEW', { says: [`${tool} v1.33.4`] });
    expect(releaseRequests()).toEqual([]);
  });

  test('one that does not fit keeps the others out', async () => {
    const run = await install('kubectl, kubelet', 32);
    expectRefused(run, 'VERSION_SKEW', { says: ['kubelet v1.33.4 is 1 minor version newer'] });
    expect(run.paths).toEqual([]);
  });
});

describe('the end of support', () => {
  const noticesOf = (run: ActionResult): (string | undefined)[] =>
    run.endedSupport.map(({ title }) => title);
  const OLD = 'Kubernetes 1.31 is no longer supported';

  test('is told in a notice, with its date', async () => {
    const run = await runIn(world, { version: '1.31.9' });
    expectInstalled(run, { version: 'v1.31.9' });
    expect(noticesOf(run)).toEqual([OLD]);
    expect(run.endedSupport[0]?.message).toContain('ended support for 1.31 on 2025-10-28');
  });

  test('is told once where cluster and tool are of the same minor', async () => {
    const run = await runIn(world, { 'cluster-version': 'v1.31.1+k3s1' });
    expect(noticesOf(run)).toEqual([OLD]);
  });

  test('is told of the cluster as well', async () => {
    const run = await runIn(world, { version: '1.31.9', 'cluster-version': '1.30' });
    expectInstalled(run, { version: 'v1.31.9' });
    expect(noticesOf(run)).toEqual([OLD, 'Kubernetes 1.30 is no longer supported']);
  });

  test('is not told of a minor that is newer than the table', async () => {
    const run = await runIn(world, { version: '1.998.1', 'cluster-version': '1.999' });
    expectInstalled(run, { version: 'v1.998.1' });
    expect(noticesOf(run)).toEqual([]);
  });
});
