import type { ChildProcess } from 'node:child_process';
import type { Readable } from 'node:stream';

export interface ProcessOptions {
  /** The working directory. */
  readonly cwd: string;
  /** The whole environment. */
  readonly env: Readonly<Record<string, string>>;
  /** In milliseconds. */
  readonly timeout: number;
  /** Of standard output, in bytes. */
  readonly maxBytes: number;
}

/** Windows has no process groups; a detached process would get a console window of its own. */
const HAS_GROUPS = process.platform !== 'win32';

/**
 * Runs a program without a shell, standard input or standard error, and returns its standard output.
 *
 * When this settles, for whatever reason, every process of the program's process group has been
 * killed; on Windows, which has no such groups, only the program itself.
 *
 * @throws {Error} when it cannot be started, prints too much, takes too long, or does not exit with 0
 */
export async function runBounded(
  file: string,
  args: readonly string[],
  { cwd, env, timeout, maxBytes }: ProcessOptions,
): Promise<string> {
  // Loaded when it is used, which saves other runs 3 ms: with a signed SBOM, no binary is executed.
  const { spawn } = process.getBuiltinModule('node:child_process');
  const child = spawn(file, args, {
    cwd,
    env,
    stdio: ['ignore', 'pipe', 'ignore'],
    detached: HAS_GROUPS,
    windowsHide: true,
  });
  const killAll = (): void => {
    killGroup(child);
  };
  process.once('exit', killAll);
  const { promise: timedOut, reject } = Promise.withResolvers<never>();
  const timer = setTimeout(() => {
    reject(new Error(`did not finish within ${String(timeout / 1000)} s`));
  }, timeout);
  try {
    const answer = Promise.all([readAll(child.stdout, maxBytes), exited(child)]);
    // Settled by the timer even if a process that left the group holds the pipe.
    const [output] = await Promise.race([answer, timedOut]);
    return output;
  } finally {
    clearTimeout(timer);
    process.off('exit', killAll);
    killAll();
    child.stdout.destroy();
  }
}

async function readAll(stream: Readable, maxBytes: number): Promise<string> {
  const pieces: Buffer[] = [];
  let size = 0;
  for await (const piece of stream as AsyncIterable<Buffer>) {
    size += piece.length;
    if (size > maxBytes) {
      throw new Error(`more than ${String(maxBytes)} bytes of output`);
    }
    pieces.push(piece);
  }
  return Buffer.concat(pieces).toString('utf8');
}

function exited(child: ChildProcess): Promise<void> {
  return new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('exit', (code, signal) => {
      if (code === 0) {
        resolve();
      } else {
        reject(new Error(signal === null ? `exit code ${String(code)}` : `killed by ${signal}`));
      }
    });
  });
}

/** The group outlives its first process. Its children are in it, unless they leave it. */
function killGroup(child: ChildProcess): void {
  if (!HAS_GROUPS) {
    child.kill('SIGKILL'); // By its handle: its number may be another process's by now.
    return;
  }
  if (child.pid === undefined) {
    return; // It was never started.
  }
  try {
    process.kill(-child.pid, 'SIGKILL');
  } catch {
    return; // All of it has ended.
  }
}
