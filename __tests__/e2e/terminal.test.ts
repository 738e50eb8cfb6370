// The command line on a terminal: a real pseudo-terminal, and the real dist/.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { stripVTControlCharacters } from 'node:util';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import {
  NO_PSEUDO_TERMINAL,
  World,
  fault,
  filesBelow,
  runCommand,
  screenOf,
  startOnTerminal,
  type CommandResult,
  type RunningOnTerminal,
  type TerminalOptions,
  type TerminalResult,
} from '../support/index.js';
import { describeUnless } from '../support/skip.js';
import { textOf } from '../unit/repository.js';
import { STRANGER } from './expectations.js';

const VERSION = 'v1.31.9';
const PLATFORMS = ['linux/amd64', 'darwin/arm64'];
const BAR = '━';
const HIDE_CURSOR = '\x1b[?25l';
const SHOW_CURSOR = '\x1b[?25h';
const ESCAPE = '\x1b[';

let world: World;
const finished: { cleanup(): void }[] = [];

beforeAll(async () => {
  world = await World.start();
});
beforeEach(() => {
  world.reset();
  world.release.publish({ version: VERSION, platforms: PLATFORMS });
});
afterEach(() => {
  for (const run of finished.splice(0)) run.cleanup();
});
afterAll(() => world.stop());

const lockArguments = (): string[] => [
  'lock',
  ...Object.entries(world.inputs()).flatMap(([name, value]) => [`--${name}`, value]),
  '--version',
  VERSION,
  '--platforms',
  PLATFORMS.join(','),
];

function start(args: readonly string[], options: TerminalOptions = {}): RunningOnTerminal {
  const running = startOnTerminal(args, options);
  void running.finished.then((result) => finished.push(result));
  return running;
}

const onTerminal = (
  args: readonly string[],
  options: TerminalOptions = {},
): Promise<TerminalResult> => start(args, options).finished;

/** What the terminal shows after each drawing of the bars. */
function framesOf(output: string, columns: number): string[] {
  const drawings = output.split('\x1b[?2026l').slice(0, -1);
  return drawings.map((_, index) =>
    screenOf(drawings.slice(0, index + 1).join(''), columns).join('\n'),
  );
}

/** A binary takes about a second. */
function slowDown(): void {
  const [platform = ''] = PLATFORMS;
  const size = world.release.artifact(VERSION, platform, 'kubectl').bytes.length;
  world.host.server.fail(/\/kubectl$/, fault.slow(size), Infinity);
}

describeUnless(NO_PSEUDO_TERMINAL)('progress on a terminal', () => {
  beforeEach(slowDown);

  test('a bar for each download, all at once, and none is left', async () => {
    const { exitCode, output } = await onTerminal(lockArguments());
    expect(exitCode).toBe(0);
    const bars = PLATFORMS.map(
      (platform) =>
        new RegExp(`^bin/${platform}/kubectl +${BAR}+ +\\d+ % +[\\d.]+/[\\d.]+ MB$`, 'm'),
    );
    const screens = framesOf(output, 100);
    expect(screens.some((screen) => bars.every((bar) => bar.test(screen)))).toBe(true);
    expect(screenOf(output, 100).join('\n')).not.toContain(BAR);
    expect(output.lastIndexOf(SHOW_CURSOR)).toBeGreaterThan(output.lastIndexOf(HIDE_CURSOR));
  });

  test('the log is as it would be without', async () => {
    const { exitCode, output } = await onTerminal(lockArguments());
    const { stdout, stderr, cleanup } = await runCommand(lockArguments());
    cleanup();
    expect(exitCode).toBe(0);
    const shown = screenOf(output, 100).filter((line) => line !== '');
    const printed = `${stderr}${stdout}`.split('\n').filter((line) => line !== '');
    expect(shown.sort()).toEqual(printed.sort());
  });

  test('fits into 80 columns where the terminal says 0, as a serial console does', async () => {
    const { exitCode, output } = await onTerminal(lockArguments(), { columns: 0 });
    expect(exitCode).toBe(0);
    const screens = framesOf(output, 80);
    expect(screens.some((screen) => screen.includes(BAR))).toBe(true);
    const lines = screens.flatMap((screen) => screen.split('\n'));
    const bars = lines.filter((line) => line.includes(BAR));
    expect(Math.max(...bars.map((line) => line.length))).toBeLessThan(80);
  });

  test.each([30, 45, 60])('fits into %d columns', async (columns) => {
    const { exitCode, output } = await onTerminal(lockArguments(), { columns });
    expect(exitCode).toBe(0);
    const lines = framesOf(output, columns).flatMap((screen) => screen.split('\n'));
    const bars = lines.filter((line) => line.includes(' %'));
    expect(bars).not.toEqual([]);
    // Not broken: a line begins with the path or its end, and ends with the unit.
    expect(bars.filter((line) => !/^(?:bin\/|…)\S*\/kubectl .* MB$/.test(line))).toEqual([]);
  });

  test('an error stands alone', async () => {
    // The other download is under way when it appears.
    world.host.server.faults.length = 0;
    world.host.server.fail(/darwin\/arm64\/kubectl$/, fault.stallAfter(500), Infinity);
    world.release.artifact(VERSION, 'linux/amd64', 'kubectl').sign(STRANGER);
    const { exitCode, output } = await onTerminal(lockArguments());
    expect(exitCode).toBe(1);
    const screen = screenOf(output, 1000).join('\n');
    expect(screen).toMatch(/^error\[[A-Z_]+\]: /m);
    expect(screen).not.toContain(BAR);
    expect(output.lastIndexOf(SHOW_CURSOR)).toBeGreaterThan(output.lastIndexOf(HIDE_CURSOR));
  });

  test('Ctrl-C shows the cursor again, and leaves nothing behind', async () => {
    world.host.server.fail(/\/kubectl$/, fault.stallAfter(500), Infinity);
    const running = start(lockArguments());
    await running.shows(BAR);
    running.type('\x03');
    const { exitCode, output, folder, temp } = await running.finished;
    expect(exitCode).toBe(130);
    expect(output).toContain(HIDE_CURSOR);
    expect(output.lastIndexOf(SHOW_CURSOR)).toBeGreaterThan(output.lastIndexOf(HIDE_CURSOR));
    expect(readdirSync(folder)).toEqual([]);
    expect(filesBelow(temp)).toEqual([]);
  });

  test.each<[what: string, options: TerminalOptions, args: readonly string[]]>([
    ['CI=true', { env: { CI: 'true' } }, []],
    ['NO_COLOR=1', { env: { NO_COLOR: '1' } }, []],
    ['TERM=dumb', { env: { TERM: 'dumb' } }, []],
    ['--quiet', {}, ['--quiet']],
  ])('plain lines with %s', async (_what, options, args) => {
    const { exitCode, output } = await onTerminal([...lockArguments(), ...args], options);
    expect(exitCode).toBe(0);
    expect(output).toContain(`+version: ${VERSION}\n`);
    expect(output).not.toContain(BAR);
    expect(output).not.toContain(ESCAPE);
  });
});

test('plain lines where there is no terminal', async () => {
  slowDown();
  const { exitCode, stdout, stderr, cleanup } = await runCommand(lockArguments(), {
    env: { TERM: 'xterm-256color' },
  });
  cleanup();
  expect(exitCode).toBe(0);
  expect(stdout + stderr).not.toContain(BAR);
  expect(stdout + stderr).not.toContain(ESCAPE);
});

describeUnless(NO_PSEUDO_TERMINAL)('help on a terminal', () => {
  test.each([[['--help']], [['lock', '--help']]])('%j: in color', async (args) => {
    const { exitCode, output } = await onTerminal(args);
    expect(exitCode).toBe(0);
    expect(output).toContain('\x1b[1m\x1b[32mUsage:');
    expect(output).toContain('\x1b[1m\x1b[36m-h, --help');
    expect(output).toContain('\x1b[1m\x1b[32mExit codes:');
    const { stdout, cleanup } = await runCommand(args);
    cleanup();
    expect(stdout).not.toContain(ESCAPE);
  });

  test.each([
    ['NO_COLOR', { NO_COLOR: '1' }],
    ['TERM=dumb', { TERM: 'dumb' }],
  ])('not with %s', async (_what, env) => {
    const { output } = await onTerminal(['lock', '--help'], { env });
    expect(output).not.toContain(ESCAPE);
  });

  // Commander does not wrap the options then.
  test('the exit codes as for 80 columns where the terminal says 0, as a serial console does', async () => {
    const [unknown = '', usual = ''] = [
      await onTerminal(['lock', '--help'], { columns: 0 }),
      await onTerminal(['lock', '--help'], { columns: 80 }),
    ].map(({ output }) => output.slice(output.indexOf('Exit codes')));
    expect(usual).toContain('Exit codes');
    expect(unknown).toBe(usual);
  });

  test.each([60, 100, 140])('wraps at %d columns', async (columns) => {
    const { output } = await onTerminal(['lock', '--help'], { columns });
    const lines = stripVTControlCharacters(output).split('\n');
    const tooWide = lines.filter((line) => line.length > columns);
    // Commands are not broken, so that they can be copied. Words are not broken either.
    expect(tooWide.filter((line) => !/^ {4}setup-verified-kubectl |^ *\S+$/.test(line))).toEqual(
      [],
    );
    expect(Math.max(...lines.map((line) => line.length))).toBeGreaterThan(columns - 15);
  });
});

describe('the version of the program', () => {
  const expected = `setup-verified-kubectl ${(JSON.parse(textOf('package.json')) as { version: string }).version}\n`;

  async function run(...args: string[]): Promise<CommandResult> {
    const result = await runCommand(args);
    finished.push(result);
    return result;
  }

  test.each(['--version', '-V', 'version'])('%s', async (argument) => {
    expect(await run(argument)).toMatchObject({ exitCode: 0, stdout: expected, stderr: '' });
  });

  test('is in the help', async () => {
    expect((await run('--help')).stdout).toMatch(/^ {2}-V, --version +Show the version/m);
  });

  // Else a mistake in a script would succeed and do nothing.
  test.each([
    ['--version', 'lock'],
    ['--version', '1.31', 'lock'],
    ['-V', 'lock', '--version', '1.31'],
    ['version', 'lock'],
  ])('not with %s %s', async (...args) => {
    const result = await run(...args);
    expect(result).toMatchObject({ exitCode: 2, stdout: '' });
    expect(result.stderr).toMatch(/^error: /);
  });
});

test('a reader that leaves early, such as head, is no failure', async () => {
  const program = join(import.meta.dirname, '..', '..', 'bin', 'setup-verified-kubectl.js');
  const child = spawn(process.execPath, [program, 'verify', '--help']);
  child.stdout.destroy();
  const [stderr, [code]] = await Promise.all([text(child.stderr), once(child, 'close')]);
  expect({ stderr, code: code as unknown }).toEqual({ stderr: '', code: 0 });
});
