import { readdir, rmdir, unlink } from 'node:fs/promises';
import path from 'node:path';
import { codeOf } from '../errors.js';
import { assertPrivate, entryAt, type Owners } from '../files/private-file.js';

export const PARTIAL_PREFIX = '.partial-';
/** In milliseconds. A partial copy that has not changed for so long belongs to a run that died. */
const STALE_AFTER = 60 * 60_000;

/**
 * Deletes a copy: the files and links in a folder, then the folder. What has the path but is not a
 * folder is deleted, too.
 *
 * Nothing is deleted recursively. Other users may have been able to write to the tool cache, and
 * this run may be root: while it deleted what is in a folder of theirs, they could replace that
 * folder with a link, and files elsewhere would be deleted. So everything is unlinked by its name,
 * which follows no link, and folders in a copy are left. `rm` is not used: if a file were swapped for
 * a folder, it would list that folder.
 *
 * @param owners who may own the folder above, which nobody else may be able to write to: nobody can
 *   then replace the copy itself
 * @throws {FileError} if others can write to the folder above; or the error of the file system,
 *   `ENOTEMPTY` for a copy with a folder in it
 */
export async function removeCopy(copy: string, owners: Owners): Promise<void> {
  await assertPrivate(path.dirname(copy), 'folder', owners);
  const found = await entryAt(copy);
  if (found?.isDirectory() !== true) {
    await ignoringAbsent(unlink(copy));
    return;
  }
  for (const entry of await readdir(copy, { withFileTypes: true })) {
    if (!entry.isDirectory()) {
      await ignoringAbsent(unlink(path.join(copy, entry.name)));
    }
  }
  await ignoringAbsent(rmdir(copy));
}

/** Several runs may delete the same copy at the same time. */
async function ignoringAbsent(deletion: Promise<void>): Promise<void> {
  try {
    await deletion;
  } catch (error) {
    if (codeOf(error) !== 'ENOENT') {
      throw error;
    }
  }
}

/** Deletes a copy that no run uses, as {@link removeCopy} does. What cannot be deleted is left. */
export async function discard(copy: string, owners: Owners): Promise<void> {
  await removeCopy(copy, owners).catch(() => undefined); // A later run tries again.
}

/**
 * Deletes partial copies of runs that died.
 *
 * Those of an owner who is not trusted are left: no run that shares this cache has made them.
 *
 * @param folder of a version
 */
export async function sweep(folder: string, owners: Owners): Promise<void> {
  for (const name of await readdir(folder)) {
    const partial = path.join(folder, name);
    const found = name.startsWith(PARTIAL_PREFIX) ? await entryAt(partial) : undefined;
    if (
      found !== undefined &&
      found.mtimeMs < Date.now() - STALE_AFTER &&
      (owners === undefined || owners.has(found.uid))
    ) {
      await discard(partial, owners);
    }
  }
}
