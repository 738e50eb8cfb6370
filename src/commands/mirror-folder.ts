import { randomUUID } from 'node:crypto';
import { realpathSync } from 'node:fs';
import { mkdir, readdir, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { SetupError, codeOf, explain } from '../errors.js';
import { FileError } from '../files/errors.js';
import { makeFolders } from '../files/make-folders.js';
import { placeFile } from '../files/place-file.js';
import { readPlainFile } from '../files/plain-file.js';
import { assertPrivate, entryAt, trustedOwners } from '../files/private-file.js';
import type { Artifact } from '../kubernetes/artifact.js';

/** In the folder, beside `release/`. */
export const TRUSTED_ROOT = 'trusted_root.json';

const FOLDER_MODE = 0o755;
const FILE_MODE = 0o644;

/** Temporary folders are in the folder itself, so that files can be renamed into place. */
const SCRATCH = /^\.mirror-(\d{1,10})-[A-Za-z0-9]{6}$/;

/** The prefix of a temporary folder of this process. */
export const scratchPrefix = (): string => `.mirror-${String(process.pid)}-`;

/** There is nothing at a path. */
export class MissingFileError extends FileError {}

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
   * @throws {SetupError} INSTALL_FAILED, also if other users can write to it
   */
  static async make(given: string): Promise<MirrorFolder> {
    try {
      await makeFolders(given, FOLDER_MODE);
      const folder = new MirrorFolder(realpathSync.native(given));
      await folder.#assertPrivate(folder.path);
      await folder.#removeLeftovers();
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

  /** Why others can change the folder; undefined if they cannot, and on Windows. */
  async whyNotPrivate(): Promise<string | undefined> {
    try {
      await this.#assertPrivate(this.path);
      return undefined;
    } catch (error) {
      return explain(error);
    }
  }

  /**
   * Requires a plain file in plain folders: a link leads elsewhere, a pipe may never end.
   *
   * @throws {MissingFileError}
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
   * @throws {MissingFileError}
   * @throws {FileError}
   */
  async read(file: string, maxBytes: number): Promise<Buffer> {
    await this.assertPlain(file);
    return readPlainFile(file, maxBytes);
  }

  /**
   * Writes a small file, unless it has these bytes already.
   *
   * @param scratch a folder of this run, in this folder
   * @returns whether it had other bytes
   * @throws {SetupError} INSTALL_FAILED
   */
  async write(file: string, bytes: Buffer, scratch: string): Promise<boolean> {
    const had = await this.read(file, bytes.length).catch(() => undefined); // It is replaced.
    if (had?.equals(bytes) === true) {
      return false;
    }
    const partial = path.join(scratch, randomUUID());
    try {
      await writeFile(partial, bytes, { flag: 'wx', mode: FILE_MODE });
    } catch (error) {
      throw mirrorFailed(`cannot write ${file}`, error);
    }
    await this.place(partial, file);
    return true;
  }

  /**
   * Gives a finished file its name. Whatever else has the name is replaced, but no folder.
   *
   * @param partial in a folder of this run, in this folder
   * @throws {SetupError} INSTALL_FAILED
   */
  async place(partial: string, file: string): Promise<void> {
    try {
      for (const folder of this.#foldersTo(file)) {
        await makeFolder(folder);
        await this.#assertPrivate(folder);
      }
      if ((await entryAt(file))?.isDirectory() === true) {
        throw new FileError('a folder has its name');
      }
      await placeFile(partial, file);
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
      throw new MissingFileError(`${this.nameOf(file)} is missing`);
    }
    if (!(kind === 'file' ? found.isFile() : found.isDirectory())) {
      const what = found.isSymbolicLink() ? 'a link' : `not a ${kind}`;
      throw new FileError(`${this.nameOf(file)} is ${what}`);
    }
  }

  async #assertPrivate(folder: string): Promise<void> {
    await assertPrivate(folder, 'folder', await trustedOwners(this.path));
  }

  /** Of processes that were killed. */
  async #removeLeftovers(): Promise<void> {
    for (const name of await readdir(this.path)) {
      const pid = Number(SCRATCH.exec(name)?.[1] ?? 0);
      if (pid !== 0 && !isRunning(pid)) {
        await rm(path.join(this.path, name), { recursive: true, force: true, maxRetries: 3 });
      }
    }
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

/** In containers, a process often has the same number each time; this one has no folder yet. */
function isRunning(pid: number): boolean {
  if (pid === process.pid) {
    return false;
  }
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return codeOf(error) !== 'ESRCH';
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
