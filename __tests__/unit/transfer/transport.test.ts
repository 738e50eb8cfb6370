import { expect, test } from '@jest/globals';
import { isTransportAllowed } from '../../../src/transfer/transport.js';

test.each([
  ['https://example.test/', true],
  ['http://127.0.0.1:80/', true],
  ['http://127.1.2.3/', true],
  ['http://localhost/', true],
  ['http://[::1]/', true],
  ['http://example.test/', false],
  ['http://127.0.0.1.example.test/', false],
  ['http://localhost.example.test/', false],
  ['http://10.0.0.1/', false],
  ['http://[::ffff:127.0.0.1]/', false],
  ['ftp://localhost/', false],
])('isTransportAllowed %s: %s', (url, isAllowed) => {
  expect(isTransportAllowed(new URL(url))).toBe(isAllowed);
});
