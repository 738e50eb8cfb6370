import { randomUUID } from 'node:crypto';
import { mkdtemp, readFile, readdir, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { Updater, type Fetcher } from 'tuf-js';
import { DownloadHTTPError } from 'tuf-js/dist/error.js';
import { TransferError } from '../../transfer/errors.js';

/** The one target that is read from a repository. */
export const TARGET = 'trusted_root.json';
/** What roots are called in a repository: `2.root.json`. */
const ROOT = /^\d+\.root\.json$/;

/** A TUF repository, and the root that a client of it starts from. */
export interface Repository {
  /** URL without a slash at the end. */
  readonly mirror: string;
  /** The initial root.json. */
  readonly root: Buffer;
  /** A folder for clients' state. */
  readonly scratch: string;
}

/**
 * Files of a repository by name, without version or hash: `timestamp.json`, `snapshot.json`,
 * `targets.json`, `trusted_root.json`. Roots keep their version, `2.root.json`, since a client
 * needs each of them.
 */
export type FileSet = ReadonlyMap<string, Buffer>;

/** Gets a file by its path in the repository, and fails if it has more than `maxLength` bytes. */
export type GetFile = (name: string, maxLength: number) => Promise<Buffer>;

/**
 * Runs the whole TUF workflow: signatures from the initial root on, versions, hashes and expiry.
 *
 * The client does not request every file: it uses the snapshot in its folder while the timestamp
 * names the same version, and the timestamp if the repository has no newer one. So the result is
 * read from that folder, and not collected from the requests.
 *
 * @param seen files of an earlier run; an older version than theirs is refused as a rollback. They need
 *   not be complete or genuine
 * @returns all the files that the client ended with; another client accepts them in place of the
 *   repository until they expire
 * @throws the error of the TUF client, or of `getFile`
 */
export async function runClient(
  { mirror, root, scratch }: Repository,
  getFile: GetFile,
  seen: FileSet = new Map(),
): Promise<FileSet> {
  const folder = await mkdtemp(path.join(scratch, 'tuf-'));
  const downloads = await mkdtemp(path.join(scratch, 'tuf-downloads-'));
  await writeFile(path.join(folder, 'root.json'), root);
  for (const name of ['timestamp.json', 'snapshot.json']) {
    const bytes = seen.get(name);
    if (bytes !== undefined) {
      await writeFile(path.join(folder, name), bytes);
    }
  }
  const files = new Map<string, Buffer>();
  const updater = new Updater({
    metadataBaseUrl: mirror,
    targetBaseUrl: `${mirror}/targets`,
    metadataDir: folder,
    fetcher: fetcher(mirror, downloads, async (name, maxLength) => {
      const bytes = await getFile(name, maxLength);
      if (ROOT.test(name)) {
        files.set(name, bytes); // The folder holds only the newest root.
      }
      return bytes;
    }),
  });
  const target = await updater.getTargetInfo(TARGET);
  if (target !== undefined) {
    await updater.downloadTarget(target, path.join(folder, TARGET));
  }
  for (const name of await readdir(folder)) {
    if (name !== 'root.json') {
      files.set(name, await readFile(path.join(folder, name)));
    }
  }
  return files;
}

/** `165.snapshot.json` -> `snapshot.json`, `targets/<hash>.trusted_root.json` -> `trusted_root.json` */
export function nameInSet(name: string): string {
  if (name.startsWith('targets/')) {
    return TARGET;
  }
  return ROOT.test(name) ? name : name.replace(/^\d+\./, '');
}

/** Makes the TUF client read through {@link GetFile}, instead of its own HTTP client. */
function fetcher(mirror: string, downloads: string, getFile: GetFile): Fetcher {
  const downloadBytes = async (url: string, maxLength: number): Promise<Buffer> => {
    try {
      return await getFile(url.slice(mirror.length + 1), maxLength);
    } catch (error) {
      if (error instanceof TransferError && error.notFound) {
        // For a root, this means that there is no newer one (TUF specification §5.3.3).
        throw new DownloadHTTPError(error.message, error.status ?? 404);
      }
      throw error;
    }
  };
  return {
    downloadBytes,
    downloadFile: async (url, maxLength, handler) => {
      const file = path.join(downloads, randomUUID());
      await writeFile(file, await downloadBytes(url, maxLength));
      return handler(file);
    },
  };
}
