import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import type { ErrorCode } from '../../src/errors.js';
import {
  DAY,
  NATIVE_PLATFORM,
  World,
  lockOf,
  lockText,
  putSignedImage,
  releaseFilePath,
  tally,
  type ActionResult,
  type LockJson,
  type RunOptions,
} from '../support/index.js';
import { mutationsOf, type Json } from '../unit/lock/mutations.js';
import { textOf } from '../unit/repository.js';
import {
  FOREIGN,
  FOREIGN_ARCH,
  STRANGER,
  expectArtifacts,
  expectInstalled,
  expectRefused,
  fileNameOf,
  requestsTo,
  runIn,
  serveAs,
} from './expectations.js';

const VERSION = 'v1.31.9';
const OLDER = 'v1.31.8';
const PRERELEASE = 'v1.32.0-rc.1';
const TOOLS = ['kubectl', 'kubectl-convert'];
const SBOM = 'kubernetes-release.spdx';
const SOURCE = 'kubernetes-src.tar.gz';
const MANIFESTS = 'kubernetes-manifests.tar.gz';
const KUBECTL = `bin/${NATIVE_PLATFORM}/${fileNameOf('kubectl')}`;

let world: World;
/** The inputs of a run that asks nobody for the trust root. */
let inputs: Record<string, string>;
let genuine: LockJson;

beforeAll(async () => {
  world = await World.start();
});

beforeEach(() => {
  world.reset();
  for (const version of [OLDER, VERSION, PRERELEASE]) {
    const artifacts = [SOURCE, MANIFESTS];
    world.release.publish({
      version,
      tools: TOOLS,
      platforms: [NATIVE_PLATFORM, FOREIGN],
      artifacts,
    });
  }
  const { 'tuf-root': root, 'tuf-mirror-url': mirror, ...others } = world.inputs();
  expect([root, mirror]).not.toContain(undefined);
  inputs = { ...others, 'trusted-root': world.writeTrustedRoot(), 'lock-file': 'lock.json' };
  genuine = lockOf(world, VERSION, { tools: TOOLS });
});

afterAll(() => world.stop());

/** A run with a lock in its workspace; the TUF inputs are unset, as `trusted-root` takes their place. */
const run = (
  lock: LockJson | string = genuine,
  more: Readonly<Record<string, string>> = {},
  options: Omit<RunOptions, 'inputs'> = {},
): Promise<ActionResult> =>
  runIn(
    world,
    { 'tuf-root': '', 'tuf-mirror-url': '', ...inputs, ...more },
    {
      workspace: { 'lock.json': typeof lock === 'string' ? lock : lockText(lock) },
      ...options,
    },
  );

/** Requests by host, in short. */
const counted = (): Record<string, number> =>
  Object.fromEntries(
    Object.entries(world.servers).map(([name, { requests }]) => [name, requests.length]),
  );

const kubectlOf = (version = VERSION): ReturnType<World['release']['artifact']> =>
  world.release.artifact(version, NATIVE_PLATFORM, 'kubectl');

describe('a run with a lock', () => {
  test('asks the release host for the binary and the SBOM, and nobody for anything else', async () => {
    const result = await run();
    expectInstalled(result, { version: VERSION });
    expect(requestsTo(world).sort()).toEqual([
      `GET /release/${VERSION}/${KUBECTL}`,
      `GET /release/${VERSION}/${SBOM}`,
    ]);
    const { entry, sha256 } = kubectlOf();
    expect(result.outputs).toMatchObject({
      sha256,
      'log-entry-uuid': entry.uuid.slice(-64),
      'log-index': String(entry.logIndex),
      'integrated-time': entry.integratedTime.toISOString(),
    });
    expect(result.stdout).toContain('Release: proven by its signed SBOM');
  });

  test('and nobody at all the second time', async () => {
    const first = await run();
    world.reset();
    const second = await run(genuine, {}, { toolCache: first.dirs.toolCache });
    expectInstalled(second, { version: VERSION });
    expect(second.outputs['cache-hit']).toBe('true');
    expect(requestsTo(world)).toEqual([]);
  });

  test('takes a copy that a run without lock left, and leaves one for it', async () => {
    const first = await run(genuine, { 'lock-file': '', version: VERSION });
    expectInstalled(first, { version: VERSION });
    world.reset();
    const { toolCache } = first.dirs;
    expectInstalled(await run(genuine, {}, { toolCache }), { version: VERSION });
    expectInstalled(await run(genuine, { 'lock-file': '', version: VERSION }, { toolCache }), {
      version: VERSION,
    });
    expect(requestsTo(world)).toEqual([]);
  });

  // Counted, so that nobody has to believe it.
  test.each([
    ['cold, without a lock', false, 'cold', { host: 7, log: 2, registry: 0, tuf: 0 }],
    ['cold, with a lock', true, 'cold', { host: 2, log: 0, registry: 0, tuf: 0 }],
    ['warm, without a lock', false, 'warm', { host: 0, log: 0, registry: 0, tuf: 0 }],
    ['warm, with a lock', true, 'warm', { host: 0, log: 0, registry: 0, tuf: 0 }],
  ] as const)('requests by host, %s', async (_what, isLocked, state, expected) => {
    const more = isLocked ? {} : { 'lock-file': '', version: VERSION };
    const first = await run(genuine, more);
    if (state === 'warm') {
      world.reset();
      expectInstalled(await run(genuine, more, { toolCache: first.dirs.toolCache }));
    }
    expect(counted()).toEqual(expected);
  });

  test('installs several tools', async () => {
    expectInstalled(await run(genuine, { tools: TOOLS.join() }), {
      version: VERSION,
      tools: TOOLS,
    });
    expect(requestsTo(world)).toHaveLength(3);
  });

  test('installs for the other platform of the lock', async () => {
    const lock = lockOf(world, VERSION, { platforms: [NATIVE_PLATFORM, FOREIGN] });
    expectInstalled(await run(lock, { architecture: FOREIGN_ARCH }), { version: VERSION });
  });

  test('takes a copy from elsewhere on the machine, without asking for its digest', async () => {
    const place = join(world.writeFile('unused', ''), '..', 'bin');
    mkdirSync(place, { recursive: true });
    writeFileSync(join(place, fileNameOf('kubectl')), kubectlOf().bytes);
    const result = await run(genuine, {}, { env: { PATH: place } });
    expectInstalled(result, { version: VERSION });
    expect(requestsTo(world)).toEqual([`GET /release/${VERSION}/${SBOM}`]);
  });

  test('needs neither .sig nor .cert nor log', async () => {
    for (const file of [kubectlOf(), world.release.sbom(VERSION)]) file.removeMaterial();
    world.log.index.clear();
    await Promise.all([world.logServer.stop(), world.tufServer.stop()]);
    try {
      expectInstalled(await run(), { version: VERSION });
    } finally {
      await Promise.all([world.logServer.start(), world.tufServer.start()]);
    }
  });

  test('accepts a lock that a formatter has touched', async () => {
    const text = JSON.stringify(genuine, undefined, 4).replaceAll('\n', '\r\n');
    expectInstalled(await run(text), { version: VERSION });
  });

  test('skips the SBOM with bind-release: false, as without a lock', async () => {
    const result = await run(genuine, { 'bind-release': 'false' });
    expectInstalled(result, { version: VERSION });
    expect(result.stdout).toContain('Release: not proven (bind-release: false)');
    expect(requestsTo(world)).toEqual([`GET /release/${VERSION}/${KUBECTL}`]);
  });
});

describe('tarballs of a lock', () => {
  const files = { tools: 'none', artifacts: SOURCE };
  const tarballs = (artifacts = [SOURCE, MANIFESTS]): LockJson =>
    lockOf(world, VERSION, { tools: [], artifacts });

  test('are installed: two requests cold, none warm', async () => {
    const first = await run(tarballs(), files);
    expectArtifacts(first, { version: VERSION, artifacts: { [SOURCE]: SOURCE } });
    expect(counted()).toEqual({ host: 2, log: 0, registry: 0, tuf: 0 });
    world.reset();
    const { toolCache } = first.dirs;
    const second = await run(tarballs(), files, { toolCache });
    expectArtifacts(second, { version: VERSION, artifacts: { [SOURCE]: SOURCE } });
    expect(second.outputs['cache-hit']).toBe('true');
    expect(requestsTo(world)).toEqual([]);
  });

  test('are installed beside tools', async () => {
    const lock = lockOf(world, VERSION, { artifacts: [SOURCE] });
    expectInstalled(await run(lock, { artifacts: SOURCE }), {
      version: VERSION,
      artifacts: { [SOURCE]: SOURCE },
    });
    expect(counted()).toEqual({ host: 3, log: 0, registry: 0, tuf: 0 });
  });

  test('the SBOM itself can be asked for: every lock has it', async () => {
    const result = await run(tarballs([]), { tools: 'none', artifacts: SBOM });
    expectArtifacts(result, { version: VERSION, artifacts: { [SBOM]: SBOM } });
    expect(counted()).toEqual({ host: 1, log: 0, registry: 0, tuf: 0 });
    world.release.putSbom(VERSION, { appended: '\n# another run\n' });
    world.reset();
    const lock = { ...genuine, files: { ...genuine.files } };
    expectRefused(await run(lock, { tools: 'none', artifacts: SBOM }), 'LOCK_MISMATCH');
  });

  test("another release's SBOM under this version: RELEASE_MISMATCH, cold and warm", async () => {
    const lock = { ...lockOf(world, OLDER, { tools: [] }), version: VERSION };
    const sbom = { tools: 'none', artifacts: SBOM };
    serveAs(world, world.release.sbom(OLDER), `release/${VERSION}/${SBOM}`);
    const says = [`/${OLDER}/release`];
    expectRefused(await run(lock, sbom), 'RELEASE_MISMATCH', { says });
    const unbound = await run(lock, { ...sbom, 'bind-release': 'false' });
    expectArtifacts(unbound, {
      artifacts: { [SBOM]: SBOM },
      bytes: { [SBOM]: world.release.sbom(OLDER).bytes },
    });
    const { toolCache } = unbound.dirs;
    expectRefused(await run(lock, sbom, { toolCache }), 'RELEASE_MISMATCH', { says });
    tally('attacks refused or without effect');
  });

  test('one that is not locked: LOCK_MISMATCH, before any request', async () => {
    const says = [`"lock.json" does not have ${SOURCE} of ${VERSION}`, '"artifacts"'];
    expectRefused(await run(tarballs([MANIFESTS]), files), 'LOCK_MISMATCH', { says });
    expect(requestsTo(world)).toEqual([]);
  });

  test('other bytes, signed by Kubernetes for this release: LOCK_MISMATCH', async () => {
    const lock = tarballs();
    const file = world.release.file(VERSION, SOURCE);
    file.replace(Buffer.from('another build'));
    file.sign();
    world.release.putSbom(VERSION);
    expectArtifacts(await run(lock, { ...files, 'lock-file': '', version: VERSION }), {
      artifacts: { [SOURCE]: SOURCE },
    });
    expectRefused(await run(lock, files), 'LOCK_MISMATCH', { says: [`${SOURCE} has SHA-256`] });
  });

  test("another tarball's entry under this name: LOCK_MISMATCH, or RELEASE_MISMATCH with its bytes", async () => {
    const lock = tarballs();
    const { [MANIFESTS]: other } = lock.files;
    lock.files[SOURCE] = other ?? never();
    expectRefused(await run(lock, files), 'LOCK_MISMATCH');
    serveAs(world, world.release.file(VERSION, MANIFESTS), releaseFilePath(VERSION, SOURCE));
    expectRefused(await run(lock, files), 'RELEASE_MISMATCH');
    tally('attacks refused or without effect');
  });

  test('signed by somebody else: IDENTITY_MISMATCH', async () => {
    world.release.file(VERSION, SOURCE).sign(STRANGER);
    expectRefused(await run(tarballs(), files), 'IDENTITY_MISMATCH');
  });
});

describe('the version', () => {
  test.each([
    '',
    '1.31.9',
    'v1.31.9',
    '1.31',
    '1.31.x',
    '>=1.30 <1.32',
    'stable',
    'latest',
    'stable-1.31',
    'prerelease',
  ])('%j is satisfied by the lock, without a pointer', async (version) => {
    world.release.point('stable', 'v1.31.99');
    expectInstalled(await run(genuine, { version }), { version: VERSION });
    expect(counted()).toEqual({ host: 2, log: 0, registry: 0, tuf: 0 });
  });

  test.each(['1.31.8', '1.30', '>=1.32', 'stable-1.32', 'prerelease-1.32'])(
    '%j is not: LOCK_MISMATCH, before any request',
    async (version) => {
      const says = [
        `"lock.json" has ${VERSION}, but the requested version is ${version}`,
        'Run the command "lock"',
      ];
      expectRefused(await run(genuine, { version }), 'LOCK_MISMATCH', { says });
      expect(requestsTo(world)).toEqual([]);
    },
  );

  test('stable is not satisfied by a pre-release', async () => {
    const lock = lockOf(world, PRERELEASE);
    expectInstalled(await run(lock), { version: PRERELEASE });
    expectRefused(await run(lock, { version: 'stable' }), 'LOCK_MISMATCH');
  });

  test.each([
    ['1.31.9', undefined],
    ['1.31.8', 'LOCK_MISMATCH'],
  ] as const)('version-file with %s', async (text, code) => {
    const workspace = { 'lock.json': lockText(genuine), '.kubectl-version': text };
    const result = await run(genuine, { 'version-file': '.kubectl-version' }, { workspace });
    if (code === undefined) expectInstalled(result, { version: VERSION });
    else expectRefused(result, code);
  });

  test.each([
    ['1.31', undefined],
    ['1.32', undefined],
    ['1.33', 'VERSION_SKEW'],
  ] as const)('cluster-version %s: the version-skew policy decides', async (cluster, code) => {
    const result = await run(genuine, { 'cluster-version': cluster });
    if (code === undefined) expectInstalled(result, { version: VERSION });
    else expectRefused(result, code);
  });

  test('check-latest contradicts a lock', async () => {
    expectRefused(await run(genuine, { 'check-latest': 'true' }), 'INVALID_INPUT');
  });
});

describe('LOCK_MISMATCH', () => {
  test.each([
    ['a tool that is not locked', { tools: 'kubectl,kubeadm' }],
    ['a platform that is not locked', { architecture: FOREIGN_ARCH }],
  ])('%s, before any request', async (_what, more) => {
    const lock = lockOf(world, VERSION);
    const says = [`"lock.json" does not have bin/`, `it has ${VERSION} with ${KUBECTL}`];
    const isLinux = NATIVE_PLATFORM.startsWith('linux/');
    if ('tools' in more && !isLinux) return; // kubeadm is not published for macOS.
    // With a trust root through TUF, which would be fetched in the background.
    const result = await run(lock, { ...world.inputs(), 'trusted-root': '', ...more });
    expectRefused(result, 'LOCK_MISMATCH', { says });
    expect(requestsTo(world)).toEqual([]);
  });

  test('other bytes, signed by Kubernetes for this release', async () => {
    kubectlOf().replace(Buffer.from('#!/bin/sh\n# another build\n'));
    kubectlOf().sign();
    world.release.putSbom(VERSION);
    expectInstalled(await run(genuine, { 'lock-file': '', version: VERSION }), {
      version: VERSION,
    });
    expectRefused(await run(), 'LOCK_MISMATCH');
  });

  test('other bytes in the tool cache: they are left alone, and the locked ones are fetched', async () => {
    const { bytes } = kubectlOf();
    kubectlOf().replace(Buffer.from('#!/bin/sh\n# another build\n'));
    kubectlOf().sign();
    world.release.putSbom(VERSION);
    const first = await run(genuine, { 'lock-file': '', version: VERSION });
    expectInstalled(first, { version: VERSION });
    const files = first.toolCacheFiles();
    kubectlOf().replace(bytes);
    kubectlOf().sign();
    world.release.putSbom(VERSION);
    const lock = lockOf(world, VERSION);
    const second = await run(lock, {}, { toolCache: first.dirs.toolCache });
    expectInstalled(second, { version: VERSION, bytes: { kubectl: bytes } });
    expect(second.toolCacheFiles()).toEqual(expect.arrayContaining(files));
  });

  test('another SBOM, signed by Kubernetes for this release', async () => {
    world.release.putSbom(VERSION, { appended: '\n# another run\n' });
    expectInstalled(await run(genuine, { 'lock-file': '', version: VERSION }), {
      version: VERSION,
    });
    expectRefused(await run(), 'LOCK_MISMATCH', { says: [`${SBOM} has SHA-256`] });
  });

  test('another SBOM beside a cached copy: the locked one is fetched', async () => {
    world.release.putSbom(VERSION, { appended: '\n# another run\n' });
    const first = await run(genuine, { 'lock-file': '', version: VERSION });
    expectInstalled(first, { version: VERSION });
    const { toolCache } = first.dirs;
    // The host still has the other one.
    expectRefused(await run(genuine, {}, { toolCache }), 'LOCK_MISMATCH');
    world.release.putSbom(VERSION);
    world.reset();
    genuine = {
      ...genuine,
      files: { ...genuine.files, [SBOM]: lockOf(world, VERSION).files[SBOM] ?? never() },
    };
    expectInstalled(await run(genuine, {}, { toolCache }), { version: VERSION });
    expect(requestsTo(world)).toEqual([`GET /release/${VERSION}/${SBOM}`]);
  });

  test('no SBOM at the host: nothing else proves the release', async () => {
    world.host.remove(`release/${VERSION}/${SBOM}`);
    expectRefused(await run(), 'RELEASE_MISMATCH', { says: ['has no SBOM at'] });
  });

  test("another version's files under this version's name", async () => {
    const lock = { ...lockOf(world, OLDER), version: VERSION };
    kubectlOf().replace(kubectlOf(OLDER).bytes);
    const sbom = world.release.sbom(VERSION);
    expectRefused(await run(lock), 'LOCK_MISMATCH', { says: [`${SBOM} has SHA-256`] });
    // Even when the host has the SBOM that fits the files.
    sbom.replace(world.release.sbom(OLDER).bytes);
    expectRefused(await run(lock), 'RELEASE_MISMATCH');
  });

  test('another log entry beside a cached copy: the copy is replaced', async () => {
    const first = await run();
    expectInstalled(first, { version: VERSION });
    kubectlOf().sign();
    const lock = lockOf(world, VERSION);
    const second = await run(lock, {}, { toolCache: first.dirs.toolCache });
    expectInstalled(second, { version: VERSION, warnings: ['Cached copy refused'] });
    expect(second.outputs['log-entry-uuid']).toBe(kubectlOf().entry.uuid.slice(-64));
    const third = await run(lock, {}, { toolCache: first.dirs.toolCache });
    expectInstalled(third, { version: VERSION });
    expect(third.outputs['cache-hit']).toBe('true');
  });
});

const never = (): never => {
  throw new Error('not locked');
};

describe('what the run decides, and not the lock', () => {
  test('who must have signed', async () => {
    kubectlOf().sign(STRANGER);
    expectRefused(await run(lockOf(world, VERSION)), 'IDENTITY_MISMATCH');
  });

  test("who must have signed, also with the SBOM's", async () => {
    world.release.sbom(VERSION).sign(STRANGER);
    expectRefused(await run(lockOf(world, VERSION)), 'IDENTITY_MISMATCH');
  });

  test.each([
    ['minimum-release-age', '60d', 'RELEASE_TOO_NEW'],
    ['maximum-release-age', '10d', 'RELEASE_TOO_OLD'],
    ['checksum', 'ab'.repeat(32), 'CHECKSUM_MISMATCH'],
    ['certificate-identity', 'somebody@example.com', 'IDENTITY_MISMATCH'],
    ['certificate-oidc-issuer', 'https://example.com', 'IDENTITY_MISMATCH'],
  ] as const)('%s %s: %s', async (name, value, code) => {
    const first = await run();
    expectRefused(await run(genuine, { [name]: value }), code);
    // For a cached copy as well.
    const { toolCache } = first.dirs;
    const warm = await run(genuine, { [name]: value }, { toolCache });
    expectRefused(warm, code);
  });

  test('whom to trust', async () => {
    const other = await World.start({ validFrom: new Date(Date.now() - 10 * DAY) });
    const root = world.writeFile('other.json', JSON.stringify(other.trustedRoot()));
    await other.stop();
    expectRefused(await run(genuine, { 'trusted-root': root }), 'CERTIFICATE_UNTRUSTED');
  });
});

describe('a lock file that cannot be read', () => {
  test.each<[string, string, ErrorCode]>([
    ['missing.json', 'is not there', 'LOCK_INVALID'],
    ['folder', 'is a folder', 'LOCK_INVALID'],
    ['empty', 'is empty', 'LOCK_INVALID'],
    ['other.json', 'is something else', 'LOCK_INVALID'],
    ['later.json', 'is of a later version', 'LOCK_INVALID'],
    ['../lock.json', 'is outside the workspace', 'INVALID_INPUT'],
  ])('%s, which %s: %s', async (name, _what, code) => {
    const workspace = {
      empty: '',
      'folder/file': '',
      'other.json': '{"password": "hunter2"}',
      'later.json': lockText({ ...genuine, lockVersion: 2 }),
    };
    const result = await run(genuine, { 'lock-file': name, version: VERSION }, { workspace });
    if (name === '../lock.json')
      writeFileSync(join(result.dirs.workspace, name), lockText(genuine));
    const again =
      name === '../lock.json'
        ? await run(genuine, { 'lock-file': name }, { workspace: result.dirs.workspace })
        : result;
    expectRefused(again, code);
    expect(again.stdout + again.summary).not.toContain('hunter2');
    expect(requestsTo(world)).toEqual([]);
  });
});

describe('a field of the lock that is wrong, through dist', () => {
  test('each is refused', async () => {
    const schema = JSON.parse(textOf('schema/lock.schema.json')) as object;
    const image = 'registry.k8s.io/etcd:3.5.15-0';
    putSignedImage(world, 'etcd', '3.5.15-0');
    const lock = lockOf(world, VERSION, {
      images: [image],
      bundleOf: (file) => {
        world.release.signAndLog(Buffer.from(file.path)); // Each checkpoint is of another tree.
        return file.bundle();
      },
    });
    const all = mutationsOf(schema, lock as unknown as Json);
    const seen = new Set<string>();
    // One of each kind for each field of the schema; unit/lock/fields.test.ts has all of them.
    const some = all.filter(({ kind, field }) => {
      const key = `${kind} ${field}`;
      return ['removed', 'changed', 'exchanged'].includes(kind) && !seen.has(key) && seen.add(key);
    });
    expect(some.length).toBeGreaterThan(120);
    const accepted: string[] = [];
    const toolCache = join(world.writeFile('unused', ''), '..', 'tool-cache');
    mkdirSync(toolCache, { recursive: true });
    for (const mutation of some) {
      const asked = { version: VERSION, images: image };
      const result = await run(mutation.text, asked, { toolCache });
      if (result.exitCode === 0) accepted.push(mutation.what);
      else tally('wrong fields of a lock refused');
    }
    expect(accepted).toEqual([]);
    expectInstalled(await run(lock, { images: image }, { toolCache }), { version: VERSION });
  }, 300_000);
});
