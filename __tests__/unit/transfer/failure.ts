import { TransferError } from '../../../src/transfer/errors.js';

/** The error of a transfer that must fail. */
export async function failureOf(promise: Promise<unknown>): Promise<TransferError> {
  const error: unknown = await promise.then(
    () => new Error('it did not fail'),
    (reason: unknown) => reason,
  );
  if (!(error instanceof TransferError)) throw error;
  return error;
}
