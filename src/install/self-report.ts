import { execFile } from 'node:child_process';
import { open } from 'node:fs/promises';
import { promisify } from 'node:util';
import { explain } from '../errors.js';
import { platformName, type Platform } from '../kubernetes/platform.js';

/** What a binary says of itself. */
export interface SelfReport {
  /** With `v`. */
  readonly version: string | undefined;
  /** `linux/amd64` */
  readonly platform: string | undefined;
  readonly isTool: boolean;
}

const run = promisify(execFile);
const LIMITS = { timeout: 20_000, maxBuffer: 1 << 20, env: {}, windowsHide: true } as const;

/** How each kind of binary tells its version and platform. */
const VERSION_ARGUMENTS: Readonly<Partial<Record<string, readonly string[]>>> = {
  kubectl: ['version', '--client', '--output=json'],
  kubeadm: ['version', '--output=json'],
};
/** component-base's `--version=raw` prints Go's form of version.Info, platform included. */
const COMPONENT_VERSION = ['--version=raw'];

/**
 * Asks a binary for its version, its platform and its name. It must have been verified before:
 * it is executed.
 *
 * @throws {Error} where it cannot be executed or does not answer
 */
export async function readSelfReport(file: string, tool: string): Promise<SelfReport> {
  await assertProgram(file);
  const version = await run(file, VERSION_ARGUMENTS[tool] ?? COMPONENT_VERSION, LIMITS);
  const help = await run(file, ['--help'], LIMITS);
  return {
    version: /gitVersion"?:\s*"(v[^"]{1,40})"/i.exec(version.stdout)?.[1],
    platform: /platform"?:\s*"([^"]{1,40})"/i.exec(version.stdout)?.[1],
    // The usage line alone: elsewhere the help of one tool speaks of others.
    isTool: new RegExp(`^Usage:\\s+${tool}(?:\\s|$)`, 'm').test(help.stdout),
  };
}

/**
 * First bytes of ELF, Mach-O (thin, of 64 bits, and universal), PE, and of a script: those name
 * their own interpreter, so that the system starts what the file says and nothing else.
 */
const PROGRAMS = ['7f454c46', 'cffaedfe', 'cafebabe', '4d5a', '2321'];

/** The system's own means of starting a program hands any other file to a shell. */
async function assertProgram(path: string): Promise<void> {
  const file = await open(path, 'r');
  try {
    const { buffer } = await file.read(Buffer.alloc(4), 0, 4, 0);
    const start = buffer.toString('hex');
    if (!PROGRAMS.some((magic) => start.startsWith(magic))) {
      throw new Error(`${path} is not a program`);
    }
  } finally {
    await file.close();
  }
}

/**
 * @returns undefined when the binary says it is the one that was asked for; else what is wrong
 */
export async function checkSelfReport(
  file: string,
  tool: string,
  version: string,
  platform: Platform,
): Promise<string | undefined> {
  try {
    const self = await readSelfReport(file, tool);
    const isAsked =
      self.isTool && self.version === version && self.platform === platformName(platform);
    return isAsked
      ? undefined
      : `asked for ${tool} ${version} for ${platformName(platform)}, but the binary says it is ${nameOf(self, tool)}`;
  } catch (error) {
    return `the binary could not be asked: ${explain(error)}`;
  }
}

function nameOf(self: SelfReport, tool: string): string {
  return `${self.isTool ? tool : 'another tool'} ${self.version ?? 'of no version'} for ${self.platform ?? 'no platform'}`;
}
