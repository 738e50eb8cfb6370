import { readFileSync } from 'node:fs';
import { expect, test } from '@jest/globals';

const bundle = readFileSync(new URL('../../dist/index.js', import.meta.url), 'utf8');

// Not toContain(): a failure would print the whole bundle.
test('dist has no HTTP client but the one in src/transfer', () => {
  expect(bundle.includes('createServer')).toBe(false);
  expect(bundle.includes('undici')).toBe(false);
  expect(bundle.match(/getBuiltinModule\(/g)).toHaveLength(1);
  expect(bundle).not.toMatch(/from "node:https?"/);
});
