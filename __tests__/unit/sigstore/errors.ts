import { SetupError, type ErrorCode } from '../../../src/errors.js';

/** The code of the SetupError that a function throws; `undefined` when it throws nothing. */
export function codeOf(work: () => unknown): ErrorCode | undefined {
  try {
    // A promise would reject later, and seem to be no failure.
    if (work() instanceof Promise) throw new TypeError('a promise is for codeOfRejection()');
    return undefined;
  } catch (error) {
    return codeOfError(error);
  }
}

/** The same for a promise. */
export async function codeOfRejection(work: Promise<unknown>): Promise<ErrorCode | undefined> {
  try {
    await work;
    return undefined;
  } catch (error) {
    return codeOfError(error);
  }
}

function codeOfError(error: unknown): ErrorCode {
  if (!(error instanceof SetupError)) throw error;
  return error.code;
}
