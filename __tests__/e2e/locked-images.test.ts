import { mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import Ajv from 'ajv';
import {
  Cosign,
  IMAGE_IDENTITY,
  NATIVE_PLATFORM,
  digestOf,
  filesBelow,
  findCosign,
  lockOf,
  lockText,
  putSignatures,
  runAction,
  runCommand,
  tally,
  type ActionResult,
  type CommandResult,
  type LockJson,
  type LockedImageJson,
} from '../support/index.js';
import { testUnless } from '../support/skip.js';
import { textOf } from '../unit/repository.js';
import {
  IMPATIENT,
  STRANGER,
  expectInstalled,
  expectRefused,
  requestedPaths,
  runIn,
} from './expectations.js';
import { FORGERIES } from './images/rows.js';
import {
  BY_LAYERS,
  CONTROL_PLANE,
  ETCD,
  OLDER,
  UNLISTED,
  UNPROVEN,
  VERSION,
  expectVerified,
  one,
  pinned,
  proofsOf,
  publishImage,
  published,
  serveAs,
  sign,
  signature,
  world,
} from './images/stage.js';

const FILE = 'kubernetes.lock.json';
const SBOM = 'kubernetes-release.spdx';
const isValid = new Ajv().compile(JSON.parse(textOf('schema/lock.schema.json')) as object);

const nameOf = (repository: string, version = VERSION): string =>
  `registry.k8s.io/${repository}:${version}`;
const ALL = [...CONTROL_PLANE.map((name) => nameOf(name)), ETCD];

const cosign = findCosign();

let folder: string;
const finished: { cleanup(): void }[] = [];

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'locked-images-'));
});

afterEach(() => {
  for (const run of finished.splice(0)) run.cleanup();
  rmSync(folder, { recursive: true });
});

/** The lock of whatever the registry has now, genuine or not. */
const lockNow = (images: readonly string[] = ALL, version = VERSION): LockJson =>
  lockOf(world, version, { images });

/** A run with a lock in its workspace. It asks nobody for the trust root. */
const run = (
  lock: LockJson,
  inputs: Readonly<Record<string, string>>,
  env: Readonly<Record<string, string>> = {},
): Promise<ActionResult> =>
  runIn(
    world,
    {
      tools: 'none',
      'lock-file': FILE,
      'tuf-root': '',
      'tuf-mirror-url': '',
      'trusted-root': world.writeTrustedRoot(),
      ...inputs,
    },
    { workspace: { [FILE]: lockText(lock) }, env },
  );

/** Requests by host. */
const counted = (): Record<string, number> =>
  Object.fromEntries(
    Object.entries(world.servers).map(([name, { requests }]) => [name, requests.length]),
  );

const NOBODY = { host: 0, log: 0, registry: 0, tuf: 0 };
const controlPlane = (): Record<string, string> =>
  Object.fromEntries(CONTROL_PLANE.map((name) => [name, pinned(name)]));

describe('a run with images in its lock', () => {
  test('asks nobody for an image that is not of the release', async () => {
    expectVerified(await run(lockNow(), { images: ETCD }), { [ETCD]: pinned('etcd', '3.5.15-0') });
    expect(counted()).toEqual(NOBODY);
  });

  test('asks the release host for the SBOM, which proves the version of the others', async () => {
    const result = await run(lockNow(), { images: `control-plane ${ETCD}` });
    expectVerified(result, { ...controlPlane(), [ETCD]: pinned('etcd', '3.5.15-0') });
    expect(counted()).toEqual({ ...NOBODY, host: 1 });
    expect(requestedPaths(world)).toEqual([`/release/${VERSION}/${SBOM}`]);
    const ofEtcd = `version not proven (not requested as an image of Kubernetes ${VERSION})`;
    expect(proofsOf(result)).toEqual([...CONTROL_PLANE.map(() => BY_LAYERS), ofEtcd]);
  });

  test('and nobody without that proof', async () => {
    const result = await run(lockNow(), { images: 'control-plane', 'bind-release': 'false' });
    expectVerified(result, controlPlane());
    expect(counted()).toEqual(NOBODY);
  });

  test('asks registry and log without a lock', async () => {
    const result = await run(lockNow(), { images: ETCD, 'lock-file': '', version: VERSION });
    expectVerified(result, { [ETCD]: pinned('etcd', '3.5.15-0') });
    expect(counted()).toEqual({ ...NOBODY, registry: 3, log: 1 });
  });

  test('beside a tool', async () => {
    const result = await run(lockNow(), { images: 'kube-proxy', tools: 'kubectl' });
    expectInstalled(result);
    expect(JSON.parse(result.outputs['images'] ?? '')).toEqual({
      'kube-proxy': pinned('kube-proxy'),
    });
    expect(counted()).toEqual({ ...NOBODY, host: 2 });
  });

  test('verifies the locked image although the tag has moved since', async () => {
    const lock = lockNow();
    const before = pinned('kube-proxy');
    serveAs('kube-proxy', OLDER)();
    expectVerified(await run(lock, { images: 'kube-proxy' }), { 'kube-proxy': before });
  });

  test('takes a full reference for the image of the release', async () => {
    const images = nameOf('kube-proxy');
    const result = await run(lockNow(), { images });
    expectVerified(result, { [images]: pinned('kube-proxy') });
    expect(proofsOf(result)).toEqual([BY_LAYERS]);
  });

  test('by digest, and by tag and digest', async () => {
    const digest = published.get('etcd:3.5.15-0') ?? '';
    const names = [`registry.k8s.io/etcd@${digest}`, `${ETCD}@${digest}`];
    const result = await run(lockNow(names), { images: names.join() });
    expectVerified(result, Object.fromEntries(names.map((name) => [name, names[0] ?? ''])));
    expect(counted()).toEqual(NOBODY);
  });

  test('warns where the SBOM does not list the image, as without a lock', async () => {
    sign('kube-proxy', publishImage('kube-proxy', UNLISTED));
    const lock = lockNow([nameOf('kube-proxy', UNLISTED)], UNLISTED);
    const result = await run(lock, { images: 'kube-proxy' });
    const digest = digestOf(world.registry.manifest('kube-proxy', UNLISTED));
    expectVerified(result, { 'kube-proxy': `registry.k8s.io/kube-proxy@${digest}` }, [UNPROVEN]);
  });

  test('is refused before any request if the lock does not have the image', async () => {
    const lock = lockNow([ETCD]);
    const says = [
      `"${FILE}" does not have ${nameOf('kube-proxy')}; it has ${VERSION} with `,
      ETCD,
      'Run the command "lock"',
      '"images"',
    ];
    const images = `kube-proxy ${ETCD}`;
    // The tool would be downloaded first, and the trust root fetched in the background.
    const more = { ...world.inputs(), 'trusted-root': '', images, tools: 'kubectl' };
    expectRefused(await run(lock, more), 'LOCK_MISMATCH', { says });
    expectRefused(await run(lockNow([]), { images }), 'LOCK_MISMATCH');
    expect(counted()).toEqual(NOBODY);
    expectVerified(await run(lock, { images: ETCD }), { [ETCD]: pinned('etcd', '3.5.15-0') });
  });
});

describe('what the run decides, and not the lock', () => {
  test('who must have signed', async () => {
    const named = { images: ETCD, 'image-certificate-identity': 'stranger@example.com' };
    const says = ['set "image-certificate-identity"'];
    expectRefused(await run(lockNow(), named), 'IDENTITY_MISMATCH', { says });
    one(STRANGER)();
    const forged = lockNow();
    expectRefused(await run(forged, { images: ETCD }), 'IDENTITY_MISMATCH', { says });
    expectVerified(await run(forged, named), { [ETCD]: pinned('etcd', '3.5.15-0') });
  });

  test('how old an image may be', async () => {
    const lock = lockNow();
    const young = { images: ETCD, 'minimum-release-age': '31d' };
    expectRefused(await run(lock, young), 'RELEASE_TOO_NEW');
    const old = { 'maximum-release-age': '29d' };
    expectRefused(await run(lock, { images: 'kube-proxy', ...old }), 'RELEASE_TOO_OLD');
    expectVerified(await run(lock, { images: ETCD, ...old }), {
      [ETCD]: pinned('etcd', '3.5.15-0'),
    });
  });

  test('which version was asked for', async () => {
    const lock = lockNow();
    expectRefused(await run(lock, { images: ETCD, version: OLDER }), 'LOCK_MISMATCH');
  });
});

describe('LOCK_MISMATCH', () => {
  const entryOf = (lock: LockJson, name: string): LockedImageJson => {
    const found = lock.images?.[name];
    if (found === undefined) throw new Error(`no ${name}`);
    return found;
  };

  test("another image's entry", async () => {
    const lock = lockNow();
    const images = {
      ...lock.images,
      [nameOf('kube-proxy')]: entryOf(lock, nameOf('kube-scheduler')),
    };
    const says = ['it names the repository "registry.k8s.io/kube-scheduler"'];
    const result = await run({ ...lock, images }, { images: 'kube-proxy' });
    expect(expectRefused(result, 'LOCK_MISMATCH', { says })).not.toContain('registry, a mirror');
  });

  test('another digest than the one in the name', async () => {
    const digest = published.get('etcd:3.5.15-0') ?? '';
    const name = `${ETCD}@${digest}`;
    const lock = lockNow([name]);
    const other = `${ETCD}@sha256:${'0a'.repeat(32)}`;
    const images = { [other]: entryOf(lock, name) };
    expectRefused(await run({ ...lock, images }, { images: other }), 'LOCK_MISMATCH');
  });

  test('another SBOM at the release host', async () => {
    const lock = lockNow();
    const { bytes } = world.release.sbom(VERSION);
    world.release.sbom(VERSION).replace(Buffer.concat([bytes, Buffer.from('\n# another run\n')]));
    try {
      const says = [`${SBOM} has SHA-256`];
      expectRefused(await run(lock, { images: 'kube-proxy' }), 'LOCK_MISMATCH', { says });
    } finally {
      world.release.sbom(VERSION).replace(bytes);
    }
  });

  test('an image of the release without what proves its version', async () => {
    const lock = lockNow();
    const [manifest = ''] = entryOf(lock, nameOf('kube-proxy')).blobs;
    const entry = { ...entryOf(lock, nameOf('kube-proxy')), blobs: [manifest] };
    const images = { ...lock.images, [nameOf('kube-proxy')]: entry };
    expectRefused(await run({ ...lock, images }, { images: 'kube-proxy' }), 'LOCK_MISMATCH');
  });
});

describe('forgeries of a registry', () => {
  test.each(FORGERIES)('%s', async (_what, _code, forge, { images = ETCD, locked } = {}) => {
    const genuine = lockNow();
    const expected = images === ETCD ? pinned('etcd', '3.5.15-0') : pinned('kube-proxy');
    forge();
    world.registryServer.requests.length = 0;
    if (!images.includes('$')) {
      expectVerified(await run(genuine, { images }, IMPATIENT), { [images]: expected });
      expect(world.registryServer.requests).toEqual([]);
      tally('attacks refused or without effect');
    }
    if (locked !== undefined) {
      const name = images === ETCD ? ETCD : nameOf(images);
      const forged = lockNow([name]);
      expect(forged.images).not.toEqual({ [name]: genuine.images?.[name] });
      const message = expectRefused(await run(forged, { images }, IMPATIENT), locked);
      expect(message).not.toContain('Do not use the file:');
      tally('attacks refused or without effect');
    }
  });
});

const options = (): string[] =>
  Object.entries(world.inputs()).flatMap(([name, value]) => [`--${name}`, value]);

async function lock(...args: string[]): Promise<CommandResult> {
  const words = ['--tools', 'none', '--version', VERSION, ...args];
  const result = await runCommand(['lock', ...options(), ...words], { folder, env: IMPATIENT });
  finished.push(result);
  expect(filesBelow(result.temp)).toEqual([]);
  return result;
}

const written = (): string => readFileSync(join(folder, FILE), 'utf8');
const locked = (): LockJson => JSON.parse(written()) as LockJson;

describe('lock --images', () => {
  const CONTROL_PLANE_AND_ETCD = ['--images', `control-plane,${ETCD}`];

  const withoutBundles = ({ images = {} }: LockJson): object =>
    Object.entries(images).map(([name, { digest, payload, blobs }]) => [
      name,
      { digest, payload, blobs },
    ]);

  test('writes what a run verifies images with', async () => {
    const result = await lock(...CONTROL_PLANE_AND_ETCD);
    expect(result.exitCode).toBe(0);
    expect(result.stdout).toBe(
      [
        `+version: ${VERSION}`,
        `+${SBOM}: ${world.release.sbom(VERSION).sha256}`,
        ...ALL.toSorted().map((name) => `+${name}: ${locked().images?.[name]?.digest ?? ''}`),
        '',
      ].join('\n'),
    );
    expect(result.stderr).toContain(`Verified ${ETCD}: ${published.get('etcd:3.5.15-0') ?? ''}`);
    expect(result.stderr).toContain(`"${FILE}" was written: ${VERSION}, 1 file, 5 images\n`);
    isValid(locked());
    expect(isValid.errors).toBeNull();
    expect(written()).toBe(lockText(locked()));
    // Put together by other code. The log signs its tree head anew for each answer.
    expect(withoutBundles(locked())).toEqual(withoutBundles(lockNow()));
    world.reset();
    expectVerified(await run(locked(), { images: 'control-plane' }), controlPlane());
    expect(counted()).toEqual({ ...NOBODY, host: 1 });
  });

  test('beside tools, for all platforms of an image whatever the platforms of the tools', async () => {
    const platforms = ['--platforms', NATIVE_PLATFORM];
    await lock('--tools', 'kubectl', ...platforms, '--images', 'kube-proxy');
    expect(Object.keys(locked().files)).toHaveLength(2);
    expect(locked().images?.[nameOf('kube-proxy')]?.blobs).toHaveLength(5);
    const result = await run(locked(), { tools: 'kubectl', images: 'kube-proxy' });
    expectInstalled(result);
    expect(proofsOf(result)).toEqual(['proven by its signed SBOM', BY_LAYERS]);
  });

  test('leaves an unchanged lock as it is, byte for byte, although the log has grown', async () => {
    await lock(...CONTROL_PLANE_AND_ETCD);
    const before = written();
    world.release.signAndLog(Buffer.from('something else'));
    const result = await lock(...CONTROL_PLANE_AND_ETCD);
    expect(result).toMatchObject({ exitCode: 0, stdout: '' });
    expect(result.stderr).toContain('is up to date');
    expect(written()).toBe(before);
    // Without one of them, the others stay.
    await lock('--images', 'control-plane');
    const { images = {} } = JSON.parse(before) as LockJson;
    const others = Object.entries(images).filter(([name]) => name !== ETCD);
    expect(locked().images).toEqual(Object.fromEntries(others));
  });

  test('without images, nothing of a lock changes', async () => {
    await lock('--tools', 'kubectl', '--platforms', NATIVE_PLATFORM, '--images', ETCD);
    const result = await lock('--tools', 'kubectl', '--platforms', NATIVE_PLATFORM);
    expect(result.stdout).toBe(`-${ETCD}: ${published.get('etcd:3.5.15-0') ?? ''}\n`);
    expect(written()).toBe(
      lockText(lockOf(world, VERSION, { bundleOf: ({ path }) => bundleOf(path) })),
    );
  });

  const bundleOf = (path: string): LockJson['files'][string]['bundle'] => {
    const found = locked().files[path.slice(`release/${VERSION}/`.length)];
    if (found === undefined) throw new Error(`${path} is not locked`);
    return found.bundle;
  };

  test('takes new evidence where the image was signed again', async () => {
    await lock(...CONTROL_PLANE_AND_ETCD);
    const before = locked();
    const digest = published.get('etcd:3.5.15-0') ?? '';
    putSignatures(world.registry, 'etcd', digest, [signature('etcd', digest)]);
    const result = await lock(...CONTROL_PLANE_AND_ETCD);
    expect(result.stdout).toBe(` ${ETCD}: other evidence for the same image\n`);
    expect(locked().images?.[ETCD]).not.toEqual(before.images?.[ETCD]);
    expect({ ...locked().images, [ETCD]: before.images?.[ETCD] }).toEqual(before.images);
  });

  test('replaces evidence that does not prove anything', async () => {
    const digest = published.get('etcd:3.5.15-0') ?? '';
    one(STRANGER)();
    writeFileSync(join(folder, FILE), lockText(lockOf(world, VERSION, { images: [ETCD] })));
    sign('etcd', digest);
    await lock('--images', ETCD);
    expectVerified(await run(locked(), { images: ETCD }), { [ETCD]: pinned('etcd', '3.5.15-0') });
  });

  test('--check fails with a diff where a tag has moved, and writes nothing', async () => {
    await lock('--images', ETCD);
    const before = written();
    const old = published.get('etcd:3.5.15-0') ?? '';
    expect(await lock('--images', ETCD, '--check')).toMatchObject({ exitCode: 0, stdout: '' });
    const digest = world.registry.putImage('etcd', '3.5.15-0', { layers: [Buffer.from('new')] });
    sign('etcd', digest);
    const result = await lock('--images', ETCD, '--check');
    expect(result.exitCode).toBe(3);
    expect(result.stdout).toBe(`-${ETCD}: ${old}\n+${ETCD}: ${digest}\n`);
    expect(written()).toBe(before);
  });

  test('warns of a version that nothing proves, as a run does', async () => {
    sign('kube-proxy', publishImage('kube-proxy', UNLISTED));
    const result = await lock('--version', UNLISTED, '--images', 'kube-proxy');
    expect(result.exitCode).toBe(0);
    expect(result.stderr).toContain(`warning: ${UNPROVEN}`);
    expect(locked().images?.[nameOf('kube-proxy', UNLISTED)]?.blobs).toHaveLength(5);
  });

  /** An index for some platforms, each with a configuration of so many bytes. */
  function publishLarge(name: string, platforms: number, configBytes: number): void {
    const listed = Array.from({ length: platforms }, (_, i) => {
      const architecture = `riscv${String(i)}`;
      const rootfs = { type: 'layers', diff_ids: [] };
      const config = JSON.stringify({ os: 'linux', architecture, rootfs }).padEnd(configBytes);
      const manifest = {
        schemaVersion: 2,
        config: world.registry.putBlob(Buffer.from(config), ''),
        layers: [],
      };
      const platform = { os: 'linux', architecture };
      return { digest: world.registry.putManifest(name, manifest), platform };
    });
    sign(name, world.registry.putIndex(name, VERSION, listed));
  }

  test.each([
    [2, 0],
    [4, 2],
  ])('%i images with configurations of 1.25 MB: exit code %i', async (count, exitCode) => {
    const names = CONTROL_PLANE.slice(0, count);
    for (const name of names) publishLarge(name, 5, 250_000);
    const result = await lock('--images', names.join());
    expect(result.exitCode).toBe(exitCode);
    if (exitCode !== 0) expect(result.stderr).toContain('larger than 4194304 bytes');
    expect(readdirSync(folder)).toHaveLength(exitCode === 0 ? 1 : 0);
  });

  test.each([
    [256 << 10, 0],
    [(256 << 10) + 1, 2],
  ])('a configuration of %i bytes: exit code %i', async (bytes, exitCode) => {
    publishLarge('kube-proxy', 1, bytes);
    const result = await lock('--images', 'kube-proxy');
    expect(result.exitCode).toBe(exitCode);
    if (exitCode === 0) {
      isValid(locked());
      expect(isValid.errors).toBeNull();
      expect(await lock('--images', 'kube-proxy', '--check')).toMatchObject({ exitCode: 0 });
    } else {
      expect(result.stderr).toContain(`${nameOf('kube-proxy')} cannot be locked: its manifest or`);
      expect(readdirSync(folder)).toEqual([]);
    }
  });

  test('by the identity that the options name', async () => {
    one(STRANGER)();
    const named = ['--image-certificate-identity', 'stranger@example.com'];
    expect(await lock('--images', ETCD, ...named)).toMatchObject({ exitCode: 0 });
    const result = await lock('--images', ETCD);
    expect(result.exitCode).toBe(1);
    expect(result.stderr).toMatch(/^error\[IDENTITY_MISMATCH\]: /m);
  });

  test('with ages', async () => {
    const young = ['--minimum-release-age', '31d'];
    const result = await lock('--images', ETCD, ...young);
    expect(result.stderr).toMatch(/^error\[RELEASE_TOO_NEW\]: /m);
    expect(readdirSync(folder)).toEqual([]);
  });

  test.each(FORGERIES)('%s: %s, and nothing is written', async (_what, code, forge, more = {}) => {
    forge();
    const images = (more.images ?? ETCD).replace('$', published.get('etcd:3.5.15-0') ?? '');
    const result = await lock('--images', images);
    expect(result.exitCode).toBe(1);
    expect(result.stderr).toMatch(new RegExp(`^error\\[${code}\\]: `, 'm'));
    expect(readdirSync(folder)).toEqual([]);
    tally('attacks refused or without effect');
  });

  testUnless('absent' in cosign ? cosign.absent : undefined)(
    'cosign accepts payload and bundle that were taken out of the lock, as docs/lock-file.md tells',
    async () => {
      await lock('--images', ETCD);
      const { payload = '', bundle } = locked().images?.[ETCD] ?? {};
      const [file, bundleFile] = [join(folder, 'etcd.json'), join(folder, 'etcd.sigstore.json')];
      writeFileSync(file, Buffer.from(payload, 'base64'));
      writeFileSync(bundleFile, JSON.stringify(bundle));
      const executable = 'executable' in cosign ? cosign.executable : '';
      const judge = new Cosign(executable, world, folder);
      const promoter = { identity: IMAGE_IDENTITY };
      expect(await judge.verifyBundle(file, bundleFile, promoter)).toMatchObject({
        accepted: true,
      });
      expect(await judge.verifyBundle(file, bundleFile)).toMatchObject({ accepted: false });
    },
  );

  test('through the action in lock/', async () => {
    const result = await runAction({
      actionRoot: fileURLToPath(new URL('../../lock', import.meta.url)),
      inputs: { ...world.inputs(), version: VERSION, tools: 'none', images: ETCD },
      workspace: folder,
    });
    finished.push(result);
    expect(result.annotations).toEqual([]);
    expect(result.outputs).toEqual({ version: VERSION, changed: 'true' });
    expect(result.summary).toContain('1 file, 1 image');
    expect(Object.keys(locked().images ?? {})).toEqual([ETCD]);
  });
});
