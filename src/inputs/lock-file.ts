import path from 'node:path';
import { SetupError, explain } from '../errors.js';
import { OutsideWorkspaceError, readWorkspaceFile } from '../files/workspace-file.js';
import type { Artifact } from '../kubernetes/artifact.js';
import type { Image } from '../kubernetes/image.js';
import { satisfies } from '../kubernetes/version.js';
import type { Lock } from '../lock/lock.js';
import { MAX_LOCK_BYTES, lockInvalid, parseLock } from '../lock/read.js';
import { readBoolean, type RawInputs } from './raw-inputs.js';
import type { VersionChoice } from './version.js';

/**
 * `lock-file`: undefined if it is empty.
 *
 * @throws {SetupError} LOCK_INVALID, LOCK_MISMATCH; INVALID_INPUT for a path outside the workspace
 */
export function readLockFile(inputs: RawInputs): Lock | undefined {
  const given = inputs.get('lock-file');
  if (given === '') {
    return undefined;
  }
  if (readBoolean(inputs, 'check-latest', false)) {
    throw new SetupError('INVALID_INPUT', 'Set either "lock-file" or "check-latest", not both.');
  }
  const name = JSON.stringify(given);
  return parseLock(readText(inputs, name), name);
}

/**
 * The version of the lock, which must be one that the user asks for. Without a request, it is the
 * version to install.
 *
 * @throws {SetupError} LOCK_MISMATCH
 */
export async function lockedVersion(
  lock: Lock,
  inputs: RawInputs,
  choice: VersionChoice,
): Promise<VersionChoice> {
  const isAsked = inputs.get('version') !== '' || inputs.get('version-file') !== '';
  if (isAsked && !(await satisfies(lock.version, choice.version))) {
    throw new SetupError(
      'LOCK_MISMATCH',
      `${lock.name} has ${lock.version}, but the requested version is ${choice.versionSource}`,
      { situation: 'lock-incomplete' },
    );
  }
  return {
    ...choice,
    version: { kind: 'exact', version: lock.version },
    versionSource: isAsked
      ? `${choice.versionSource}, locked in ${lock.name}`
      : `locked in ${lock.name}`,
  };
}

/**
 * Requires a lock to have every file and every image that is asked for.
 *
 * @throws {SetupError} LOCK_MISMATCH
 */
export function assertLocked(
  lock: Lock,
  files: readonly Artifact[],
  images: readonly Image[],
): void {
  for (const file of files) {
    lock.digestOf(file);
  }
  for (const image of images) {
    lock.image(image);
  }
}

/** Where the command `lock` writes, if the user names no other file. */
export const DEFAULT_LOCK_FILE = 'kubernetes.lock.json';

/** A lock file that need not exist yet. */
export interface LockFilePath {
  /** As the user wrote it, in quotes, for messages. */
  readonly name: string;
  /** Absolute. */
  readonly path: string;
  /** The folder that it must be in, an absolute path. */
  readonly workspace: string;
}

export function readLockFilePath(inputs: RawInputs): LockFilePath {
  const given = inputs.get('lock-file');
  const name = given === '' ? DEFAULT_LOCK_FILE : given;
  const { workspace } = inputs;
  return { name: JSON.stringify(name), path: path.resolve(workspace, name), workspace };
}

function readText(inputs: RawInputs, name: string): Buffer {
  try {
    return readWorkspaceFile(inputs.path('lock-file'), inputs.workspace, MAX_LOCK_BYTES);
  } catch (error) {
    throw error instanceof OutsideWorkspaceError
      ? new SetupError('INVALID_INPUT', `Input "lock-file": ${name} ${error.message}.`)
      : lockInvalid(name, explain(error), error);
  }
}
