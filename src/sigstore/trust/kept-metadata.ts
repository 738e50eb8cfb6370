import { createHash, randomUUID } from 'node:crypto';
import { rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import { DownloadHTTPError } from 'tuf-js/dist/error.js';
import { makeFolders } from '../../files/make-folders.js';
import { assertPrivate, entryAt, trustedOwners } from '../../files/private-file.js';
import { renameHeld } from '../../files/rename.js';
import type { HttpClient } from '../../transfer/http.js';
import { nameInSet, runClient, type FileSet, type GetFile, type Repository } from './tuf.js';

/** The files kept for the public repository take 100 KiB. */
const MAX_KEPT_BYTES = 16 << 20;

/** Reads the trust root in verified files. Throws if there is none, or one that is not accepted. */
export type ReadTrustRoot<T> = (files: FileSet) => T;

/**
 * The file in which metadata of a repository is kept. Another mirror, or another initial root, is
 * another repository.
 *
 * @param folder for all repositories
 */
export function keptPath(folder: string, { mirror, root }: Repository): string {
  const hash = createHash('sha256').update(mirror).update('\n').update(root).digest('hex');
  return path.join(folder, `${hash.slice(0, 16)}.json`);
}

/**
 * Runs the TUF workflow on kept files instead of the repository. Everything is verified, starting
 * with the initial root. Files of somebody else can make this fail, or hold this run on older
 * metadata until that expires.
 *
 * @returns undefined unless the files are complete, genuine, fresh and not older than `seen`
 */
export async function verifyKept<T>(
  repository: Repository,
  kept: FileSet,
  read: ReadTrustRoot<T>,
  seen?: FileSet,
): Promise<T | undefined> {
  if (kept.size === 0) {
    return undefined; // The client would fail at its first file, after 5 ms: twice in a cold run.
  }
  const getFile: GetFile = (name, maxLength) => {
    const bytes = kept.get(nameInSet(name));
    return bytes !== undefined && bytes.length <= maxLength
      ? Promise.resolve(bytes)
      : Promise.reject(new DownloadHTTPError(`${name} is not cached`, 404));
  };
  try {
    return read(await runClient(repository, getFile, seen));
  } catch {
    return undefined; // Absent, expired or damaged: the caller asks the repository.
  }
}

/**
 * Reads what {@link keepFiles} wrote, without verifying it.
 *
 * @returns no files if there are none, or if they cannot be read
 */
export async function readKept(file: string, http: HttpClient): Promise<FileSet> {
  try {
    if ((await entryAt(file))?.isFile() !== true) {
      return new Map(); // A link was not left by this action, and may lead anywhere.
    }
    const json = await http.read(pathToFileURL(file), MAX_KEPT_BYTES);
    const kept: unknown = JSON.parse(json.toString('utf8'));
    return new Map(
      Object.entries(kept ?? {}).map(([name, base64]) => [
        name,
        Buffer.from(String(base64), 'base64'),
      ]),
    );
  } catch (error) {
    if (http.signal.aborted) {
      throw error;
    }
    return new Map();
  }
}

/**
 * Writes all files to a single one, and renames it into place. So two runs at the same time leave
 * the set of one or the other, never a mixture.
 *
 * @throws if the folder is not private, or cannot be written to
 */
export async function keepFiles(
  file: string,
  files: FileSet,
  repository: Repository,
  read: ReadTrustRoot<unknown>,
  http: HttpClient,
): Promise<void> {
  const folder = path.dirname(file);
  await makeFolders(folder, 0o755);
  await assertPrivate(folder, 'folder', await trustedOwners(path.dirname(folder)));
  // Another run may have kept a newer set. To replace it would allow a rollback.
  const theirs = await readKept(file, http);
  const isWhole = (await verifyKept(repository, theirs, read)) !== undefined;
  if (isWhole && (await verifyKept(repository, theirs, read, files)) !== undefined) {
    return;
  }
  const json = JSON.stringify(
    Object.fromEntries([...files].map(([name, bytes]) => [name, bytes.toString('base64')])),
  );
  if (json.length > MAX_KEPT_BYTES) {
    throw new Error(`the metadata is larger than ${String(MAX_KEPT_BYTES)} bytes`);
  }
  const partial = path.join(folder, `.${randomUUID()}`);
  try {
    await writeFile(partial, json, { flag: 'wx' });
    await renameHeld(partial, file);
  } finally {
    await rm(partial, { force: true });
  }
}
