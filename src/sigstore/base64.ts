/**
 * Decodes base64 (RFC 4648 §4) that is written in the one canonical way.
 *
 * Node's decoder skips what it does not know and ignores the unused bits of the last character,
 * so that several texts would stand for the same bytes.
 *
 * @returns undefined for anything else
 */
export function decodeBase64(text: string): Buffer | undefined {
  const bytes = Buffer.from(text, 'base64');
  return bytes.length > 0 && bytes.toString('base64') === text ? bytes : undefined;
}
