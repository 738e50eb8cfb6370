// How people get the command line: with npx, from the package or from the repository.
import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import {
  NATIVE_PLATFORM,
  World,
  npx,
  packRepository,
  publishDryRun,
  type LockJson,
  type NpxResult,
  type PackedPackage,
} from '../support/index.js';
import { describeUnless, testUnless } from '../support/skip.js';
import { ROOT, textOf } from '../unit/repository.js';

const VERSION = 'v1.31.9';

const manifest = JSON.parse(textOf('package.json')) as {
  readonly version: string;
  readonly engines: { readonly node: string };
  readonly dependencies?: object;
  readonly bin: Readonly<Record<string, string>>;
};

/** Node without npm is enough to run an action. */
const hasNpm =
  spawnSync('npm', ['--version'], { shell: process.platform === 'win32' }).status === 0;
const NO_NPM = hasNpm ? undefined : 'needs npm on PATH';

let folder: string;
let packed: PackedPackage;
let world: World;
const finished: NpxResult[] = [];

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'packed-'));
  if (hasNpm) packed = packRepository(folder);
  world = await World.start();
  world.release.publish({ version: VERSION, platforms: [NATIVE_PLATFORM] });
});

afterAll(async () => {
  for (const run of finished) run.cleanup();
  await world.stop();
  rmSync(folder, { recursive: true, force: true });
});

/** As npx takes it: the path alone would be a program to execute. */
const tarball = (): string => pathToFileURL(packed.tarball).href;

async function run(...args: string[]): Promise<NpxResult> {
  const result = await npx(args);
  finished.push(result);
  return result;
}

describeUnless(NO_NPM)('the package', () => {
  test('has what runs, its licenses and its documents, and nothing else', () => {
    const below = (name: string): string[] =>
      readdirSync(join(ROOT, name)).map((file) => `${name}/${file}`);
    expect(packed.files).toEqual(
      [
        'LICENSE',
        'README.md',
        'bin/setup-verified-kubectl.js',
        ...below('dist'),
        'package.json',
        ...below('schema'),
      ].sort(),
    );
    expect(packed.unpackedSize).toBeLessThan(2.5e6);
  });

  test('depends on nothing: all of it is in dist/', () => {
    expect(manifest).not.toHaveProperty('dependencies');
    expect(manifest).not.toHaveProperty('optionalDependencies');
    expect(manifest).not.toHaveProperty('peerDependencies');
  });

  test('could be published as it is', () => {
    const { status, stderr } = publishDryRun(folder);
    expect({ status, stderr }).toMatchObject({ status: 0 });
    // npm says so when it has to repair package.json.
    expect(stderr).not.toMatch(/corrected/);
  });
});

describeUnless(NO_NPM)('npx, without a registry', () => {
  test('runs the package', async () => {
    const result = await run(tarball(), 'lock', '--help');
    expect(result).toMatchObject({ exitCode: 0, stderr: '' });
    expect(result.stdout).toMatch(/^Usage: setup-verified-kubectl lock /);
  });

  test('runs the file, as docs/commands.md says', async () => {
    const file = `--package=${packed.tarball}`;
    const result = await run('--offline', file, 'setup-verified-kubectl', 'lock', '--help');
    expect(result).toMatchObject({ exitCode: 0, stderr: '' });
    expect(result.stdout).toMatch(/^Usage: setup-verified-kubectl lock /);
  });

  test('locks a release in an empty folder', async () => {
    const options = Object.entries(world.inputs()).flatMap(([name, value]) => [`--${name}`, value]);
    const result = await run(tarball(), 'lock', ...options, '--platforms', NATIVE_PLATFORM);
    expect(result).toMatchObject({ exitCode: 0 });
    expect(readdirSync(result.folder)).toEqual(['kubernetes.lock.json']);
    const text = readFileSync(join(result.folder, 'kubernetes.lock.json'), 'utf8');
    expect((JSON.parse(text) as LockJson).version).toBe(VERSION);
  });

  test('passes the exit code on', async () => {
    expect(await run(tarball(), 'lock', '--no-such-option')).toMatchObject({ exitCode: 2 });
  });

  // As `npx github:org/setup-verified-kubectl`, which npm fetches with git too. If the repository had one of the scripts
  // that npm takes for a preparation (pacote, lib/git.js), npm would install every development dependency first.
  test('runs the repository, and installs no dependency', async () => {
    const repository = join(folder, 'repository');
    mkdirSync(repository);
    execFileSync('tar', ['-xzf', packed.tarball, '-C', repository, '--strip-components=1']);
    const git = (...args: string[]): Buffer =>
      execFileSync('git', ['-c', 'user.name=a', '-c', 'user.email=a@example.com', ...args], {
        cwd: repository,
      });
    git('init', '--quiet', '--initial-branch=main');
    git('add', '--all', '--force');
    git('commit', '--quiet', '--message=All');
    const result = await run(`git+${pathToFileURL(repository).href}`, 'lock', '--help');
    expect(result).toMatchObject({ exitCode: 0 });
    expect(result.stdout).toMatch(/^Usage: setup-verified-kubectl lock /);
  });
});

describeUnless(NO_NPM)('an older Node', () => {
  const entry = join(ROOT, 'bin', 'setup-verified-kubectl.js');
  const needed = manifest.engines.node.replace('>=', '');
  const older = olderNode();

  testUnless(older === undefined ? 'needs a Node.js before 24 on PATH' : undefined)(
    'is told which one is needed',
    () => {
      const { status, stdout, stderr } = spawnSync(older?.executable ?? '', [entry, 'lock'], {
        encoding: 'utf8',
      });
      expect({ status, stdout }).toEqual({ status: 1, stdout: '' });
      expect(stderr).toBe(
        `error: setup-verified-kubectl needs Node.js ${needed} or newer, and this is ${older?.version ?? ''}\n` +
          'hint: Install it from https://nodejs.org, or with your version manager.\n',
      );
    },
  );

  test('the minimum is that of package.json', () => {
    const [, major, minor] = /^>=(\d+)\.(\d+)$/.exec(manifest.engines.node) ?? [];
    expect(textOf('bin/setup-verified-kubectl.js')).toContain(
      `const MAJOR = ${major ?? ''};\nconst MINOR = ${minor ?? ''};\n`,
    );
  });
});

function olderNode(): { readonly executable: string; readonly version: string } | undefined {
  const name = process.platform === 'win32' ? 'node.exe' : 'node';
  const found = (process.env['PATH'] ?? '')
    .split(delimiter)
    .map((path) => join(path, name))
    .filter((executable) => existsSync(executable))
    .map((executable) => ({
      executable,
      version: execFileSync(executable, ['--version'], { encoding: 'utf8' }).trim(),
    }));
  return found.find(({ version }) => Number(/^v(\d+)\./.exec(version)?.[1]) < 24);
}
