import { randomUUID } from 'node:crypto';
import { realpathSync } from 'node:fs';
import { mkdir, open, readdir } from 'node:fs/promises';
import path from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { SetupError, codeOf, explain } from '../errors.js';
import type { FileEntry } from '../files/digested-file.js';
import { FileError } from '../files/errors.js';
import { makeFolders } from '../files/make-folders.js';
import { placeFile } from '../files/place-file.js';
import { readPlainFile } from '../files/plain-file.js';
import {
  assertPrivate,
  entryAt,
  thisUserAndRoot,
  trustedOwners,
  type Owners,
} from '../files/private-file.js';
import type { Artifact } from '../kubernetes/artifact.js';
import { removeLeftovers } from './mirror-scratch.js';

/** In the folder, beside `release/`. */
export const TRUSTED_ROOT = 'trusted_root.json';

const FOLDER_MODE = 0o755;
const FILE_MODE = 0o644;

/** The files that belong to one file of a release. */
export interface MirroredPaths {
  readonly file: string;
  readonly digest: string;
  readonly bundle: string;
  /** A run asks for these first, and for the log entry that belongs to them. */
  readonly pair: readonly string[];
}

/** A folder with the layout of the release host. */
export class MirrorFolder {
  /** Absolute, with all links resolved. */
  readonly path: string;
  /** Ends in a slash. */
  readonly url: URL;

  private constructor(folder: string) {
    this.path = folder;
    this.url = pathToFileURL(`${folder}${path.sep}`);
  }

  /**
   * Opens a folder to write to it, and makes it if it does not exist. What earlier runs left
   * behind is removed.
   *
   * @throws {SetupError} INSTALL_FAILED, also if other users, its owner among them, can write to it
   */
  static async make(given: string): Promise<MirrorFolder> {
    try {
      await makeFolders(given, FOLDER_MODE);
      const folder = new MirrorFolder(realpathSync.native(given));
      await assertPrivate(folder.path, 'folder', thisUserAndRoot());
      await removeLeftovers(folder.path);
      return folder;
    } catch (error) {
      throw mirrorFailed(`cannot write to the folder ${given}`, error);
    }
  }

  /** @throws {SetupError} INVALID_INPUT if it is not a folder */
  static async open(given: string): Promise<MirrorFolder> {
    try {
      const folder = realpathSync.native(given);
      await readdir(folder);
      return new MirrorFolder(folder);
    } catch (error) {
      throw new SetupError('INVALID_INPUT', `cannot read the folder ${given}: ${explain(error)}.`);
    }
  }

  /** @param artifact of a release whose base is {@link url} */
  pathsOf({ url, digestUrl, evidence }: Artifact): MirroredPaths {
    return {
      file: fileURLToPath(url),
      digest: fileURLToPath(digestUrl),
      bundle: fileURLToPath(evidence.bundle),
      pair: [fileURLToPath(evidence.signature), fileURLToPath(evidence.certificate)],
    };
  }

  get trustedRoot(): string {
    return path.join(this.path, TRUSTED_ROOT);
  }

  /** For messages: inside the folder, with slashes. */
  nameOf(file: string): string {
    return path.relative(this.path, file).split(path.sep).join('/');
  }

  /**
   * Why users other than this one, root and the owner of the folder can change it, a file, or a folder that a file is
   * in: a sentence for each, without what is missing, and without what is not a plain file or folder.
   */
  async dangersTo(files: readonly string[]): Promise<string[]> {
    const owners = await trustedOwners(this.path);
    const folders = new Set([this.path, ...files.flatMap((file) => this.#foldersTo(file))]);
    const dangers: (string | undefined)[] = [];
    for (const folder of folders) {
      dangers.push(await dangerTo(folder, 'folder', owners));
    }
    for (const file of files) {
      dangers.push(await dangerTo(file, 'file', owners));
    }
    return dangers.filter((danger) => danger !== undefined);
  }

  /**
   * Requires the folders that a file is in, as far as they exist, to be private to this user and root.
   *
   * @throws {SetupError} INSTALL_FAILED
   */
  async assertPrivateFolders(file: string): Promise<void> {
    try {
      for (const folder of this.#foldersTo(file)) {
        if (await this.has(folder)) {
          await assertPrivate(folder, 'folder', thisUserAndRoot());
        }
      }
    } catch (error) {
      throw mirrorFailed(`cannot write ${file}`, error);
    }
  }

  /**
   * Requires a file that nobody but this user and root can change, now or through another name.
   *
   * @throws {FileError}
   */
  async assertPrivateFile(file: string): Promise<void> {
    await this.#assertKind(file, 'file');
    await assertPrivate(file, 'file', thisUserAndRoot());
  }

  /**
   * Requires a plain file in plain folders: a link leads elsewhere, a pipe may never end.
   *
   * @throws {FileError}
   */
  async assertPlain(file: string): Promise<void> {
    for (const folder of this.#foldersTo(file)) {
      await this.#assertKind(folder, 'folder');
    }
    await this.#assertKind(file, 'file');
  }

  /** Whether anything has the name, links not followed. */
  async has(file: string): Promise<boolean> {
    return (await entryAt(file)) !== undefined;
  }

  /**
   * The bytes of a small file.
   *
   * @throws {FileError}
   */
  async read(file: string, maxBytes: number): Promise<Buffer> {
    await this.assertPlain(file);
    return readPlainFile(file, maxBytes);
  }

  /**
   * Writes a small file, unless it has these bytes already and nobody else can change it.
   *
   * @param scratch a folder of this run, in this folder
   * @returns why it was written; undefined if it was kept
   * @throws {SetupError} INSTALL_FAILED
   */
  async write(file: string, bytes: Buffer, scratch: string): Promise<string | undefined> {
    await this.assertPrivateFolders(file);
    const why = await this.#whyNotKept(file, bytes);
    if (why === undefined) {
      return undefined;
    }
    const partial = path.join(scratch, randomUUID());
    let entry: FileEntry;
    try {
      entry = await writeNew(partial, bytes);
    } catch (error) {
      throw mirrorFailed(`cannot write ${file}`, error);
    }
    await this.place(partial, file, entry);
    return why;
  }

  /**
   * Gives a finished file its name. Whatever else has the name is replaced, but no folder.
   *
   * @param partial in a folder of this run, in this folder
   * @param entry of the finished file
   * @throws {SetupError} INSTALL_FAILED
   */
  async place(partial: string, file: string, entry: FileEntry): Promise<void> {
    try {
      for (const folder of this.#foldersTo(file)) {
        await makeFolder(folder);
        await assertPrivate(folder, 'folder', thisUserAndRoot());
      }
      if ((await entryAt(file))?.isDirectory() === true) {
        throw new FileError('a folder has its name');
      }
      await placeFile(partial, file, entry);
    } catch (error) {
      throw mirrorFailed(`cannot write ${file}`, error);
    }
  }

  /** Below this folder, those that a file is in, outermost first. */
  #foldersTo(file: string): string[] {
    const names = path.relative(this.path, path.dirname(file)).split(path.sep);
    return names
      .filter((name) => name !== '')
      .map((_, index) => path.join(this.path, ...names.slice(0, index + 1)));
  }

  async #assertKind(file: string, kind: 'file' | 'folder'): Promise<void> {
    const found = await entryAt(file);
    if (found === undefined) {
      throw new FileError(`${this.nameOf(file)} is missing`);
    }
    if (!(kind === 'file' ? found.isFile() : found.isDirectory())) {
      const what = found.isSymbolicLink() ? 'a link' : `not a ${kind}`;
      throw new FileError(`${this.nameOf(file)} is ${what}`);
    }
  }

  async #whyNotKept(file: string, bytes: Buffer): Promise<string | undefined> {
    try {
      await this.assertPrivateFile(file);
    } catch (error) {
      return explain(error);
    }
    const had = await this.read(file, bytes.length).catch(() => undefined); // It is replaced.
    return had?.equals(bytes) === true ? undefined : 'it had other bytes';
  }
}

async function dangerTo(
  at: string,
  kind: 'file' | 'folder',
  owners: Owners,
): Promise<string | undefined> {
  const found = await entryAt(at);
  if (!(kind === 'file' ? found?.isFile() : found?.isDirectory())) {
    return undefined; // It is reported as missing or damaged.
  }
  try {
    await assertPrivate(at, kind, owners);
    return undefined;
  } catch (error) {
    return explain(error);
  }
}

async function writeNew(file: string, bytes: Buffer): Promise<FileEntry> {
  const handle = await open(file, 'wx', FILE_MODE);
  try {
    await handle.writeFile(bytes);
    return await handle.stat();
  } finally {
    await handle.close();
  }
}

async function makeFolder(folder: string): Promise<void> {
  try {
    await mkdir(folder, { mode: FOLDER_MODE });
  } catch (error) {
    if (codeOf(error) !== 'EEXIST') {
      throw error;
    }
  }
}

/** INSTALL_FAILED, with what to do about the folder. */
export function mirrorFailed(message: string, cause: unknown): SetupError {
  return cause instanceof SetupError
    ? cause
    : new SetupError('INSTALL_FAILED', `${message}: ${explain(cause)}`, {
        situation: 'mirror-folder',
        cause,
      });
}
