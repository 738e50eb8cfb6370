// A tool cache that others may write to, as real self-hosted runners have it: images that end with
// `chmod -R 777`, volumes with fsGroup (pkg/volume/volume_linux.go of Kubernetes makes folders
// 2775), a cache made by a root container, file systems where everything is 0777.
import { execFileSync, spawnSync } from 'node:child_process';
import {
  chmodSync,
  chownSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  truncateSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from '@jest/globals';
import {
  NATIVE_PLATFORM,
  World,
  giveAway,
  type ActionResult,
  type RunOptions,
  keptMetadataPath,
} from '../support/index.js';
import { MISSING, describeUnless, testUnless } from '../support/skip.js';
import {
  errorsOf,
  expectInstalled,
  expectRefused,
  requestsTo,
  runIn,
  warningsOf,
} from './expectations.js';

const VERSION = 'v1.31.9';
const DIST = fileURLToPath(new URL('../../dist/index.js', import.meta.url));
const USER = 1001;
const OTHER = 1002;

let world: World;
let folder: string;
let toolCache: string;
let temp: string;
let tufRoot: string;

beforeAll(async () => {
  world = await World.start({ publish: [{ version: VERSION, platforms: [NATIVE_PLATFORM] }] });
});

afterAll(() => world.stop());

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'shared-cache-'));
  chmodSync(folder, 0o755);
  [toolCache, temp] = [join(folder, 'tool-cache'), join(folder, 'temp')];
  for (const place of [toolCache, temp]) mkdirSync(place);
  tufRoot = join(folder, 'root.json');
  writeFileSync(tufRoot, readFileSync(world.tufRootPath), { mode: 0o644 });
});

afterEach(() => {
  world.reset();
  rmSync(folder, { recursive: true, force: true });
});

/** As the runner does between jobs. */
function emptyTemp(): void {
  for (const name of readdirSync(temp)) rmSync(join(temp, name), { recursive: true });
}

const install = (options: Omit<RunOptions, 'inputs'> = {}): Promise<ActionResult> => {
  world.reset();
  emptyTemp();
  return runIn(world, { version: VERSION, 'tuf-root': tufRoot }, { toolCache, temp, ...options });
};

const entry = (): string => join(toolCache, world.cacheEntry(VERSION));
const versionFolder = (): string => dirname(entry());
const toolFolder = (): string => dirname(versionFolder());
const trustFolder = (): string => join(toolCache, 'verified-trust-root');
const modeOf = (path: string): number => statSync(path).mode & 0o7777;

/** Folders that hold what the action put there; files are left alone. */
const foldersBelow = (path: string): string[] =>
  readdirSync(path, { recursive: true, withFileTypes: true })
    .filter((one) => one.isDirectory())
    .map((one) => join(one.parentPath, one.name));

function expectKept(run: ActionResult): void {
  expectInstalled(run);
  expect(run.paths).toEqual([entry()]);
}

/** Installed and proven, below RUNNER_TEMP; the tool cache stays as it was. */
function expectBelowTemp(run: ActionResult, ...names: string[]): string {
  expect(errorsOf(run)).toEqual([]);
  expect(run.exitCode).toBe(0);
  const unused = warningsOf(run).filter(({ title }) => title !== 'Cached copy refused');
  expect(unused.map(({ title }) => title)).toEqual(['Tool cache not used']);
  const message = unused[0]?.message ?? '';
  for (const name of names) expect(message).toContain(name);
  expect(run.paths).toHaveLength(1);
  expect(relative(temp, run.paths[0] ?? '')).toMatch(/^verified-tools-/);
  const { bytes } = world.release.artifact(VERSION, NATIVE_PLATFORM, 'kubectl');
  expect(readFileSync(run.outputs['kubectl-path'] ?? '').equals(bytes)).toBe(true);
  expect(run.outputs['cache-hit']).toBe('false');
  return message;
}

/** Runs the command that a warning names, as root. */
function mend(message: string): void {
  const [, command = ''] = /To fix this: (.*?)\. /.exec(message) ?? [];
  expect(command).toMatch(/^(cd [^ ]+ && )?(for f in [^;]+; do )?(sudo chown|rm) /);
  execFileSync('/bin/sh', ['-c', command.replaceAll('sudo ', '')]);
}

const binaryRequests = (): string[] =>
  requestsTo(world).filter((line) => line.endsWith('/kubectl'));

describeUnless(MISSING.permissionBits)('folders that this user owns', () => {
  test.each([
    ['0777', 0o777, 0o755],
    ['2775, as fsGroup leaves them', 0o2775, 0o2755],
    ['0775, as umask 0002 leaves them', 0o775, 0o755],
    ['0755, which is as it should be', 0o755, 0o755],
  ])('above the copy, of mode %s: the copy is used', async (_, mode, mended) => {
    expectKept(await install());
    for (const path of [toolFolder(), versionFolder(), trustFolder()]) chmodSync(path, mode);
    const run = await install();
    expectKept(run);
    expect(run.outputs['cache-hit']).toBe('true');
    expect(requestsTo(world)).toEqual([]);
    for (const path of [toolFolder(), versionFolder(), trustFolder()]) {
      expect(modeOf(path)).toBe(mended);
    }
  });

  test('of mode 0777, all of them and every file, after chmod -R 777: fetched again, once', async () => {
    expectKept(await install());
    execFileSync('chmod', ['-R', '777', toolCache]);
    const second = await install();
    expectInstalled(second, { warnings: ['Cached copy refused'] });
    expect(second.paths).toEqual([entry()]);
    const third = await install();
    expectKept(third);
    expect(third.outputs['cache-hit']).toBe('true');
  });

  test('of mode 0777, and the version is a minor: its copy is still found', async () => {
    expectKept(await install());
    for (const path of [toolFolder(), versionFolder()]) chmodSync(path, 0o777);
    const inputs = { version: '1.31', 'tuf-root': tufRoot };
    const run = await runIn(world, inputs, { toolCache, temp });
    expectKept(run);
    expect(run.outputs['cache-hit']).toBe('true');
  });

  test('of mode 0777, with a copy that somebody changed: it is refused as always', async () => {
    expectKept(await install());
    chmodSync(toolFolder(), 0o777);
    writeFileSync(join(entry(), 'kubectl'), '#!/bin/sh\n');
    expectInstalled(await install(), { warnings: ['Cached copy refused'] });
  });

  test('of mode 0777, with folders and links that somebody planted: nothing elsewhere is deleted', async () => {
    expectKept(await install());
    const elsewhere = join(folder, 'elsewhere');
    mkdirSync(elsewhere);
    writeFileSync(join(elsewhere, 'kept'), '');
    const partial = join(versionFolder(), '.partial-planted');
    for (const place of [entry(), partial]) {
      mkdirSync(join(place, 'inner'), { recursive: true });
      for (const where of [place, join(place, 'inner')]) {
        symlinkSync(elsewhere, join(where, 'link'));
      }
    }
    utimesSync(partial, 0, 0);
    for (const path of [toolFolder(), versionFolder(), entry(), partial]) chmodSync(path, 0o777);
    const run = await install();
    expectInstalled(run, { warnings: ['Cached copy refused'] });
    expect(run.paths).toEqual([entry()]);
    expect(readdirSync(elsewhere)).toEqual(['kept']);
    const left = readdirSync(versionFolder()).filter((name) => name.startsWith('.partial-'));
    expect(left).toHaveLength(2);
    for (const name of left) {
      expect(readdirSync(join(versionFolder(), name))).toEqual(['inner']);
      expect(readdirSync(join(versionFolder(), name, 'inner'))).toEqual(['link']);
    }
  });

  test('verified-trust-root of mode 0777: what is fetched is kept again', async () => {
    await install();
    const kept = keptMetadataPath(trustFolder());
    rmSync(kept);
    chmodSync(trustFolder(), 0o777);
    expectKept(await install());
    expect(existsSync(kept)).toBe(true);
  });

  const asRoot = testUnless(MISSING.root);

  asRoot('a tool cache behind a link of root, in a folder of another user', async () => {
    // Who owns the folder can exchange everything in it, and the link says that root wants it so.
    const place = join(folder, 'volume');
    mkdirSync(place);
    const run = await install({ toolCache: place });
    expectInstalled(run);
    giveAway(place, OTHER);
    rmSync(toolCache, { recursive: true });
    symlinkSync(place, toolCache);
    const second = await install();
    expectKept(second);
    expect(second.outputs['cache-hit']).toBe('true');
    // The twin: copies of a third user.
    giveAway(join(place, 'verified-kubectl'), USER);
    expectBelowTemp(await install(), `owner ${String(USER)}`);
  });

  test.each([0o002, 0o022, 0o077, 0o000])('made with umask %o: the copy is used', async (umask) => {
    expectKept(await install({ umask }));
    const run = await install({ umask });
    expectKept(run);
    expect(run.outputs['cache-hit']).toBe('true');
    for (const path of foldersBelow(toolCache)) expect(modeOf(path) & 0o022).toBe(0);
  });

  test.each(['verified-kubectl', 'version'])('a link in the place of %s', async (which) => {
    expectKept(await install());
    const link = which === 'version' ? versionFolder() : toolFolder();
    const elsewhere = join(folder, 'elsewhere');
    renameSync(link, elsewhere);
    chmodSync(elsewhere, 0o777);
    symlinkSync(elsewhere, link);
    const message = expectBelowTemp(await install(), link, 'is not a plain folder');
    expect(modeOf(elsewhere)).toBe(0o777); // Not through the link.
    expect(existsSync(join(elsewhere, relative(link, entry()), 'kubectl'))).toBe(true);
    mend(message);
    expectKept(await install());
  });
});

/** Why this machine cannot run the action as somebody else; undefined where it can. */
function noOtherUser(): string | undefined {
  if (MISSING.root !== undefined) return 'only root can run the action as another user';
  const { status } = spawnSync(process.execPath, ['--check', DIST], { uid: USER, gid: USER });
  return status === 0 ? undefined : `user ${String(USER)} cannot read this checkout, or its Node`;
}

describeUnless(noOtherUser())('as another user than root', () => {
  const asUser = (options: Omit<RunOptions, 'inputs'> = {}): Promise<ActionResult> =>
    install({ uid: USER, ...options });

  beforeEach(() => {
    chownSync(temp, USER, USER);
    chownSync(toolCache, USER, USER);
  });

  test.each([0o002, 0o022, 0o077])('with its own tool cache and umask %o', async (umask) => {
    expectKept(await asUser({ umask }));
    for (const path of foldersBelow(toolCache)) chmodSync(path, 0o2775);
    chmodSync(entry(), 0o755);
    const run = await asUser({ umask });
    expectKept(run);
    expect(run.outputs['cache-hit']).toBe('true');
  });

  test('a cache made by a root container holds the copy: it is used', async () => {
    expectKept(await install());
    const run = await asUser();
    expectKept(run);
    expect(run.outputs['cache-hit']).toBe('true');
  });

  test('a cache made by a root container holds another version: nothing can be put there', async () => {
    mkdirSync(versionFolder(), { recursive: true });
    const run = await asUser();
    const message = expectBelowTemp(run, versionFolder(), 'owner 0', 'mode 0755');
    mend(message);
    expectKept(await asUser());
  });

  test('a cache made by a root container that only root may enter', async () => {
    expectKept(await install({ umask: 0o077 }));
    expectBelowTemp(await asUser(), toolFolder(), 'owner 0', 'mode 0700');
    expect(existsSync(entry())).toBe(true);
  });

  test('a tool cache that does not exist and cannot be made', async () => {
    const missing = join(folder, 'absent', 'tool-cache');
    const message = expectBelowTemp(await asUser({ toolCache: missing }), folder, 'owner 0');
    expect(message).toContain('is not writable by this user');
  });

  test.each(['exists', 'does not exist'])(
    'a tool cache below a folder that only root may enter, which %s',
    async (which) => {
      const closed = join(folder, 'closed');
      mkdirSync(closed, { mode: 0o700 });
      const inside = join(closed, 'tool-cache');
      if (which === 'exists') {
        mkdirSync(inside);
        chownSync(inside, USER, USER);
      }
      const run = await asUser({ env: { RUNNER_TOOL_CACHE: inside } });
      const message = expectBelowTemp(run, closed, 'owner 0', 'mode 0700');
      mend(message);
      const second = await asUser({ env: { RUNNER_TOOL_CACHE: inside } });
      expectInstalled(second);
      expect(relative(inside, second.paths[0] ?? '')).toMatch(/^verified-kubectl/);
    },
  );

  testUnless(MISSING.linux).each([1, 4])(
    'folders of root for eight tools, in a path of length %i: the warning has the whole command',
    async (length) => {
      const tools = [
        ...['kubectl', 'kubeadm', 'kubelet', 'kubectl-convert', 'kube-proxy', 'kube-apiserver'],
        ...['kube-controller-manager', 'kube-scheduler'],
      ];
      const version = 'v1.31.8';
      world.release.publish({ version, platforms: [NATIVE_PLATFORM], tools });
      const long = join(toolCache, 'a-folder-with-a-long-name-'.repeat(length));
      mkdirSync(long);
      chmodSync(long, 0o777);
      for (const tool of tools) {
        const place = join(long, `verified-${tool}`);
        mkdirSync(join(place, '1.31.8'), { recursive: true });
        chmodSync(place, 0o777);
      }
      const inputs = { version, tools: tools.join(' '), 'tuf-root': tufRoot };
      const env = { RUNNER_TOOL_CACHE: long };
      const run = await runIn(world, inputs, { temp, uid: USER, env });
      expectInstalled(run, { tools, warnings: ['Tool cache not used'] });
      const message = warningsOf(run)[0]?.message ?? '';
      expect(message).toContain(`${join(long, 'verified-kubectl')} (owner 0, mode 0777)`);
      if (length === 1) {
        expect(message).toMatch(/; and 5 more\. This run installs under RUNNER_TEMP/);
        expect(message).not.toContain('…');
      }
      mend(message);
      for (const tool of tools) {
        expect(statSync(join(long, `verified-${tool}`)).uid).toBe(USER);
        chownSync(join(long, `verified-${tool}`, '1.31.8'), USER, USER);
      }
      emptyTemp();
      const second = await runIn(world, inputs, { temp, uid: USER, env });
      expectInstalled(second, { tools });
      for (const path of second.paths) expect(relative(long, path)).toMatch(/^verified-/);
    },
  );

  const damage = (): void => {
    truncateSync(join(entry(), 'kubectl'), 10);
  };

  test('a damaged copy in folders of root, which this user cannot delete', async () => {
    expectKept(await install());
    damage();
    const run = await asUser();
    const titles = warningsOf(run).map(({ title }) => title);
    expect(titles).toEqual(['Cached copy refused', 'Tool cache not used']);
    expect(warningsOf(run)[0]?.message).toContain(`${entry()} was skipped`);
    expectBelowTemp(run, versionFolder(), 'owner 0', 'mode 0755');
    expect(statSync(join(entry(), 'kubectl')).size).toBe(10);
  });

  test('a damaged copy of root in folders of this user, which can move it out of the way', async () => {
    expectKept(await install());
    damage();
    for (const path of [toolCache, toolFolder(), versionFolder()]) chownSync(path, USER, USER);
    const run = await asUser();
    expectInstalled(run, { warnings: ['Cached copy refused'] });
    expect(run.paths).toEqual([entry()]);
  });

  test('two users install at once: the slower one finds folders of the other', async () => {
    chownSync(toolCache, 0, 0);
    chmodSync(toolCache, 0o1777);
    world.reset();
    let release = (): void => {};
    const held = new Promise<void>((resolve) => (release = resolve));
    world.host.server.fail('/kubectl', async ({ answer, response }) => {
      await held;
      const { status, headers, body } = await answer();
      response.writeHead(status, headers).end(body);
    });
    const others = { temp: join(folder, 'temp-of-another') };
    mkdirSync(others.temp);
    chownSync(others.temp, OTHER, OTHER);
    const inputs = { version: VERSION, 'tuf-root': tufRoot };
    const slower = runIn(world, inputs, { toolCache, temp, uid: USER });
    while (binaryRequests().length === 0) await new Promise((resolve) => setTimeout(resolve, 20));
    expectKept(await runIn(world, inputs, { toolCache, ...others, uid: OTHER }));
    release();
    expectBelowTemp(await slower, toolFolder());
    expect(binaryRequests()).toHaveLength(2);
  });

  test.each(['verified-kubectl', 'version', 'verified-trust-root'] as const)(
    'two users share a cache, and %s belongs to the other one',
    async (which) => {
      chownSync(toolCache, 0, 0);
      chmodSync(toolCache, 0o1777);
      expectKept(await asUser());
      const place = {
        'verified-kubectl': toolFolder(),
        version: versionFolder(),
        'verified-trust-root': trustFolder(),
      }[which];
      giveAway(place, OTHER);
      chmodSync(place, 0o777);
      const run = await asUser();
      if (which === 'verified-trust-root') {
        expectInstalled(run, { warnings: ['Trust root not cached'] });
        expect(run.paths).toEqual([entry()]);
        mend(warningsOf(run)[0]?.message ?? '');
        return;
      }
      const message = expectBelowTemp(run, place, `owner ${String(OTHER)}`, 'mode 0777');
      expect(binaryRequests()).toHaveLength(1);
      expect(existsSync(join(entry(), 'kubectl'))).toBe(true);
      mend(message);
      giveAway(place, USER);
      expectKept(await asUser());
      expect(binaryRequests()).toEqual([]);
    },
  );
});

interface Mount {
  readonly path: string;
  readonly unmount: () => void;
}

/** A real file system without POSIX modes: everything is 0777, and chmod says nothing and does nothing, as on drvfs. */
function ntfs(place: string, uid = USER): Mount {
  const [image, path] = [join(place, 'ntfs.img'), join(place, 'ntfs')];
  writeFileSync(image, '');
  truncateSync(image, 16 << 20);
  mkdirSync(path);
  execFileSync('mkntfs', ['-F', '-q', image], { stdio: 'ignore' });
  execFileSync('ntfs-3g', ['-o', `uid=${String(uid)},gid=${String(uid)},umask=000`, image, path]);
  return { path, unmount: () => execFileSync('umount', [path]) };
}

/** Why there is no such file system here; undefined where there is one. */
function noNtfs(): string | undefined {
  const missing = noOtherUser();
  if (missing !== undefined) return missing;
  const place = mkdtempSync(join(tmpdir(), 'ntfs-'));
  try {
    ntfs(place).unmount();
    return undefined;
  } catch {
    return 'no file system without modes: install ntfs-3g, and run where root can mount';
  } finally {
    rmSync(place, { recursive: true });
  }
}

describeUnless(noNtfs())('a file system where chmod has no effect (NTFS)', () => {
  let mount: Mount;

  beforeEach(() => {
    mount = ntfs(folder);
    chownSync(temp, USER, USER);
  });

  afterEach(() => {
    mount.unmount();
  });

  test.each([
    ['the user', USER],
    ['root', undefined],
  ])('%s installs below RUNNER_TEMP, first and later', async (_, uid) => {
    const options = { toolCache: mount.path, ...(uid === undefined ? {} : { uid }) };
    const first = await install(options);
    expectBelowTemp(first, mount.path, `owner ${String(USER)}`, 'mode 0777', 'umask=022');
    mkdirSync(join(mount.path, 'verified-kubectl', VERSION.slice(1)), { recursive: true });
    expectBelowTemp(await install(options), join(mount.path, 'verified-kubectl'), 'mode 0777');
  });

  test('as RUNNER_TEMP, with a tool cache of somebody else: refused before the download', async () => {
    mkdirSync(toolFolder());
    chownSync(toolFolder(), OTHER, OTHER);
    chownSync(toolCache, USER, USER);
    const run = await install({ uid: USER, temp: mount.path });
    expect(errorsOf(run).map(({ title }) => title)).toEqual([
      'setup-verified-kubectl: INSTALL_FAILED',
    ]);
    expect(errorsOf(run)[0]?.message).toContain(
      `RUNNER_TEMP (${mount.path}) cannot be used instead`,
    );
    expect(binaryRequests()).toEqual([]);
  });
});

testUnless(MISSING.symbolicLinks)('a tool cache behind a link to itself', async () => {
  const loop = join(folder, 'loop');
  symlinkSync(loop, loop);
  const env = { RUNNER_TOOL_CACHE: join(loop, 'tool-cache') };
  mend(expectBelowTemp(await install({ env }), loop, 'is a link that leads to itself'));
  const second = await install({ env });
  expectInstalled(second);
  expect(relative(loop, second.paths[0] ?? '')).toMatch(/^tool-cache/);
});

test.each([
  ['a file', (path: string) => writeFileSync(path, '')],
  ['a link that leads nowhere', (path: string) => symlinkSync(join(folder, 'absent'), path)],
])('a tool cache that is %s: refused before the download', async (what, make) => {
  if (what !== 'a file' && MISSING.symbolicLinks !== undefined) return;
  rmSync(toolCache, { recursive: true });
  make(toolCache);
  const run = await install();
  expectRefused(run, 'INSTALL_FAILED', { says: [toolCache] });
  expect(binaryRequests()).toEqual([]);
});

// The kernel says ENOENT although /proc exists.
testUnless(MISSING.proc).each([
  ['RUNNER_TOOL_CACHE', '/proc/absent'],
  ['RUNNER_TOOL_CACHE', '/proc/absent/tool-cache'],
  ['RUNNER_TEMP', '/proc/absent'],
])('%s=%s, where nobody can make a folder: refused before the download', async (name, path) => {
  const run = await install({ env: { [name]: path }, timeoutMs: 30_000 });
  expectRefused(run, 'INSTALL_FAILED', { says: [path] });
  expect(binaryRequests()).toEqual([]);
});

testUnless(MISSING.permissionBits)(
  'the twin of all of these: a private cache is used without a word',
  async () => {
    expectKept(await install());
    const run = await install();
    expectKept(run);
    expect(run.stdout).not.toContain('removed write permission');
    expect(readdirSync(temp)).toEqual([]);
  },
);
