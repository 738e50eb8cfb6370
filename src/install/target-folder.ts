import { randomUUID } from 'node:crypto';
import { constants, rmSync } from 'node:fs';
import { access, open, readdir, stat, unlink } from 'node:fs/promises';
import path from 'node:path';
import { SetupError, codeOf, explain } from '../errors.js';
import { digestOpenFile, type DigestedFile } from '../files/digested-file.js';
import { makeFolders } from '../files/make-folders.js';
import { READ_NO_LINK } from '../files/open-flags.js';
import { isOtherProcess } from '../files/other-process.js';
import { OwnCopy } from '../files/own-copy.js';
import { assertPrivateEntry, entryAt, trustedOwners } from '../files/private-file.js';
import { modeOf } from './cache-entry.js';
import { changedByAnotherRun } from './install-failed.js';
import type { InstalledArtifact } from './verified-artifact.js';

/** A verified file that is in the tool cache. */
type CachedFile = Pick<InstalledArtifact, 'artifact' | 'cacheEntry'> & {
  readonly verified: { readonly subject: Pick<DigestedFile, 'size' | 'sha256'> };
};

/** A verified file in the folder that the user named. */
export interface PlacedFile {
  /** Absolute. */
  readonly path: string;
  /** Whether it had been there before, exactly as it should be. */
  readonly wasThere: boolean;
}

/**
 * Says early what would prevent installing into a folder. Nothing is written, and the folder need
 * not exist: {@link placeAll} has the last word.
 *
 * @param folder an absolute path
 * @param names of the files
 * @throws {SetupError} INSTALL_FAILED
 */
export async function assertCanPlace(folder: string, names: readonly string[]): Promise<void> {
  try {
    await access(await innermostFolder(folder), constants.W_OK | constants.X_OK);
    for (const name of names) {
      await assertReplaceable(path.join(folder, name));
    }
  } catch (error) {
    throw cannotPlace(folder, error);
  }
}

/** The folder, or if it does not exist, the innermost one above it that does. */
async function innermostFolder(folder: string): Promise<string> {
  const isMissing = (await entryAt(folder)) === undefined;
  const parent = path.dirname(folder);
  if (isMissing && parent !== folder) {
    return innermostFolder(parent);
  }
  const found = await stat(folder).catch(() => undefined); // A link to nowhere is no folder either.
  if (found?.isDirectory() !== true) {
    throw new Error(`${folder} is not a folder`);
  }
  return folder;
}

/** Everything but a folder is replaced. A link is replaced, too, and not what it points to. */
async function assertReplaceable(file: string): Promise<void> {
  if ((await entryAt(file))?.isDirectory() === true) {
    throw new Error(`${file} is a folder`);
  }
}

/** How often a file may vanish while it is being placed. */
const MAX_TRIES = 5;

/**
 * Puts verified files into a folder, which is made if it does not exist.
 *
 * Each file is copied to a private name in the folder, and the copy must have the verified digest.
 * Somebody else may be able to rename what is in the folder, so each copy is used through one handle.
 * When all copies are complete, each is renamed to its own name: at every moment, there is the old
 * file or the new one. If the process is killed, the next one removes what it left.
 *
 * @param folder an absolute path
 * @throws {SetupError} INSTALL_FAILED
 */
export async function placeAll(
  folder: string,
  files: readonly CachedFile[],
): Promise<PlacedFile[]> {
  try {
    await makeFolders(folder, 0o755);
    await sweep(folder);
    for (let tries = 1; ; tries++) {
      try {
        return await placeOnce(folder, files);
      } catch (error) {
        // Seen from a container that shares the folder, this process may look dead. It is not.
        if (codeOf(error) !== 'ENOENT' || tries === MAX_TRIES) {
          throw error;
        }
      }
    }
  } catch (error) {
    throw cannotPlace(folder, error);
  }
}

async function placeOnce(folder: string, files: readonly CachedFile[]): Promise<PlacedFile[]> {
  const partials: string[] = [];
  const removePartials = (): void => {
    for (const partial of partials) {
      rmSync(partial, { force: true });
    }
  };
  const copies = new Map<string, OwnCopy>();
  process.once('exit', removePartials); // Ctrl-C ends the process at once.
  try {
    const placed: PlacedFile[] = [];
    for (const file of files) {
      const target = path.join(folder, file.artifact.fileName);
      const wasThere = await isThere(target, folder, file);
      if (!wasThere) {
        const partial = path.join(folder, partialName());
        partials.push(partial);
        await assertReplaceable(target);
        copies.set(target, await copyVerified(file, partial));
      }
      placed.push({ path: target, wasThere });
    }
    for (const [target, copy] of copies) {
      await copy.moveTo(target);
    }
    return placed;
  } finally {
    await Promise.all([...copies.values()].map((copy) => copy.close()));
    removePartials();
    process.off('exit', removePartials);
  }
}

/** Whether a plain file with the verified bytes is there, with its mode, that only we can change. */
async function isThere(
  target: string,
  folder: string,
  { artifact, verified: { subject } }: CachedFile,
): Promise<boolean> {
  try {
    const found = await entryAt(target);
    if (found?.isFile() !== true) {
      return false; // Not even opened: that can have effects of its own.
    }
    const handle = await open(target, READ_NO_LINK);
    try {
      const opened = await handle.stat(); // What was found may have been swapped before it was opened.
      const hasMode = process.platform === 'win32' || opened.mode % 0o10000 === modeOf(artifact);
      if (opened.ino !== found.ino || opened.size !== subject.size || !hasMode) {
        return false;
      }
      assertPrivateEntry(opened, target, 'file', await trustedOwners(folder));
      const { sha256 } = await digestOpenFile(handle, target, artifact.maxBytes);
      return sha256.equals(subject.sha256);
    } finally {
      await handle.close();
    }
  } catch {
    return false; // What cannot be read, or can be changed by others, is replaced.
  }
}

/** Copies a file out of the tool cache, and requires the copy to be what was verified. */
async function copyVerified(
  { artifact, cacheEntry, verified: { subject } }: CachedFile,
  partial: string,
): Promise<OwnCopy> {
  const { file } = cacheEntry.files();
  const copy = await OwnCopy.create(file, partial, artifact.maxBytes);
  try {
    if (!copy.sha256.equals(subject.sha256)) {
      throw changedByAnotherRun(`${file} was changed after it was verified`);
    }
    await copy.finish(modeOf(artifact));
    return copy;
  } catch (error) {
    await copy.close();
    throw error;
  }
}

const PARTIAL = /^\.setup-verified-kubectl-([0-9]{1,10})-[0-9a-f-]{36}$/;
/** In milliseconds. A copy takes seconds, so this one was left, by a process of another machine perhaps. */
const STALE_AFTER = 60 * 60_000;

function partialName(): string {
  return `.setup-verified-kubectl-${String(process.pid)}-${randomUUID()}`;
}

/** Removes the copies of processes that were killed. What cannot be removed is left. */
async function sweep(folder: string): Promise<void> {
  for (const name of await readdir(folder)) {
    const pid = PARTIAL.exec(name)?.[1];
    const partial = path.join(folder, name);
    if (pid !== undefined && (!isOtherProcess(Number(pid)) || (await isStale(partial)))) {
      await unlink(partial).catch(() => undefined); // A folder, or somebody else's in a sticky folder.
    }
  }
}

async function isStale(file: string): Promise<boolean> {
  const found = await entryAt(file);
  return found !== undefined && found.mtimeMs < Date.now() - STALE_AFTER;
}

function cannotPlace(folder: string, error: unknown): SetupError {
  return error instanceof SetupError
    ? error
    : new SetupError('INSTALL_FAILED', `cannot install into ${folder}: ${explain(error)}`, {
        situation: 'target-folder',
        cause: error,
      });
}
