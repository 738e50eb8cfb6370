import { SetupError, explain } from '../errors.js';

/** An error of the file system that nobody expected, as INSTALL_FAILED; any other unchanged. */
export function namedFailure(error: unknown): unknown {
  const isOfFileSystem = error instanceof Error && 'syscall' in error && 'errno' in error;
  return isOfFileSystem ? installFailed('a file operation failed on this runner', error) : error;
}

/** Another process changed what this run had verified or moved. */
export function changedByAnotherRun(message: string): SetupError {
  return new SetupError('INSTALL_FAILED', message, { situation: 'changed-by-another-run' });
}

/** The runner's files did not allow it. */
export function installFailed(message: string, cause?: unknown): SetupError {
  return new SetupError(
    'INSTALL_FAILED',
    cause === undefined ? message : `${message}: ${explain(cause)}`,
    { cause },
  );
}
