import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from '@jest/globals';
import { ROOT, textOf } from './repository.js';

const contributing = textOf('CONTRIBUTING.md');

test('CONTRIBUTING.md quotes the example as it is', () => {
  const blocks = [...contributing.matchAll(/```ts\n([^]*?)```/g)].map(([, text = '']) => text);

  expect(blocks).not.toEqual([]);
  for (const block of blocks) expect(textOf('__tests__/e2e/example.test.ts')).toContain(block);
});

test.each(['Add a tool', 'Add a check', 'Forge something new'])(
  'CONTRIBUTING.md explains "%s" in less than twenty lines',
  (heading) => {
    const [, section = ''] = contributing.split(`\n## ${heading}\n`);
    const lines = section.split('\n## ')[0]?.trim().split('\n') ?? [];

    expect(lines.length).toBeGreaterThan(5);
    expect(lines.length).toBeLessThan(20);
  },
);

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
