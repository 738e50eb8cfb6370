import type { WriteStream } from 'node:tty';
import { styleText } from 'node:util';
import { escapeLogLine } from '../escape.js';
import { DEFAULT_WIDTH } from './help.js';

/** Milliseconds between two drawings. */
const DRAW_INTERVAL = 80;
const BAR_WIDTH = { min: 10, max: 30 };

interface Progress {
  readonly received: number;
  readonly total: number | undefined;
}

/** Redraws some lines at the end of what a terminal shows: see the package log-update. */
interface Redraw {
  (text: string): void;
  /** Erases them. */
  clear(): void;
  /** Keeps them, and shows the cursor again. */
  done(): void;
}

/** The downloads that are under way, one line for each, below everything else on a terminal. */
export class ProgressBars {
  readonly #stream: WriteStream;
  readonly #redraw: Redraw;
  readonly #downloads = new Map<string, Progress>();
  #timer: NodeJS.Timeout | undefined;

  private constructor(stream: WriteStream, redraw: Redraw) {
    this.#stream = stream;
    this.#redraw = redraw;
  }

  /** A process that ends shows the cursor again, also if a signal ends it: log-update sees to that. */
  static async on(stream: WriteStream): Promise<ProgressBars> {
    const { createLogUpdate } = await import('log-update'); // Not loaded unless there is a terminal.
    return new ProgressBars(stream, createLogUpdate(stream));
  }

  /** A download that is complete is no longer shown. */
  update(what: string, received: number, total: number | undefined): void {
    if (received === total) {
      this.#downloads.delete(what);
    } else {
      this.#downloads.set(what, { received, total });
    }
    this.#timer ??= setTimeout(() => {
      this.#timer = undefined;
      this.#draw();
    }, DRAW_INTERVAL);
  }

  /** Prints a line above the bars. */
  print(line: string): void {
    this.#redraw.clear();
    this.#stream.write(`${line}\n`);
    this.#draw();
  }

  close(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#downloads.clear();
    this.#redraw.clear();
    this.#redraw.done();
  }

  #draw(): void {
    // A terminal that does not know its size says 0. log-update reads it from the stream, too.
    if (this.#stream.columns === 0) {
      this.#stream.columns = DEFAULT_WIDTH;
    }
    if (this.#downloads.size === 0) {
      this.#redraw.clear();
    } else {
      this.#redraw(progressLines(this.#downloads, this.#stream.columns).join('\n'));
    }
  }
}

/**
 * @param downloads by the name to show
 * @param columns of the terminal; no line is wider
 */
function progressLines(downloads: ReadonlyMap<string, Progress>, columns: number): string[] {
  const rows = [...downloads].map(([what, progress]) => ({
    name: escapeLogLine(what),
    progress,
    amount: amountOf(progress),
  }));
  const amountWidth = Math.max(...rows.map(({ amount }) => amount.length));
  const nameWidth = Math.max(...rows.map(({ name }) => name.length));
  // One column stays free: some terminals wrap a line that fills the last one.
  const free = columns - 1 - amountWidth - 2;
  const barWidth = Math.min(BAR_WIDTH.max, free - nameWidth - 2);
  return rows.map(({ name, progress, amount }) => {
    const end = amount.padStart(amountWidth);
    return barWidth >= BAR_WIDTH.min
      ? `${name.padEnd(nameWidth)}  ${bar(progress, barWidth)}  ${end}`
      : `${shortened(name, free)}  ${end}`.slice(0, columns - 1);
  });
}

/** `45 %  25.3/57.1 MB` */
function amountOf({ received, total }: Progress): string {
  const amount = (received / 1e6).toFixed(1);
  if (total === undefined) {
    return `${amount} MB`;
  }
  const all = (total / 1e6).toFixed(1);
  const percent = String(Math.floor((received / total) * 100));
  return `${percent.padStart(3)} %  ${amount.padStart(all.length)}/${all} MB`;
}

function bar({ received, total }: Progress, width: number): string {
  const full = total === undefined ? 0 : Math.floor((received / total) * width);
  return color('cyan', '━'.repeat(full)) + color('dim', '━'.repeat(width - full));
}

function color(name: 'cyan' | 'dim', text: string): string {
  return text === '' ? '' : styleText(name, text, { stream: process.stderr });
}

/** The end of a path tells more than its start. */
function shortened(name: string, width: number): string {
  return name.length <= width ? name.padEnd(Math.max(0, width)) : `…${name.slice(1 - width)}`;
}
