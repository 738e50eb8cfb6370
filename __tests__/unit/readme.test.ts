import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { ERROR_CODES } from '../../src/errors.js';

const readme = readFileSync(join(import.meta.dirname, '..', '..', 'README.md'), 'utf8');

test('README.md explains each error code, once, and no other', () => {
  const [, section = ''] = readme.split('\n## What a failure means\n');
  const rows = section.split('\n## ')[0]?.matchAll(/^\| `([A-Z_]+)`/gm) ?? [];
  expect([...rows].map(([, code]) => code).sort()).toEqual([...ERROR_CODES].sort());
});
