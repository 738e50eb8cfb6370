import { constants, type Stats } from 'node:fs';
import { access, lstat, mkdtemp, rmdir, stat } from 'node:fs/promises';
import path from 'node:path';
import { codeOf } from '../errors.js';
import { makeFolders } from '../files/make-folders.js';
import { assertPrivate, entryAt, type Owners } from '../files/private-file.js';
import { installFailed } from './install-failed.js';
import { PARTIAL_PREFIX } from './remove-copy.js';

/** A folder that does not let this run use the tool cache. */
export interface Obstacle {
  readonly folder: string;
  /** Follows the folder's name in a sentence. */
  readonly problem: string;
  readonly remedy: 'chown' | 'remove' | 'elsewhere';
}

/** Undefined for a folder that is not there, or that this user can read and nobody else can change. */
export async function obstacleToReading(
  folder: string,
  owners: Owners,
): Promise<Obstacle | undefined> {
  let found: Awaited<ReturnType<typeof entryAt>>;
  try {
    found = await entryAt(folder);
  } catch {
    return visibleFolder(folder, 'is not accessible to this user');
  }
  if (found === undefined) {
    return undefined;
  }
  try {
    await assertPrivate(folder, 'folder', owners);
  } catch {
    return whatIsWrong(folder, found);
  }
  try {
    await access(folder, constants.R_OK | constants.X_OK);
    return undefined;
  } catch {
    return visibleFolder(folder, 'is not readable by this user');
  }
}

function whatIsWrong(folder: string, found: Stats): Obstacle {
  if (!found.isDirectory()) {
    return { folder, problem: 'is not a plain folder', remedy: 'remove' };
  }
  const problem = `${ownerAndMode(found)} can be changed by other users`;
  // If the folder is ours and others can still write to it after chmod, the file system ignores modes.
  const remedy = found.uid === process.getuid?.() ? 'elsewhere' : 'chown';
  return { folder, problem, remedy };
}

/** The innermost folder on the path that can be inspected: the closed one. */
async function visibleFolder(folder: string, problem: string): Promise<Obstacle> {
  for (let place = folder; ; place = path.dirname(place)) {
    const found = await entryAt(place).catch(() => undefined);
    if (found?.isSymbolicLink() === true && (await isLoop(place))) {
      return { folder: place, problem: 'is a link that leads to itself', remedy: 'remove' };
    }
    if (found !== undefined) {
      return { folder: place, problem: `${ownerAndMode(found)} ${problem}`, remedy: 'chown' };
    }
    if (path.dirname(place) === place) {
      return { folder, problem, remedy: 'chown' };
    }
  }
}

async function isLoop(link: string): Promise<boolean> {
  const code = await stat(link).then(() => '', codeOf);
  return code === 'ELOOP';
}

function ownerAndMode({ uid, mode }: { readonly uid: number; readonly mode: number }): string {
  return `(owner ${String(uid)}, mode ${(mode & 0o7777).toString(8).padStart(4, '0')})`;
}

/** What the system says where this user must not write. Other errors say something else, later. */
export const NOT_ALLOWED = new Set(['EACCES', 'EPERM', 'EROFS']);

/**
 * Tries it by making a folder: modes do not predict what a file system does.
 *
 * @throws {SetupError} INSTALL_FAILED where it is not a question of permissions: the path is a file,
 *   or the disk is full
 */
export async function obstacleToWriting(folder: string, owners: Owners): Promise<Obstacle[]> {
  let probe: string;
  try {
    await makeFolders(folder);
    probe = await mkdtemp(path.join(folder, PARTIAL_PREFIX));
  } catch (error) {
    if (NOT_ALLOWED.has(codeOf(error))) {
      return [await notWritable(folder, error)];
    }
    throw installFailed(`cannot make a folder in ${folder}`, error);
  }
  try {
    await assertPrivate(probe, 'folder', owners);
    return [];
  } catch {
    const problem = `is on a file system where a new folder ${ownerAndMode(await lstat(probe))} can be changed by other users`;
    return [{ folder, problem, remedy: 'elsewhere' }];
  } finally {
    await rmdir(probe);
  }
}

async function notWritable(folder: string, error: unknown): Promise<Obstacle> {
  const obstacle = await visibleFolder(folder, 'is not writable by this user');
  return codeOf(error) === 'EROFS' ? { ...obstacle, remedy: 'elsewhere' } : obstacle;
}

/** A long message is cut. */
const MAX_NAMED = 3;

/**
 * In sentences: first the command that fixes all of it, which must not be cut, then the first folders with owner
 * and mode.
 */
export function describeObstacles(found: readonly Obstacle[]): string {
  const obstacles = [...new Map(found.map((obstacle) => [obstacle.folder, obstacle])).values()];
  const problems = obstacles
    .slice(0, MAX_NAMED)
    .map(({ folder, problem }) => `${folder} ${problem}`);
  if (obstacles.length > MAX_NAMED) {
    problems.push(`and ${String(obstacles.length - MAX_NAMED)} more`);
  }
  return `${remedyFor(obstacles)} ${problems.join('; ')}.`;
}

function remedyFor(obstacles: readonly Obstacle[]): string {
  const of = (kind: Obstacle['remedy']): string[] =>
    obstacles.filter(({ remedy }) => remedy === kind).map(({ folder }) => folder);
  const remedies: string[] = [];
  const uid = process.getuid?.();
  if (of('chown').length > 0 && uid !== undefined) {
    const mend = (folder: string): string =>
      `sudo chown ${String(uid)} ${folder} && sudo chmod u+rwx,go-w ${folder}`;
    const { cd, names } = namedOnce(of('chown'));
    const command =
      names.length === 1
        ? mend(names.join(''))
        : `${cd}for f in ${names.join(' ')}; do ${mend('"$f"')}; done`;
    remedies.push(`To fix this: ${command}.`);
  }
  if (of('remove').length > 0) {
    const { cd, names } = namedOnce(of('remove'));
    remedies.push(`To fix this: ${cd}rm ${names.join(' ')}.`);
  }
  if (of('elsewhere').length > 0) {
    remedies.push(
      'chmod has no effect there: mount the file system with different options (uid= and umask=022, or dir_mode=0755,file_mode=0755), or set RUNNER_TOOL_CACHE to a folder on another file system.',
    );
  }
  return remedies.join(' ');
}

/**
 * Names for a shell command that are as short as possible. Not a pattern such as `verified-*`: in a folder that
 * others can write to, it may match a link of theirs to a folder elsewhere.
 *
 * @returns `cd`: empty for one folder
 */
function namedOnce(folders: readonly string[]): { readonly cd: string; readonly names: string[] } {
  if (folders.length === 1) {
    return { cd: '', names: folders.map(quoted) };
  }
  let above = path.dirname(folders[0] ?? '');
  while (folders.some((folder) => path.relative(above, folder).startsWith('..'))) {
    above = path.dirname(above);
  }
  return {
    cd: `cd ${quoted(above)} && `,
    names: folders.map((folder) => quoted(path.relative(above, folder))),
  };
}

/** For a shell. */
function quoted(file: string): string {
  return /^[\w./-]+$/.test(file) ? file : `'${file.replaceAll("'", `'\\''`)}'`;
}
