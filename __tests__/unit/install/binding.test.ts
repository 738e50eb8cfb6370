import { expect, test } from '@jest/globals';
import { describeBinding } from '../../../src/install/binding.js';

test('the report says how the release was proven', () => {
  expect(describeBinding({ kind: 'self-report' })).toContain('reported by the signed binary');
  expect(describeBinding({ kind: 'namespace' })).toBe('proven by its own namespace');
  expect(describeBinding({ kind: 'subjects' })).toBe('proven by its own subjects');
  expect(describeBinding({ kind: 'skipped' })).toContain('bind-release: false');
});
