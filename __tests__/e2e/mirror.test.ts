import {
  chmodSync,
  cpSync,
  existsSync,
  lchownSync,
  linkSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { pathToFileURL } from 'node:url';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import {
  NATIVE_PLATFORM,
  World,
  fault,
  filesBelow,
  giveAway,
  lockOf,
  lockText,
  runCommand,
  startCommand,
  type ActionResult,
  type CommandResult,
  type LockJson,
  type TrustedRootJson,
} from '../support/index.js';
import { MISSING, linkFolder, testUnless } from '../support/skip.js';
import {
  IMPATIENT,
  STRANGER,
  cachedFiles,
  expectArtifacts,
  expectInstalled,
  expectRefused,
  requestedPaths,
  runIn,
  serveAs,
  startServers,
  stopServers,
} from './expectations.js';

const VERSION = 'v1.31.9';
const OLDER = 'v1.31.8';
const LINUX = 'linux/amd64';
const MAC = 'darwin/arm64';
const WINDOWS = 'windows/amd64';
const SBOM = 'kubernetes-release.spdx';
const SOURCE = 'kubernetes-src.tar.gz';
const CLIENT = 'kubernetes-client-linux-amd64.tar.gz';
const ROOT = 'trusted_root.json';
const KUBECTL = process.platform === 'win32' ? 'kubectl.exe' : 'kubectl';
/** Windows has no such numbers. */
const OWN_UID = process.getuid?.() ?? 0;
/** The binary that a run on this machine installs, in the folder. */
const NATIVE = `release/${VERSION}/bin/${NATIVE_PLATFORM}/${KUBECTL}`;

let world: World;
let root: string;
let folder: string;
const finished: { cleanup(): void }[] = [];

beforeAll(async () => {
  world = await World.start();
});

beforeEach(async () => {
  await startServers(world);
  world.reset();
  world.host.files.clear();
  const platforms = [...new Set([LINUX, MAC, WINDOWS, NATIVE_PLATFORM])];
  for (const version of [OLDER, VERSION]) {
    world.release.publish({ version, platforms, artifacts: [SOURCE, CLIENT] });
    world.release.publish({ version, tools: ['kubeadm'], platforms: [LINUX] });
  }
  root = mkdtempSync(join(tmpdir(), 'mirror-'));
  folder = join(root, 'mirror');
});

afterEach(() => {
  for (const run of finished.splice(0)) run.cleanup();
  rmSync(root, { recursive: true, force: true });
});

afterAll(() => world.stop());

const options = (): string[] =>
  Object.entries(world.inputs()).flatMap(([name, value]) => [`--${name}`, value]);

async function command(args: readonly string[], env = {}): Promise<CommandResult> {
  const result = await runCommand(args, { folder: root, env: { ...IMPATIENT, ...env } });
  finished.push(result);
  expect(filesBelow(result.temp)).toEqual([]);
  return result;
}

const mirror = (...args: string[]): Promise<CommandResult> =>
  command(['mirror', folder, ...options(), ...args]);

/** With everybody gone, and a trust root that did not come from the folder. */
async function check(...args: string[]): Promise<CommandResult> {
  await stopServers(world);
  const trusted = args.includes('--trusted-root') ? [] : trustedRoot();
  return command(['mirror', folder, '--check', ...trusted, ...args]);
}

const trustedRoot = (json: unknown = world.trustedRoot()): string[] => [
  '--trusted-root',
  world.writeTrustedRoot(json),
];

/** A run of the action with the network off, on a copy of the folder. */
async function offline(inputs: Record<string, string> = {}, from = folder): Promise<ActionResult> {
  await stopServers(world);
  const copy = join(root, 'copied elsewhere, 100% #1');
  rmSync(copy, { recursive: true, force: true });
  cpSync(from, copy, { recursive: true });
  return runIn(
    world,
    {
      'tuf-root': '',
      'tuf-mirror-url': '',
      'download-base-url': pathToFileURL(copy).href,
      'trusted-root': join(copy, ROOT),
      version: VERSION,
      ...inputs,
    },
    { env: IMPATIENT },
  );
}

const at = (path: string): string => join(folder, path);
const files = (): string[] => filesBelow(folder);
/** Files of a release in the folder, each with what belongs to it. */
const withEvidence = (...paths: string[]): string[] =>
  paths.flatMap((path) => [path, `${path}.sha256`, `${path}.sigstore.json`]);
const published = (path: string): Buffer => world.host.get(path);
const downloads = (): string[] =>
  requestedPaths(world).filter((path) => /\/kube[a-z0-9-]*(?:\.exe|\.tar\.gz|\.spdx)?$/.test(path));

describe('mirror', () => {
  test('makes a folder that a run installs from with the network off', async () => {
    const result = await mirror('--version', VERSION, '--platforms', NATIVE_PLATFORM);
    expect(result.stderr).not.toContain('warning');
    expect(result.exitCode).toBe(0);
    expect(files()).toEqual([ROOT, ...withEvidence(NATIVE, `release/${VERSION}/${SBOM}`)].sort());
    expect(readFileSync(at(NATIVE))).toEqual(published(`/${NATIVE}`));
    expect(JSON.parse(readFileSync(at(ROOT), 'utf8'))).toEqual(world.trustedRoot());
    // What `sha256sum --check` reads.
    const { sha256 } = world.release.artifact(VERSION, NATIVE_PLATFORM, 'kubectl');
    expect(result.stdout).toBe(
      `${sha256}  ${NATIVE}\n${world.release.sbom(VERSION).sha256}  release/${VERSION}/${SBOM}\n`,
    );
    expect(readFileSync(at(`${NATIVE}.sha256`), 'utf8')).toBe(sha256);
    expect(result.stderr).toContain(`download-base-url: ${pathToFileURL(folder).href}\n`);
    const run = await offline();
    expectInstalled(run, { version: VERSION });
    expect(run.outputs['cache-hit']).toBe('false');
  });

  test('tools × platforms × artifacts, each file asked for once', async () => {
    world.release.publish({ version: VERSION, tools: ['kubeadm'], platforms: [WINDOWS] });
    const result = await mirror(
      ...['--version', VERSION, '--tools', 'kubectl,kubeadm', '--platforms', `${LINUX},${WINDOWS}`],
      ...['--artifacts', `${CLIENT},${SOURCE},${SBOM}`],
    );
    expect(result.exitCode).toBe(0);
    expect(result.stderr).not.toContain('Skipping');
    const expected = [
      `bin/${LINUX}/kubeadm`,
      `bin/${LINUX}/kubectl`,
      `bin/${WINDOWS}/kubeadm.exe`,
      `bin/${WINDOWS}/kubectl.exe`,
      CLIENT,
      SBOM,
      SOURCE,
    ].map((path) => `release/${VERSION}/${path}`);
    expect(files()).toEqual([ROOT, ...withEvidence(...expected)].sort());
    expect(downloads().sort()).toEqual(expected.map((path) => `/${path}`).sort());
    const artifacts = { artifacts: `${CLIENT},${SOURCE}`, tools: 'none' };
    expectArtifacts(await offline(artifacts), {
      artifacts: { [CLIENT]: CLIENT, [SOURCE]: SOURCE },
    });
  });

  test('leaves out what Kubernetes does not publish, and says so', async () => {
    const result = await mirror('--tools', 'kubectl,kubeadm', '--platforms', `${LINUX},${MAC}`);
    expect(result.exitCode).toBe(0);
    expect(result.stderr).toContain('Skipping kubeadm for darwin/arm64');
  });

  test('asks for at most four files at once', async () => {
    let [now, most] = [0, 0];
    const tools = ['kubectl', 'kubeadm', 'kubelet', 'kube-proxy', 'kube-log-runner', 'mounter'];
    world.release.publish({ version: VERSION, tools, platforms: [LINUX] });
    world.host.server.fail(
      (request) => /\/bin\/[^.]*$/.test(request.path),
      async (delivery) => {
        most = Math.max(most, ++now);
        await fault.delay(150)(delivery);
        now--;
      },
      Infinity,
    );
    const result = await mirror('--tools', tools.join(','), '--platforms', LINUX);
    expect(result.exitCode).toBe(0);
    expect(most).toBe(4);
  });

  test('a folder that is served over http works without the log, too', async () => {
    await mirror('--version', VERSION);
    await Promise.all([world.logServer.stop(), world.tufServer.stop()]);
    world.host.files.clear();
    for (const file of files()) world.host.put(file, readFileSync(at(file)));
    const run = await runIn(
      world,
      { 'tuf-root': '', 'tuf-mirror-url': '', 'trusted-root': at(ROOT), version: VERSION },
      { env: IMPATIENT },
    );
    expectInstalled(run, { version: VERSION, bytes: { kubectl: readFileSync(at(NATIVE)) } });
  });

  test('keeps nothing that does not pass', async () => {
    world.release.artifact(VERSION, NATIVE_PLATFORM, 'kubectl').sign(STRANGER);
    const result = await mirror('--version', VERSION);
    expect(result).toMatchObject({ exitCode: 1, stdout: '' });
    expect(result.stderr).toContain('error[IDENTITY_MISMATCH]');
    expect(files()).toEqual([ROOT, ...withEvidence(`release/${VERSION}/${SBOM}`)].sort());
  });

  test('keeps no file that the SBOM of the release does not list', async () => {
    serveAs(world, world.release.artifact(OLDER, NATIVE_PLATFORM, 'kubectl'), NATIVE);
    const result = await mirror('--version', VERSION);
    expect(result.exitCode).toBe(1);
    expect(result.stderr).toContain('error[RELEASE_MISMATCH]');
    expect(existsSync(at(NATIVE))).toBe(false);
  });

  test('needs a release with a signed SBOM', async () => {
    world.release.sbom(VERSION).removeMaterial();
    world.release.sbom(VERSION).replace(Buffer.from('another'));
    const unsigned = await mirror('--version', VERSION);
    expect(unsigned.stderr).toContain('error[RELEASE_MISMATCH]');
    expect(unsigned.stderr).toContain('without its signed SBOM');
    world.host.remove(`release/${VERSION}/${SBOM}`);
    const missing = await mirror('--version', VERSION);
    expect(missing.stderr).toContain('error[RELEASE_MISMATCH]');
    expect(missing.exitCode).toBe(1);
  });

  test('takes another trust root, and writes that one', async () => {
    const json = JSON.stringify(world.trustedRoot(), undefined, 3);
    const result = await mirror('--tuf-root=', ...trustedRoot(json), '--version', VERSION);
    expect(result.exitCode).toBe(0);
    expect(readFileSync(at(ROOT), 'utf8')).toBe(json);
    expect(requestedPaths(world).filter((path) => path.endsWith('.json'))).toEqual([]);
  });
});

describe('versions', () => {
  test.each([
    ['1.31', 'stable-1.31.txt', '1.31'],
    ['stable', 'stable.txt', 'stable'],
  ])('for --version %s, a run with the same version works', async (version, pointer, shown) => {
    const result = await mirror('--version', version);
    expect(result.exitCode).toBe(0);
    expect(files().filter((file) => file.endsWith('.txt'))).toEqual([`release/${pointer}`]);
    expect(readFileSync(at(`release/${pointer}`), 'utf8')).toBe(`${VERSION}\n`);
    expect(result.stderr).toContain(`  version: '${shown}'\n`);
    expectInstalled(await offline({ version }), { version: VERSION });
    expect(await check('--version', version)).toMatchObject({ exitCode: 0, stdout: '' });
    writeFileSync(at(`release/${pointer}`), `${VERSION} \n`);
    expect(await check('--version', version)).toMatchObject({
      exitCode: 3,
      stdout: `damaged release/${pointer}: it does not have the bytes that "mirror" writes\n`,
    });
    rmSync(at(`release/${pointer}`));
    expect(await check('--version', version)).toMatchObject({
      exitCode: 3,
      stdout: `missing release/${pointer}\n`,
    });
  });

  test('pre-releases have pointers of their own', async () => {
    world.release.publish({ version: 'v1.36.0-rc.1', platforms: [NATIVE_PLATFORM] });
    const result = await mirror('--version', 'prerelease-1.36');
    expect(result.stderr).toContain(`  version: 'prerelease-1.36'\n`);
    expect(files()).toContain('release/latest-1.36.txt');
    expectInstalled(await offline({ version: 'prerelease-1.36' }), { version: 'v1.36.0-rc.1' });
  });

  test.each(['1.31.9', '~1.31.2'])('%s needs no pointer, and gets none', async (version) => {
    const result = await mirror('--version', version);
    expect(result.exitCode).toBe(0);
    expect(result.stderr).toContain(`  version: '1.31.9'\n`);
    expect(files().filter((file) => file.endsWith('.txt'))).toEqual([]);
  });

  test('a pointer moves forward with the host, and not back', async () => {
    world.release.point('stable-1.31', OLDER);
    await mirror('--version', '1.31');
    expectInstalled(await offline({ version: '1.31' }), { version: OLDER });
    await startServers(world);
    world.release.point('stable-1.31', VERSION);
    await mirror('--version', '1.31');
    expectInstalled(await offline({ version: '1.31' }), { version: VERSION });
    await startServers(world);
    world.release.point('stable-1.31', OLDER);
    const back = await mirror('--version', '1.31');
    expect(back.exitCode).toBe(0);
    expect(back.stderr).toContain('warning: Pointer names an older version: ');
    expect(readFileSync(at('release/stable-1.31.txt'), 'utf8')).toBe(`${VERSION}\n`);
    // What it named before is still there, and can be asked for.
    expectInstalled(await offline({ version: OLDER }), { version: OLDER });
  });

  test('a pointer to a release that the folder does not have is replaced', async () => {
    mkdirSync(at('release'), { recursive: true });
    writeFileSync(at('release/stable-1.31.txt'), 'v1.31.999\n');
    const result = await mirror('--version', '1.31');
    expect(result.stderr).toContain('Replaced release/stable-1.31.txt: it had other bytes');
    expect(readFileSync(at('release/stable-1.31.txt'), 'utf8')).toBe(`${VERSION}\n`);
  });
});

describe('mirror --lock-file', () => {
  const LOCK = 'kubernetes.lock.json';
  const platforms = [...new Set([NATIVE_PLATFORM, LINUX, WINDOWS])];
  const writeLock = (change: (lock: LockJson) => void = () => undefined): LockJson => {
    const lock = lockOf(world, VERSION, { platforms, artifacts: [SOURCE] });
    change(lock);
    writeFileSync(join(root, LOCK), lockText(lock));
    return lock;
  };
  let locked: LockJson;

  beforeEach(() => {
    locked = writeLock();
  });

  test('mirrors every file of the lock, with its evidence', async () => {
    // Newer evidence on the host takes no part.
    for (const platform of platforms) world.release.artifact(VERSION, platform, 'kubectl').sign();
    const result = await mirror('--lock-file', LOCK);
    expect(result.exitCode).toBe(0);
    const paths = Object.keys(locked.files).map((path) => `release/${VERSION}/${path}`);
    expect(files()).toEqual([ROOT, ...withEvidence(...paths)].sort());
    for (const [path, { bundle }] of Object.entries(locked.files)) {
      const file = at(`release/${VERSION}/${path}.sigstore.json`);
      expect(JSON.parse(readFileSync(file, 'utf8'))).toEqual(bundle);
    }
    expect(world.logServer.requests).toEqual([]);
    expect(requestedPaths(world).filter((path) => /\.(?:sig|cert|sha256)$/.test(path))).toEqual([]);
    expectInstalled(await offline(), { version: VERSION });
    expect(await check('--lock-file', LOCK)).toMatchObject({ exitCode: 0, stdout: '' });
  });

  test('refuses other bytes, although they are signed', async () => {
    const { bytes } = world.release.artifact(VERSION, NATIVE_PLATFORM, 'kubectl');
    world.release.publish({ version: VERSION, platforms: [NATIVE_PLATFORM], size: 300_000 });
    expect(published(NATIVE)).not.toEqual(bytes);
    const result = await mirror('--lock-file', LOCK);
    expect(result.exitCode).toBe(1);
    expect(result.stderr).toContain('error[LOCK_MISMATCH]');
    expect(existsSync(at(NATIVE))).toBe(false);
  });

  test('replaces what is in the folder and not in the lock', async () => {
    await mirror('--lock-file', LOCK);
    const old = readFileSync(at(NATIVE));
    world.release.publish({ version: VERSION, platforms, artifacts: [SOURCE], size: 300_000 });
    writeLock();
    expect((await check('--lock-file', LOCK)).stdout).toContain(`damaged ${NATIVE}: `);
    await startServers(world);
    const result = await mirror('--lock-file', LOCK);
    expect(result.exitCode).toBe(0);
    expect(result.stderr).toContain(`Replacing ${NATIVE}: `);
    expect(readFileSync(at(NATIVE))).not.toEqual(old);
  });

  test('replaces other evidence, without a download', async () => {
    await mirror('--lock-file', LOCK);
    const file = world.release.artifact(VERSION, NATIVE_PLATFORM, 'kubectl');
    file.sign();
    writeLock((lock) => {
      const again = { sha256: file.sha256, bundle: file.bundle() };
      lock.files = { ...locked.files, [NATIVE.slice(`release/${VERSION}/`.length)]: again };
    });
    expect((await check('--lock-file', LOCK)).stdout).toBe(
      `damaged ${NATIVE}.sigstore.json: it does not have the bytes that "mirror" writes\n`,
    );
    await startServers(world);
    world.reset();
    const result = await mirror('--lock-file', LOCK);
    expect(result.stderr).toContain(`Replaced ${NATIVE}.sigstore.json: it had other bytes`);
    expect(world.host.server.requests).toEqual([]);
    expect(await check('--lock-file', LOCK)).toMatchObject({ exitCode: 0, stdout: '' });
  });

  test('the version must be one that the lock satisfies', async () => {
    const result = await mirror('--lock-file', LOCK, '--version', '1.30');
    expect(result.stderr).toContain('error[LOCK_MISMATCH]');
    expect((await mirror('--lock-file', LOCK, '--version', '1.31')).exitCode).toBe(0);
    expect(files().filter((file) => file.endsWith('.txt'))).toEqual([]);
  });

  test.each([
    ['--tools', 'kubeadm'],
    ['--artifacts', SOURCE],
    ['--platforms', LINUX],
    ['--architecture', 'arm64'],
  ])('with %s is a contradiction', async (option, value) => {
    const result = await mirror('--lock-file', LOCK, option, value);
    expect(result.exitCode).toBe(2);
    expect(result.stderr).toContain('Set either "lock-file" or ');
  });

  test('a lock with a file that no release has', async () => {
    const lock = lockOf(world, VERSION);
    const [entry] = Object.values(lock.files);
    if (entry === undefined) throw new Error('the lock is empty');
    const strange = { [`bin/${LINUX}/etcd`]: entry, ...lock.files };
    writeFileSync(join(root, LOCK), lockText({ ...lock, files: strange }));
    const result = await mirror('--lock-file', LOCK);
    expect(result.stderr).toContain('error[LOCK_INVALID]');
    expect(result.stderr).toContain('etcd');
  });
});

/** [what happened to the folder, the file that it happened to] */
const DAMAGES: [string, string, (file: string) => void][] = [
  ['a binary', NATIVE, flip],
  ['a digest', `${NATIVE}.sha256`, flip],
  ['a bundle', `${NATIVE}.sigstore.json`, flip],
  [
    'white space in a bundle',
    `${NATIVE}.sigstore.json`,
    (file) => writeFileSync(file, ` ${readFileSync(file, 'utf8')}`),
  ],
  ['the SBOM', `release/${VERSION}/${SBOM}`, flip],
  ['the bundle of the SBOM', `release/${VERSION}/${SBOM}.sigstore.json`, flip],
  ['a binary cut to nothing', NATIVE, (file) => truncateSync(file)],
  ['a bundle cut to nothing', `${NATIVE}.sigstore.json`, (file) => truncateSync(file)],
  ['the trust root cut to nothing', ROOT, (file) => truncateSync(file)],
  ['the trust root', ROOT, (file) => writeFileSync(file, '{}')],
];

/** Of a file whose bytes are the same each time: a log signs its answers anew. */
const contentOf = (file: string): string | Buffer =>
  file.endsWith('.sigstore.json') ? file : readFileSync(at(file));

function flip(file: string): void {
  const bytes = readFileSync(file);
  const middle = bytes.length >> 1;
  bytes.writeUInt8(bytes.readUInt8(middle) ^ 1, middle);
  writeFileSync(file, bytes);
}

describe('started again', () => {
  beforeEach(async () => {
    await mirror('--version', VERSION);
    world.reset();
  });

  test('downloads nothing that is there', async () => {
    const times = files().map((file) => statSync(at(file)).mtimeMs);
    const result = await mirror('--version', VERSION);
    expect(result.exitCode).toBe(0);
    expect(result.stderr).toContain(`Kept ${NATIVE}: `);
    expect(result.stderr).toContain('2 files, 2 of them kept');
    expect([...world.host.server.requests, ...world.logServer.requests]).toEqual([]);
    expect(files().map((file) => statSync(at(file)).mtimeMs)).toEqual(times);
  });

  test.each(DAMAGES)('repairs %s', async (_, path, damage) => {
    const before = files().map(contentOf);
    damage(at(path));
    const found = await check('--version', VERSION);
    expect(found.exitCode).toBe(3);
    // A well-formed bundle and a file that do not fit: either of them may be wrong.
    const proven = path.replace(/\.sigstore\.json$/, '');
    expect(found.stdout.replaceAll(proven, path)).toContain(`damaged ${path}`);
    await startServers(world);
    const result = await mirror('--version', VERSION);
    expect(result.exitCode).toBe(0);
    expect(result.stderr).toMatch(/Replac(?:ed|ing) /);
    expect(files().map(contentOf)).toEqual(before);
    expect(await check('--version', VERSION)).toMatchObject({ exitCode: 0, stdout: '' });
  });

  test('brings back what was deleted', async () => {
    const before = files();
    for (const path of before) {
      rmSync(at(path));
      const found = await check('--version', VERSION);
      expect(found.stdout).toContain(`missing ${path}\n`);
      expect(found.exitCode).toBe(3);
      await startServers(world);
      expect((await mirror('--version', VERSION)).exitCode).toBe(0);
      expect(files()).toEqual(before);
    }
  });

  test('leaves foreign files alone', async () => {
    writeFileSync(at('README'), 'ours');
    writeFileSync(at(`release/${VERSION}/notes.txt`), 'ours');
    expect((await mirror('--version', VERSION)).exitCode).toBe(0);
    expect(readFileSync(at('README'), 'utf8')).toBe('ours');
    expect(readFileSync(at(`release/${VERSION}/notes.txt`), 'utf8')).toBe('ours');
    expect(await check('--version', VERSION)).toMatchObject({
      exitCode: 3,
      stdout: `extra release/${VERSION}/notes.txt\n`,
    });
  });

  test('another release beside it is not in the way', async () => {
    expect((await mirror('--version', OLDER)).exitCode).toBe(0);
    for (const version of [OLDER, VERSION]) {
      expect(await check('--version', version)).toMatchObject({ exitCode: 0, stdout: '' });
      expectInstalled(await offline({ version }), { version });
    }
  });

  test.each(['.sig', '.cert'])(
    'refuses a folder in which a %s is in the way of the bundle',
    async (suffix) => {
      writeFileSync(at(`${NATIVE}${suffix}`), published(`${NATIVE}${suffix}`));
      const result = await mirror('--version', VERSION);
      expect(result.exitCode).toBe(1);
      expect(result.stderr).toContain(`error[INSTALL_FAILED]: ${NATIVE}${suffix} is in the folder`);
      expect(result.stderr).toContain('hint: Delete the .sig and .cert files');
      expect(existsSync(at(`${NATIVE}${suffix}`))).toBe(true);
      const found = await check('--version', VERSION);
      expect(found.exitCode).toBe(3);
      expect(found.stdout).toContain(`extra ${NATIVE}${suffix}\n`);
    },
  );

  test.each(['.sig', '.cert'])('a folder named %s is in the way, too', async (suffix) => {
    mkdirSync(at(`${NATIVE}${suffix}`));
    expect((await offline()).exitCode).toBe(1);
    const found = await check('--version', VERSION);
    expect(found).toMatchObject({ exitCode: 3, stdout: `extra ${NATIVE}${suffix}\n` });
    await startServers(world);
    expect((await mirror('--version', VERSION)).exitCode).toBe(1);
    // An empty folder with another name hinders no run.
    renameSync(at(`${NATIVE}${suffix}`), at(`${NATIVE}.other`));
    expectInstalled(await offline(), { version: VERSION });
    expect(await check('--version', VERSION)).toMatchObject({ exitCode: 0, stdout: '' });
  });
});

describe('interrupted', () => {
  const PLATFORMS = `${LINUX},${MAC},${WINDOWS}`;
  beforeEach(() => {
    world.release.publish({ version: VERSION, platforms: [LINUX, MAC, WINDOWS], size: 300_000 });
  });

  const args = (): string[] => [
    ...['mirror', folder, ...options(), '--version', '1.31', '--platforms', PLATFORMS],
  ];
  /** Everything that has a name has all its bytes; only the temporary folder may hold anything else. */
  const expectWhole = (): string[] => {
    const named = existsSync(folder) ? files().filter((file) => !file.startsWith('.mirror-')) : [];
    for (const file of named) {
      const bytes = readFileSync(at(file));
      if (file.endsWith('.sigstore.json') || file === ROOT) JSON.parse(bytes.toString());
      else if (file.endsWith('.txt')) expect(bytes.toString()).toBe(`${VERSION}\n`);
      else expect(bytes).toEqual(published(file));
      if (/\/kube[^/]*$/.test(file) && !/\.(?:sha256|sigstore\.json)$/.test(file)) {
        expect(named).toEqual(expect.arrayContaining(withEvidence(file)));
      }
    }
    return named;
  };

  test('by kill -9 at any moment, it goes on', async () => {
    const whole = startCommand(args(), { folder: root });
    const started = performance.now();
    finished.push(await whole.finished);
    const duration = performance.now() - started;
    const complete = files();
    let seen = new Set<number>();
    for (let moment = 1; moment <= 12; moment++) {
      rmSync(folder, { recursive: true, force: true });
      const { child, finished: ended } = startCommand(args(), { folder: root });
      await sleep((duration * moment) / 12);
      child.kill('SIGKILL');
      finished.push(await ended);
      const named = expectWhole();
      seen = seen.add(named.length);
      world.reset();
      const again = await command(args().slice(0));
      expect(again.exitCode).toBe(0);
      expect(files()).toEqual(complete);
      const there = named.map((file) => `/${file}`);
      expect(downloads().filter((path) => there.includes(path))).toEqual([]);
    }
    expect(seen.size).toBeGreaterThan(2);
  }, 120_000);

  test('in the middle of a file, it keeps the others', async () => {
    const slow = `/release/${VERSION}/bin/${MAC}/kubectl`;
    world.host.server.fail(slow, fault.stallAfter(50_000));
    const { child, finished: ended } = startCommand(args(), { folder: root });
    while (!existsSync(at(`release/${VERSION}/bin/${LINUX}/kubectl`))) await sleep(20);
    child.kill('SIGKILL');
    finished.push(await ended);
    expectWhole();
    expect(files().some((file) => file.startsWith('.mirror-'))).toBe(true);
    world.reset();
    expect((await command(args())).exitCode).toBe(0);
    expect(downloads()).toContain(slow);
    expect(downloads()).not.toContain(`/release/${VERSION}/bin/${LINUX}/kubectl`);
    expect(readdirSync(folder).sort()).toEqual(['release', ROOT]);
  });

  testUnless(MISSING.signals)('by Ctrl-C, it leaves nothing half-written', async () => {
    const slow = `/release/${VERSION}/bin/${MAC}/kubectl`;
    world.host.server.fail(slow, fault.stallAfter(50_000));
    const { child, finished: ended } = startCommand(args(), { folder: root });
    while (!existsSync(at(`release/${VERSION}/bin/${LINUX}/kubectl`))) await sleep(20);
    child.kill('SIGINT');
    const result = await ended;
    finished.push(result);
    expect(result.exitCode).toBe(130);
    expectWhole();
    expect(readdirSync(folder).sort()).toEqual(['release', ROOT]);
    expect(filesBelow(result.temp)).toEqual([]);
  });

  test('the temporary folder of a process that runs is left alone', async () => {
    const running = join(folder, `.mirror-${String(process.pid)}-AbC123`);
    mkdirSync(running, { recursive: true });
    const foreign = join(folder, '.mirror-of-mine');
    mkdirSync(foreign);
    expect((await mirror('--version', VERSION)).exitCode).toBe(0);
    expect([existsSync(running), existsSync(foreign)]).toEqual([true, true]);
  });
});

describe('--check', () => {
  beforeEach(async () => {
    await mirror('--version', VERSION);
  });

  test('changes nothing in the folder', async () => {
    const state = (): unknown =>
      ['', ...files()].map((file) => {
        const { mtimeMs, ctimeMs, mode } = lstatSync(at(file));
        return [file, mtimeMs, ctimeMs, mode];
      });
    const before = state();
    expect(await check('--version', VERSION)).toMatchObject({ exitCode: 0, stdout: '' });
    flip(at(NATIVE));
    const damaged = state();
    expect((await check('--version', VERSION)).exitCode).toBe(3);
    expect(state()).toEqual(damaged);
    expect(damaged).not.toEqual(before);
  });

  test('finds everything that is missing, damaged or extra at once', async () => {
    rmSync(at(`${NATIVE}.sha256`));
    flip(at(NATIVE));
    writeFileSync(at(`release/${VERSION}/more`), '');
    const result = await check('--version', VERSION);
    expect(result.exitCode).toBe(3);
    expect(result.stdout.split('\n').map((line) => line.split(':')[0])).toEqual([
      `damaged ${NATIVE}`,
      `extra release/${VERSION}/more`,
      `missing ${NATIVE}.sha256`,
      '',
    ]);
  });

  test('finds what was never mirrored', async () => {
    const result = await check('--version', VERSION, '--platforms', `${LINUX},${MAC}`);
    expect(result.exitCode).toBe(3);
    expect(result.stdout).toContain(`missing release/${VERSION}/bin/${MAC}/kubectl\n`);
    expect((await check('--version', OLDER)).stdout).toContain(
      `missing release/${OLDER}/${SBOM}\n`,
    );
  });

  testUnless(MISSING.anyFileName)(
    'prints a line for each difference, whatever the folder has in it',
    async () => {
      const name = 'x\u001b]0;title\u0007\u009b2J\n::error::forged\n##[add-mask]a\u202e';
      writeFileSync(at(`release/${VERSION}/${name}`), '');
      const json = world.trustedRoot();
      for (const log of json.tlogs) {
        log.baseUrl = 'https://log\u009b31m.example/\u202e';
        log.publicKey.validFor.start = '2000-01-01T00:00:00Z';
      }
      writeFileSync(at(ROOT), JSON.stringify(json));
      const result = await check('--version', VERSION);
      expect(result.exitCode).toBe(3);
      const [damaged, extra, ...rest] = result.stdout.split('\n');
      expect(damaged).toMatch(/^damaged trusted_root\.json: it trusts .*log\\u\{9b\}31m\.example/);
      expect(extra).toBe(
        `extra release/${VERSION}/x\\u{1b}]0;title\\u{7}\\u{9b}2J\\u{a}::error::forged\\u{a}## [add-mask]a\\u{202e}`,
      );
      expect(rest).toEqual(['']);
      expect(result.stdout + result.stderr).not.toMatch(/[^\P{Cc}\n]|\u202e/u);
    },
  );

  test('asks nobody, also for a file without its bundle', async () => {
    rmSync(at(`${NATIVE}.sigstore.json`));
    world.reset();
    const result = await command([
      ...['mirror', folder, '--check', '--version', VERSION, ...trustedRoot()],
      ...['--download-base-url', world.host.url, '--rekor-url', world.logServer.url],
    ]);
    expect(result.stdout).toBe(`missing ${NATIVE}.sigstore.json\n`);
    expect(requestedPaths(world)).toEqual([]);
  });

  test.each([
    ['kubectl of another version', () => `release/${OLDER}/bin/${NATIVE_PLATFORM}/${KUBECTL}`],
    [
      'kubectl of another platform',
      () => `release/${VERSION}/bin/${NATIVE_PLATFORM === MAC ? LINUX : MAC}/kubectl`,
    ],
  ])('refuses %s with all its own evidence', async (_, other) => {
    await mirror('--version', OLDER, '--platforms', `${NATIVE_PLATFORM},${MAC},${LINUX}`);
    await mirror('--version', VERSION, '--platforms', `${NATIVE_PLATFORM},${MAC},${LINUX}`);
    for (const file of withEvidence(other())) {
      cpSync(at(file), at(file.replace(other(), NATIVE)));
    }
    const result = await check(
      '--version',
      VERSION,
      '--platforms',
      `${NATIVE_PLATFORM},${MAC},${LINUX}`,
    );
    expect(result.exitCode).toBe(3);
    expect(result.stdout).toContain(`damaged ${NATIVE}: `);
    expectRefused(await offline(), 'RELEASE_MISMATCH');
  });

  test('refuses the SBOM of another version with all its own evidence', async () => {
    await mirror('--version', OLDER);
    for (const file of withEvidence(`release/${OLDER}/${SBOM}`)) {
      cpSync(at(file), at(file.replace(OLDER, VERSION)));
    }
    const { stdout } = await check('--version', VERSION);
    expect(stdout).toContain(`damaged release/${VERSION}/${SBOM}: `);
    expect(stdout).toContain(`damaged ${NATIVE}: `);
    expectRefused(await offline(), 'RELEASE_MISMATCH');
  });

  test('applies checksum and age', async () => {
    const { sha256 } = world.release.artifact(VERSION, NATIVE_PLATFORM, 'kubectl');
    expect((await check('--version', VERSION, '--checksum', sha256)).exitCode).toBe(0);
    const other = await check('--version', VERSION, '--checksum', '0'.repeat(64));
    expect(other.stderr).toContain('error[CHECKSUM_MISMATCH]');
    const old = await check('--version', VERSION, '--maximum-release-age', '1d');
    expect(old.exitCode).toBe(1);
    expect(old.stderr).toContain('error[RELEASE_TOO_OLD]');
  });

  test('does not create the folder', async () => {
    rmSync(folder, { recursive: true });
    const result = await check('--version', VERSION);
    expect(result.exitCode).toBe(2);
    expect(existsSync(folder)).toBe(false);
  });

  test('cannot resolve a range', async () => {
    const result = await check('--version', '~1.31.2');
    expect(result.exitCode).toBe(2);
    expect(result.stderr).toContain('an exact version, or one that has a pointer in the folder');
  });
});

describe('whom --check trusts', () => {
  beforeEach(async () => {
    await mirror('--version', VERSION);
    await stopServers(world);
  });

  const checkWith = (...args: string[]): Promise<CommandResult> =>
    command(['mirror', folder, '--check', '--version', VERSION, ...args]);

  test('not the folder: without a choice, the embedded copy', async () => {
    const result = await checkWith();
    expect(result.exitCode).toBe(3);
    expect(result.stdout).toContain(`damaged ${ROOT}: it trusts tlogs[0] (`);
    expect(result.stdout).toContain('which embedded copy does not');
    expect(result.stdout).toContain(`damaged ${NATIVE}: `);
    expect((await checkWith(...trustedRoot())).exitCode).toBe(0);
  });

  test('the folder itself only when it is named, with a warning', async () => {
    const result = await checkWith('--trusted-root', at(ROOT));
    expect(result.exitCode).toBe(0);
    expect(result.stderr).toContain('warning: Trust root of the folder');
  });

  test('no TUF repository, which would have to be asked', async () => {
    const result = await checkWith('--tuf-root', world.tufRootPath);
    expect(result.exitCode).toBe(2);
    expect(result.stderr).toContain('cannot be combined with "check"');
  });

  const write = (change: (json: TrustedRootJson) => void): void => {
    const json = world.trustedRoot();
    change(json);
    writeFileSync(at(ROOT), JSON.stringify(json));
  };

  test('the trust root in the folder may trust less', async () => {
    write((json) => {
      json.tlogs.shift();
      json.timestampAuthorities = [];
    });
    expect((await checkWith(...trustedRoot())).exitCode).toBe(0);
  });

  test('the trust root in the folder must be enough for a run', async () => {
    write((json) => {
      json.tlogs = json.tlogs.slice(0, 1);
    });
    const result = await checkWith(...trustedRoot());
    expect(result.exitCode).toBe(3);
    expect(result.stdout).toContain(`damaged ${ROOT}: `);
    expect(result.stdout).not.toContain(`damaged ${NATIVE}`);
    expect((await offline()).exitCode).toBe(1);
  });

  test.each<[string, (json: TrustedRootJson) => void]>([
    [
      'trust nobody else',
      (json) => {
        const [authority] = json.certificateAuthorities;
        if (authority !== undefined) {
          json.certificateAuthorities.push({ ...authority, uri: 'https://fulcio.other' });
        }
      },
    ],
    [
      'trust nobody for longer',
      (json) => {
        for (const { publicKey } of json.tlogs) publicKey.validFor.start = '2020-01-01T00:00:00Z';
      },
    ],
  ])('the trust root in the folder may %s', async (_, change) => {
    write(change);
    const result = await checkWith(...trustedRoot());
    expect(result.exitCode).toBe(3);
    expect(result.stdout).toContain(`damaged ${ROOT}: it trusts `);
  });
});

describe('what is not a plain file or folder', () => {
  let outside: string;

  beforeEach(() => {
    outside = join(root, 'outside');
    mkdirSync(outside);
  });

  const unchanged = (): void => {
    expect(filesBelow(outside)).toEqual([]);
  };

  testUnless(MISSING.folderLinks)(
    'a link in place of a folder is never written through',
    async () => {
      mkdirSync(at(`release/${VERSION}`), { recursive: true });
      linkFolder(outside, at(`release/${VERSION}/bin`));
      const result = await mirror('--version', VERSION);
      expect(result.exitCode).toBe(1);
      expect(result.stderr).toContain('error[INSTALL_FAILED]');
      expect(result.stderr).toContain('hint: Check the free space');
      unchanged();
      const found = await check('--version', VERSION);
      expect(found.stdout).toContain(`missing ${NATIVE}\n`);
      expect(found.exitCode).toBe(3);
    },
  );

  testUnless(MISSING.folderLinks)(
    'a link to the files of an honest mirror is not enough',
    async () => {
      await mirror('--version', VERSION);
      renameSync(at(`release/${VERSION}/bin`), join(outside, 'bin'));
      linkFolder(join(outside, 'bin'), at(`release/${VERSION}/bin`));
      const found = await check('--version', VERSION);
      expect(found.exitCode).toBe(3);
      expect(found.stdout).toContain(`damaged ${NATIVE}: release/${VERSION}/bin is a link\n`);
    },
  );

  testUnless(MISSING.folderLinks)('the folder itself may be a link', async () => {
    linkFolder(outside, folder);
    expect((await mirror('--version', VERSION)).exitCode).toBe(0);
    expect(filesBelow(outside)).toContain(NATIVE);
    expect((await check('--version', VERSION)).exitCode).toBe(0);
  });

  testUnless(MISSING.symbolicLinks).each([
    NATIVE,
    `${NATIVE}.sigstore.json`,
    `${NATIVE}.sha256`,
    ROOT,
  ])('a link in place of %s is replaced, and not followed', async (path) => {
    await mirror('--version', VERSION);
    const copy = join(outside, 'copy');
    renameSync(at(path), copy);
    const bytes = readFileSync(copy);
    symlinkSync(copy, at(path));
    expect((await check('--version', VERSION)).stdout).toContain(
      `damaged ${path}: ${path} is a link`,
    );
    await startServers(world);
    writeFileSync(copy, 'private');
    expect((await mirror('--version', VERSION)).exitCode).toBe(0);
    expect(readFileSync(copy, 'utf8')).toBe('private');
    expect(lstatSync(at(path)).isFile()).toBe(true);
    if (!path.endsWith('.sigstore.json')) expect(readFileSync(at(path))).toEqual(bytes);
  });

  testUnless(MISSING.namedPipes)('a pipe is replaced, and never read', async () => {
    await mirror('--version', VERSION);
    const { execFileSync } = await import('node:child_process');
    for (const path of [NATIVE, `${NATIVE}.sigstore.json`, ROOT]) {
      rmSync(at(path));
      execFileSync('mkfifo', [at(path)]);
    }
    const found = await check('--version', VERSION);
    expect(found.stdout).toContain(`damaged ${NATIVE}: ${NATIVE} is not a file\n`);
    expect(found.stdout).toContain(`damaged ${ROOT}: ${ROOT} is not a file\n`);
    await startServers(world);
    expect((await mirror('--version', VERSION)).exitCode).toBe(0);
    expect((await check('--version', VERSION)).exitCode).toBe(0);
  });

  test('a folder in place of a file is not deleted', async () => {
    await mirror('--version', VERSION);
    rmSync(at(NATIVE));
    mkdirSync(at(NATIVE));
    writeFileSync(join(at(NATIVE), 'mine'), 'mine');
    const found = await check('--version', VERSION);
    expect(found.stdout).toContain(`damaged ${NATIVE}: ${NATIVE} is not a file\n`);
    await startServers(world);
    const result = await mirror('--version', VERSION);
    expect(result.exitCode).toBe(1);
    expect(result.stderr).toContain('a folder has its name');
    expect(readFileSync(join(at(NATIVE), 'mine'), 'utf8')).toBe('mine');
  });

  test('a file in place of the folder', async () => {
    writeFileSync(folder, '');
    const result = await mirror('--version', VERSION);
    expect(result.exitCode).toBe(1);
    expect(result.stderr).toContain('error[INSTALL_FAILED]: cannot write to the folder');
  });

  testUnless(MISSING.permissionBits).each([
    ['', 0o777],
    ['', 0o775],
    [`release/${VERSION}`, 0o777],
  ])('a folder that others can write to is refused: "%s" with mode %o', async (path, mode) => {
    await mirror('--version', VERSION);
    chmodSync(at(path), mode);
    const complete = await mirror('--version', VERSION);
    expect(complete.exitCode).toBe(1);
    expect(complete.stderr).toContain('can be changed by other users of this machine');
    rmSync(at(`${NATIVE}.sha256`));
    const result = await mirror('--version', VERSION);
    expect(result.exitCode).toBe(1);
    expect(result.stderr).toContain('can be changed by other users of this machine');
    expect(existsSync(at(`${NATIVE}.sha256`))).toBe(false);
    chmodSync(at(path), 0o755);
    expect((await mirror('--version', VERSION)).exitCode).toBe(0);
  });

  testUnless(MISSING.permissionBits).each([
    '',
    'release',
    `release/${VERSION}`,
    ROOT,
    'release/stable-1.31.txt',
    NATIVE,
    `${NATIVE}.sha256`,
    `release/${VERSION}/${SBOM}.sigstore.json`,
  ])('a check warns of what others can write to: "%s"', async (path) => {
    await mirror('--version', '1.31');
    const before = await check('--version', '1.31');
    expect(before).toMatchObject({ exitCode: 0, stdout: '' });
    expect(before.stderr).not.toContain('warning');
    chmodSync(at(path), 0o777);
    const result = await check('--version', '1.31');
    expect(result).toMatchObject({ exitCode: 0, stdout: '' });
    expect(result.stderr).toContain('warning: Folder not private: ');
    expect(result.stderr).toContain(
      `${at(path)} can be changed by other users of this machine. What is proven now`,
    );
  });

  testUnless(MISSING.permissionBits)('a check warns once, and says of how many', async () => {
    await mirror('--version', VERSION);
    for (const file of files()) chmodSync(at(file), 0o666);
    const result = await check('--version', VERSION);
    expect(result.exitCode).toBe(0);
    expect(result.stderr.match(/warning: /g)).toHaveLength(1);
    expect(result.stderr).toMatch(/; other files and folders that are not private: 6\. What/);
  });

  /** [what somebody else can do to a file that is in the folder, how] */
  const LEFT_OPEN: [string, string | undefined, (file: string) => void][] = [
    ['write to it', MISSING.permissionBits, (file) => chmodSync(file, 0o666)],
    ['change it as its owner', MISSING.root, (file) => lchownSync(file, 4711, 4711)],
    [
      'change it under a second name',
      MISSING.permissionBits,
      (file) => linkSync(file, join(outside, basename(file))),
    ],
  ];
  const PRIVATE_FILES = [
    ROOT,
    'release/stable-1.31.txt',
    `release/${VERSION}/${SBOM}`,
    NATIVE,
    `${NATIVE}.sha256`,
    `${NATIVE}.sigstore.json`,
  ];
  for (const [what, missing, open] of LEFT_OPEN) {
    testUnless(missing)(`nothing is kept if somebody else can ${what}`, async () => {
      await mirror('--version', '1.31');
      const before = PRIVATE_FILES.map((path) => statSync(at(path)).ino);
      world.reset();
      for (const path of PRIVATE_FILES) open(at(path));
      expect((await check('--version', '1.31')).stderr).toContain('warning: Folder not private: ');
      await startServers(world);
      const result = await mirror('--version', '1.31');
      expect(result.exitCode).toBe(0);
      expect(result.stderr).toContain('2 files, 0 of them kept');
      for (const [index, path] of PRIVATE_FILES.entries()) {
        const { ino, uid, nlink, mode } = statSync(at(path));
        expect([path, uid, nlink, mode & 0o777]).toEqual([
          path,
          OWN_UID,
          1,
          path === NATIVE ? 0o755 : 0o644,
        ]);
        expect([path, ino]).not.toEqual([path, before[index]]);
        expect(result.stderr).toMatch(new RegExp(`Replac(?:ed|ing) ${path}: `));
      }
      const after = await check('--version', '1.31');
      expect(after).toMatchObject({ exitCode: 0, stdout: '' });
      expect(after.stderr).not.toContain('warning');
    });
  }

  testUnless(MISSING.permissionBits)(
    'a pointer that others can write to holds nothing back',
    async () => {
      await mirror('--version', '1.31');
      world.release.point('stable-1.31', OLDER);
      chmodSync(at('release/stable-1.31.txt'), 0o666);
      const result = await mirror('--version', '1.31');
      expect(result.exitCode).toBe(0);
      expect(readFileSync(at('release/stable-1.31.txt'), 'utf8')).toBe(`${OLDER}\n`);
      expect(statSync(at('release/stable-1.31.txt')).mode & 0o777).toBe(0o644);
    },
  );

  testUnless(MISSING.root).each(['release', `release/${VERSION}/bin`])(
    "another user's folder inside is refused: %s",
    async (path) => {
      await mirror('--version', VERSION);
      lchownSync(at(path), 4711, 4711);
      const result = await mirror('--version', VERSION);
      expect(result.exitCode).toBe(1);
      expect(result.stderr).toContain('can be changed by other users of this machine');
      expect((await check('--version', VERSION)).stderr).toContain(
        `warning: Folder not private: ${at(path)} can be changed`,
      );
    },
  );

  // Its owner could rename the temporary folder, and put a link where the download is.
  testUnless(MISSING.root)('root does not write to a folder of another user', async () => {
    mkdirSync(folder);
    lchownSync(folder, 4711, 4711);
    const result = await mirror('--version', VERSION);
    expect(result.exitCode).toBe(1);
    expect(result.stderr).toContain('error[INSTALL_FAILED]: cannot write to the folder');
    expect(result.stderr).toContain('can be changed by other users of this machine');
    expect(result.stderr).toContain('hint: Check the free space, the owner and the permissions');
    expect(readdirSync(folder)).toEqual([]);
    lchownSync(folder, OWN_UID, OWN_UID);
    expect((await mirror('--version', VERSION)).exitCode).toBe(0);
    // Reading is another matter: the owner of the folder decides what is in it.
    giveAway(folder, 4711);
    const found = await check('--version', VERSION);
    expect(found).toMatchObject({ exitCode: 0, stdout: '' });
    expect(found.stderr).not.toContain('warning');
  });

  testUnless(MISSING.permissionBits)(
    'files can be read by everybody, and changed by their owner',
    async () => {
      await mirror('--version', VERSION);
      for (const file of files()) {
        expect([file, statSync(at(file)).mode & 0o777]).toEqual([
          file,
          file === NATIVE ? 0o755 : 0o644,
        ]);
      }
      expect(statSync(dirname(at(NATIVE))).mode & 0o777).toBe(0o755);
    },
  );
});

describe('a run with a folder in which something is gone', () => {
  beforeEach(async () => {
    await mirror('--version', '1.31');
  });

  test('refuses, unless it was the digest, which proves nothing', async () => {
    for (const file of files()) {
      for (const remove of [rmSync, truncateSync]) {
        const broken = join(root, 'broken');
        rmSync(broken, { recursive: true, force: true });
        cpSync(folder, broken, { recursive: true });
        remove(join(broken, file));
        const run = await offline({ version: '1.31' }, broken);
        if (file.endsWith('.sha256')) {
          expectInstalled(run, { version: VERSION });
        } else if (file.endsWith(SBOM) && remove === rmSync && run.exitCode === 0) {
          // As from a host without an SBOM: the signed binary is asked.
          const warnings = ['Release proven without SBOM'];
          expectInstalled(run, { version: VERSION, warnings });
        } else {
          expect([file, run.exitCode, run.annotations.length]).toEqual([file, 1, 1]);
          expect(run.annotations[0]?.title).not.toContain('UNEXPECTED');
          expect(run.paths).toEqual([]);
          expect(cachedFiles(run)).toEqual([]);
        }
      }
    }
  }, 120_000);
});

describe('wrong use', () => {
  test.each([
    [['mirror'], 'missing required argument'],
    [['mirror', 'a', 'b'], 'too many arguments'],
    [['mirror', ''], 'Input "folder"'],
    [['mirror', 'a', '--images', 'control-plane'], 'a mirror holds files, not images'],
    [['mirror', 'a', '--bind-release', 'false'], 'a mirror holds nothing unproven'],
    [['mirror', 'a', '--platforms', 'linux'], 'Input "platforms"'],
  ])('%j', async (args, says) => {
    const result = await command(args);
    expect(result.exitCode).toBe(2);
    expect(result.stderr).toContain(says);
    expect(readdirSync(root)).toEqual([]);
  });
});
