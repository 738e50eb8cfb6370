/**
 * C0 and C1 controls, line and paragraph separators, and the characters that reorder text:
 * nothing from outside may end a line, move the cursor, or be read in another order.
 */
const UNPRINTABLE = /^[\p{Cc}\p{Zl}\p{Zp}\p{Bidi_Control}\ufeff]$/u;

/**
 * How much of a message is shown, in UTF-16 code units, as the runner counts.
 *
 * A server, a certificate or a log may say more than GitHub takes. The runner cuts an annotation
 * after 4,096 (`_maxIssueMessageLength` in ExecutionContext.cs of actions/runner 258d6c85): message
 * and hint fit into that together. It drops a summary of more than 1 MiB: see `report.ts`.
 */
export const MAX_SHOWN = 1000;

/**
 * One line of a log: what cannot be printed is written as `\u{…}`, and nothing is left that the
 * runner would take for a workflow command (`::…::` at the start, `##[…]` anywhere). A text that is
 * longer than {@link MAX_SHOWN} is cut, and ends in `…`.
 */
export function escapeLogLine(text: string): string {
  return printable(text)
    .replaceAll('##[', '## [')
    .replace(/^(\s*)::/, '$1: :');
}

/**
 * JSON with the same values, of which nothing moves the cursor or is read in another order, and
 * nothing is taken for a workflow command.
 *
 * @param json as `JSON.stringify` writes it
 */
export function escapeJson(json: string): string {
  return json
    .replaceAll(
      /[\x7f-\x9f\p{Zl}\p{Zp}\p{Bidi_Control}\ufeff]/gu,
      (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`,
    )
    .replaceAll('##[', '##\\u005b');
}

/** Cut between characters: neither a surrogate pair nor an escape is ever left in half. */
function printable(text: string): string {
  let shown = '';
  for (const character of text) {
    const next = UNPRINTABLE.test(character)
      ? `\\u{${(character.codePointAt(0) ?? 0).toString(16)}}`
      : character;
    if (shown.length + next.length > MAX_SHOWN) {
      return `${shown}…`;
    }
    shown += next;
  }
  return shown;
}

/** Text inside HTML inside GitHub's Markdown: every character that means something is an entity. */
export function escapeHtml(text: string): string {
  return escapeLogLine(text).replace(
    /[&<>"'`*_~|\\[\]()#!@:]/g,
    (character) => `&#${String(character.charCodeAt(0))};`,
  );
}
