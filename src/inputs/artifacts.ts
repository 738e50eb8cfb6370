import type { Platform } from '../kubernetes/platform.js';
import {
  ACCEPTED_RELEASE_FILES,
  parseReleaseFile,
  type ReleaseFileRequest,
} from '../kubernetes/release-file.js';
import { invalidInput, type RawInputs } from './raw-inputs.js';

/**
 * `artifacts`, without duplicates. Two names may still mean the same file.
 *
 * @throws {SetupError} INVALID_INPUT, PLATFORM_NOT_PUBLISHED
 */
export function readArtifacts(inputs: RawInputs, platform: Platform): ReleaseFileRequest[] {
  return inputs.words('artifacts').map((name) => readArtifact(name, platform));
}

/**
 * One name in `artifacts`.
 *
 * @throws {SetupError} INVALID_INPUT, PLATFORM_NOT_PUBLISHED
 */
export function readArtifact(name: string, platform: Platform): ReleaseFileRequest {
  const request = parseReleaseFile(name, platform);
  if (request === undefined) {
    throw invalidInput('artifacts', name, ACCEPTED_RELEASE_FILES);
  }
  return request;
}
