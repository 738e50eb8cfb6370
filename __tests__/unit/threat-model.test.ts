import { expect, test } from '@jest/globals';
import { filesLike, textOf } from './repository.js';

const model = textOf('docs/threat-model.md');
const testFiles = filesLike('__tests__/**/*.test.ts');
const named = [...model.matchAll(/`([\w/-]+\.test\.ts)`/g)].map(([, file = '']) => file);

test('docs/threat-model.md names no test file that is not there', () => {
  expect(named.length).toBeGreaterThan(20);
  const missing = named.filter((name) => !testFiles.some((file) => file.endsWith(`/${name}`)));
  expect(missing).toEqual([]);
});

test('docs/threat-model.md names every file of attacks', () => {
  const attacks = filesLike('__tests__/e2e/attacks/*.test.ts');
  expect(attacks.length).toBeGreaterThan(5);
  const unnamed = attacks.filter((file) => !named.some((name) => file.endsWith(`/${name}`)));
  expect(unnamed).toEqual([]);
});
