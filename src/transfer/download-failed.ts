import { SetupError, explain } from '../errors.js';
import { TransferError } from './errors.js';

/**
 * What a failed transfer from the release host means for the user; any other error unchanged.
 *
 * @param what could not be learned or fetched
 */
export function downloadFailed(error: unknown, what: string): unknown {
  if (!(error instanceof TransferError)) {
    return error;
  }
  if (error.local) {
    return new SetupError('INSTALL_FAILED', `cannot store ${what}: ${explain(error.cause)}`, {
      cause: error,
    });
  }
  return new SetupError('DOWNLOAD_FAILED', `cannot fetch ${what}: ${error.message}`, {
    cause: error,
  });
}
