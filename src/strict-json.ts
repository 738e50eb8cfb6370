/** Manifests and payloads need six levels of nesting. */
const MAX_DEPTH = 32;

/**
 * Parses JSON (RFC 8259) that every reader reads the same way.
 *
 * RFC 8259 §4 does not say which of two members with the same name counts: `JSON.parse` takes the
 * last one, other readers the first. Such text is refused, and so is text that is not UTF-8 or
 * begins with a byte order mark.
 *
 * @throws {SyntaxError}
 */
export function parseStrictJson(bytes: Buffer): unknown {
  const text = decodeUtf8(bytes);
  const value: unknown = JSON.parse(text);
  assertUniqueNames(text);
  return value;
}

function decodeUtf8(bytes: Buffer): string {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    throw new SyntaxError('it is not UTF-8');
  }
}

/** A string, with the colon after it if it names a member; or a bracket. */
const TOKEN = /("(?:[^"\\]|\\.)*")([ \t\r\n]*:)?|[[\]{}]/gs;

/** @param text valid JSON */
function assertUniqueNames(text: string): void {
  const open: Set<string>[] = [];
  for (const [token, string, colon] of text.matchAll(TOKEN)) {
    if (token === '{' || token === '[') {
      open.push(new Set());
      if (open.length > MAX_DEPTH) {
        throw new SyntaxError(`it is nested more than ${String(MAX_DEPTH)} levels deep`);
      }
    } else if (token === '}' || token === ']') {
      open.pop();
    } else if (string !== undefined && colon !== undefined) {
      // Escapes count: "a" and "\u0061" are the same name.
      const name = JSON.parse(string) as string;
      if (open.at(-1)?.has(name) === true) {
        throw new SyntaxError(`it has two members named ${JSON.stringify(name.slice(0, 100))}`);
      }
      open.at(-1)?.add(name);
    }
  }
}
