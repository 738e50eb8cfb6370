import fc from 'fast-check';
import { SetupError } from '../../../src/errors.js';
import { tally } from '../../support/index.js';

/** The same cases in every run. */
export const SEED = 20260801;
/** Cases for each property. */
export const CASES = 1_000;

/** Runs a property over {@link CASES} cases and counts them. */
export async function forAll<T>(
  arbitrary: fc.Arbitrary<T>,
  property: (value: T) => void | Promise<void>,
): Promise<void> {
  await fc.assert(
    fc.asyncProperty(arbitrary, async (value) => property(value)),
    {
      seed: SEED,
      numRuns: CASES,
    },
  );
  tally('fuzz cases', CASES);
}

/** The value, or undefined where a SetupError was thrown; any other error comes through. */
export async function orRefused<T>(make: () => T | Promise<T>): Promise<T | undefined> {
  try {
    return await make();
  } catch (error) {
    if (error instanceof SetupError) return undefined;
    throw error;
  }
}

export const bytes = (maxLength = 2_000): fc.Arbitrary<Buffer> =>
  fc.uint8Array({ maxLength }).map((array) => Buffer.from(array));

/** Any text, also such as looks like JSON. */
export const text = (): fc.Arbitrary<string> =>
  fc.oneof(fc.string({ unit: 'binary', maxLength: 500 }), fc.json(), fc.string({ maxLength: 500 }));

interface Edit {
  readonly at: number;
  readonly remove: number;
  readonly insert: Uint8Array;
}

/** Something valid after a few edits: bytes replaced, left out, put in, repeated. */
export function mutated(valid: Buffer): fc.Arbitrary<Buffer> {
  const edit: fc.Arbitrary<Edit> = fc.record({
    at: fc.nat(valid.length - 1),
    remove: fc.oneof(fc.constantFrom(0, 1), fc.nat(valid.length)),
    insert: fc.oneof(
      fc.uint8Array({ maxLength: 4 }),
      fc.nat(valid.length - 1).map((at) => Uint8Array.from(valid.subarray(at, at + 40))),
    ),
  });
  return fc
    .array(edit, { minLength: 1, maxLength: 4 })
    .map((edits) =>
      edits.reduce(
        (current, { at, remove, insert }) =>
          Buffer.concat([current.subarray(0, at), insert, current.subarray(at + remove)]),
        valid,
      ),
    );
}

/** The same bytes with some bits of one byte changed. */
export function* withFlips(valid: Buffer, masks: readonly number[]): Generator<Buffer> {
  for (let at = 0; at < valid.length; at++) {
    for (const mask of masks) {
      const changed = Buffer.from(valid);
      changed.writeUInt8(changed.readUInt8(at) ^ mask, at);
      yield changed;
    }
  }
}
