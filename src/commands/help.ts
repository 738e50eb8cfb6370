import { styleText } from 'node:util';
import type { HelpConfiguration } from 'commander';

/** Commander removes the colors where the help goes to no terminal, and where NO_COLOR or TERM=dumb is set. */
const ALWAYS = { validateStream: false };

/** Narrower descriptions than this are not wrapped: there is no room for them. */
const MIN_DESCRIPTION_WIDTH = 20;

/** Columns of what is printed where there is no terminal. */
export const DEFAULT_WIDTH = 80;

export const HELP: HelpConfiguration = {
  minWidthToWrap: MIN_DESCRIPTION_WIDTH,
  styleTitle: title,
  styleCommandText: literal,
  styleSubcommandText: literal,
  styleOptionText: literal,
  styleArgumentText: placeholder,
  styleOptionTerm: (term) => {
    const [flags = '', value] = term.split(/ (?=<)/);
    return value === undefined ? literal(flags) : `${literal(flags)} ${placeholder(value)}`;
  },
};

/**
 * Text for the end of a help, wrapped. A line without indent is a heading. Lines with four spaces are commands to copy,
 * and are never wrapped.
 *
 * @param columns of the terminal; undefined or 0 if it is not known
 */
export function closingText(text: string, columns: number | undefined): string {
  const width = columns === undefined || columns === 0 ? DEFAULT_WIDTH : columns;
  return text
    .split('\n')
    .map((line) => {
      if (/^\S/.test(line)) {
        return title(line);
      }
      return line.startsWith('    ') ? literal(line) : wrapped(line, width);
    })
    .join('\n');
}

/** With the indent of the line, and of the exit code that it begins with. */
function wrapped(line: string, columns: number): string {
  const [start = ''] = /^ *(?:\d+ +)?/.exec(line) ?? [];
  const lines = [start];
  for (const word of line.slice(start.length).split(' ')) {
    const last = lines.at(-1) ?? '';
    const isEmpty = last.length === start.length;
    if (isEmpty || last.length + 1 + word.length <= columns) {
      lines[lines.length - 1] = `${last}${isEmpty ? '' : ' '}${word}`;
    } else {
      lines.push(' '.repeat(start.length) + word);
    }
  }
  return lines.join('\n');
}

function title(text: string): string {
  return styleText(['bold', 'green'], text, ALWAYS);
}

function literal(text: string): string {
  return styleText(['bold', 'cyan'], text, ALWAYS);
}

function placeholder(text: string): string {
  return styleText('cyan', text, ALWAYS);
}
