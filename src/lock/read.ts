import { SetupError, explain } from '../errors.js';
import { isExactVersion } from '../kubernetes/version.js';
import { object } from '../sigstore/json.js';
import { serializeLock, withoutWhiteSpace } from './format.js';
import { LOCK_VERSION, Lock, SBOM_PATH, lockMismatch, type LockedFile } from './lock.js';
import { readBundle, readEntry } from './read-entry.js';
import { readImages } from './read-images.js';

/** Every file of a release, with its bundle of about 6 KiB, is about 1 MiB. */
export const MAX_LOCK_BYTES = 4 << 20;
/** A release has about 140 files. */
const MAX_FILES = 512;

/** `bin/<os>/<arch>/<binary>`, or the base name of a tarball or SBOM. schema/lock.schema.json has the same. */
const PATH = /^(?:bin\/[a-z0-9]{1,20}\/[a-z0-9]{1,20}\/)?[a-z][a-z0-9._-]{0,99}$/;
const SHA256 = /^[0-9a-f]{64}$/;

/**
 * Reads a lock file.
 *
 * It must be what {@link serializeLock} writes, apart from white space between tokens. So a member
 * that is unknown, missing, written twice, in another order or in another encoding is refused, and
 * no two readers can see different things in it.
 *
 * @param name for messages
 * @throws {SetupError} LOCK_INVALID; LOCK_MISMATCH for evidence that is for another file
 */
export function parseLock(json: Buffer, name: string): Lock {
  let lock: Lock;
  try {
    lock = readLock(json, name);
  } catch (error) {
    throw error instanceof SetupError && error.code.startsWith('LOCK_')
      ? error
      : lockInvalid(name, error instanceof SyntaxError ? 'it is not JSON' : explain(error));
  }
  return lock;
}

export function lockInvalid(name: string, reason: string, cause?: unknown): SetupError {
  return new SetupError('LOCK_INVALID', `cannot read the lock file ${name}: ${reason}`, { cause });
}

function readLock(json: Buffer, name: string): Lock {
  if (json.length > MAX_LOCK_BYTES) {
    throw new Error(`it is larger than ${String(MAX_LOCK_BYTES)} bytes`);
  }
  const text = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(json);
  const lock = object(JSON.parse(text));
  assertLockVersion(lock['lockVersion'], name);
  const version = lock['version'];
  if (
    typeof version !== 'string' ||
    !version.startsWith('v') ||
    !isExactVersion(version.slice(1))
  ) {
    throw new Error('"version" is not an exact version such as v1.31.9');
  }
  const files = readFiles(object(lock['files']), name);
  const images = readImages(object(lock['images'] ?? {}), version, name);
  const content = { version, files, images };
  if (withoutWhiteSpace(text) !== withoutWhiteSpace(serializeLock(content))) {
    throw new Error(
      'a member is unknown, written twice, in another order, or not as the command "lock" writes it',
    );
  }
  return new Lock(name, content);
}

function assertLockVersion(found: unknown, name: string): void {
  if (found === LOCK_VERSION) {
    return;
  }
  if (typeof found === 'number' && Number.isSafeInteger(found) && found > LOCK_VERSION) {
    throw new SetupError(
      'LOCK_INVALID',
      `cannot read the lock file ${name}: its "lockVersion" is ${String(found)}, and this version of the action reads ${String(LOCK_VERSION)}`,
      { situation: 'lock-too-new' },
    );
  }
  throw new Error(`"lockVersion" is not ${String(LOCK_VERSION)}`);
}

function readFiles(entries: Record<string, unknown>, name: string): Map<string, LockedFile> {
  const paths = Object.keys(entries);
  if (paths.length > MAX_FILES) {
    throw new Error(`it has more than ${String(MAX_FILES)} files`);
  }
  if (!Object.hasOwn(entries, SBOM_PATH)) {
    throw new Error(`it does not have ${SBOM_PATH}`);
  }
  return new Map(paths.map((path) => [path, readFile(path, entries[path], name)]));
}

function readFile(path: string, value: unknown, name: string): LockedFile {
  if (!PATH.test(path)) {
    throw new Error('the name of a file is not a path inside a release');
  }
  return readEntry(path, () => {
    const entry = object(value);
    const sha256 = entry['sha256'];
    if (typeof sha256 !== 'string' || !SHA256.test(sha256)) {
      throw new Error('"sha256" is not 64 lowercase hex digits');
    }
    const { bundle, signed } = readBundle(entry['bundle']);
    if (signed !== sha256) {
      throw lockMismatch(
        `${name} has ${path} with SHA-256 ${sha256}, but its evidence is for a file with SHA-256 ${signed}`,
      );
    }
    return { sha256, bundle };
  });
}
