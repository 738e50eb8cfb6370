import { spawn, type ChildProcess } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { EOL, tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { giveAway } from './run-action.js';

const ENTRY = fileURLToPath(new URL('../../bin/setup-verified-kubectl.js', import.meta.url));

export interface CommandOptions {
  /** The working directory; a new one unless given. */
  readonly folder?: string;
  readonly env?: Readonly<Record<string, string>>;
  /** Another user to run as, by number, with a group of the same number; takes root. */
  readonly uid?: number;
  /** A bound on the size of any file that it writes, in blocks of 512 bytes (setrlimit, RLIMIT_FSIZE). */
  readonly fileBlocks?: number;
  /** Kills the process after so long; 60 seconds unless given. */
  readonly timeoutMs?: number;
}

export interface CommandResult {
  /** Null if a signal ended it. */
  readonly exitCode: number | null;
  readonly stdout: string;
  readonly stderr: string;
  readonly folder: string;
  /** Where the command may keep temporary files. */
  readonly temp: string;
  /** The user's home: the tool cache is below it. */
  readonly home: string;
  cleanup(): void;
}

export interface RunningCommand {
  readonly child: ChildProcess;
  readonly temp: string;
  readonly finished: Promise<CommandResult>;
}

/** Runs the command line as `npx` does, outside of a workflow: no variable of a runner is set. */
export const runCommand = (
  args: readonly string[],
  options: CommandOptions = {},
): Promise<CommandResult> => startCommand(args, options).finished;

export function startCommand(
  args: readonly string[],
  { folder: given, env = {}, uid, fileBlocks, timeoutMs = 60_000 }: CommandOptions = {},
): RunningCommand {
  const root = mkdtempSync(join(tmpdir(), 'run-command-'));
  const [folder = '', temp = '', home = ''] = ['folder', 'temp', 'home'].map((name) => {
    const path = join(root, name);
    mkdirSync(path);
    return path;
  });
  const cwd = given ?? folder;
  if (uid !== undefined) giveAway(root, uid);
  const command = [process.execPath, ENTRY, ...args];
  const limit = `trap "" XFSZ; ulimit -f ${fileBlocks}; exec "$@"`;
  const [program = '', ...words] =
    fileBlocks === undefined ? command : ['/bin/sh', '-c', limit, 'sh', ...command];
  const child = spawn(program, words, {
    ...(uid === undefined ? {} : { uid, gid: uid }),
    cwd,
    env: { HOME: home, TMPDIR: temp, TEMP: temp, TMP: temp, LOCALAPPDATA: home, ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const output = { stdout: '', stderr: '' };
  child.stdout.setEncoding('utf8').on('data', (text: string) => (output.stdout += text));
  child.stderr.setEncoding('utf8').on('data', (text: string) => (output.stderr += text));
  const timer = setTimeout(() => child.kill('SIGKILL'), timeoutMs);
  const finished = new Promise<CommandResult>((resolve, reject) => {
    child.on('error', reject);
    child.on('close', (exitCode) => {
      clearTimeout(timer);
      resolve({
        exitCode,
        stdout: output.stdout.replaceAll(EOL, '\n'),
        stderr: output.stderr.replaceAll(EOL, '\n'),
        folder: cwd,
        temp,
        home,
        cleanup: () => rmSync(root, { recursive: true, force: true, maxRetries: 3 }),
      });
    });
  });
  return { child, temp, finished };
}
