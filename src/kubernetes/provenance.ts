import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { SetupError } from '../errors.js';

/** The provenance of a release is about 1 MiB. */
export const MAX_PROVENANCE_BYTES = 16 << 20;

/**
 * Requires an in-toto statement (v0.1 or v1) whose subjects are files of one release, as krel writes
 * it: `gs://<bucket>/release/<version>/<path>`.
 *
 * The file must have been verified before. What it says of its subjects is not compared with them.
 *
 * @param file whose bytes were verified, and whose size is bounded, with its SHA-256 of 32 bytes
 * @throws {SetupError} RELEASE_MISMATCH, naming what was asked for and what was found
 */
export async function checkSubjects(
  file: { readonly path: string; readonly sha256: Buffer },
  version: string,
  name: string,
): Promise<void> {
  const json = await readFile(file.path);
  if (!createHash('sha256').update(json).digest().equals(file.sha256)) {
    throw mismatch(`${file.path} was changed by another process after it was verified`);
  }
  const subjects = subjectNames(json);
  if (subjects === undefined || subjects.length === 0) {
    throw mismatch(
      `requested ${name} of ${version}, but the file that was served is not an in-toto statement about any file`,
    );
  }
  const other = subjects.find((subject) => !isOfRelease(subject, version));
  if (other !== undefined) {
    throw mismatch(
      `requested ${name} of ${version}, but the file that was served is about ${JSON.stringify(other)}`,
    );
  }
}

/** Undefined for anything but a statement whose subjects all have names. */
function subjectNames(json: Buffer): string[] | undefined {
  const statement = parse(json);
  const type = field(statement, '_type');
  const subjects = field(statement, 'subject');
  if (typeof type !== 'string' || !STATEMENT_TYPES.has(type) || !Array.isArray(subjects)) {
    return undefined;
  }
  const names = subjects.map((subject: unknown) => field(subject, 'name'));
  return names.every((name) => typeof name === 'string') ? names : undefined;
}

const STATEMENT_TYPES: ReadonlySet<string> = new Set([
  'https://in-toto.io/Statement/v0.1',
  'https://in-toto.io/Statement/v1',
]);

function parse(json: Buffer): unknown {
  try {
    return JSON.parse(json.toString('utf8'));
  } catch {
    return undefined; // The caller says that it is no statement.
  }
}

function field(value: unknown, name: string): unknown {
  return typeof value === 'object' && value !== null && Object.hasOwn(value, name)
    ? (value as Readonly<Record<string, unknown>>)[name]
    : undefined;
}

function isOfRelease(subject: string, version: string): boolean {
  const [scheme, empty, bucket, folder, release, ...path] = subject.split('/');
  return (
    scheme === 'gs:' &&
    empty === '' &&
    bucket !== '' &&
    folder === 'release' &&
    release === version &&
    path.length > 0 &&
    path.every((part) => !['', '.', '..'].includes(part))
  );
}

function mismatch(message: string): SetupError {
  return new SetupError('RELEASE_MISMATCH', message);
}
