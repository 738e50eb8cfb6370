import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { World, fault, type ActionResult } from '../support/index.js';
import { MISSING, describeUnless } from '../support/skip.js';
import {
  IMPATIENT,
  NATIVE,
  expectRefused,
  expectInstalled,
  requestedPaths,
  runIn,
} from './expectations.js';

let world: World;

/** Whether a release exists is asked by the one binary that every release has. */
const PLATFORMS = [...new Set([NATIVE, 'linux/amd64'])];

beforeAll(async () => {
  const versions = [
    'v1.30.1',
    'v1.30.13',
    // v1.31.7 was withdrawn.
    'v1.31.6',
    'v1.31.8',
    'v1.31.9',
    'v1.32.5',
    'v1.33.0-rc.1',
    'v1.32.6-rc.0',
  ];
  world = await World.start({
    publish: versions.map((version) => ({ version, platforms: PLATFORMS })),
  });
});

afterAll(async () => {
  await world.stop();
});

beforeEach(() => {
  world.reset();
});

describe('version', () => {
  test.each([
    ['1.31.6', 'v1.31.6'],
    ['v1.31.6', 'v1.31.6'],
    ['1.33.0-rc.1', 'v1.33.0-rc.1'],
    ['1.31', 'v1.31.9'],
    ['stable', 'v1.32.5'],
    ['latest', 'v1.32.5'],
    ['', 'v1.32.5'],
    ['stable-1.31', 'v1.31.9'],
    ['prerelease', 'v1.33.0-rc.1'],
    ['prerelease-1.32', 'v1.32.6-rc.0'],
    ['1.31.x', 'v1.31.9'],
    ['~1.31.2', 'v1.31.9'],
    ['^1.30', 'v1.32.5'],
    ['>=1.30 <1.32', 'v1.31.9'],
    ['>=1.30 <1.31.8', 'v1.31.6'],
    ['1.30.0 - 1.30.9', 'v1.30.1'],
  ])('%j installs %s', async (version, expected) => {
    expectInstalled(await runIn(world, { version }), { version: expected });
  });

  test.each([
    ['1.31.7', 'Kubernetes v1.31.7 does not exist at'],
    ['1.29', 'stable-1.29.txt does not exist'],
    ['prerelease-1.30', 'latest-1.30.txt does not exist'],
    ['>=1.40', 'no stable release satisfies the range'],
    ['1.31.7 - 1.31.7', 'no stable release satisfies the range'],
  ])('%j does not exist', async (version, words) => {
    const run = await runIn(world, { version });
    expectRefused(run, 'VERSION_NOT_FOUND', { says: [words] });
  });

  test('a host that denies access looks like one without the version, and the message says so', async () => {
    world.host.server.fail(/v1\.31\.7/, fault.status(403), Infinity);
    const run = await runIn(world, { version: '1.31.7' });
    expectRefused(run, 'VERSION_NOT_FOUND', { says: ['access is denied (HTTP status 403)'] });
  });

  test.each([
    ['a page', '<html>please sign in</html>'],
    ['a path', 'v1.31.9/../../v1.30.1'],
    ['a command', 'v1.31.9\n::set-output name=version::v9.9.9'],
  ])('a pointer that holds %s', async (_, text) => {
    const before = world.host.get('release/stable.txt');
    world.release.point('stable', text);
    const run = await runIn(world, { version: 'stable' });
    world.release.point('stable', before.toString());
    expectRefused(run, 'VERSION_NOT_FOUND', { says: ['does not name a stable version'] });
    expect(requestedPaths(world).filter((path) => path.startsWith('/release/v'))).toEqual([]);
    expect(run.commands.map(({ name }) => name)).not.toContain('set-output');
  });
});

describe('version-file', () => {
  test.each([
    ['.kubectl-version', '# pinned\n1.31.8\n', 'v1.31.8'],
    ['.tool-versions', 'nodejs 24.1.0\nkubectl 1.31.8\n', 'v1.31.8'],
    ['mise.toml', '[tools]\nkubectl = "1.31"\n', 'v1.31.9'],
    ['mise.toml', '[tools]\n"aqua:kubernetes/kubectl" = "1.31.6"\n', 'v1.31.6'],
    ['go.mod', 'module x\n\nrequire (\n\tk8s.io/client-go v0.31.8\n)\n', 'v1.31.8'],
    [
      'go.mod',
      'require k8s.io/client-go v0.31.8\nreplace k8s.io/client-go => k8s.io/client-go v0.30.1\n',
      'v1.30.1',
    ],
  ])('%s: %j', async (file, text, expected) => {
    const workspace = { [`deploy/${file}`]: text };
    const run = await runIn(world, { 'version-file': `deploy/${file}` }, { workspace });
    expectInstalled(run, { version: expected });
    expect(run.stdout).toContain(`(deploy/${file}, line `);
  });

  test('with version beside it: version wins, and a notice says so', async () => {
    const inputs = { version: '1.31.9', 'version-file': '.tool-versions' };
    const run = await runIn(world, inputs, { workspace: { '.tool-versions': 'kubectl 1.30.1\n' } });
    expectInstalled(run, { version: 'v1.31.9', notices: ['version-file ignored'] });
    expect(run.annotations[0]?.message).toContain('.tool-versions');
  });

  test('alone: no notice', async () => {
    const inputs = { 'version-file': '.tool-versions' };
    const run = await runIn(world, inputs, { workspace: { '.tool-versions': 'kubectl 1.30.1\n' } });
    expectInstalled(run, { version: 'v1.30.1' });
    expect(run.annotations).toEqual([]);
  });

  test.each<[what: string, files: Record<string, string>, words: string[]]>([
    ['is missing', {}, ['"pins/go.mod" cannot be read', 'checked out before this step']],
    [
      'names no version',
      { 'pins/go.mod': 'module x\n\ngo 1.24\n' },
      ['"pins/go.mod" specifies no kubectl version', 'k8s.io/client-go'],
    ],
    [
      'names one that belongs to no release',
      { 'pins/go.mod': 'module x\nrequire k8s.io/api v0.0.0-20240101000000-abcdefabcdef\n' },
      ['line 2 of "pins/go.mod"', 'matches no Kubernetes release'],
    ],
  ])('that %s', async (_, workspace, words) => {
    const run = await runIn(world, { 'version-file': 'pins/go.mod' }, { workspace });
    expectRefused(run, 'INVALID_INPUT', { says: ['Input "version-file"', ...words] });
    expect(requestedPaths(world)).toEqual([]);
  });

  test('that names something else than a version', async () => {
    const workspace = { '.kubectl-version': '\nnewest\n' };
    const run = await runIn(world, { 'version-file': '.kubectl-version' }, { workspace });
    expectRefused(run, 'INVALID_INPUT', {
      says: ['line 2 of ".kubectl-version" is not a version'],
    });
    expect(requestedPaths(world)).toEqual([]);
  });

  describeUnless(MISSING.symbolicLinks)('that is a link', () => {
    let root: string;

    beforeEach(() => {
      root = mkdtempSync(join(tmpdir(), 'workspace-'));
      mkdirSync(join(root, 'workspace'));
      mkdirSync(join(root, 'secrets'));
    });

    afterEach(() => {
      rmSync(root, { recursive: true });
    });

    /** A run with `.kubectl-version`, a link to a file with this text; secrets are outside. */
    async function runWithLink(
      target: 'secrets' | 'workspace',
      text: string,
    ): Promise<ActionResult> {
      writeFileSync(join(root, target, 'pin'), text);
      const workspace = join(root, 'workspace');
      symlinkSync(join('..', target, 'pin'), join(workspace, '.kubectl-version'));
      const inputs = { 'version-file': '.kubectl-version' };
      return runIn(world, inputs, { workspace, env: { RUNNER_DEBUG: '1' } });
    }

    const said = ({ stdout, stderr, summary }: ActionResult): string =>
      `${stdout}\n${stderr}\n${summary}`;

    test('to a file in the workspace', async () => {
      expectInstalled(await runWithLink('workspace', '1.31.8\n'), { version: 'v1.31.8' });
    });

    test.each(['hunter2\n', '1.31.8\n'])('to a file outside of it: %j', async (text) => {
      const run = await runWithLink('secrets', text);
      expectRefused(run, 'INVALID_INPUT', {
        says: ['".kubectl-version" is outside the workspace'],
      });
      expect(said(run)).not.toContain(text.trim());
      expect(said(run)).not.toContain('secrets');
      expect(requestedPaths(world)).toEqual([]);
    });

    test('to a file in the workspace that is no version: its line is named, and no more', async () => {
      const run = await runWithLink('workspace', '# note\nhunter2\n');
      expectRefused(run, 'INVALID_INPUT', {
        says: ['line 2 of ".kubectl-version" is not a version'],
      });
      expect(said(run)).not.toContain('hunter2');
    });
  });

  test.each([
    ['mise.toml', '[tools]\nkubectl = hunter2\n', 'line 2 of "mise.toml" is not TOML'],
    [
      'go.mod',
      'module x\nrequire k8s.io/api hunter2\n',
      'line 2 of "go.mod" requires k8s.io/api at',
    ],
  ])('%s: what is wrong with it is said, and not what is in it', async (file, text, words) => {
    const env = { RUNNER_DEBUG: '1' };
    const run = await runIn(world, { 'version-file': file }, { workspace: { [file]: text }, env });
    expectRefused(run, 'INVALID_INPUT', { says: [words] });
    expect(`${run.stdout}${run.stderr}${run.summary}`).not.toContain('hunter2');
  });
});

describe('a release that was announced and is not at the host yet', () => {
  const stable = (version: string): void => world.release.point('stable', version);

  test('is waited for', async () => {
    stable('v1.32.7');
    let questions = 0;
    world.host.server.latency = ({ path }) => {
      // The third look finds everything.
      if (path.endsWith('/v1.32.7/bin/linux/amd64/kubectl.sha256') && ++questions === 4) {
        world.release.publish({ version: 'v1.32.7', platforms: PLATFORMS, pointers: false });
      }
      return 0;
    };
    const run = await runIn(world, {}, { env: IMPATIENT });
    stable('v1.32.5');
    expectInstalled(run, { version: 'v1.32.7' });
    expect(run.stdout).toMatch(
      /v1\.32\.7 is announced but not yet available at .*; waiting up to 6 s/,
    );
  });

  test('and does not come', async () => {
    stable('v1.32.8');
    const run = await runIn(world, {}, { env: IMPATIENT });
    stable('v1.32.5');
    expectRefused(run, 'VERSION_NOT_FOUND', {
      says: ['Kubernetes v1.32.8 is announced', 'its files did not appear', 'probably minutes old'],
    });
  });

  test('is not waited for when it was asked for by its name', async () => {
    const run = await runIn(world, { version: '1.32.8' }, { env: IMPATIENT });
    expectRefused(run, 'VERSION_NOT_FOUND', { says: ['Kubernetes v1.32.8 does not exist at'] });
    expect(run.stdout).not.toContain('waiting');
  });
});
