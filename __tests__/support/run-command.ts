import { spawn, type ChildProcess } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { EOL, tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const ENTRY = fileURLToPath(new URL('../../bin/setup-verified-kubectl.js', import.meta.url));

export interface CommandOptions {
  /** The working directory; a new one unless given. */
  readonly folder?: string;
  readonly env?: Readonly<Record<string, string>>;
}

export interface CommandResult {
  readonly exitCode: number | null;
  readonly stdout: string;
  readonly stderr: string;
  readonly folder: string;
  /** Where the command may keep temporary files. */
  readonly temp: string;
  cleanup(): void;
}

export interface RunningCommand {
  readonly child: ChildProcess;
  readonly finished: Promise<CommandResult>;
}

/** Runs the command line as `npx` does, outside of a workflow: no variable of a runner is set. */
export const runCommand = (
  args: readonly string[],
  options: CommandOptions = {},
): Promise<CommandResult> => startCommand(args, options).finished;

export function startCommand(
  args: readonly string[],
  { folder: given, env = {} }: CommandOptions = {},
): RunningCommand {
  const root = mkdtempSync(join(tmpdir(), 'run-command-'));
  const [folder = '', temp = '', home = ''] = ['folder', 'temp', 'home'].map((name) => {
    const path = join(root, name);
    mkdirSync(path);
    return path;
  });
  const cwd = given ?? folder;
  const child = spawn(process.execPath, [ENTRY, ...args], {
    cwd,
    env: { HOME: home, TMPDIR: temp, TEMP: temp, TMP: temp, LOCALAPPDATA: home, ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const output = { stdout: '', stderr: '' };
  child.stdout.setEncoding('utf8').on('data', (text: string) => (output.stdout += text));
  child.stderr.setEncoding('utf8').on('data', (text: string) => (output.stderr += text));
  const finished = new Promise<CommandResult>((resolve, reject) => {
    child.on('error', reject);
    child.on('close', (exitCode) => {
      resolve({
        exitCode,
        stdout: output.stdout.replaceAll(EOL, '\n'),
        stderr: output.stderr.replaceAll(EOL, '\n'),
        folder: cwd,
        temp,
        cleanup: () => rmSync(root, { recursive: true, force: true, maxRetries: 3 }),
      });
    });
  });
  return { child, finished };
}
