import { readFileSync } from 'node:fs';
import { expect, test } from '@jest/globals';

const bundle = readFileSync(new URL('../../dist/index.js', import.meta.url), 'utf8');

test('dist has no HTTP client but the one in src/transfer', () => {
  expect(bundle).toContain('this action makes every request through src/transfer/http.ts');
  expect(bundle).not.toContain('undici');
});
