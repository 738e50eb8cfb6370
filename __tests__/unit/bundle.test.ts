import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from '@jest/globals';

const ROOT = join(import.meta.dirname, '..', '..');
const bundle = readFileSync(new URL('../../dist/index.js', import.meta.url), 'utf8');

// Not toContain(): a failure would print the whole bundle.
test('dist has no HTTP client but the one in src/transfer', () => {
  expect(bundle.includes('createServer')).toBe(false);
  expect(bundle.includes('undici')).toBe(false);
  // src/transfer loads http and https by these calls, when it makes a request, and nothing else does.
  const calls = globSync('src/transfer/*.ts', { cwd: ROOT }).flatMap(
    (file) => readFileSync(join(ROOT, file), 'utf8').match(/getBuiltinModule\(/g) ?? [],
  );
  expect(bundle.match(/getBuiltinModule\(/g)).toEqual(calls);
  expect(bundle).not.toMatch(/from "node:https?"/);
});
