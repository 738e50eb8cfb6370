/**
 * C0 and C1 controls, line and paragraph separators, and the characters that reorder text:
 * nothing from outside may end a line, move the cursor, or be read in another order.
 */
const UNPRINTABLE = /[\p{Cc}\p{Zl}\p{Zp}\p{Bidi_Control}\ufeff]/gu;

/**
 * One line of a log: what cannot be printed is written as `\u{…}`, and nothing is left that the
 * runner would take for a workflow command (`::…::` at the start, `##[…]` anywhere).
 */
export function escapeLogLine(text: string): string {
  return text
    .replace(UNPRINTABLE, (character) => `\\u{${(character.codePointAt(0) ?? 0).toString(16)}}`)
    .replaceAll('##[', '## [')
    .replace(/^(\s*)::/, '$1: :');
}

/** Text inside HTML inside GitHub's Markdown: every character that means something is an entity. */
export function escapeHtml(text: string): string {
  return escapeLogLine(text).replace(
    /[&<>"'`*_~|\\[\]()#!@:]/g,
    (character) => `&#${String(character.charCodeAt(0))};`,
  );
}
