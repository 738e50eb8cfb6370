import { SetupError } from '../errors.js';
import type { RequestedFiles } from '../kubernetes/release.js';
import { invalidInput, type RawInputs } from './raw-inputs.js';

/**
 * `folder`, which need not exist.
 *
 * @returns an absolute path
 * @throws {SetupError} INVALID_INPUT
 */
export function readTargetFolder(inputs: RawInputs): string {
  if (inputs.get('folder') === '') {
    throw invalidInput('folder', '', 'the path of the folder to install into');
  }
  return inputs.path('folder');
}

/** @throws {SetupError} INVALID_INPUT for images alone, which are not put into a folder */
export function assertAnyFile({ tools, artifacts }: RequestedFiles): void {
  if (tools.length + artifacts.length === 0) {
    throw new SetupError(
      'INVALID_INPUT',
      'Nothing to install: set "tools" or "artifacts". Images are verified, but not pulled.',
    );
  }
}
