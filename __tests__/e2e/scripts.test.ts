// The commands that the README names, run as a newcomer would.
import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { World } from '../support/index.js';

const REPOSITORY = join(import.meta.dirname, '..', '..');

interface Ended {
  readonly exitCode: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** What `npm run demo` and `npm run action` do, without npm. */
function runScript(name: string, words: readonly string[] = []): Promise<Ended> {
  const node = ['--import', './scripts/typescript.js', join('scripts', name), ...words];
  const env = { ...process.env, RUNNER_DEBUG: '' };
  const child = spawn(process.execPath, node, { cwd: REPOSITORY, env });
  const output = { stdout: '', stderr: '' };
  child.stdout.setEncoding('utf8').on('data', (text: string) => (output.stdout += text));
  child.stderr.setEncoding('utf8').on('data', (text: string) => (output.stderr += text));
  return new Promise((resolve, reject) => {
    child.on('error', reject);
    child.on('close', (exitCode) => resolve({ ...output, exitCode }));
  });
}

describe('npm run demo', () => {
  test('shows an installation, and forgeries that are refused', async () => {
    const { exitCode, stdout, stderr } = await runScript('demo.ts');
    expect(stderr).toBe('');
    expect(stdout).toContain('Verified OK');
    expect(stdout).toContain('Requests to all servers: 0');
    expect(stdout).toContain('ERROR setup-verified-kubectl: SIGNATURE_MISMATCH');
    expect(stdout).toContain('ERROR setup-verified-kubectl: RELEASE_MISMATCH');
    expect(stdout).toContain('=== All as expected ===');
    expect(exitCode).toBe(0);
  }, 120_000);
});

describe('npm run action', () => {
  let world: World;
  let words: string[];

  beforeAll(async () => {
    world = await World.start();
    const platforms = [`${HOST_OS[process.platform] ?? ''}/amd64`];
    world.release.publish({ version: 'v1.31.9', platforms, tools: ['kubectl', 'kubectl-convert'] });
    const inputs = { ...world.inputs(), architecture: 'amd64' };
    words = Object.entries(inputs).map(([name, value]) => `${name}=${value}`);
  });

  afterAll(async () => {
    await world.stop();
  });

  beforeEach(() => {
    world.reset();
  });

  test('installs into a folder that is deleted at the end', async () => {
    const asked = ['version=1.31', 'tools=kubectl,kubectl-convert'];
    const { exitCode, stdout } = await runScript('action.ts', [...asked, ...words]);
    expect(stdout.match(/^Verified OK$/gm)).toHaveLength(2);
    expect(stdout).toMatch(/^ {2}version +v1\.31\.9$/m);
    expect(stdout).toMatch(/^ {2}Tool +kubectl v1\.31\.9 for /m);
    expect(stdout).toMatch(/^ {2}Tool +kubectl-convert v1\.31\.9 for /m);
    const [, folder = ''] = /Deleted (\S+)\./.exec(stdout) ?? [];
    expect(folder).not.toBe('');
    expect(existsSync(folder)).toBe(false);
    expect(exitCode).toBe(0);
  });

  test('ends as the action ends', async () => {
    world.host.put('release/stable-1.31.txt', '<html>');
    const { exitCode, stdout } = await runScript('action.ts', ['version=1.31', ...words]);
    world.release.point('stable-1.31', 'v1.31.9');
    expect(stdout).toContain('ERROR setup-verified-kubectl: VERSION_NOT_FOUND');
    expect(exitCode).toBe(1);
  });

  test.each(['verison=1.31', '1.31', '=1.31'])('refuses the argument %s', async (word) => {
    const { exitCode, stdout, stderr } = await runScript('action.ts', [word, ...words]);
    expect(stderr).toContain(JSON.stringify(word));
    expect(stderr).toContain('Inputs: version, version-file, cluster-version, lock-file, tools');
    expect(stdout).toBe('');
    expect(exitCode).toBe(2);
    expect(world.host.server.requests).toEqual([]);
  });
});

const HOST_OS: Readonly<Partial<Record<NodeJS.Platform, string>>> = {
  linux: 'linux',
  darwin: 'darwin',
  win32: 'windows',
};
