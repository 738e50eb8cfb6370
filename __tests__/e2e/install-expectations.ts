import {
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, expect } from '@jest/globals';
import {
  filesBelow,
  runCommand,
  type CommandOptions,
  type CommandResult,
  type World,
} from '../support/index.js';
import { fileNameOf } from './expectations.js';

// What must be true of the command `install`, whatever it was given: one way for all tests.

export interface InstallRun extends CommandResult {
  /** The folder to install into. */
  readonly target: string;
  /** What was in the target folder when the command began, as of {@link snapshot}. */
  readonly before: Snapshot;
  readonly toolCache: string | undefined;
  /** Files in the tool cache when the command began. */
  readonly toolCacheBefore: readonly string[];
}

export interface InstallOptions extends CommandOptions {
  /** The folder to install into; a new one, which has an older kubectl, unless given. */
  readonly target?: string;
  /** In place of the one in the user's home. */
  readonly toolCache?: string;
  /** More arguments. */
  readonly args?: readonly string[];
}

const finished: (() => void)[] = [];

afterEach(() => {
  for (const end of finished.splice(0)) end();
});

/** An older kubectl, in a folder that goes when the test ends. */
export function folderWithOlderKubectl(): string {
  const target = mkdtempSync(join(tmpdir(), 'install-'));
  finished.push(() => rmSync(target, { recursive: true, force: true }));
  writeFileSync(join(target, fileNameOf('kubectl')), 'an older kubectl', { mode: 0o755 });
  return target;
}

export const optionsOf = (inputs: Readonly<Record<string, string>>): string[] =>
  Object.entries(inputs).map(([name, value]) => `--${name}=${value}`);

/** Runs `install` with these inputs; what it leaves on the disk goes when the test ends. */
export async function runInstall(
  inputs: Readonly<Record<string, string>>,
  { target = folderWithOlderKubectl(), toolCache, args = [], ...options }: InstallOptions = {},
): Promise<InstallRun> {
  const before = snapshot(target);
  const toolCacheBefore = cacheFiles(toolCache);
  const cache = toolCache === undefined ? {} : { RUNNER_TOOL_CACHE: toolCache };
  const result = await runCommand(['install', ...optionsOf(inputs), ...args, target], {
    ...options,
    env: { ...cache, ...options.env },
  });
  finished.push(() => result.cleanup());
  return { ...result, target, before, toolCache, toolCacheBefore };
}

/** The same, in a world. */
export const installIn = (
  world: World,
  inputs: Readonly<Record<string, string>> = {},
  options: InstallOptions = {},
): Promise<InstallRun> =>
  runInstall(
    { ...world.inputs(), ...inputs },
    { ...options, env: { ...world.environment(), ...options.env } },
  );

const cacheFiles = (toolCache: string | undefined): string[] =>
  toolCache !== undefined && isFolder(toolCache) ? filesBelow(toolCache) : [];

const isFolder = (path: string): boolean => existsSync(path) && statSync(path).isDirectory();

type Snapshot = Readonly<Record<string, string>> | undefined;

/** Every entry of a folder with its inode, its times and its content; undefined for none. */
export function snapshot(folder: string): Snapshot {
  if (!isFolder(folder)) return undefined;
  return Object.fromEntries(
    readdirSync(folder).map((name) => {
      const path = join(folder, name);
      const { ino, mode, mtimeMs, ctimeMs } = lstatSync(path);
      const content = lstatSync(path).isFile() ? readFileSync(path).toString('base64') : '';
      return [name, [ino, mode, mtimeMs, ctimeMs, content].join(' ')];
    }),
  );
}

export interface Placed {
  /** By name, all of them: bytes, and 0755 unless the name is one of `readable`. */
  readonly files: Readonly<Record<string, Buffer>>;
  /** Files that are not executable. */
  readonly readable?: readonly string[];
  /** Titles of all warnings, in order. */
  readonly warnings?: readonly string[];
}

/**
 * The command succeeded, with exactly these warnings; standard output has the path of each of these files, in this
 * order, and nothing else. The target folder has exactly these files, plain ones. No temporary file is left.
 */
export function expectPlaced(run: InstallRun, expected: Placed): void {
  const { files, readable = [], warnings = [] } = expected;
  expectOwnLines(run);
  expect(linesOf(run, 'error')).toEqual([]);
  expect(warningTitles(run)).toEqual(warnings);
  expect(run.exitCode).toBe(0);
  const names = Object.keys(files);
  expect(run.stdout).toBe(names.map((name) => `${join(run.target, name)}\n`).join(''));
  expect(readdirSync(run.target).sort()).toEqual([...names].sort());
  for (const [name, bytes] of Object.entries(files)) {
    const stat = lstatSync(join(run.target, name));
    expect([name, stat.isFile(), stat.nlink]).toEqual([name, true, 1]);
    const mode = readable.includes(name) ? 0o644 : 0o755;
    if (process.platform !== 'win32') expect([name, stat.mode & 0o7777]).toEqual([name, mode]);
    expect([name, readFileSync(join(run.target, name)).equals(bytes)]).toEqual([name, true]);
  }
  expect(filesBelow(run.temp)).toEqual([]);
}

export interface NotPlaced {
  /** What the error or the hint contains. */
  readonly says?: readonly string[];
  /** Titles of all warnings, in order. */
  readonly warnings?: readonly string[];
  /** What the command adds to the tool cache all the same; nothing unless given. */
  readonly keeps?: RegExp;
}

/**
 * The command failed with this one error, and said nothing on standard output. The target folder is as it was, to the
 * inode and the time of each file; nothing was added to the tool cache, and no temporary file is left.
 */
export function expectNotPlaced(
  run: InstallRun,
  code: string,
  { says = [], warnings = [], keeps }: NotPlaced = {},
): void {
  expectOwnLines(run);
  const [error = '', ...others] = linesOf(run, 'error');
  expect([error.slice(0, code.length + 2), others]).toEqual([`[${code}]`, []]);
  expect(linesOf(run, 'hint')).toHaveLength(1);
  expect(warningTitles(run)).toEqual(warnings);
  expect(run.exitCode).toBe(code === 'INVALID_INPUT' ? 2 : 1);
  expect(run.stdout).toBe('');
  expect(snapshot(run.target)).toEqual(run.before);
  expect(filesBelow(run.temp)).toEqual([]);
  const added = cacheFiles(run.toolCache).filter((file) => !run.toolCacheBefore.includes(file));
  expect(added.filter((file) => keeps?.test(file) !== true)).toEqual([]);
  for (const words of says) expect(run.stderr).toContain(words);
}

const linesOf = ({ stderr }: InstallRun, kind: 'error' | 'hint'): string[] =>
  stderr.split('\n').flatMap((line) => (line.startsWith(kind) ? line.slice(kind.length) : []));

const warningTitles = ({ stderr }: InstallRun): string[] =>
  [...stderr.matchAll(/^warning: (.*?): /gm)].map(([, title = '']) => title);

/** Nothing from outside reaches the terminal as it is, or begins a line of its own. */
function expectOwnLines({ stderr }: InstallRun): void {
  // eslint-disable-next-line no-control-regex -- exactly these must not be there
  expect(stderr).not.toMatch(/[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u202a-\u202e\u2028]/);
  expect(stderr).not.toMatch(/^(?:::|##\[)/m);
}

/** A folder inside a folder that goes when the test ends; it does not exist yet. */
export function missingFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'install-'));
  finished.push(() => rmSync(folder, { recursive: true, force: true }));
  mkdirSync(join(folder, 'a'));
  return join(folder, 'a', 'b', 'c');
}
