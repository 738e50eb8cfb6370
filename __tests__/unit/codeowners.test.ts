import { describe, expect, test } from '@jest/globals';
import { filesLike, textOf } from './repository.js';

const RULES = textOf('.github/CODEOWNERS')
  .split('\n')
  .filter((line) => line !== '' && !line.startsWith('#'))
  .map((line) => line.split(' '));

/** Of a file; the last rule that matches wins (docs.github.com, "About code owners"). */
function ownersOf(file: string): readonly string[] {
  const rule = RULES.findLast(
    ([pattern = '']) =>
      pattern === '*' ||
      `/${file}` === pattern ||
      (pattern.endsWith('/') && `/${file}`.startsWith(pattern)),
  );
  return rule?.slice(1) ?? [];
}

test('every pattern names something that exists', () => {
  const unknown = RULES.map(([pattern = '']) => pattern)
    .filter((pattern) => pattern !== '*')
    .filter((pattern) => filesLike(pattern.slice(1).replace(/\/$/, '/**')).length === 0);
  expect(unknown).toEqual([]);
});

describe('the security team owns', () => {
  const files = filesLike(
    'action.yml',
    'package.json',
    'package-lock.json',
    'tsconfig.json',
    '.npmrc',
    ...['src', 'stubs', 'dist', 'scripts', '.ci', '.github'].map((folder) => `${folder}/**/*.*`),
  );

  test.each(files)('%s', (file) => {
    expect(ownersOf(file)).toContain('@org/security');
  });

  test('no document', () => {
    expect(ownersOf('README.md')).toEqual(['@org/maintainers']);
  });
});
