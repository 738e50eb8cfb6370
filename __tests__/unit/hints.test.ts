import { expect, test } from '@jest/globals';
import { ERROR_CODES, SetupError } from '../../src/errors.js';
import { HINTS, hintFor } from '../../src/hints.js';

test.each(ERROR_CODES)('%s: the hint is a sentence', (code) => {
  const hint = hintFor(new SetupError(code, 'what happened'));
  expect(hint).toBe(HINTS[code]);
  expect(hint).toMatch(/^[A-Z].*\.$/);
});

test.each(ERROR_CODES)('%s: about an image, the hint is a sentence too', (code) => {
  const hint = hintFor(new SetupError(code, 'what happened', { situation: 'image' }));
  expect(hint).toMatch(/^[A-Z].*\.$/);
});

test('a situation says more than the code', () => {
  const error = new SetupError('VERSION_NOT_FOUND', 'x', { situation: 'range-without-release' });
  expect(hintFor(error)).toContain('Widen the range');
  expect(hintFor(error)).not.toBe(HINTS.VERSION_NOT_FOUND);
});
