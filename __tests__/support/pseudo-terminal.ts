import { spawn, spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const ENTRY = fileURLToPath(new URL('../../bin/setup-verified-kubectl.js', import.meta.url));

/** Why there is no pseudo-terminal here; `undefined` where there is. */
export const NO_PSEUDO_TERMINAL: string | undefined = hasScript()
  ? undefined
  : 'needs `script` of util-linux, which runs a command on a pseudo-terminal';

/** BSD has another program of that name. */
function hasScript(): boolean {
  const { stdout } = spawnSync('script', ['--version'], { encoding: 'utf8' });
  return typeof stdout === 'string' && stdout.includes('util-linux');
}

export interface TerminalOptions {
  readonly folder?: string;
  readonly columns?: number;
  readonly rows?: number;
  readonly env?: Readonly<Record<string, string>>;
}

export interface TerminalResult {
  readonly exitCode: number | null;
  /** All that was written to the terminal, control sequences included, with `\n` for line ends. */
  readonly output: string;
  readonly folder: string;
  readonly temp: string;
  cleanup(): void;
}

export interface RunningOnTerminal {
  /** When the output has this text. */
  shows(text: string): Promise<void>;
  /** Types it, as on a keyboard: `\x03` is Ctrl-C. */
  type(text: string): void;
  readonly finished: Promise<TerminalResult>;
}

/** Runs the command line on a pseudo-terminal, which is its standard input, output and error. */
export function startOnTerminal(
  args: readonly string[],
  { folder: given, columns = 100, rows = 24, env = {} }: TerminalOptions = {},
): RunningOnTerminal {
  const root = mkdtempSync(join(tmpdir(), 'terminal-'));
  const [folder = '', temp = ''] = ['folder', 'temp'].map((name) => {
    mkdirSync(join(root, name));
    return join(root, name);
  });
  const command = [process.execPath, ENTRY, ...args].map(quoted).join(' ');
  const child = spawn(
    'script',
    // -e: with the exit code of the command; -f: at once
    ['-qefc', `stty cols ${columns} rows ${rows} && exec ${command}`, '/dev/null'],
    {
      cwd: given ?? folder,
      env: { PATH: process.env['PATH'], HOME: root, TMPDIR: temp, TERM: 'xterm-256color', ...env },
      stdio: ['pipe', 'pipe', 'inherit'],
    },
  );
  let output = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => (output += text));
  const finished = new Promise<TerminalResult>((resolve, reject) => {
    child.on('error', reject);
    child.on('close', (exitCode) => {
      resolve({
        exitCode,
        output: output.replaceAll('\r\n', '\n'),
        folder: given ?? folder,
        temp,
        cleanup: () => rmSync(root, { recursive: true, force: true }),
      });
    });
  });
  return {
    finished,
    type: (text) => child.stdin.write(text),
    shows: async (text) => {
      while (!output.includes(text)) {
        if (child.exitCode !== null) throw new Error(`ended, and did not print ${text}: ${output}`);
        await new Promise((resolve) => setTimeout(resolve, 20));
      }
    },
  };
}

/** For a shell. */
function quoted(text: string): string {
  return `'${text.replaceAll("'", String.raw`'\''`)}'`;
}

const ESCAPE = '\x1b';
/** A control sequence, the end of a line, text, or something else. */
const TOKEN = new RegExp(
  String.raw`${ESCAPE}\[(\??)([\d;]*)([A-Za-z])|([\n\r])|([^${ESCAPE}\n\r]+)|(.)`,
  'gsu',
);

/**
 * What a terminal shows in the end: ECMA-48 as far as the command line uses it.
 *
 * @throws {Error} for any other control sequence
 */
export function screenOf(output: string, columns: number): string[] {
  const lines: string[] = [''];
  let [row, column] = [0, 0];
  const tokens = output.matchAll(TOKEN);
  for (const [token, isPrivate, digits = '', final, lineEnd, text, other] of tokens) {
    if (other !== undefined) throw new Error(`unknown control: ${JSON.stringify(token)}`);
    const count = Number(digits === '' ? 1 : digits);
    if (lineEnd === '\n') {
      [row, column] = [row + 1, 0];
      lines[row] ??= '';
    } else if (lineEnd === '\r') {
      column = 0;
    } else if (text !== undefined) {
      for (const character of text) {
        if (column === columns) [row, column] = [row + 1, 0];
        const line = (lines[row] ?? '').padEnd(column);
        lines[row] = line.slice(0, column) + character + line.slice(column + 1);
        column += 1;
      }
    } else if (isPrivate === '?' || final === 'm') {
      continue; // Cursor, synchronized output, colors.
    } else if (final === 'A') {
      row = Math.max(0, row - count);
    } else if (final === 'B') {
      row += count;
    } else if (final === 'G') {
      column = count - 1;
    } else if (final === 'K') {
      lines[row] = digits === '2' ? '' : (lines[row] ?? '').slice(0, column);
    } else {
      throw new Error(`unknown control sequence: ${JSON.stringify(token)}`);
    }
  }
  return lines;
}
