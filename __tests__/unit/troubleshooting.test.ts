import { expect, test } from '@jest/globals';
import { ERROR_CODES } from '../../src/errors.js';
import { textOf } from './repository.js';

const sections = textOf('docs/troubleshooting.md').split(/^## /m);

test('docs/troubleshooting.md has one section for each error code, in the same order, and for no other', () => {
  const codes = sections.flatMap((text) => /^`([A-Z_]+)`\n/.exec(text)?.[1] ?? []);

  expect(codes).toEqual([...ERROR_CODES]);
});

test.each(ERROR_CODES)('%s: what it means, why, and what to do', (code) => {
  const section = sections.find((text) => text.startsWith(`\`${code}\`\n`)) ?? '';

  expect(section).toMatch(/^\*\*Cause:\*\* \S/m);
  expect(section).toMatch(/^\*\*What to do:\*\* \S/m);
});
