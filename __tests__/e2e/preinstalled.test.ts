import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals';
import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createHash } from 'node:crypto';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { World, type ActionResult, type PublishedFile } from '../support/index.js';
import { MISSING, testUnless } from '../support/skip.js';
import {
  NATIVE,
  STRANGER,
  expectInstalled,
  expectRefused,
  freshVersions,
  reportOf,
  runIn,
  serveAs,
} from './expectations.js';

const OLD = 'v1.26.0';
const SUFFIX = process.platform === 'win32' ? '.exe' : '';
/** How other actions name this machine's architecture in the tool cache. */
const CACHE_ARCH = process.arch;
const fresh = freshVersions('1.37');

let world: World;
let folder: string;

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'preinstalled-'));
  world = await World.start({ publish: [{ version: OLD, platforms: [NATIVE] }] });
});
afterEach(() => world.reset());
afterAll(async () => {
  await world.stop();
  rmSync(folder, { recursive: true, force: true });
});

interface Publication {
  readonly version: string;
  readonly kubectl: PublishedFile;
}

function publish(signing = {}): Publication {
  const version = fresh();
  world.release.publish({ version, platforms: [NATIVE], signing });
  return { version, kubectl: world.release.artifact(version, NATIVE, 'kubectl') };
}

/** A machine with a kubectl on it: in the tool cache of another action, or on PATH. */
interface Machine {
  readonly toolCache: string;
  readonly path: string;
  /** Where kubectl is. */
  readonly copy: string;
}

function machineWith(bytes: Buffer, version: string, place: 'tool cache' | 'PATH'): Machine {
  const root = mkdtempSync(join(folder, 'machine-'));
  const toolCache = join(root, 'tool-cache');
  const path = join(root, 'usr-local-bin');
  const inCache = join(toolCache, 'kubectl', version.slice(1), CACHE_ARCH);
  const parent = place === 'PATH' ? path : inCache;
  for (const needed of [toolCache, path, parent]) {
    mkdirSync(needed, { recursive: true });
  }
  // As @actions/tool-cache writes it; its find() wants the marker.
  if (place === 'tool cache') writeFileSync(`${inCache}.complete`, '');
  const copy = join(parent, `kubectl${SUFFIX}`);
  writeFileSync(copy, bytes, { mode: 0o755 });
  // As cacheFile() of @actions/tool-cache leaves it: tool-cache.ts, _completeToolPath.
  if (place === 'tool cache') writeFileSync(`${inCache}.complete`, '');
  return { toolCache, path, copy };
}

const install = (
  machine: Machine,
  version: string,
  inputs: Record<string, string> = {},
): Promise<ActionResult> =>
  runIn(
    world,
    { version, ...inputs },
    {
      toolCache: machine.toolCache,
      env: { PATH: [join(folder, 'no-such-folder'), machine.path].join(delimiter) },
    },
  );

const downloads = ({ path }: PublishedFile): number =>
  world.host.server.requestsFor(`/${path}`).length;

/** Leaves a trace when it is executed, which must never happen. */
const trap = (trace: string): Buffer => Buffer.from(`#!/bin/sh\ntouch '${trace}'\n`);

describe.each(['tool cache', 'PATH'] as const)('a kubectl in the %s', (place) => {
  test('that is genuine is adopted without a download', async () => {
    const { version, kubectl } = publish();
    const machine = machineWith(kubectl.bytes, version, place);
    const run = await install(machine, version);
    expectInstalled(run);
    expect(downloads(kubectl)).toBe(0);
    for (const suffix of ['.sig', '.cert']) {
      expect(world.host.server.requestsFor(`/${kubectl.path}${suffix}`)).toHaveLength(1);
      expect(world.host.server.requestsFor(`.spdx${suffix}`)).toHaveLength(1);
    }
    expect(reportOf(run)).toMatchObject({
      source: 'preinstalled',
      sha256: kubectl.sha256,
      'log-entry-uuid': kubectl.entry.uuid.slice(-64),
      'release-proof': 'proven by its signed SBOM',
    });
    expect(run.outputs['cache-hit']).toBe('false');
    const path = run.outputs['kubectl-path'] ?? '';
    expect(path).toContain('verified-kubectl');
    expect(readFileSync(path).equals(kubectl.bytes)).toBe(true);
    expect(readFileSync(machine.copy).equals(kubectl.bytes)).toBe(true);

    // From now on the original does not matter.
    writeFileSync(machine.copy, trap(join(folder, 'never')));
    world.reset();
    const again = await install(machine, version);
    expectInstalled(again);
    expect(again.outputs['cache-hit']).toBe('true');
    expect(world.host.server.requests).toEqual([]);
    expect(readFileSync(path).equals(kubectl.bytes)).toBe(true);
  });

  test('that was tampered with is ignored, and not executed', async () => {
    const { version, kubectl } = publish();
    const trace = join(mkdtempSync(join(folder, 'trace-')), 'trace');
    const machine = machineWith(trap(trace), version, place);
    const run = await install(machine, version);
    expectInstalled(run);
    expect(downloads(kubectl)).toBe(1);
    expect(reportOf(run)).toMatchObject({ source: 'download', sha256: kubectl.sha256 });
    expect(existsSync(trace)).toBe(false);
  });

  test('with one bit changed is ignored', async () => {
    const { version, kubectl } = publish();
    const bytes = Buffer.from(kubectl.bytes);
    bytes.writeUInt8(bytes.readUInt8(bytes.length - 2) ^ 0x01, bytes.length - 2);
    const run = await install(machineWith(bytes, version, place), version);
    expectInstalled(run);
    expect(reportOf(run)).toMatchObject({ source: 'download', sha256: kubectl.sha256 });
  });

  test('of another version is ignored', async () => {
    const { version, kubectl } = publish();
    const old = world.release.artifact(OLD, NATIVE, 'kubectl');
    const run = await install(machineWith(old.bytes, version, place), version);
    expectInstalled(run);
    expect(downloads(kubectl)).toBe(1);
    expect(reportOf(run)).toMatchObject({ source: 'download', sha256: kubectl.sha256 });
  });

  test('is not adopted on the word of an unsigned digest, nor executed', async () => {
    const { version, kubectl } = publish();
    const trace = join(mkdtempSync(join(folder, 'trace-')), 'trace');
    const bytes = trap(trace);
    const digest = createHash('sha256').update(bytes).digest('hex');
    world.host.put(`${kubectl.path}.sha256`, digest);
    const run = await install(machineWith(bytes, version, place), version);
    expectInstalled(run);
    expect(run.stdout).toMatch(/was skipped: .*the signature does not verify/);
    expect(reportOf(run)).toMatchObject({ source: 'download', sha256: kubectl.sha256 });
    expect(existsSync(trace)).toBe(false);
  });

  test('of an older release is not adopted under a newer name', async () => {
    const { version, kubectl } = publish();
    const old = world.release.artifact(OLD, NATIVE, 'kubectl');
    serveAs(world, old, kubectl.path);
    const run = await install(machineWith(old.bytes, version, place), version);
    expectRefused(run, 'RELEASE_MISMATCH');
  });

  test('that somebody else signed is refused', async () => {
    const { version, kubectl } = publish(STRANGER);
    const run = await install(machineWith(kubectl.bytes, version, place), version);
    expectRefused(run, 'IDENTITY_MISMATCH');
  });
});

test('bytes that were published under another name of the architecture are found too', async () => {
  const { version, kubectl } = publish();
  const machine = machineWith(kubectl.bytes, version, 'PATH');
  rmSync(machine.copy);
  const arch = NATIVE.split('/')[1] ?? '';
  const parent = join(machine.toolCache, 'kubectl', version.slice(1), arch);
  mkdirSync(parent, { recursive: true });
  writeFileSync(`${parent}.complete`, '');
  writeFileSync(join(parent, `kubectl${SUFFIX}`), kubectl.bytes);
  writeFileSync(`${parent}.complete`, '');
  const run = await install(machine, version);
  expectInstalled(run);
  expect(reportOf(run)['source']).toBe('preinstalled');
});

test('without a published digest nothing on the machine is looked at', async () => {
  const { version, kubectl } = publish();
  world.host.remove(`${kubectl.path}.sha256`);
  const run = await install(machineWith(kubectl.bytes, version, 'PATH'), version);
  expectInstalled(run);
  expect(reportOf(run)['source']).toBe('download');
});

test('a folder of that name is ignored', async () => {
  const { version, kubectl } = publish();
  const machine = machineWith(kubectl.bytes, version, 'PATH');
  rmSync(machine.copy);
  mkdirSync(machine.copy);
  const run = await install(machine, version);
  expectInstalled(run);
  expect(reportOf(run)['source']).toBe('download');
});

testUnless(MISSING.namedPipes)('a named pipe of that name is ignored', async () => {
  const { version, kubectl } = publish();
  const machine = machineWith(kubectl.bytes, version, 'PATH');
  rmSync(machine.copy);
  execFileSync('mkfifo', [machine.copy]);
  const run = await install(machine, version);
  expectInstalled(run);
  expect(reportOf(run)['source']).toBe('download');
});
