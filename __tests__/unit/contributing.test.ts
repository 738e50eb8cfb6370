import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from '@jest/globals';
import { ROOT, textOf } from './repository.js';

const contributing = textOf('CONTRIBUTING.md');

test('CONTRIBUTING.md quotes the example as it is', () => {
  const [, quoted] = /```ts\n([^]*?)```/.exec(contributing) ?? [];
  const [, ...lines] = textOf('__tests__/e2e/example.test.ts').split('\n');

  expect(quoted).toBe(lines.join('\n'));
});

test('CONTRIBUTING.md names no script that package.json does not have', () => {
  const { scripts } = JSON.parse(textOf('package.json')) as { scripts: Record<string, string> };
  const named = [...contributing.matchAll(/npm run ([\w:-]+)/g)].map(([, name = '']) => name);

  expect(named.filter((name) => !(name in scripts))).toEqual([]);
});

test('CONTRIBUTING.md names no test file or helper that is not there', () => {
  const paths = [...contributing.matchAll(/`(__tests__\/[\w./-]+\.ts)`/g)].map(
    ([, path = '']) => path,
  );
  expect(paths).toContain('__tests__/e2e/expectations.ts');
  expect(paths.filter((path) => !existsSync(join(ROOT, path)))).toEqual([]);
  expect(textOf('__tests__/e2e/expectations.ts')).toContain('export function expectRefused(');
});
