/**
 * Canonical JSON as RFC 8785 defines it, for the values a log entry is made of: object keys sorted, no white space.
 * Returns text; what is hashed and signed is its UTF-8 encoding.
 */
export function canonicalJson(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(canonicalJson).join(',')}]`;
  if (typeof value === 'object' && value !== null) {
    const members = Object.entries(value)
      .filter(([, member]) => member !== undefined)
      // RFC 8785 §3.2.3 sorts by UTF-16 code units, which is what `<` compares.
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([name, member]) => `${JSON.stringify(name)}:${canonicalJson(member)}`);
    return `{${members.join(',')}}`;
  }
  return JSON.stringify(value);
}
