// The README's recipe for an air gap: what one run left in its tool cache serves another one that reaches nothing.
import { cpSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { executable, runAction, World, type ActionResult } from '../support/index.js';

const VERSION = 'v1.31.9';
const OS = { darwin: 'darwin', win32: 'windows' }[process.platform as string] ?? 'linux';
const PLATFORM = `${OS}/amd64`;
const KUBECTL = OS === 'windows' ? 'kubectl.exe' : 'kubectl';

let folder: string;
let mirror: string;
let inputs: Record<string, string>;

/** Every server is gone before the first test begins. */
beforeAll(async () => {
  const world = await World.start({ publish: [{ version: VERSION, platforms: [PLATFORM] }] });
  folder = mkdtempSync(join(tmpdir(), 'air-gap-'));
  mirror = join(folder, 'mirror', 'release', VERSION);
  const trustedRoot = join(folder, 'trusted_root.json');
  const asked = { version: VERSION, architecture: 'amd64' };
  const online = await runAction({ inputs: { ...world.inputs(), ...asked } });
  cpSync(dirname(online.outputs['bundle-path'] ?? ''), join(folder, 'evidence'), {
    recursive: true,
  });
  writeFileSync(trustedRoot, JSON.stringify(world.trustedRoot()));
  inputs = {
    ...asked,
    'rekor-url': world.logServer.url,
    'download-base-url': pathToFileURL(join(folder, 'mirror')).href,
    'trusted-root': trustedRoot,
  };
  online.cleanup();
  await world.stop();
});

afterAll(() => {
  rmSync(folder, { recursive: true, force: true });
});

beforeEach(() => {
  rmSync(mirror, { recursive: true, force: true });
  const bin = join(mirror, 'bin', ...PLATFORM.split('/'));
  mkdirSync(bin, { recursive: true });
  const copy = (name: string, to: string): void => {
    cpSync(join(folder, 'evidence', name), join(to, name));
  };
  copy(KUBECTL, bin);
  copy(`${KUBECTL}.sigstore.json`, bin);
  copy('kubernetes-release.spdx', mirror);
  copy('kubernetes-release.spdx.sigstore.json', mirror);
});

async function offline(): Promise<ActionResult> {
  const run = await runAction({ inputs });
  run.cleanup();
  return run;
}

describe('a directory with binaries, bundles and SBOM', () => {
  test('serves without any network', async () => {
    const run = await offline();
    expect(run.exitCode).toBe(0);
    expect(run.outputs).toMatchObject({ version: VERSION, 'cache-hit': 'false' });
    expect(run.paths).toHaveLength(1);
  });

  test('is trusted no more than a host: another binary is refused', async () => {
    const other = executable({ tool: 'kubectl', version: 'v1.31.8', platform: PLATFORM });
    writeFileSync(join(mirror, 'bin', ...PLATFORM.split('/'), KUBECTL), other);
    const run = await runAction({ inputs });
    expect(run.annotations[0]?.title).toBe('setup-verified-kubectl: SIGNATURE_MISMATCH');
    expect(run.paths).toEqual([]);
    expect([...run.toolCacheFiles(), ...run.tempFiles()]).toEqual([]);
    run.cleanup();
  });
});
