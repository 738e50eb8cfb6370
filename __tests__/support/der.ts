/**
 * DER (ITU-T X.690): enough of it to write X.509 certificates, CMS messages and RFC 3161 tokens, right ones and wrong ones.
 * A library for certificates would keep us from making the wrong ones; whether the right ones are right is judged by others
 * (`@sigstore/core`, OpenSSL, Go's crypto/x509), never by this file.
 */

/** One DER element: identifier octet, definite length, contents. */
export function der(tag: number, ...contents: readonly Uint8Array[]): Buffer {
  const content = Buffer.concat(contents);
  return Buffer.concat([Buffer.from([tag]), lengthOctets(content.length), content]);
}

export const sequence = (...items: readonly Uint8Array[]): Buffer => der(0x30, ...items);
export const octetString = (content: Uint8Array): Buffer => der(0x04, content);
export const utf8String = (text: string): Buffer => der(0x0c, Buffer.from(text, 'utf8'));
export const boolean = (value: boolean): Buffer => der(0x01, Buffer.from([value ? 0xff : 0x00]));
export const nullValue = (): Buffer => der(0x05);

export const printableString = (text: string): Buffer => der(0x13, Buffer.from(text, 'ascii'));

/** BIT STRING; `unusedBits` are those of the last octet that do not count. */
export const bitString = (content: Uint8Array, unusedBits = 0): Buffer =>
  der(0x03, Buffer.from([unusedBits]), content);

/** SET OF: DER wants the elements in ascending order of their encodings (X.690 §11.6). */
export function setOf(...items: readonly Uint8Array[]): Buffer {
  return der(0x31, ...[...items].sort((a, b) => Buffer.compare(a, b)));
}

/** `[n]` around whole elements: EXPLICIT tagging, or IMPLICIT tagging of a constructed type. */
export const tagged = (n: number, ...items: readonly Uint8Array[]): Buffer =>
  der(0xa0 + n, ...items);

/** `[n]` in place of a primitive type's own tag: IMPLICIT tagging. */
export const taggedPrimitive = (n: number, content: Uint8Array): Buffer => der(0x80 + n, content);

/** INTEGER of an unsigned magnitude. */
export function integer(value: number | bigint | Uint8Array): Buffer {
  const bytes =
    typeof value === 'object'
      ? Buffer.from(value)
      : Buffer.from(evenHex(value.toString(16)), 'hex');
  let start = 0;
  while (start < bytes.length - 1 && bytes[start] === 0) start++;
  const magnitude = bytes.subarray(start);
  // A set top bit would read as a negative number.
  const sign = (magnitude[0] ?? 0) > 0x7f ? [Buffer.from([0])] : [];
  return der(0x02, ...sign, magnitude);
}

/** OBJECT IDENTIFIER of a dotted string. */
export function oid(dotted: string): Buffer {
  const [first = 0, second = 0, ...rest] = dotted.split('.').map(Number);
  return der(0x06, Buffer.from([first * 40 + second, ...rest.flatMap(base128)]));
}

/** GeneralizedTime in whole seconds, UTC: YYYYMMDDhhmmssZ. */
export const generalizedTime = (date: Date): Buffer => der(0x18, Buffer.from(digitsOf(date)));

/** A certificate's Time (RFC 5280 §4.1.2.5): UTCTime, with two digits for the year, until 2049. */
export const time = (date: Date): Buffer =>
  date.getUTCFullYear() < 2050
    ? der(0x17, Buffer.from(digitsOf(date).slice(2)))
    : generalizedTime(date);

const digitsOf = (date: Date): string =>
  date
    .toISOString()
    .replace(/\.\d+Z$/, 'Z')
    .replaceAll(/[-:T]/g, '');

/**
 * The elements inside a constructed element, each with its own tag and length.
 * Reads only what this writer could have written: short tags and definite lengths.
 */
export function elementsOf(constructed: Buffer): Buffer[] {
  const elements: Buffer[] = [];
  const { start, end } = contentRange(constructed, 0);
  for (let at = start; at < end;) {
    const next = contentRange(constructed, at).end;
    elements.push(constructed.subarray(at, next));
    at = next;
  }
  return elements;
}

/** What an element contains, without tag and length. */
export function contentOf(element: Buffer): Buffer {
  const { start, end } = contentRange(element, 0);
  return element.subarray(start, end);
}

function contentRange(bytes: Buffer, at: number): { start: number; end: number } {
  const first = bytes.readUInt8(at + 1);
  if (first < 0x80) return { start: at + 2, end: at + 2 + first };
  const octets = first - 0x80;
  const start = at + 2 + octets;
  return { start, end: start + bytes.readUIntBE(at + 2, octets) };
}

function base128(arc: number): number[] {
  const groups = [arc % 128];
  for (let rest = Math.floor(arc / 128); rest > 0; rest = Math.floor(rest / 128)) {
    groups.unshift((rest % 128) + 128);
  }
  return groups;
}

function lengthOctets(length: number): Buffer {
  if (length < 0x80) return Buffer.from([length]);
  const octets = Buffer.from(evenHex(length.toString(16)), 'hex');
  return Buffer.concat([Buffer.from([0x80 + octets.length]), octets]);
}

const evenHex = (hex: string): string => (hex.length % 2 === 0 ? hex : `0${hex}`);
