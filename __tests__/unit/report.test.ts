import { expect, test } from '@jest/globals';
import { boundedSummary } from '../../src/report.js';

test.each([
  ['of just a MiB is whole', 'x'.repeat(1 << 20)],
  ['is counted in bytes', 'é'.repeat(1 << 19)],
])('a summary %s', (_, html) => {
  expect(boundedSummary(html)).toBe(html);
  expect(boundedSummary(`${html}x`)).toContain('too long');
});
