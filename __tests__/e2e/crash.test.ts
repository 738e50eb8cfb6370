import {
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, expect, test } from '@jest/globals';
import {
  NATIVE_PLATFORM,
  World,
  fault,
  filesBelow,
  runAction,
  startAction,
  tally,
  type ActionResult,
} from '../support/index.js';
import { MISSING, describeUnless, testUnless } from '../support/skip.js';
import { expectInstalled, expectRefused, fileNameOf } from './expectations.js';

const VERSION = 'v1.31.9';
const KUBECTL = fileNameOf('kubectl');
const KILLS = 100;
/** Kills come within the time of an install on this machine; some come after its end. */
const SPREAD_MS = { least: 700, most: 2000 };

let world: World;
let folder: string;

beforeAll(async () => {
  world = await World.start({ publish: [{ version: VERSION, platforms: [NATIVE_PLATFORM] }] });
  folder = mkdtempSync(join(tmpdir(), 'crash-'));
});

afterEach(() => {
  world.reset();
});

afterAll(async () => {
  await world.stop();
  rmSync(folder, { recursive: true, force: true });
});

const inputs = (): Record<string, string> => ({ ...world.inputs(), version: VERSION });
const genuine = (): Buffer => world.release.artifact(VERSION, NATIVE_PLATFORM, 'kubectl').bytes;

const expectGenuine = (run: ActionResult, ...warnings: string[]): void => {
  expectInstalled(run, { world, version: VERSION, warnings });
};

/** mulberry32: the same numbers for the same seed, in [0, 1). */
function randomNumbers(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** What is in the entry is a whole genuine copy, or nothing is. */
function expectWholeOrNothing(toolCache: string): boolean {
  const entry = join(toolCache, world.cacheEntry(VERSION));
  if (!existsSync(entry)) return false;
  const names = readdirSync(entry).sort();
  expect(names).toEqual([
    KUBECTL,
    `${KUBECTL}.sigstore.json`,
    'kubernetes-release.spdx',
    'kubernetes-release.spdx.sigstore.json',
  ]);
  expect(readFileSync(join(entry, KUBECTL)).equals(genuine())).toBe(true);
  const sbom = world.release.sbom(VERSION).bytes;
  expect(readFileSync(join(entry, 'kubernetes-release.spdx')).equals(sbom)).toBe(true);
  return true;
}

describe('killed at a random moment', () => {
  const seed = Number(process.env['CRASH_SEED'] ?? '20260801');

  test(`${KILLS} times (CRASH_SEED=${seed})`, async () => {
    const random = randomNumbers(seed);
    const first = await runAction({ inputs: inputs() });
    expectGenuine(first);
    first.cleanup();
    const spread = Math.min(Math.max(SPREAD_MS.least, first.durationMs), SPREAD_MS.most);
    let toolCache = '';
    let whole = 0;
    for (let kill = 0; kill < KILLS; kill++) {
      if (kill % 10 === 0) {
        toolCache = join(folder, `kills-${kill}`);
        mkdirSync(toolCache);
      }
      const action = startAction({ inputs: inputs(), toolCache });
      await sleep(random() * spread);
      action.child.kill('SIGKILL');
      const run = await action.finished;
      if (run.signal === null) expectGenuine(run);
      else expect(run.signal).toBe('SIGKILL');
      if (expectWholeOrNothing(toolCache)) {
        whole += 1;
        // The next one begins without a copy again.
        rmSync(join(toolCache, 'verified-kubectl'), { recursive: true });
      }
      run.cleanup();
      tally('kills survived');
      if (kill % 10 === 9) {
        const next = await runAction({ inputs: inputs(), toolCache });
        expectGenuine(next);
        expect(next.tempFiles()).toEqual([]);
        next.cleanup();
      }
    }
    // Neither were all of them killed before they had begun, nor all after they had ended.
    console.log(`${KILLS} kills: ${whole} had put a copy in place, ${KILLS - whole} had not`);
  }, 600_000);
});

describeUnless(MISSING.signals)('a cancelled job', () => {
  test.each(['SIGTERM', 'SIGINT'] as const)('%s: cleans up and ends at once', async (signal) => {
    world.host.server.fail('/kubectl', fault.stallAfter(1000), Infinity);
    const action = startAction({ inputs: inputs() });
    // The download has begun: its file is there.
    const temp = action.dirs.temp;
    while (!filesBelow(temp).some((name) => name.endsWith('/kubectl'))) await sleep(10);
    const [scratch = ''] = readdirSync(temp);
    expect(statSync(join(temp, scratch)).mode & 0o777).toBe(0o700);
    action.child.kill(signal);
    const run = await action.finished;
    expect(run.timedOut).toBe(false);
    expect(run.exitCode).toBe(signal === 'SIGINT' ? 130 : 143);
    expect(readdirSync(temp)).toEqual([]);
    expect(run.tempFiles()).toEqual([]);
    expect(run.toolCacheFiles()).toEqual([]);
    expect(run.paths).toEqual([]);
    run.cleanup();
    tally('kills survived');
  });
});

function expectInstallFailed(run: ActionResult): void {
  expect(expectRefused(run, 'INSTALL_FAILED')).toMatch(/free space|permissions/);
  run.cleanup();
  tally('disk failures named');
}

describe('a disk that takes no more', () => {
  const actionRoot = join(import.meta.dirname, '..', '..');

  /** The action with a bound on the size of any file it writes (setrlimit, RLIMIT_FSIZE). */
  async function runWithFileLimit(blocks: number): Promise<ActionResult> {
    const root = join(folder, `limit-${blocks}`);
    mkdirSync(join(root, 'dist'), { recursive: true });
    copyFileSync(join(actionRoot, 'action.yml'), join(root, 'action.yml'));
    writeFileSync(join(root, 'dist', 'package.json'), '{"type":"module"}');
    const main = join(actionRoot, 'dist', 'index.js');
    writeFileSync(join(root, 'dist', 'index.js'), limited(blocks, main));
    return runAction({ inputs: inputs(), actionRoot: root });
  }

  /** The shell that sets the bound drops the variables that have a hyphen in their name. */
  const limited = (blocks: number, main: string): string => `
    import { spawnSync } from 'node:child_process';
    const script = 'trap "" XFSZ; ulimit -f ${blocks}; exec "$0" --input-type=module -e "$1"';
    const inner = 'Object.assign(process.env, JSON.parse(process.env.ALL)); await import(process.env.MAIN);';
    const { status } = spawnSync('/bin/sh', ['-c', script, process.execPath, inner], {
      env: { ALL: JSON.stringify(process.env), MAIN: ${JSON.stringify(pathToFileURL(main).href)} },
      stdio: 'inherit',
    });
    process.exitCode = status ?? 99;
  `;

  testUnless(MISSING.fileSizeLimits)('a bound that is large enough', async () => {
    const run = await runWithFileLimit(1000);
    expectGenuine(run);
    run.cleanup();
  });

  testUnless(MISSING.fileSizeLimits).each<[string, number]>([
    ['in the middle of the binary', 40],
    ['in the evidence, or in the trust root', 8],
    ['at the first byte', 0],
  ])('%s (%i blocks)', async (_where, blocks) => {
    expectInstallFailed(await runWithFileLimit(blocks));
  });

  const inPlaceOf = (name: string, path: string): { toolCache: string; file: string } => {
    const toolCache = join(folder, name.replaceAll(' ', '-'));
    const file = join(toolCache, path);
    mkdirSync(join(file, '..'), { recursive: true });
    writeFileSync(file, 'not ours');
    return { toolCache, file };
  };

  test('a file in place of the tool cache', async () => {
    const { toolCache, file } = inPlaceOf('the tool cache', '');
    expectInstallFailed(await runAction({ inputs: inputs(), toolCache }));
    expect(readFileSync(file, 'utf8')).toBe('not ours');
  });

  test.each([
    ['the folder of the tool', 'verified-kubectl'],
    ['the folder of the version', `verified-kubectl/${VERSION.slice(1)}`],
  ])('a file in place of %s: installed below RUNNER_TEMP', async (name, path) => {
    const { toolCache, file } = inPlaceOf(name, path);
    const run = await runAction({ inputs: inputs(), toolCache });
    expectGenuine(run, 'Tool cache not used');
    expect(run.paths[0]?.startsWith(run.dirs.temp)).toBe(true);
    expect(readFileSync(file, 'utf8')).toBe('not ours');
    run.cleanup();
    tally('disk failures named');
  });
});
