import { constants, type Stats } from 'node:fs';
import { lstat, open, stat } from 'node:fs/promises';
import { codeOf } from '../errors.js';
import { FileError } from './errors.js';

/** Who may own what others must not be able to change; undefined where there are no such owners. */
export type Owners = ReadonlySet<number> | undefined;

/**
 * This user, root, and the owner of a folder, who could replace what is in it anyway. Where the
 * folder is reached through a link, the owner of the link as well.
 *
 * @param root need not exist, nor be accessible to this user
 */
export async function trustedOwners(root: string): Promise<Owners> {
  const uid = process.getuid?.(); // Windows has none.
  if (uid === undefined) {
    return undefined;
  }
  // The owner of a folder that this user cannot look at is not known, and not trusted.
  const link = await entryAt(root).catch(() => undefined);
  const folder = link?.isSymbolicLink() === true ? await stat(root).catch(() => undefined) : link;
  const owners = [link?.uid, folder?.uid].filter((owner) => owner !== undefined);
  return new Set([uid, 0, ...owners]);
}

/**
 * This user and root. For a folder that is written to: its owner, if that is somebody else, could put a link where a
 * temporary file is.
 */
export function thisUserAndRoot(): Owners {
  const uid = process.getuid?.(); // Windows has none.
  return uid === undefined ? undefined : new Set([uid, 0]);
}

/** Other users can change a file or folder. */
export class NotPrivateError extends FileError {}

/**
 * Requires a plain file of one name, or a plain folder, that nobody but its owner can write to.
 *
 * @throws {FileError}
 */
export async function assertPrivate(
  file: string,
  kind: 'file' | 'folder',
  owners: Owners,
): Promise<void> {
  assertPrivateEntry(await entryAt(file), file, kind, owners);
}

/**
 * As {@link assertPrivate}, of what was found.
 *
 * @param file for messages
 * @throws {FileError}
 */
export function assertPrivateEntry(
  found: Stats | undefined,
  file: string,
  kind: 'file' | 'folder',
  owners: Owners,
): void {
  const isKind = kind === 'file' ? found?.isFile() : found?.isDirectory();
  if (found === undefined || isKind !== true) {
    throw new FileError(`${file} is not a plain ${kind}`);
  }
  if (kind === 'file' && found.nlink > 1) {
    throw new FileError(`${file} has more than one hard link`);
  }
  if (owners !== undefined && ((found.mode & 0o022) !== 0 || !owners.has(found.uid))) {
    throw new NotPrivateError(`${file} can be changed by other users of this machine`);
  }
}

/**
 * Takes write permission on a folder from everybody but its owner, where that is this user. Processes that have the
 * folder open, or as their working directory, lose it as well: the system asks again for each change.
 *
 * A file system may ignore it, or the folder may be a link or somebody else's: ask {@link assertPrivate} afterwards.
 *
 * @throws the error of the file system
 */
export async function takeBackWritePermission(folder: string): Promise<void> {
  const { O_RDONLY, O_DIRECTORY, O_NOFOLLOW } = constants;
  // By its handle: the path may lead somewhere else a moment later.
  const handle = await open(folder, O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
  try {
    const { uid, mode } = await handle.stat();
    if (uid === process.getuid?.()) {
      await handle.chmod(mode & 0o7755);
    }
  } finally {
    await handle.close();
  }
}

/** What is at a path, links not followed; undefined for nothing. */
export async function entryAt(file: string): Promise<Stats | undefined> {
  try {
    return await lstat(file);
  } catch (error) {
    if (['ENOENT', 'ENOTDIR'].includes(codeOf(error))) {
      return undefined;
    }
    throw new FileError(`cannot look at ${file}`, error);
  }
}
