// Not a part of index.ts: that is also loaded outside of jest, by `npm run demo`.
import { appendFileSync, lstatSync, mkdirSync, mkdtempSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, test } from '@jest/globals';
import { CAN_EXECUTE } from './executables.js';

const isWindows = process.platform === 'win32';
const isLinux = process.platform === 'linux';

/** What some tests need, and why not every machine has it. CONTRIBUTING.md has the same table. */
export const FEATURES = {
  permissionBits: {
    what: 'permission bits',
    why: 'Windows has access control lists instead, which the action does not check',
    isHere: !isWindows,
  },
  root: {
    what: 'root',
    why: 'only root can give a file to another user; Windows has no numeric owners, and the action does not check them there',
    isHere: process.getuid?.() === 0,
  },
  symbolicLinks: {
    what: 'symbolic links',
    why: 'creating one takes a privilege on Windows; Wine creates none',
    isHere: !isWindows,
  },
  folderLinks: {
    what: 'folder links',
    why: 'Wine cannot create a junction; Windows can',
    isHere: canLinkFolders(),
  },
  namedPipes: {
    what: 'named pipes',
    why: 'on Windows a pipe is not a file in a folder',
    isHere: !isWindows,
  },
  devices: { what: 'devices', why: 'Windows has no /dev', isHere: !isWindows },
  proc: { what: '/proc', why: 'only Linux has it', isHere: isLinux },
  signals: {
    what: 'signals',
    why: 'Windows cannot send a signal that a process could handle',
    isHere: !isWindows,
  },
  fileSizeLimits: {
    what: 'file size limits',
    why: 'Windows has no setrlimit',
    isHere: !isWindows,
  },
  anyFileName: {
    what: 'any character in file names',
    why: 'Windows does not allow control characters or an asterisk',
    isHere: !isWindows,
  },
  executables: {
    what: "the test world's executables",
    why: 'they are ELF files for linux/amd64 and linux/arm64',
    isHere: CAN_EXECUTE,
  },
  linux: {
    what: 'Linux',
    why: 'Kubernetes publishes its servers for Linux only',
    isHere: isLinux,
  },
} as const satisfies Readonly<
  Record<string, { readonly what: string; readonly why: string; readonly isHere: boolean }>
>;

export type Feature = keyof typeof FEATURES;

/** A reason to skip a test; `undefined` where nothing is missing. */
export type Missing = string | undefined;

/** What this machine lacks: the reason to skip a test, or `undefined` where nothing is missing. */
export const MISSING = Object.fromEntries(
  Object.entries(FEATURES).map(([feature, { what, why, isHere }]) => [
    feature,
    isHere ? undefined : `needs ${what}: ${why}`,
  ]),
) as Readonly<Record<Feature, Missing>>;

/** `test`, or `test.skip` with a reason that the end of the test run shows. */
export const testUnless = (...missing: readonly Missing[]): typeof test.skip =>
  canRun(...missing) ? test : test.skip;

/** `describe`, or `describe.skip` with a reason that the end of the test run shows. */
export const describeUnless = (...missing: readonly Missing[]): typeof describe.skip =>
  canRun(...missing) ? describe : describe.skip;

/**
 * Whether nothing is missing. Else the reason is shown at the end of the test run (scripts/tally-reporter.js), also for
 * tests that the file then does not define at all.
 */
export function canRun(...missing: readonly Missing[]): boolean {
  const reason = missing.find((one) => one !== undefined);
  if (reason === undefined) return true;
  const folder = process.env['SETUP_VERIFIED_KUBECTL_TALLY'];
  const { testPath } = expect.getState();
  if (folder !== undefined && testPath !== undefined) {
    const line = JSON.stringify({ testPath, reason });
    appendFileSync(join(folder, `${process.pid}.skipped.jsonl`), `${line}\n`);
  }
  return false;
}

/** A link to a folder: on Windows a junction, which takes no privilege. */
export function linkFolder(target: string, link: string): void {
  symlinkSync(target, link, 'junction');
}

/** Measured, because Wine differs from Windows. */
function canLinkFolders(): boolean {
  const folder = mkdtempSync(join(tmpdir(), 'link-folder-'));
  const link = join(folder, 'link');
  mkdirSync(join(folder, 'target'));
  try {
    linkFolder(join(folder, 'target'), link);
    return lstatSync(link).isSymbolicLink();
  } catch (error) {
    if (!isWindows) throw error;
    return false;
  } finally {
    rmSync(folder, { recursive: true });
  }
}
