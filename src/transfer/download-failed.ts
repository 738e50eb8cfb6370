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
    return new SetupError(
      'INSTALL_FAILED',
      `cannot store ${what}: ${explain(error.cause)}`,
      'Check the free space and the permissions of RUNNER_TEMP and RUNNER_TOOL_CACHE on this runner.',
      error,
    );
  }
  return new SetupError(
    'DOWNLOAD_FAILED',
    `cannot fetch ${what}: ${error.message}`,
    'Check that this runner reaches the host (proxy, firewall, "download-base-url", "download-token"), or run the job again: the host may be down for a moment.',
    error,
  );
}
