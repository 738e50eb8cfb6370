import {
  chmodSync,
  chownSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals';
import { Proxy, World } from '../support/index.js';
import {
  CAN_ASK,
  NATIVE,
  STRANGER,
  errorsOf,
  expectInstalled,
  expectRefused,
  runIn,
} from './outcome.js';

// What other jobs and other users of the same machine, or an earlier run, may have prepared.

const posix = process.platform === 'win32' ? test.skip : test; // Windows has no such modes.
const asRoot = process.getuid?.() === 0 ? test : test.skip; // Only root can give a folder away.
const askable = CAN_ASK && process.platform === 'linux' ? test : test.skip; // kubelet is for Linux.

let world: World;
let root: string;
let toolCache: string;
let patch = 0;
let version: string;

beforeAll(async () => {
  world = await World.start();
  root = mkdtempSync(join(tmpdir(), 'neighbours-'));
});
afterEach(() => {
  world.reset();
});
afterAll(async () => {
  await world.stop();
  rmSync(root, { recursive: true, force: true });
});

/** Publishes another version, and gives it a tool cache of its own. */
function stage(tools: readonly string[] = ['kubectl']): void {
  version = `v1.31.${String(patch++)}`;
  world.release.publish({ version, tools, platforms: [NATIVE] });
  toolCache = mkdtempSync(join(root, 'cache-'));
}

const slot = (tool = 'kubectl'): string => join(toolCache, world.slot(version, tool));
const run = (inputs: Record<string, string> = {}) =>
  runIn(world, { version, ...inputs }, { toolCache });

describe('a slot of the tool cache', () => {
  test('that is as it was left is used', async () => {
    stage();
    await run();
    const second = await run();
    expectInstalled(second);
    expect(second.outputs['cache-hit']).toBe('true');
  });

  posix('can be read by every user, and written to by its owner alone', async () => {
    stage();
    await run();
    for (const name of readdirSync(slot())) {
      const { mode } = statSync(join(slot(), name));
      expect([name, mode & 0o066]).toEqual([name, 0o044]);
    }
  });

  test('that holds one more program is not put on PATH', async () => {
    stage();
    await run();
    writeFileSync(join(slot(), 'git'), '#!/bin/sh\necho stranger\n', { mode: 0o755 });
    const second = await run();
    expectInstalled(second, 'Cached copy refused');
    expect(readdirSync(slot())).not.toContain('git');
    expect(second.outputs['cache-hit']).toBe('false');
  });

  posix.each(['verified-kubectl', 'verified-kubectl/VERSION'])(
    'below %s that everybody can write to is refused',
    async (folder) => {
      stage();
      await run();
      chmodSync(join(toolCache, folder.replace('VERSION', version.slice(1))), 0o777);
      expectRefused(await run(), 'INSTALL_FAILED');
    },
  );

  posix('below a link is refused, and nothing is removed where it leads', async () => {
    stage();
    const elsewhere = mkdtempSync(join(root, 'elsewhere-'));
    const precious = join(elsewhere, basename(slot()), 'precious.txt');
    mkdirSync(dirname(precious));
    writeFileSync(precious, 'precious');
    mkdirSync(join(toolCache, 'verified-kubectl'));
    symlinkSync(elsewhere, dirname(slot()));
    const refused = await run();
    expect(errorsOf(refused)[0]?.title).toBe('setup-verified-kubectl: INSTALL_FAILED');
    expect(refused.paths).toEqual([]);
    expect(existsSync(precious)).toBe(true);
  });

  asRoot('below a folder of another user is refused', async () => {
    stage();
    mkdirSync(dirname(slot()), { recursive: true });
    chownSync(dirname(slot()), 65534, 65534);
    expectRefused(await run(), 'INSTALL_FAILED');
  });

  asRoot('below a folder of the one whom the tool cache belongs to is used', async () => {
    stage();
    mkdirSync(dirname(slot()), { recursive: true });
    for (const folder of [toolCache, dirname(dirname(slot())), dirname(slot())]) {
      chownSync(folder, 65534, 65534);
    }
    expectInstalled(await run());
  });

  test('of a version that is none is passed over', async () => {
    stage();
    for (const name of ['1.31.01', '1.31.02', '1.31.x']) {
      mkdirSync(join(toolCache, world.slot(`v${name}`)), {
        recursive: true,
      });
    }
    expectInstalled(await run({ version: '1.31' }));
  });
});

describe('two runs of different trust in one tool cache', () => {
  /** Another Sigstore and another mirror, with another kubectl under the same version. */
  let other: World;
  beforeAll(async () => {
    other = await World.start();
  });
  afterAll(() => other.stop());

  /** Inputs of a run that takes everything from the other world, and nothing of this one counts. */
  const trusting: Record<string, () => Record<string, string>> = {
    'tuf-root': () => other.inputs(),
    'trusted-root': () => ({
      ...other.inputs(),
      'tuf-mirror-url': '',
      'tuf-root': '',
      'trusted-root': other.writeTrustedRoot(),
    }),
    'certificate-identity': () => ({ 'certificate-identity': 'stranger@example.com' }),
  };

  test.each(Object.keys(trusting))(
    'by %s: what one has put on PATH the other leaves alone',
    async (input) => {
      stage();
      const inputs = trusting[input]?.() ?? {};
      const first = await run();
      expectInstalled(first);
      const binary = first.outputs['kubectl-path'] ?? '';
      const genuine = readFileSync(binary);
      const isOfThisWorld = input === 'certificate-identity';
      const { release } = isOfThisWorld ? world : other;
      const signing = isOfThisWorld ? STRANGER : {};
      release.publish({ version, platforms: [NATIVE], size: 9999, signing });
      const second = await run(inputs);
      expectInstalled(second);
      expect(statSync(second.outputs['kubectl-path'] ?? '').size).toBeGreaterThanOrEqual(9999);
      expect(second.outputs['cache-hit']).toBe('false');
      expect(readFileSync(binary).equals(genuine)).toBe(true);
      for (const again of [await run(), await run(inputs)]) {
        expectInstalled(again);
        expect(again.outputs['cache-hit']).toBe('true');
      }
    },
  );
});

describe('the folder for the trust root', () => {
  posix('that leads elsewhere is not written to', async () => {
    stage();
    await run();
    const kept = join(toolCache, 'verified-trust-root');
    const [key = ''] = readdirSync(kept);
    const elsewhere = mkdtempSync(join(root, 'elsewhere-'));
    writeFileSync(join(elsewhere, 'precious.txt'), 'precious');
    rmSync(join(kept, key), { recursive: true });
    symlinkSync(elsewhere, join(kept, key));
    expectInstalled(await run());
    expect(readdirSync(elsewhere)).toEqual(['precious.txt']);
  });

  test('keeps what is not ours', async () => {
    stage();
    await run();
    const kept = join(toolCache, 'verified-trust-root');
    const [key = ''] = readdirSync(kept);
    writeFileSync(join(kept, key, 'notes.txt'), 'not ours');
    world.publishTrustedRoot();
    rmSync(join(kept, key, 'timestamp.json'));
    expectInstalled(await run());
    expect(existsSync(join(kept, key, 'notes.txt'))).toBe(true);
  });
});

describe('a release whose SBOM is hidden', () => {
  askable.each([
    ['the tool that was asked for', 'kubelet', 'kubelet', undefined],
    ['a tool that speaks of it', 'kubelet', 'kube-apiserver', 'RELEASE_MISMATCH'],
  ])('with %s', async (_, asked, served, code) => {
    stage(['kubelet', 'kube-apiserver']);
    const other = world.release.artifact(version, NATIVE, served);
    const text = other.bytes
      .toString('latin1')
      .replace('[flags]', '[flags]\n      --kubelet-timeout   Timeout for kubelet operations.');
    other.replace(Buffer.from(text, 'latin1'));
    other.sign();
    const target = world.release.artifact(version, NATIVE, asked);
    if (target !== other) {
      target.replace(other.bytes);
      target.putMaterial(other);
    }
    world.host.remove(`release/${version}/kubernetes-release.spdx`);
    const result = await run({ tools: asked });
    if (code === undefined) expectInstalled(result, 'Release proven without SBOM');
    else expectRefused(result, code);
  });

  askable('and a signed text in place of the tool: nothing runs', async () => {
    stage();
    const trace = join(root, `trace-${version}`);
    const target = world.release.artifact(version, NATIVE, 'kubectl');
    target.replace(Buffer.from(`SPDXVersion: SPDX-2.3\n$(touch ${trace})\n`));
    target.sign();
    expectRefused(await run(), 'RELEASE_MISMATCH');
    world.host.remove(`release/${version}/kubernetes-release.spdx`);
    expectRefused(await run(), 'RELEASE_MISMATCH');
    expect(existsSync(trace)).toBe(false);
  });
});

describe('a token', () => {
  test('for a mirror on this machine is not told to a proxy', async () => {
    stage();
    const proxy = await Proxy.start();
    try {
      const token = 'token-of-the-mirror';
      const env = { http_proxy: proxy.url };
      const result = await runIn(world, { version, 'download-token': token }, { toolCache, env });
      expectInstalled(result);
      expect(proxy.requests.length).toBeGreaterThan(0);
      expect(JSON.stringify(proxy.requests)).not.toContain(token);
      const [asked] = world.host.server.requestsFor('/kubectl');
      expect(asked?.headers.authorization).toBe(`Bearer ${token}`);
    } finally {
      await proxy.stop();
    }
  });
});

describe('a run that fails at the end', () => {
  test('leaves PATH alone when outputs cannot be written', async () => {
    stage();
    const env = { GITHUB_OUTPUT: join(root, 'no', 'such', 'file') };
    const result = await runIn(world, { version }, { toolCache, env });
    expect(result.exitCode).not.toBe(0);
    expect(result.paths).toEqual([]);
  });
});
