import { describe, expect, test } from '@jest/globals';
import { escapeHtml, escapeLogLine } from '../../src/escape.js';

describe('a line of the log', () => {
  test.each([
    ['plain text', 'Verified OK', 'Verified OK'],
    ['letters of any script', 'Größe 中文 é', 'Größe 中文 é'],
    ['a line feed', 'a\nb', 'a\\u{a}b'],
    ['a carriage return', 'a\r::error::x', 'a\\u{d}::error::x'],
    ['a cursor movement', '\u001b[2Kgone', '\\u{1b}[2Kgone'],
    ['a C1 control', 'a\u0085b', 'a\\u{85}b'],
    ['a line separator', 'a\u2028b\u2029c', 'a\\u{2028}b\\u{2029}c'],
    ['reordered text', 'a\u202eb', 'a\\u{202e}b'],
    ['a byte order mark', '\ufeffa', '\\u{feff}a'],
    ['a command', '::error::x', ': :error::x'],
    ['a command behind blanks', '  ::add-mask::x', '  : :add-mask::x'],
    ['two colons inside', 'a::b', 'a::b'],
    ['an old command', 'x ##[error]y', 'x ## [error]y'],
    ['nothing', '', ''],
  ])('%s', (_, text, expected) => {
    expect(escapeLogLine(text)).toBe(expected);
  });

  test.each(['::error::x', '\n::error::x', '\u00a0::x', '\t::x::', '::::error::x'])(
    '%j begins no workflow command',
    (text) => {
      expect(escapeLogLine(text).split(/\r?\n/)).toHaveLength(1);
      expect(escapeLogLine(text)).not.toMatch(/^\s*::/);
    },
  );
});

describe('text in the job summary', () => {
  test.each([
    ['a tag', '<img src=x>', '&#60;img src=x&#62;'],
    ['an attribute', "\" onload='x'", '&#34; onload=&#39;x&#39;'],
    ['an entity', '&lt;', '&#38;lt;'],
    ['a link', '[x](y)', '&#91;x&#93;&#40;y&#41;'],
    ['an address', 'https://x', 'https&#58;//x'],
    ['a mention', '@somebody', '&#64;somebody'],
    ['an issue', '#1', '&#35;1'],
    ['emphasis', '**x** _y_ ~z~', '&#42;&#42;x&#42;&#42; &#95;y&#95; &#126;z&#126;'],
    ['code', '`x`', '&#96;x&#96;'],
    ['a table cell', 'a|b\\c', 'a&#124;b&#92;c'],
    ['a line feed', 'a\nb', 'a&#92;u{a}b'],
  ])('%s', (_, text, expected) => {
    expect(escapeHtml(text)).toBe(expected);
  });
});
