import { expect, test } from '@jest/globals';
import { decodeBase64 } from '../../../src/sigstore/base64.js';

test.each(['AA==', 'AAA=', 'AAAA', '+/+/'])('decodeBase64 reads %j', (text) => {
  expect(decodeBase64(text)?.toString('base64')).toBe(text);
});

test.each(['', '=', 'AA', 'AA=', 'AB==', 'AAAA\n', ' AAAA', 'AA*A', '-_-_', 'AA==AA=='])(
  'decodeBase64 refuses %j',
  (text) => {
    expect(decodeBase64(text)).toBeUndefined();
  },
);
