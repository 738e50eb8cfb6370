import { execFileSync } from 'node:child_process';
import {
  chmodSync,
  chownSync,
  existsSync,
  linkSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  readlinkSync,
  rmSync,
  statSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { INSTALL } from '../../src/commands/install-command.js';
import {
  NATIVE_PLATFORM,
  World,
  filesBelow,
  lockOf,
  lockText,
  runCommand,
  startCommand,
  tally,
  type CommandResult,
} from '../support/index.js';
import { textOf } from '../unit/repository.js';
import { MISSING, linkFolder, testUnless } from '../support/skip.js';
import {
  FOREIGN,
  FOREIGN_ARCH,
  STRANGER,
  fileNameOf,
  requestedPaths,
  serveAs,
} from './expectations.js';
import {
  expectNotPlaced,
  expectPlaced,
  folderWithOlderKubectl,
  installIn,
  missingFolder,
  optionsOf,
  snapshot,
  type InstallOptions,
  type InstallRun,
} from './install-expectations.js';

const VERSION = 'v1.31.9';
const OLDER = 'v1.31.8';
const SOURCE = 'kubernetes-src.tar.gz';
const KUBECTL = fileNameOf('kubectl');
const NOBODY = 65534;
const INPUTS = { version: VERSION };

let world: World;

beforeAll(async () => {
  world = await World.start();
});

beforeEach(() => {
  world.reset();
  for (const version of [OLDER, VERSION]) {
    world.release.publish({ version, platforms: [NATIVE_PLATFORM], artifacts: [SOURCE] });
  }
});

afterAll(() => world.stop());

const install = (
  inputs: Readonly<Record<string, string>> = INPUTS,
  options: InstallOptions = {},
): Promise<InstallRun> => installIn(world, inputs, options);

const bytesOf = (version = VERSION, tool = 'kubectl', platform = NATIVE_PLATFORM): Buffer =>
  world.release.artifact(version, platform, tool).bytes;

const genuine = (version = VERSION): Readonly<Record<string, Buffer>> => ({
  [KUBECTL]: bytesOf(version),
});

const expectGenuine = (
  run: InstallRun,
  version = VERSION,
  warnings: readonly string[] = [],
): void => {
  expectPlaced(run, { files: genuine(version), warnings });
};

/** Inputs that every user can read, and with which no trust root is written anywhere. */
function readable(): Record<string, string> {
  const folder = folderWithOlderKubectl();
  chmodSync(folder, 0o755);
  const root = join(folder, 'trusted_root.json');
  writeFileSync(root, JSON.stringify(world.trustedRoot()));
  return { ...INPUTS, 'trusted-root': root, 'tuf-root': '', 'tuf-mirror-url': '' };
}

describe('install', () => {
  test('replaces an older file by the verified one, and prints its path', async () => {
    const run = await install();
    expectGenuine(run);
    expect(run.stderr).toContain(`Version: ${VERSION} (requested: ${VERSION})\n`);
    expect(run.stderr).toContain(`kubectl ${VERSION} (${NATIVE_PLATFORM})\n`);
    expect(run.stderr).toMatch(/tlog entry verified with uuid: [0-9a-f]+/);
    expect(run.stderr).toContain(`Installed ${join(run.target, KUBECTL)}\n`);
  });

  test('one that somebody else signed is refused, and the older file stays', async () => {
    world.release.artifact(VERSION, NATIVE_PLATFORM, 'kubectl').sign(STRANGER);
    expectNotPlaced(await install(), 'IDENTITY_MISMATCH');
  });

  test('another release under its name is refused', async () => {
    const older = world.release.artifact(OLDER, NATIVE_PLATFORM, 'kubectl');
    serveAs(world, older, `release/${VERSION}/bin/${NATIVE_PLATFORM}/${KUBECTL}`);
    expectNotPlaced(await install(), 'RELEASE_MISMATCH');
  });

  test('makes a folder that does not exist', async () => {
    const target = missingFolder();
    expectGenuine(await install(INPUTS, { target }));
  });

  test('and makes none if the file is refused', async () => {
    const target = missingFolder();
    world.release.artifact(VERSION, NATIVE_PLATFORM, 'kubectl').sign(STRANGER);
    expectNotPlaced(await install(INPUTS, { target }), 'IDENTITY_MISMATCH');
    expect(existsSync(join(target, '..'))).toBe(false);
  });

  test('a relative folder is below the current one', async () => {
    const folder = folderWithOlderKubectl();
    const run = await installIn(world, INPUTS, { folder, target: 'bin' });
    expectPlaced({ ...run, target: join(folder, 'bin') }, { files: genuine() });
  });

  test('several tools and artifacts', async () => {
    const inputs = { ...INPUTS, artifacts: SOURCE };
    const run = await install(inputs);
    const tarball = world.release.file(VERSION, SOURCE).bytes;
    expectPlaced(run, { files: { ...genuine(), [SOURCE]: tarball }, readable: [SOURCE] });
  });

  test('all of them or none', async () => {
    world.release.file(VERSION, SOURCE).sign(STRANGER);
    expectNotPlaced(await install({ ...INPUTS, artifacts: SOURCE }), 'IDENTITY_MISMATCH');
  });

  test('another architecture', async () => {
    world.release.publish({ version: VERSION, platforms: [NATIVE_PLATFORM, FOREIGN] });
    const run = await install({ ...INPUTS, architecture: FOREIGN_ARCH });
    expectPlaced(run, { files: { [KUBECTL]: bytesOf(VERSION, 'kubectl', FOREIGN) } });
  });

  test('--quiet: the path and nothing else', async () => {
    const run = await install(INPUTS, { args: ['--quiet'] });
    expectGenuine(run);
    expect(run.stderr).toBe('');
  });

  test('--verbose: every request, and where the evidence is', async () => {
    const run = await install(INPUTS, { args: ['--verbose'] });
    expectGenuine(run);
    expect(run.stderr).toContain(`GET ${world.host.url}/release/${VERSION}/bin/`);
    expect(run.stderr).toMatch(/^Evidence: .*kubectl(\.exe)?\.sigstore\.json$/m);
  });

  test('says what a run says in notices', async () => {
    const folder = folderWithOlderKubectl();
    writeFileSync(join(folder, '.kubectl-version'), OLDER);
    const inputs = { ...INPUTS, 'version-file': '.kubectl-version' };
    const run = await install(inputs, { folder });
    expectGenuine(run);
    expect(run.stderr).toContain('version-file ignored: "version" is set');
    expect(run.stderr).toContain('Kubernetes 1.31 is no longer supported: ');
  });

  test('images are verified, and nothing is put into the folder for them', async () => {
    const run = await install({ ...INPUTS, images: 'kube-apiserver' });
    expectNotPlaced(run, 'IMAGE_NOT_FOUND');
  });
});

describe('what is there already', () => {
  const target = (): string => folderWithOlderKubectl();

  test('exactly the verified bytes: left untouched', async () => {
    const folder = target();
    expectGenuine(await install(INPUTS, { target: folder }));
    utimesSync(join(folder, KUBECTL), 1e9, 1e9);
    const run = await install(INPUTS, { target: folder });
    expectGenuine(run);
    expect(snapshot(folder)).toEqual(run.before);
    expect(run.stderr).toContain(`${join(folder, KUBECTL)} is up to date\n`);
    expect(run.stderr).not.toContain('Installed ');
  });

  test('one other byte: replaced', async () => {
    const folder = target();
    const other = Buffer.from(bytesOf());
    other[other.length - 1] = 0x21;
    writeFileSync(join(folder, KUBECTL), other, { mode: 0o755 });
    expectGenuine(await install(INPUTS, { target: folder }));
  });

  testUnless(MISSING.permissionBits).each([0o644, 0o777, 0o4755, 0o700])(
    'the verified bytes with mode %o: replaced',
    async (mode) => {
      const folder = target();
      writeFileSync(join(folder, KUBECTL), bytesOf());
      chmodSync(join(folder, KUBECTL), mode);
      expectGenuine(await install(INPUTS, { target: folder }));
    },
  );

  testUnless(MISSING.root)('the verified bytes, of another user: replaced', async () => {
    const folder = target();
    writeFileSync(join(folder, KUBECTL), bytesOf());
    chownSync(join(folder, KUBECTL), NOBODY, NOBODY);
    const run = await install(INPUTS, { target: folder });
    expectGenuine(run);
    expect(statSync(join(folder, KUBECTL)).uid).toBe(0);
  });

  test('a file with another name: its bytes stay', async () => {
    const folder = target();
    linkSync(join(folder, KUBECTL), `${folder}-other-name`);
    expectGenuine(await install(INPUTS, { target: folder }));
    expect(readFileSync(`${folder}-other-name`, 'utf8')).toBe('an older kubectl');
    rmSync(`${folder}-other-name`);
  });

  const links = testUnless(MISSING.symbolicLinks);

  links.each<[string, (elsewhere: string) => void]>([
    ['a file', (elsewhere) => writeFileSync(elsewhere, 'precious')],
    [
      'a file with the verified bytes',
      (elsewhere) => writeFileSync(elsewhere, bytesOf(), { mode: 0o755 }),
    ],
    ['nothing', () => undefined],
    ['a folder', (elsewhere) => mkdirSync(elsewhere)],
  ])('a link to %s is replaced, and not followed', async (_what, put) => {
    const folder = target();
    const elsewhere = join(target(), 'elsewhere');
    put(elsewhere);
    const before = snapshot(join(elsewhere, '..'));
    rmSync(join(folder, KUBECTL));
    symlinkSync(elsewhere, join(folder, KUBECTL));
    expectGenuine(await install(INPUTS, { target: folder }));
    expect(snapshot(join(elsewhere, '..'))).toEqual(before);
  });

  testUnless(MISSING.namedPipes)('a pipe is replaced', async () => {
    const folder = target();
    rmSync(join(folder, KUBECTL));
    execFileSync('mkfifo', [join(folder, KUBECTL)]);
    expectGenuine(await install(INPUTS, { target: folder }));
  });

  test('a folder in its place: refused before anything is asked for', async () => {
    const folder = target();
    rmSync(join(folder, KUBECTL));
    mkdirSync(join(folder, KUBECTL));
    expectNotPlaced(await install(INPUTS, { target: folder }), 'INSTALL_FAILED', {
      says: [join(folder, KUBECTL), 'is a folder', 'Check that this user can write'],
    });
    expect(requestedPaths(world)).toEqual([]);
  });

  testUnless(MISSING.folderLinks)('the folder may be a link to a folder', async () => {
    const folder = target();
    const link = `${folder}-link`;
    linkFolder(folder, link);
    const run = await install(INPUTS, { target: link });
    expectGenuine(run);
    expect(lstatSync(link).isSymbolicLink()).toBe(true);
    rmSync(link);
  });

  test('other files in the folder stay', async () => {
    const folder = target();
    writeFileSync(join(folder, '.setup-verified-kubectl-of-mine'), 'precious');
    await install(INPUTS, { target: folder });
    expect(readdirSync(folder).sort()).toEqual(['.setup-verified-kubectl-of-mine', KUBECTL]);
  });
});

describe('a folder that cannot be used: refused before anything is asked for', () => {
  test.each([
    ['a file', 'kubectl'],
    ['below a file', 'kubectl/bin'],
  ])('%s', async (_what, name) => {
    const folder = folderWithOlderKubectl();
    writeFileSync(join(folder, 'kubectl'), 'a file');
    const run = await install(INPUTS, { target: join(folder, name) });
    expectNotPlaced(run, 'INSTALL_FAILED', { says: ['is not a folder'] });
    expect(requestedPaths(world)).toEqual([]);
    expect(readFileSync(join(folder, 'kubectl'), 'utf8')).toBe('a file');
  });

  testUnless(MISSING.symbolicLinks)('a link to nowhere', async () => {
    const target = join(folderWithOlderKubectl(), 'link');
    symlinkSync('/nowhere', target);
    const run = await install(INPUTS, { target });
    expectNotPlaced(run, 'INSTALL_FAILED', { says: ['is not a folder'] });
    expect(requestedPaths(world)).toEqual([]);
    expect(readlinkSync(target)).toBe('/nowhere');
  });

  testUnless(MISSING.root).each([0o555, 0o444])('not writable: mode %o', async (mode) => {
    const target = folderWithOlderKubectl();
    chmodSync(target, mode);
    const before = statSync(target).mtimeMs;
    const run = await install(readable(), { target, uid: NOBODY });
    expectNotPlaced(run, 'INSTALL_FAILED', { says: ['cannot install into', 'EACCES'] });
    expect(requestedPaths(world)).toEqual([]);
    expect(statSync(target).mtimeMs).toBe(before);
  });

  testUnless(MISSING.root)('its twin that is writable, as the same user', async () => {
    const target = folderWithOlderKubectl();
    chmodSync(target, 0o777);
    // The file belongs to another user, but it is the folder that decides.
    expectGenuine(await install(readable(), { target, uid: NOBODY }));
  });

  // Nothing says so before a file is made there, not even to root.
  testUnless(MISSING.proc)('one that takes no files', async () => {
    const run = await install(INPUTS, { target: '/proc/setup-verified-kubectl' });
    expectNotPlaced(run, 'INSTALL_FAILED', { says: ['cannot install into'] });
  });
});

/** A folder on another file system than the temporary one. */
const SHARED_MEMORY = '/dev/shm';
const hasOtherFileSystem =
  process.platform === 'linux' &&
  existsSync(SHARED_MEMORY) &&
  statSync(SHARED_MEMORY).dev !== statSync(tmpdir()).dev;

testUnless(hasOtherFileSystem ? undefined : 'needs another file system at /dev/shm')(
  'into another file system than that of cache and temporary folder',
  async () => {
    const target = mkdtempSync(join(SHARED_MEMORY, 'install-'));
    try {
      expectGenuine(await install(INPUTS, { target }));
      expectPlaced(await install({ version: OLDER }, { target }), { files: genuine(OLDER) });
    } finally {
      rmSync(target, { recursive: true });
    }
  },
);

describe('a disk that takes no more', () => {
  testUnless(MISSING.fileSizeLimits).each([
    ['leaves nothing behind', 8, false],
    ['its twin: a bound that is large enough', 1000, true],
  ])('%s', async (_what, fileBlocks, isEnough) => {
    const toolCache = folderWithOlderKubectl();
    expectGenuine(await install(readable(), { toolCache }));
    // From here on, only the copy in the folder is written.
    const run = await install(readable(), { toolCache, fileBlocks });
    if (isEnough) expectGenuine(run);
    else expectNotPlaced(run, 'INSTALL_FAILED', { says: ['EFBIG', 'free space'] });
  });
});

describe('the tool cache', () => {
  test("is the user's own, and the next install asks nobody", async () => {
    const toolCache = folderWithOlderKubectl();
    expectGenuine(await install(INPUTS, { toolCache }));
    world.reset();
    const again = await install(INPUTS, { toolCache });
    expectGenuine(again);
    expect(again.stderr).toContain('Source: tool cache, verified again');
    expect(requestedPaths(world)).toEqual([]);
  });

  test("on a runner: another action's copy is left alone, and standard output has the path alone", async () => {
    const toolCache = folderWithOlderKubectl();
    rmSync(join(toolCache, KUBECTL));
    for (const arch of ['x64', 'amd64', 'arm64']) {
      const place = join(toolCache, 'kubectl', VERSION.slice(1), arch);
      mkdirSync(place, { recursive: true });
      writeFileSync(join(place, KUBECTL), bytesOf(), { mode: 0o755 });
      writeFileSync(`${place}.complete`, '');
    }
    const run = await install(INPUTS, { toolCache });
    expectGenuine(run);
    expect(run.stderr).toContain('Source: downloaded');
  });

  test('is below the home of the user', async () => {
    const run = await install();
    const files = filesBelow(run.home).filter((file) => file.includes('setup-verified-kubectl'));
    expect(files.filter((file) => file.endsWith(`/${KUBECTL}`))).toHaveLength(1);
  });

  test('with a lock file: two requests to the release host, and none when it is warm', async () => {
    const folder = folderWithOlderKubectl();
    writeFileSync(join(folder, 'kubernetes.lock.json'), lockText(lockOf(world, VERSION)));
    const toolCache = folderWithOlderKubectl();
    const inputs = {
      'lock-file': 'kubernetes.lock.json',
      'tuf-root': '',
      'tuf-mirror-url': '',
      'trusted-root': world.writeTrustedRoot(),
    };
    world.reset();
    expectGenuine(await install(inputs, { folder, toolCache }));
    expect(world.servers.host.requests).toHaveLength(2);
    expect(requestedPaths(world)).toHaveLength(2);
    world.reset();
    expectGenuine(await install(inputs, { folder, toolCache }));
    expect(requestedPaths(world)).toEqual([]);
  });

  test('and a lock file that does not have the file: refused', async () => {
    const folder = folderWithOlderKubectl();
    writeFileSync(join(folder, 'kubernetes.lock.json'), lockText(lockOf(world, OLDER)));
    const inputs = { ...INPUTS, 'lock-file': 'kubernetes.lock.json' };
    expectNotPlaced(await install(inputs, { folder }), 'LOCK_MISMATCH');
  });

  testUnless(MISSING.root)(
    'that cannot be used leaves nothing in the temporary folder',
    async () => {
      const toolCache = folderWithOlderKubectl();
      writeFileSync(join(toolCache, 'verified-kubectl'), 'not a folder');
      const run = await install(INPUTS, { toolCache });
      expectGenuine(run, VERSION, ['Tool cache not used']);
    },
  );
});

describe('--no-cache', () => {
  const noCache = { args: ['--no-cache'] };

  test('leaves nothing but the file, and names no evidence that is gone', async () => {
    const run = await install(INPUTS, { args: ['--no-cache', '--verbose'] });
    expectGenuine(run);
    expect(filesBelow(run.home)).toEqual([]);
    expect(filesBelow(run.temp)).toEqual([]);
    expect(run.stderr).not.toContain('Evidence: ');
  });

  test('and nothing at all if the file is refused', async () => {
    world.release.artifact(VERSION, NATIVE_PLATFORM, 'kubectl').sign(STRANGER);
    const run = await install(INPUTS, noCache);
    expectNotPlaced(run, 'IDENTITY_MISMATCH');
    expect(filesBelow(run.home)).toEqual([]);
  });

  test('uses no cached copy, and no kept trust root', async () => {
    const toolCache = folderWithOlderKubectl();
    expectGenuine(await install(INPUTS, { toolCache }));
    const cached = filesBelow(toolCache);
    world.reset();
    const run = await install(INPUTS, { ...noCache, toolCache });
    expectGenuine(run);
    expect(run.stderr).toContain('Source: downloaded');
    expect(world.servers.tuf.requests).not.toEqual([]);
    expect(requestedPaths(world)).toContain(
      `/release/${VERSION}/bin/${NATIVE_PLATFORM}/${KUBECTL}`,
    );
    expect(filesBelow(toolCache)).toEqual(cached);
  });

  test('does not let the cache choose the version', async () => {
    const toolCache = folderWithOlderKubectl();
    expectPlaced(await install({ version: OLDER }, { toolCache }), { files: genuine(OLDER) });
    expectPlaced(await install({ version: '1.31' }, { toolCache }), { files: genuine(OLDER) });
    expectGenuine(await install({ version: '1.31' }, { ...noCache, toolCache }));
  });

  /** A genuine kubectl that somebody left on PATH. */
  function preinstalled(): string {
    const folder = folderWithOlderKubectl();
    writeFileSync(join(folder, KUBECTL), bytesOf(), { mode: 0o755 });
    return folder;
  }

  test.each([
    ['without it, a copy on PATH saves the transfer', [], 'copy found on this machine, verified'],
    ['with it, a copy on PATH is not used', ['--no-cache'], 'downloaded'],
  ])('%s', async (_what, args, source) => {
    const run = await install(INPUTS, { args, env: { PATH: preinstalled() } });
    expectGenuine(run);
    expect(run.stderr).toContain(`Source: ${source}\n`);
  });
});

describe('wrong use', () => {
  const run = async (...args: string[]): Promise<CommandResult> => {
    const result = await runCommand(['install', ...args]);
    result.cleanup();
    expect(result.stdout).toBe('');
    return result;
  };

  test.each<[string, string[], string]>([
    ['no folder', [], "missing required argument 'folder'"],
    ['two folders', ['a', 'b'], 'too many arguments'],
    ['an unknown option', ['--force', 'a'], "unknown option '--force'"],
    ['an empty folder', [''], 'Input "folder": an empty value'],
    ['a value that is not accepted', ['--version', 'x/y', 'a'], 'Input "version": "x/y"'],
    ['an option without its value', ['a', '--version'], 'argument missing'],
    ['nothing to install', ['--tools', 'none', 'a'], 'Input "tools"'],
    [
      'only images',
      ['--tools', 'none', '--images', 'control-plane', 'a'],
      'Nothing to install: set "tools" or "artifacts".',
    ],
  ])('%s', async (_what, args, says) => {
    const result = await run(...args);
    expect(result.stderr).toContain(says);
    expect(result.exitCode).toBe(2);
    expect(readdirSyncIfThere(result.folder)).toEqual([]);
  });

  test('--help has examples and exit codes', async () => {
    const result = await runCommand(['install', '--help']);
    result.cleanup();
    expect(result.exitCode).toBe(0);
    expect(result.stderr).toBe('');
    expect(result.stdout).toContain('Usage: setup-verified-kubectl install [options] <folder>');
    expect(result.stdout).toMatch(/^ +RUN .*setup-verified-kubectl@1 install .*--no-cache/m);
    expect(result.stdout).toContain('~/.local/bin');
    expect(result.stdout).toContain('--no-cache');
    expect(result.stdout).toContain('Exit codes:');
    expect(Math.max(...result.stdout.split('\n').map((line) => line.length))).toBeLessThan(100);
  });
});

const readdirSyncIfThere = (folder: string): string[] =>
  existsSync(folder) ? readdirSync(folder) : [];

describe('many at once', () => {
  const PROCESSES = 8;

  test.each([1, 2])('eight processes install %i versions into one folder', async (versions) => {
    const wanted = [VERSION, OLDER].slice(0, versions);
    const target = folderWithOlderKubectl();
    // All of them wait for the same digest file, so that all get to the folder together.
    world.host.server.latency = ({ path }) => (path.endsWith('.sha256') ? 300 : 0);
    const all = Promise.all(
      Array.from({ length: PROCESSES }, (_, index) =>
        install({ version: wanted[index % versions] ?? '' }, { target }),
      ),
    );
    const seen = await watch(join(target, KUBECTL), all);
    const runs = await all;
    for (const run of runs) {
      expect(run.stderr).not.toContain('error[');
      expect([run.exitCode, run.stdout]).toEqual([0, `${join(target, KUBECTL)}\n`]);
    }
    const whole = [
      'an older kubectl',
      ...wanted.map((version) => bytesOf(version).toString('latin1')),
    ];
    expect([...seen].filter((content) => !whole.includes(content))).toEqual([]);
    expect(wanted.map((version) => bytesOf(version).toString('latin1'))).toContain(
      readFileSync(join(target, KUBECTL), 'latin1'),
    );
    expect(readdirSync(target)).toEqual([KUBECTL]);
    tally('concurrent installs', PROCESSES);
  });

  /** Every content that a file had until then. */
  async function watch(file: string, until: Promise<unknown>): Promise<Set<string>> {
    const seen = new Set<string>();
    const over = until.then(() => true);
    do {
      seen.add(readFileSync(file, 'latin1')); // There is a file at every moment.
    } while (!(await Promise.race([over, sleep(1, false)])));
    return seen;
  }
});

describe('killed', () => {
  const KILLS = 30;
  const seed = Number(process.env['CRASH_SEED'] ?? '20260801');

  /** mulberry32: the same numbers for the same seed, in [0, 1). */
  function randomNumbers(): () => number {
    let state = seed;
    return () => {
      state = (state + 0x6d2b79f5) | 0;
      let t = Math.imul(state ^ (state >>> 15), 1 | state);
      t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
      return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
    };
  }

  const start = (target: string, toolCache: string): ReturnType<typeof startCommand> =>
    startCommand(['install', ...optionsOf({ ...world.inputs(), ...INPUTS }), target], {
      env: { RUNNER_TOOL_CACHE: toolCache },
    });

  test(`${KILLS} times at a random moment (CRASH_SEED=${seed})`, async () => {
    const random = randomNumbers();
    const target = folderWithOlderKubectl();
    const toolCache = folderWithOlderKubectl();
    // So large that copying it into the folder is a good part of the time.
    world.release.publish({ version: VERSION, platforms: [NATIVE_PLATFORM], size: 40e6 });
    const first = await install(INPUTS, { target, toolCache });
    expectGenuine(first);
    const began = performance.now();
    rmSync(join(target, KUBECTL));
    expectGenuine(await install(INPUTS, { target, toolCache }));
    const spread = performance.now() - began;
    let [replaced, leftovers, cleaned] = [0, 0, 0];
    for (let kill = 0; kill < KILLS; kill++) {
      writeFileSync(join(target, KUBECTL), 'an older kubectl');
      const command = start(target, toolCache);
      await sleep((0.4 + 0.6 * random()) * spread);
      const isHard = process.platform === 'win32' || kill % 2 === 0;
      command.child.kill(isHard ? 'SIGKILL' : 'SIGINT');
      const result = await command.finished;
      expect([null, 0, 130]).toContain(result.exitCode);
      const found = readFileSync(join(target, KUBECTL));
      const isReplaced = found.equals(bytesOf());
      expect(isReplaced || found.toString() === 'an older kubectl').toBe(true);
      const others = readdirSync(target).filter((name) => name !== KUBECTL);
      // Ctrl-C leaves nothing behind.
      if (!isHard && leftovers === 0) expect(others).toEqual([]);
      replaced += Number(isReplaced);
      if (isHard && others.length > leftovers) cleaned += 1;
      leftovers = others.length;
      result.cleanup();
      tally('kills survived');
    }
    expectGenuine(await install(INPUTS, { target, toolCache }));
    console.log(`${KILLS} kills: ${replaced} had replaced the file, ${cleaned} left a copy`);
  }, 300_000);

  /** The names of partial copies of three processes: none, one of long ago, and one that is at work. */
  const partials = (): readonly [string, string, string] => {
    const name = (pid: number, digit: string): string =>
      `.setup-verified-kubectl-${pid}-${digit.repeat(8)}-0000-4000-8000-000000000000`;
    return [name(2 ** 22 + 1, 'a'), name(process.pid, 'b'), name(process.pid, 'c')];
  };

  test('the next install removes what processes that died left, and no other', async () => {
    const target = folderWithOlderKubectl();
    const [dead, old, busy] = partials();
    for (const name of [dead, old, busy]) writeFileSync(join(target, name), 'a part');
    const twoHoursAgo = Date.now() / 1000 - 7200;
    utimesSync(join(target, old), twoHoursAgo, twoHoursAgo);
    await install(INPUTS, { target });
    expect(readdirSync(target).sort()).toEqual([busy, KUBECTL]);
  });

  test('a folder with such a name stays', async () => {
    const target = folderWithOlderKubectl();
    const [dead] = partials();
    mkdirSync(join(target, dead));
    await install(INPUTS, { target });
    expect(readdirSync(target).sort()).toEqual([dead, KUBECTL]);
  });
});

describe('docs/install.md and the examples of the help', () => {
  const text = textOf('docs/install.md').replaceAll(/\\\n\s*/g, ' ');
  const recipes = [
    ...`${text}\n${INSTALL.examples}`.matchAll(/setup-verified-kubectl(?:@1)? (install .*?)\)?$/gm),
  ].map(([, line = '']) => line);

  test('has recipes', () => {
    expect(recipes).toHaveLength(8);
  });

  // As written, but in this world and into another folder.
  test.each(recipes)('%s', async (line) => {
    const args = line.split(' ').slice(1, -1);
    const folder = folderWithOlderKubectl();
    writeFileSync(join(folder, 'kubernetes.lock.json'), lockText(lockOf(world, VERSION)));
    const inputs = { ...world.inputs() };
    if (args.includes('embedded')) {
      args[args.indexOf('embedded')] = world.writeTrustedRoot();
      inputs['tuf-root'] = inputs['tuf-mirror-url'] = '';
    }
    const target = folderWithOlderKubectl();
    const run = await installIn(world, inputs, { args, folder, target });
    expectGenuine(run);
  });
});
