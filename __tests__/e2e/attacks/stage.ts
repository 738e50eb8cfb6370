import { execFileSync } from 'node:child_process';
import {
  mkdirSync,
  mkdtempSync,
  rmSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
  existsSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, sep } from 'node:path';
import { afterAll, beforeAll, describe, expect } from '@jest/globals';
import type { ErrorCode } from '../../../src/errors.js';
import {
  CertificateAuthority,
  LoopbackServer,
  NATIVE_PLATFORM,
  TransparencyLog,
  TufRepository,
  World,
  forgery,
  keptMetadataPath,
  lockOf,
  lockText,
  runAction,
  tally,
  trustedRootJson,
  type ActionResult,
  type PublishedFile,
} from '../../support/index.js';
import { testUnless, type Missing } from '../../support/skip.js';
import { expectInstalled, expectRefused, fileNameOf } from '../expectations.js';
import { expectNotPlaced, expectPlaced, runInstall } from '../install-expectations.js';

// Where the rows of docs/threat-model.md take place: each file beside this one has an attacker's rows. Forged signatures,
// certificates, identities, log entries and releases are in verification.test.ts.

/** The world that is attacked, unless a row has its own. */
export let plain: World;
/** Goes when the file ends. */
export let folder: string;
/** Releases so far, by minor. */
const counts = new Map<string, number>();

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'attacks-'));
  plain = await World.start();
});

afterAll(async () => {
  await plain.stop();
  rmSync(folder, { recursive: true, force: true });
});

/** Where one attack takes place: a release of its own, and what the attacker may change. */
export interface Stage {
  readonly world: World;
  /** With `v`. */
  readonly version: string;
  readonly kubectl: PublishedFile;
  readonly toolCache: string;
  /** `<tool cache>/verified-kubectl/<version>/<os>-<arch>-<trust>` */
  readonly entry: string;
  readonly inputs: Record<string, string>;
  readonly env: Record<string, string>;
  readonly workspace: Record<string, string>;
  /** The lock file of the genuine release, from before the attack. */
  readonly lock: string;
  /** Runs to let go of what the attack started. */
  readonly afterwards: (() => void | Promise<void>)[];
  /** A run before the attack, by another job on the same machine. */
  earlierRun(...warnings: string[]): Promise<void>;
}

export interface Attack {
  readonly what: string;
  /** Refused with this code, or without effect: the genuine file is installed. */
  readonly outcome: ErrorCode | 'without effect';
  /** {@link plain} unless given. */
  readonly world?: () => World;
  /**
   * The outcome for a run with the lock file of the genuine release; the same unless given. What a lock takes the place
   * of (pointers, signatures, the log) is not asked for, so attacks on it are without effect.
   */
  readonly locked?: Attack['outcome'];
  /** Titles of the warnings of the run with a lock file; the same unless given. */
  readonly lockedWarnings?: readonly string[];
  /** Titles of the warnings of the run, all of them. */
  readonly warnings?: readonly string[] | ((stage: Stage) => readonly string[]);
  /** What a refused run adds to the tool cache all the same. */
  readonly keeps?: RegExp;
  /** What the attack cannot be made without. */
  readonly needs?: readonly Missing[];
  readonly attack: (stage: Stage) => void | Promise<void>;
  /** What else must be true of the run. */
  readonly check?: (run: ActionResult, stage: Stage) => void | Promise<void>;
  /** What must be true of the machine and the servers afterwards; of a run with a lock file it is not asked. */
  readonly leaves?: (stage: Stage) => void;
  /** What no output may contain. */
  readonly secret?: string;
}

/** @param minor of the release: pointers name the newest */
export function stageIn(world: World, minor = '1.40'): Stage {
  const number = (counts.get(minor) ?? 0) + 1;
  counts.set(minor, number);
  const version = `v${minor}.${number}`;
  world.release.publish({ version, platforms: [NATIVE_PLATFORM] });
  const toolCache = join(folder, `tool-cache-${version}`);
  mkdirSync(toolCache);
  const inputs = { ...world.inputs(), version };
  const env = world.environment();
  const lock = lockText(lockOf(world, version));
  return {
    world,
    version,
    kubectl: world.release.artifact(version, NATIVE_PLATFORM, 'kubectl'),
    toolCache,
    entry: join(toolCache, world.cacheEntry(version)),
    inputs,
    env,
    workspace: {},
    lock,
    afterwards: [],
    earlierRun: async (...warnings) => {
      const run = await runAction({ inputs, env, toolCache });
      expectInstalled(run, { world, version, warnings });
      run.cleanup();
    },
  };
}

/** What the action may say to the runner; anything else was put into its mouth. */
const OWN_COMMANDS = ['add-mask', 'debug', 'error', 'warning', 'notice', 'group', 'endgroup'];

export function expectOwnWordsOnly(run: ActionResult): void {
  const foreign = run.commands.filter(({ name }) => !OWN_COMMANDS.includes(name));
  expect(foreign).toEqual([]);
  expect(run.variables).toEqual({});
  // eslint-disable-next-line no-control-regex -- exactly these must not be there
  expect(run.stdout).not.toMatch(/[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u202a-\u202e\u2028]/);
  expect(run.stdout).not.toContain('##[');
  expect(run.stderr).toBe('');
}

const warningsOf = (
  { warnings = [] }: Pick<Attack, 'warnings'>,
  stage: Stage,
): readonly string[] => (typeof warnings === 'function' ? warnings(stage) : warnings);

async function playLocked({ outcome, attack, ...row }: Attack): Promise<void> {
  const world = row.world?.() ?? plain;
  const stage = stageIn(world, '1.39');
  const { toolCache, inputs, env, workspace, lock } = stage;
  try {
    await attack(stage);
    const warnings = warningsOf(row, stage);
    inputs['lock-file'] = 'genuine.lock.json';
    workspace['genuine.lock.json'] = lock;
    const run = await runAction({ inputs, env, toolCache, workspace, timeoutMs: 45_000 });
    expectOwnWordsOnly(run);
    if ((row.locked ?? outcome) === 'without effect') {
      const expected = row.lockedWarnings ?? (outcome === 'without effect' ? warnings : []);
      expectInstalled(run, { world, warnings: expected, bytes: { kubectl: stage.kubectl.bytes } });
    } else {
      expectRefused(run, row.locked ?? outcome, { warnings: row.lockedWarnings ?? [] });
    }
    run.cleanup();
    tally('attacks refused or without effect');
  } finally {
    for (const end of stage.afterwards) await end();
    world.reset();
  }
}

/** The same by the command `install`: refused with the folder as it was, or the genuine file is in the folder. */
async function playInstall({ outcome, attack, leaves, ...row }: Attack): Promise<void> {
  const world = row.world?.() ?? plain;
  const stage = stageIn(world, '1.38');
  const { toolCache, inputs, env, workspace } = stage;
  try {
    await attack(stage);
    const warnings = warningsOf(row, stage);
    const run = await runInstall(inputs, { toolCache, ...asCommand(env, workspace) });
    if (outcome === 'without effect') {
      expectPlaced(run, { files: { [fileNameOf('kubectl')]: stage.kubectl.bytes }, warnings });
    } else {
      expectNotPlaced(run, outcome, {
        warnings,
        ...(row.keeps === undefined ? {} : { keeps: row.keeps }),
      });
    }
    expectHidden(row, run.stdout + run.stderr);
    leaves?.(stage);
    tally('attacks refused or without effect');
  } finally {
    for (const end of stage.afterwards) await end();
    world.reset();
  }
}

/** A command has no workspace but the current folder. */
function asCommand(
  { GITHUB_WORKSPACE, ...env }: Record<string, string>,
  workspace: Readonly<Record<string, string>>,
): { readonly env: Record<string, string>; readonly folder: string } {
  const cwd = GITHUB_WORKSPACE ?? mkdtempSync(join(folder, 'workspace-'));
  for (const [path, text] of Object.entries(workspace)) {
    mkdirSync(dirname(join(cwd, path)), { recursive: true });
    writeFileSync(join(cwd, path), text);
  }
  return { env, folder: cwd };
}

function expectHidden({ secret }: Pick<Attack, 'secret'>, output: string): void {
  if (secret !== undefined) {
    expect(output.replace(`::add-mask::${secret}`, '')).not.toContain(secret);
  }
}

async function play({ outcome, attack, check, leaves, ...row }: Attack): Promise<void> {
  const world = row.world?.() ?? plain;
  const stage = stageIn(world);
  const { toolCache, inputs, env, workspace } = stage;
  try {
    await attack(stage);
    const warnings = warningsOf(row, stage);
    const run = await runAction({ inputs, env, toolCache, workspace, timeoutMs: 45_000 });
    expectOwnWordsOnly(run);
    if (outcome === 'without effect') {
      expectInstalled(run, { world, warnings, bytes: { kubectl: stage.kubectl.bytes } });
    } else {
      const keeps = row.keeps === undefined ? {} : { keeps: row.keeps };
      const message = expectRefused(run, outcome, { warnings, ...keeps });
      expect(message.split('\n')).toHaveLength(2);
    }
    await check?.(run, stage);
    expectHidden(row, run.stdout + run.summary);
    leaves?.(stage);
    run.cleanup();
    tally('attacks refused or without effect');
  } finally {
    for (const end of stage.afterwards) await end();
    world.reset();
  }
}

/**
 * A test for each row, one with a lock file, and one by the command `install`; docs/threat-model.md says who the
 * attacker is.
 */
export function testAttacks(title: string, attacks: readonly Attack[], alsoLocked = true): void {
  describe(title, () => {
    for (const attack of attacks) {
      const { what, outcome, needs = [] } = attack;
      testUnless(...needs)(`${what} -> ${outcome}`, () => play(attack));
      testUnless(...needs)(`${what}, by install -> ${outcome}`, () => playInstall(attack));
      if (!alsoLocked) continue;
      testUnless(...needs)(`${what}, with a lock file -> ${attack.locked ?? outcome}`, () =>
        playLocked(attack),
      );
    }
  });
}

/** The path of the binary. */
export const KUBECTL = /\/kubectl(\.exe)?$/;

export const withLog = (tamper: ReturnType<typeof forgery.text>): Attack['attack'] => {
  return ({ world }) => {
    world.log.tamper = tamper;
  };
};

export function useTrustedRoot(inputs: Record<string, string>, path: string): void {
  inputs['trusted-root'] = path;
  delete inputs['tuf-mirror-url'];
  delete inputs['tuf-root'];
}

/** A TUF repository of the row's own, so that it may be damaged. */
export async function ownTuf(stage: Stage): Promise<TufRepository> {
  const target = Buffer.from(JSON.stringify(stage.world.trustedRoot()));
  const repository = TufRepository.create({ 'trusted_root.json': target });
  const server = await LoopbackServer.start(repository.handler);
  const root = join(stage.toolCache, 'initial-root.json');
  writeFileSync(root, repository.rootJson);
  stage.inputs['tuf-mirror-url'] = server.url;
  stage.inputs['tuf-root'] = root;
  stage.afterwards.push(() => server.stop());
  return repository;
}

/** The file in the tool cache in which TUF metadata is kept. */
export const tufCache = ({ toolCache }: Stage): string =>
  keptMetadataPath(join(toolCache, 'verified-trust-root'));

/** An authority and a log of the attacker's own. */
let evil: { authority: CertificateAuthority; log: TransparencyLog } | undefined;

export function attacker(): { authority: CertificateAuthority; log: TransparencyLog } {
  evil ??= {
    authority: CertificateAuthority.create({ ctLog: plain.ctLog }),
    log: TransparencyLog.create({ baseEntries: 10 }),
  };
  return evil;
}

export function evilRoot(): ReturnType<typeof trustedRootJson> {
  const { authority, log } = attacker();
  return trustedRootJson({
    validFrom: plain.validFrom,
    logs: [log, plain.log],
    certificateAuthorities: [authority, plain.authority],
    ctLogs: [plain.ctLog],
    timestampAuthorities: [],
  });
}

export const linkToDevice = (path: string): void => symlinkSync('/dev/zero', path);

/** A plain file, says stat, of size 0. Whoever has read it to its end waits for the kernel's next message. */
export const linkToKernelLog = (path: string): void => symlinkSync('/proc/kmsg', path);

export const makePipe = (path: string): void => void execFileSync('mkfifo', [path]);

export function writeLarge(path: string): void {
  writeFileSync(path, '');
  truncateSync(path, 2 ** 31);
}

/** A binary that leaves a mark when it is executed. */
export const marking = ({ toolCache }: Stage): string => `#!/bin/sh\n: > '${toolCache}/executed'\n`;

export const expectNotExecuted = ({ toolCache }: Stage): void => {
  expect(existsSync(join(toolCache, 'executed'))).toBe(false);
};

export const binaryIn = (place: string): string => join(place, fileNameOf('kubectl'));

/** Somebody else can change the tool cache: it is not used, and what is installed is not in it. */
export const expectOutsideOfCache = (run: ActionResult, { toolCache }: Stage): void => {
  expect(run.paths).toHaveLength(1);
  expect(run.paths[0]?.startsWith(`${run.dirs.temp}${sep}`)).toBe(true);
  expect(run.outputs['kubectl-path']).not.toContain(toolCache);
};

/** Changes a genuine copy; it must be refused, removed and fetched anew. */
export function inCache(what: string, change: (stage: Stage) => void, ...needs: Missing[]): Attack {
  return {
    what,
    outcome: 'without effect',
    warnings: ['Cached copy refused'],
    needs,
    attack: async (stage) => {
      await stage.earlierRun();
      change(stage);
    },
    check: (run) => {
      expect(run.outputs['cache-hit']).toBe('false');
    },
    leaves: expectNotExecuted,
  };
}

export const hideSbom = ({ world, version }: Stage): void => {
  world.host.remove(`release/${version}/kubernetes-release.spdx`);
};
