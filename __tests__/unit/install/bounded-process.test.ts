import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { runBounded, type ProcessOptions } from '../../../src/install/bounded-process.js';
import { elfExecutable, type ElfMachine, type SystemCall } from '../../support/elf.js';
import { NATIVE_PLATFORM } from '../../support/native-platform.js';
import { MISSING, describeUnless } from '../../support/skip.js';

let folder: string;
let cwd: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'bounded-process-'));
  cwd = mkdtempSync(join(folder, 'cwd-'));
});
afterAll(() => rmSync(folder, { recursive: true }));

const NODE = process.execPath;
/** What a program of Windows cannot start without. */
const ENV = process.platform === 'win32' ? { SystemRoot: process.env['SystemRoot'] ?? '' } : {};

const node = (code: string, options: Partial<ProcessOptions> = {}): Promise<string> =>
  runBounded(NODE, ['-e', code], { cwd, env: ENV, timeout: 30_000, maxBytes: 1000, ...options });

describe('a program', () => {
  test('that answers', async () => {
    expect(await node('console.log("answer")')).toBe('answer\n');
  });

  test('with an answer that just fits, and one that is a byte too long', async () => {
    expect(await node('process.stdout.write("x".repeat(1000))')).toHaveLength(1000);
    await expect(node('process.stdout.write("x".repeat(1001))')).rejects.toThrow(
      'more than 1000 bytes',
    );
  });

  test('that fails', async () => {
    await expect(node('process.exit(3)')).rejects.toThrow('exit code 3');
  });

  test('that does not exist', async () => {
    const options = { cwd, env: {}, timeout: 1000, maxBytes: 10 };
    await expect(runBounded(join(folder, 'none'), [], options)).rejects.toThrow('ENOENT');
  });

  test('sees its working directory, its environment, and no input', async () => {
    process.env['SECRET_OF_THIS_TEST'] = 'secret';
    const code = `const { readdirSync, readFileSync } = require('node:fs');
      const { SECRET_OF_THIS_TEST: secret, GIVEN: given } = process.env;
      console.log(JSON.stringify([readdirSync('.'), secret, given, readFileSync(0, 'utf8')]));`;
    const answer = await node(code, { env: { ...ENV, GIVEN: 'yes' } });
    delete process.env['SECRET_OF_THIS_TEST'];
    expect(JSON.parse(answer)).toEqual([[], null, 'yes', '']);
  });

  test('that hangs is killed', async () => {
    const trace = join(folder, 'hung');
    const code = `require('node:fs').writeFileSync(${JSON.stringify(trace)}, String(process.pid)); setInterval(() => {}, 1000)`;
    await expect(node(code, { timeout: 3000 })).rejects.toThrow('did not finish within 3 s');
    await expectGone(Number(readFileSync(trace, 'utf8')));
  });
});

async function expectGone(pid: number): Promise<void> {
  expect(pid).toBeGreaterThan(1);
  for (let tries = 0; tries < 50 && isThere(pid); tries++) await sleep(20);
  expect(isThere(pid)).toBe(false);
}

function isThere(pid: number): boolean {
  try {
    process.kill(pid, 0);
    // A zombie whose parent has not asked for it is gone as well.
    return (
      process.platform !== 'linux' || !readFileSync(`/proc/${pid}/stat`, 'utf8').includes(') Z ')
    );
  } catch {
    return false;
  }
}

describeUnless(MISSING.executables)('a program that starts another one', () => {
  function program(...calls: readonly SystemCall[]): string {
    const file = join(mkdtempSync(join(folder, 'program-')), 'program');
    const machine = NATIVE_PLATFORM.slice('linux/'.length) as ElfMachine;
    writeFileSync(file, elfExecutable(machine, [{ calls }]), { mode: 0o755 });
    return file;
  }

  /** Processes that run this file. */
  const running = (file: string): string[] =>
    readdirSync('/proc').filter((pid) => {
      try {
        return readFileSync(`/proc/${pid}/cmdline`, 'utf8').startsWith(`${file}\0`);
      } catch {
        return false;
      }
    });

  const run = (file: string, timeout: number): Promise<string> =>
    runBounded(file, [], { cwd, env: {}, timeout, maxBytes: 1000 });

  test('both are killed when there is no answer', async () => {
    const file = program({ call: 'fork' }, { call: 'sleepForever' });
    const answer = run(file, 1500);
    const caught = answer.catch((error: unknown) => error);
    while (running(file).length < 2) await sleep(10);
    expect(String(await caught)).toContain('did not finish');
    for (let tries = 0; tries < 50 && running(file).length > 0; tries++) await sleep(20);
    expect(running(file)).toEqual([]);
  });

  test('an endless answer ends', async () => {
    const file = program({ call: 'write', text: 'kubectl\n', forever: true });
    await expect(run(file, 30_000)).rejects.toThrow('more than 1000 bytes');
    for (let tries = 0; tries < 50 && running(file).length > 0; tries++) await sleep(20);
    expect(running(file)).toEqual([]);
  });
});
