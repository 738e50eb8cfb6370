import { describe, expect, test } from '@jest/globals';
import { MAX_SHOWN, escapeHtml, escapeLogLine } from '../../src/escape.js';

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

describe('a long text', () => {
  const most = 'x'.repeat(MAX_SHOWN);
  const [high, low] = ['\ud83d', '\ude00'] as const;

  test.each([
    ['of just the length is whole', most, most],
    ['of one more is cut', `${most}y`, `${most}…`],
    ['of 120 KB is cut', 'x'.repeat(120_000), `${most}…`],
    [
      'is never cut inside a character',
      `${most.slice(1)}${high}${low}${most}`,
      `${most.slice(1)}…`,
    ],
    [
      'whose last character just fits',
      `${most.slice(2)}${high}${low}`,
      `${most.slice(2)}${high}${low}`,
    ],
    ['is never cut inside an escape', `${most.slice(4)}\n${most}`, `${most.slice(4)}…`],
    ['whose last escape just fits', `${most.slice(5)}\n`, `${most.slice(5)}\\u{a}`],
    ['of escapes is counted as it is shown', '\u2028'.repeat(5000), `${'\\u{2028}'.repeat(125)}…`],
  ])('%s', (_, text, expected) => {
    expect(escapeLogLine(text)).toBe(expected);
  });

  test('is cut before it is written as HTML, so that no entity is left in half', () => {
    expect(escapeHtml('<'.repeat(5000))).toBe(`${'&#60;'.repeat(MAX_SHOWN)}…`);
  });

  test('is short in the log and in the summary, whatever it holds', () => {
    for (const text of ['\n', '<', '##[', '\u202e', '::', '\u{1f600}'].map((one) =>
      one.repeat(1e5),
    )) {
      expect(escapeLogLine(text).length).toBeLessThan(1.5 * MAX_SHOWN);
      expect(escapeHtml(text).length).toBeLessThan(7 * MAX_SHOWN);
    }
  });
});
