// Not a part of index.ts: that is also loaded outside of jest, by `npm run demo`.
import { appendFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from '@jest/globals';

const isWindows = process.platform === 'win32';

/** What a machine may lack: the reason to skip a test, or `undefined` where nothing is missing. */
export const MISSING = {
  posix: isWindows ? 'Windows has no POSIX modes, links, named pipes and signals' : undefined,
  shellScripts: isWindows ? "Windows cannot execute the test world's shell scripts" : undefined,
  linux: process.platform === 'linux' ? undefined : 'needs Linux',
  root: process.getuid?.() === 0 ? undefined : 'only root can give a file to another user',
} as const satisfies Readonly<Record<string, string | undefined>>;

/** `test`, or `test.skip` with a reason that the end of the test run shows. */
export const testUnless = (missing: string | undefined): typeof test.skip =>
  canRun(missing) ? test : test.skip;

/** `describe`, or `describe.skip` with a reason that the end of the test run shows. */
export const describeUnless = (missing: string | undefined): typeof describe.skip =>
  canRun(missing) ? describe : describe.skip;

/**
 * Whether nothing is missing. Else the reason is shown at the end of the test run (scripts/tally-reporter.js), also for
 * tests that the file then does not define at all.
 */
export function canRun(missing: string | undefined): boolean {
  if (missing === undefined) return true;
  const folder = process.env['SETUP_VERIFIED_KUBECTL_TALLY'];
  const { testPath } = expect.getState();
  if (folder !== undefined && testPath !== undefined) {
    const line = JSON.stringify({ testPath, reason: missing });
    appendFileSync(join(folder, `${process.pid}.skipped.jsonl`), `${line}\n`);
  }
  return false;
}
