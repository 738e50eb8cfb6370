import { randomUUID } from 'node:crypto';
import { lstatSync, realpathSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { FileError, StorageError } from './errors.js';
import { assertInside } from './workspace-file.js';

/** A folder where a file was to be written. */
export class IsFolderError extends FileError {
  constructor() {
    super('is a folder');
  }
}

/**
 * Replaces a file of a repository in one step: a reader sees the old text or the new one. A link at
 * the path is replaced, and not followed.
 *
 * Synchronous, so that no signal is handled between the first byte and the last step.
 *
 * @param file its absolute path; its folder must exist, and be in the workspace after all links are
 *   resolved
 * @throws {OutsideWorkspaceError}
 * @throws {StorageError}
 */
export function writeWorkspaceFile(file: string, workspace: string, text: string): void {
  const partial = path.join(path.dirname(file), `.${path.basename(file)}.${randomUUID()}`);
  try {
    assertReplaceable(file, workspace);
    writeFileSync(partial, text, { flag: 'wx', flush: true });
    renameSync(partial, file);
  } catch (error) {
    rmSync(partial, { force: true });
    throw error instanceof Error && 'syscall' in error
      ? new StorageError(`cannot write ${file}`, error)
      : error;
  }
}

/**
 * Requires the folder of a file, which need not exist itself, to be in the workspace after all
 * links are resolved, and no folder to be in the file's place.
 *
 * @throws {OutsideWorkspaceError}
 * @throws {IsFolderError}
 * @throws the error of the file system, for a folder that does not exist
 */
export function assertReplaceable(file: string, workspace: string): void {
  assertInside(realpathSync.native(path.dirname(file)), realpathSync.native(workspace));
  if (lstatSync(file, { throwIfNoEntry: false })?.isDirectory() === true) {
    throw new IsFolderError();
  }
}
