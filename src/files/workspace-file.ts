import { realpathSync } from 'node:fs';
import path from 'node:path';
import { FileError } from './errors.js';
import { readPlainFile } from './plain-file.js';

/** A file that is outside the workspace after all links are resolved. */
export class OutsideWorkspaceError extends FileError {
  constructor() {
    super('is outside the workspace');
  }
}

/**
 * Reads a file of a repository.
 *
 * The author of a pull request can put a link at the path. So the file must be inside the workspace
 * after all links are resolved.
 *
 * @param file its absolute path
 * @param workspace the folder that the file must be in, an absolute path
 * @param maxBytes a larger file is refused, unread
 * @throws {OutsideWorkspaceError}
 * @throws {Error} if it is not a file, is too large, or cannot be read
 */
export function readWorkspaceFile(file: string, workspace: string, maxBytes: number): Buffer {
  // The native variant also corrects the case of names on file systems that ignore case.
  const real = realpathSync.native(file);
  assertInside(real, realpathSync.native(workspace));
  return readPlainFile(real, maxBytes);
}

/**
 * Both paths must be real ones, with all links resolved.
 *
 * @throws {OutsideWorkspaceError}
 */
export function assertInside(file: string, folder: string): void {
  const relative = path.relative(folder, file);
  const [first] = relative.split(path.sep);
  // Absolute: on another drive of Windows.
  if (first === '..' || path.isAbsolute(relative)) {
    throw new OutsideWorkspaceError();
  }
}
