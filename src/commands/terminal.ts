import { styleText } from 'node:util';
import { SetupError, explain } from '../errors.js';
import { escapeLogLine } from '../escape.js';
import { UNEXPECTED_HINT, hintFor } from '../hints.js';
import type { Environment } from '../inputs.js';
import type { Logger } from '../install/logger.js';
import { ProgressBars } from './progress-bars.js';

/** A line of progress for each file at most this often, in milliseconds. */
const PROGRESS_INTERVAL = 5_000;

/** How a command ends. The documentation of each says when. */
export const EXIT_CODES = { done: 0, failed: 1, usage: 2, different: 3 } as const;

/** @param canDiffer whether the command has `--check` */
export const exitCodesHelp = (canDiffer: boolean): string =>
  [
    'Exit codes:',
    '  0    Done',
    '  1    Refused or failed; standard error has the error code, the cause and the next step',
    '  2    Wrong use',
    ...(canDiffer ? ['  3    --check found a difference'] : []),
    '  130  Ended by Ctrl-C',
  ].join('\n');

export interface TerminalOptions {
  readonly quiet: boolean;
  readonly verbose: boolean;
  readonly variables: Environment['variables'];
}

/** What a command says on standard error. Results go to standard output. */
export class Terminal implements Logger {
  readonly #isQuiet: boolean;
  readonly #isVerbose: boolean;
  readonly #bars: ProgressBars | undefined;
  readonly #lastProgress = new Map<string, number>();

  private constructor({ quiet, verbose }: TerminalOptions, bars: ProgressBars | undefined) {
    this.#isQuiet = quiet;
    this.#isVerbose = verbose;
    this.#bars = bars;
  }

  /** {@link close} it when the command ends. */
  static async open(options: TerminalOptions): Promise<Terminal> {
    const bars = showsBars(options) ? await ProgressBars.on(process.stderr) : undefined;
    return new Terminal(options, bars);
  }

  info(message: string): void {
    if (!this.#isQuiet) {
      this.#line(escapeLogLine(message));
    }
  }

  debug(message: string): void {
    if (this.#isVerbose) {
      this.#line(escapeLogLine(message));
    }
  }

  notice(title: string, message: string): void {
    this.info(`${title}: ${message}`);
  }

  warning(title: string, message: string): void {
    this.#line(`${styled('yellow', 'warning')}: ${escapeLogLine(`${title}: ${message}`)}`);
  }

  progress(what: string, received: number, total: number | undefined): void {
    if (this.#bars !== undefined) {
      this.#bars.update(what, received, total);
      return;
    }
    const now = performance.now();
    const last = this.#lastProgress.get(what);
    this.#lastProgress.set(what, last ?? now);
    if (last !== undefined && now - last >= PROGRESS_INTERVAL) {
      this.#lastProgress.set(what, now);
      const percent =
        total === undefined ? '' : ` (${String(Math.floor((received / total) * 100))} %)`;
      this.info(`${what}: ${(received / 1e6).toFixed(1)} MB downloaded${percent}`);
    }
  }

  /** Code, cause, and next step. Sets the exit code. */
  failure(error: unknown): void {
    const known = error instanceof SetupError ? error : undefined;
    const code = known?.code ?? 'UNEXPECTED';
    const message = known?.message ?? explain(error);
    this.#line(`${styled('red', 'error')}[${code}]: ${escapeLogLine(message)}`);
    this.#line(
      `${styled('cyan', 'hint')}: ${known === undefined ? UNEXPECTED_HINT : hintFor(known)}`,
    );
    process.exitCode = code === 'INVALID_INPUT' ? EXIT_CODES.usage : EXIT_CODES.failed;
  }

  /** Removes what is shown of downloads. */
  close(): void {
    this.#bars?.close();
  }

  #line(text: string): void {
    if (this.#bars === undefined) {
      process.stderr.write(`${text}\n`);
    } else {
      this.#bars.print(text);
    }
  }
}

/** Bars are for people: not for a pipe, a log, a CI system, or a terminal that cannot move its cursor. */
function showsBars({ quiet, variables }: TerminalOptions): boolean {
  return (
    process.stderr.isTTY &&
    !quiet &&
    variables['TERM'] !== 'dumb' &&
    (variables['NO_COLOR'] ?? '') === '' &&
    ['', 'false'].includes(variables['CI'] ?? '')
  );
}

/** Colors only on a terminal, and not with NO_COLOR: Node asks both. */
function styled(color: 'red' | 'yellow' | 'cyan', text: string): string {
  return styleText([color, 'bold'], text, { stream: process.stderr });
}
