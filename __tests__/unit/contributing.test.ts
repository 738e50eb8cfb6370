import { expect, test } from '@jest/globals';
import { textOf } from './repository.js';

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
