import { describe, expect, test } from '@jest/globals';
import { parseStrictJson } from '../../src/strict-json.js';

const parse = (text: string): unknown => parseStrictJson(Buffer.from(text));

describe('accepted', () => {
  test.each([
    '{}',
    '[]',
    '"a"',
    '{"a":1,"b":{"a":2},"c":[{"a":3},{"a":4}]}',
    '{ "a" : "b", "b" : "a" }',
    '["a","a",{"a":"a"}]',
    '{"a":"\\"a\\":","b":"{\\"a\\":1,\\"a\\":2}"}',
    '{"":1," ":2}',
    `${'['.repeat(32)}${']'.repeat(32)}`,
  ])('%j', (text) => {
    expect(parse(text)).toEqual(JSON.parse(text));
  });
});

describe('refused', () => {
  test.each([
    ['the same name twice', '{"a":1,"a":1}'],
    ['twice, with white space', '{ "a" :1,\n"a"\n:2}'],
    ['twice, deep inside', '{"x":[{"y":{"a":1,"b":2,"a":3}}]}'],
    ['twice, escaped differently', '{"a":1,"\\u0061":2}'],
    ['twice, around a nested object', '{"a":{"b":1},"a":2}'],
    ['twice, around a string that looks like an end', '{"a":"}","a":"{"}'],
    ['an empty name twice', '{"":1,"":2}'],
    ['__proto__ twice', '{"__proto__":1,"__proto__":2}'],
    ['nothing', ''],
    ['text behind it', '{}{}'],
    ['a byte order mark', '\uFEFF{}'],
    ['too deep', `${'['.repeat(33)}${']'.repeat(33)}`],
  ])('%s', (_what, text) => {
    expect(() => parse(text)).toThrow(SyntaxError);
  });

  test('bytes that are not UTF-8', () => {
    expect(() => parseStrictJson(Buffer.from([0x22, 0xff, 0x22]))).toThrow('not UTF-8');
    expect(parseStrictJson(Buffer.from([0x22, 0xc3, 0xa4, 0x22]))).toBe('ä');
  });
});
