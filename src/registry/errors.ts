import { SetupError } from '../errors.js';

/** The registry does not answer, or answers with an error. */
export function registryUnavailable(message: string, cause?: unknown): SetupError {
  return new SetupError('REGISTRY_UNAVAILABLE', message, { cause });
}

/** The registry serves other bytes than were asked for, or bytes that cannot be read. */
export function imageMismatch(message: string, cause?: unknown): SetupError {
  return new SetupError('IMAGE_MISMATCH', message, { cause });
}
