import { SetupError } from '../../src/errors.js';

/** The SetupError that a function throws; anything else fails the test. */
export function errorOf(act: () => unknown): SetupError {
  try {
    act();
  } catch (error) {
    if (error instanceof SetupError) return error;
    throw error;
  }
  throw new Error('nothing was thrown');
}

/** The SetupError that a promise rejects with. */
export async function rejectionOf(promise: Promise<unknown>): Promise<SetupError> {
  const outcome = await promise.then(
    (value) => ({ value }),
    (error: unknown) => ({ error }),
  );
  return errorOf(() => {
    if ('error' in outcome) throw outcome.error;
  });
}
