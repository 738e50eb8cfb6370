import { existsSync } from 'node:fs';
import { SetupError, explain } from '../errors.js';
import { IsFolderError, assertReplaceable, writeWorkspaceFile } from '../files/atomic-write.js';
import type { FileError } from '../files/errors.js';
import { OutsideWorkspaceError, readWorkspaceFile } from '../files/workspace-file.js';
import type { LockInputs } from './inputs.js';
import type { Logger } from '../install/logger.js';
import type { Lock, LockContent } from '../lock/lock.js';
import { MAX_BLOB_BYTES } from '../lock/read-images.js';
import { blobsOf } from '../registry/contents.js';
import { MAX_LOCK_BYTES, lockInvalid, parseLock } from '../lock/read.js';

/**
 * Checks that the lock file can be written, as far as that can be told before anything is
 * downloaded.
 *
 * @throws {SetupError} INVALID_INPUT, INSTALL_FAILED
 */
export function assertWritable(inputs: LockInputs): void {
  inFolder(inputs, () => {
    assertReplaceable(inputs.lockFile.path, inputs.lockFile.workspace);
  });
}

/** A lock file that cannot be read is written again: it may hold the marks of a merge. */
export function readExisting({ lockFile, check }: LockInputs, logger: Logger): Lock | undefined {
  const { name, path: file, workspace } = lockFile;
  if (!existsSync(file)) {
    return undefined;
  }
  try {
    return parseLock(readText(name, file, workspace), name);
  } catch (error) {
    if (check || !(error instanceof SetupError) || !error.code.startsWith('LOCK_')) {
      throw error;
    }
    logger.warning('Lock file not readable', `${error.message}. It is written again.`);
    return undefined;
  }
}

function readText(name: string, file: string, workspace: string): Buffer {
  try {
    return readWorkspaceFile(file, workspace, MAX_LOCK_BYTES);
  } catch (error) {
    throw error instanceof OutsideWorkspaceError
      ? unusablePath(name, error)
      : lockInvalid(name, explain(error), error);
  }
}

/** @throws {SetupError} INVALID_INPUT for a lock file that no run would read */
export function assertReadable(text: string, { images }: LockContent): void {
  for (const [name, { contents }] of images) {
    if (blobsOf(contents).some(({ length }) => length > MAX_BLOB_BYTES)) {
      throw new SetupError(
        'INVALID_INPUT',
        `${name} cannot be locked: its manifest or a configuration is larger than ${String(MAX_BLOB_BYTES)} bytes.`,
      );
    }
  }
  if (Buffer.byteLength(text) > MAX_LOCK_BYTES) {
    throw new SetupError(
      'INVALID_INPUT',
      `The lock file would be larger than ${String(MAX_LOCK_BYTES)} bytes. Lock fewer images, or lock them in a file of their own.`,
    );
  }
}

/** Replaces the lock file in one step. */
export function write(inputs: LockInputs, text: string): void {
  inFolder(inputs, () => {
    writeWorkspaceFile(inputs.lockFile.path, inputs.lockFile.workspace, text);
  });
}

function inFolder({ lockFile: { name } }: LockInputs, act: () => void): void {
  try {
    act();
  } catch (error) {
    throw error instanceof OutsideWorkspaceError || error instanceof IsFolderError
      ? unusablePath(name, error)
      : new SetupError('INSTALL_FAILED', `cannot write the lock file ${name}: ${explain(error)}`, {
          situation: 'target-folder',
          cause: error,
        });
  }
}

function unusablePath(name: string, error: FileError): SetupError {
  return new SetupError('INVALID_INPUT', `Input "lock-file": ${name} ${error.message}.`);
}
