import { SetupError } from '../errors.js';

/** A version as it is in a file, not validated yet. */
export interface PinnedVersion {
  readonly version: string;
  /** Counted from 1. */
  readonly line: number;
}

/** INVALID_INPUT, naming a line of `version-file`. @param problem must not repeat anything from the file */
export function invalidLine(shown: string, line: number, problem: string): SetupError {
  return new SetupError(
    'INVALID_INPUT',
    `Input "version-file": line ${String(line)} of ${JSON.stringify(shown)} ${problem}.`,
  );
}
