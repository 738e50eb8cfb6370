import { styleText } from 'node:util';
import { SetupError, explain } from '../errors.js';
import { escapeLogLine } from '../escape.js';
import { UNEXPECTED_HINT, hintFor } from '../hints.js';
import type { Logger } from '../install/logger.js';

/** A line of progress for each file at most this often, in milliseconds. */
const PROGRESS_INTERVAL = 5_000;

/** How a command ends. The documentation of each says when. */
export const EXIT_CODES = { done: 0, failed: 1, usage: 2, different: 3 } as const;

export const EXIT_CODES_HELP = `Exit codes:
  0    Done
  1    Refused or failed; standard error has the code, the cause and the next step
  2    Wrong use
  3    lock --check: the lock file is out of date
       mirror --check: the folder is not what was asked for
  130  Ended by Ctrl-C`;

/** What a command says on standard error. Results go to standard output. */
export class Terminal implements Logger {
  readonly #isQuiet: boolean;
  readonly #isVerbose: boolean;
  readonly #lastProgress = new Map<string, number>();

  constructor({ quiet, verbose }: { readonly quiet: boolean; readonly verbose: boolean }) {
    this.#isQuiet = quiet;
    this.#isVerbose = verbose;
  }

  info(message: string): void {
    if (!this.#isQuiet) {
      line(escapeLogLine(message));
    }
  }

  debug(message: string): void {
    if (this.#isVerbose) {
      line(escapeLogLine(message));
    }
  }

  warning(title: string, message: string): void {
    line(`${styled('yellow', 'warning')}: ${escapeLogLine(`${title}: ${message}`)}`);
  }

  progress(what: string, received: number, total: number | undefined): void {
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
    line(`${styled('red', 'error')}[${code}]: ${escapeLogLine(message)}`);
    line(`${styled('cyan', 'hint')}: ${known === undefined ? UNEXPECTED_HINT : hintFor(known)}`);
    process.exitCode = code === 'INVALID_INPUT' ? EXIT_CODES.usage : EXIT_CODES.failed;
  }
}

/** Colors only on a terminal, and not with NO_COLOR: Node asks both. */
function styled(color: 'red' | 'yellow' | 'cyan', text: string): string {
  return styleText([color, 'bold'], text, { stream: process.stderr });
}

function line(text: string): void {
  process.stderr.write(`${text}\n`);
}
