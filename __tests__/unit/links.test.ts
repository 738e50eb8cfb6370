import { existsSync, statSync } from 'node:fs';
import { join, posix } from 'node:path';
import { describe, expect, test } from '@jest/globals';
import { ROOT, filesLike, textOf } from './repository.js';

const FILES = filesLike('*.md', '{docs,stubs,bench,scripts,__tests__}/**/*.md', '.github/**/*.md');

describe('every link to a file or a heading of this repository leads there', () => {
  test.each(FILES)('%s', (file) => {
    expect(brokenLinks(file, textOf(file))).toEqual([]);
  });

  test('in a text in which one does', () => {
    expect(brokenLinks('README.md', '[a](LICENSE), [b](#inputs), [c](docs/), <d>')).toEqual([]);
  });

  test('and not in one in which none does', () => {
    const text = '[a](LICENCE), [b](#no-such-heading), [c](docs/architecture.md#nowhere)';

    expect(brokenLinks('README.md', text)).toEqual([
      'LICENCE',
      '#no-such-heading',
      'docs/architecture.md#nowhere',
    ]);
  });
});

function brokenLinks(file: string, text: string): string[] {
  const prose = withoutCode(text);
  const links = [...prose.matchAll(/\]\(([^)\s]+)\)/g)].map(([, link = '']) => link);
  return links.filter((link) => !/^(?:https:|mailto:)/.test(link) && !leadsSomewhere(file, link));
}

function leadsSomewhere(file: string, link: string): boolean {
  const [path = '', anchor] = link.split('#', 2);
  const target = path === '' ? file : posix.join(posix.dirname(file), path);
  if (!existsSync(join(ROOT, target))) return false;
  if (anchor === undefined) return true;
  return statSync(join(ROOT, target)).isFile() && anchorsOf(textOf(target)).includes(anchor);
}

/** The anchors that GitHub gives to headings. */
function anchorsOf(text: string): string[] {
  const seen = new Map<string, number>();
  return [...withoutBlocks(text).matchAll(/^#{1,6} +(.+?) *$/gm)].map(([, heading = '']) => {
    const plain = heading.replaceAll(/\[([^\]]*)\]\([^)]*\)/g, '$1').toLowerCase();
    const anchor = plain.replaceAll(/[^\p{L}\p{N}\p{M}_ -]/gu, '').replaceAll(' ', '-');
    const count = seen.get(anchor) ?? 0;
    seen.set(anchor, count + 1);
    return count === 0 ? anchor : `${anchor}-${count}`;
  });
}

function withoutBlocks(text: string): string {
  return text.replaceAll(/^( *)(```+)[^\n]*\n[^]*?^ *\2 *$/gm, '');
}

function withoutCode(text: string): string {
  return withoutBlocks(text).replaceAll(/`[^`\n]*`/g, '');
}
