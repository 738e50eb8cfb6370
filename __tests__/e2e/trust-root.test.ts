import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import {
  Cosign,
  DAY,
  NATIVE_PLATFORM,
  World,
  clockAhead,
  findCosign,
  type ActionResult,
  type Role,
  type TrustedRootJson,
} from '../support/index.js';
import { describeUnless } from '../support/skip.js';
import {
  IMPATIENT,
  expectRefused,
  expectInstalled,
  requestedPaths,
  runIn,
} from './expectations.js';
import { startServers, stopServers } from './expectations.js';

const VERSION = 'v1.31.8';

let world: World;
/** The tool cache that all runs of a test share. */
let toolCache: string | undefined;

beforeEach(async () => {
  world = await World.start({
    baseEntries: 3,
    publish: [{ version: VERSION, platforms: [NATIVE_PLATFORM] }],
  });
  toolCache = undefined;
});

afterEach(() => world.stop());

/** A run with the clock so many days ahead. */
async function runAfter(days: number): Promise<ActionResult> {
  world.reset();
  const env = { ...IMPATIENT, ...clockAhead(days * DAY) };
  const options = toolCache === undefined ? { env } : { env, toolCache };
  const run = await runIn(world, { version: VERSION }, options);
  toolCache ??= run.dirs.toolCache;
  return run;
}

describe('with the TUF metadata of earlier runs', () => {
  /** Signs what is new since the last run, a day before the run. */
  function refresh(days: number, roles: readonly Role[]): void {
    const expires = { timestamp: new Date(Date.now() + (days + 6) * DAY) };
    for (const role of roles) world.tuf.refresh(role, expires);
  }

  // Sigstore signs the timestamp daily, for seven days, and the rest every few months.
  test.each<[string, Role[]]>([
    ['the timestamp', ['timestamp']],
    ['the snapshot', ['snapshot']],
    ['the targets', ['targets']],
    ['the root and the timestamp', ['root', 'timestamp']],
  ])('a run without network succeeds after a refresh of %s alone', async (_, roles) => {
    expectInstalled(await runAfter(0), { version: VERSION });
    expectInstalled(await runAfter(6), { version: VERSION });
    expect(requestedPaths(world)).toEqual([]);

    refresh(8, roles);
    expectInstalled(await runAfter(8), { version: VERSION });
    expect(requestedPaths(world)).toContain('/timestamp.json');
    expectInstalled(await runAfter(8), { version: VERSION });
    expect(requestedPaths(world)).toEqual([]);

    await stopServers(world);
    const offline = await runAfter(9);
    await startServers(world);
    expectInstalled(offline, { version: VERSION });
    expect(offline.stdout).toContain('cached metadata, still fresh');
  });

  test('a run without network is refused when they have expired', async () => {
    expectInstalled(await runAfter(0), { version: VERSION });
    refresh(8, ['timestamp']);
    await stopServers(world);
    const offline = await runAfter(8);
    await startServers(world);
    expectRefused(offline, 'TRUST_ROOT_UNAVAILABLE');
  });
});

const inputs = (json: unknown): Record<string, string> => ({
  version: VERSION,
  'trusted-root': world.writeTrustedRoot(json),
  'tuf-mirror-url': '',
  'tuf-root': '',
});

describe('the input trusted-root', () => {
  test.each(['tlogs', 'ctlogs'] as const)(
    'is refused when one of its %s has no start of validity',
    async (list) => {
      const root = world.trustedRoot();
      const key = root[list].at(-1)?.publicKey;
      if (key === undefined) throw new Error(`no ${list} in this world`);
      Object.assign(key, { validFor: {} });
      const field = `${list}[${root[list].length - 1}].publicKey.validFor.start`;
      const run = await runIn(world, inputs(root));
      expectRefused(run, 'TRUST_ROOT_UNAVAILABLE', { says: [`${field} is missing`] });
      Object.assign(key, { validFor: { start: world.validFrom.toISOString() } });
      expectInstalled(await runIn(world, inputs(root)), { version: VERSION });
    },
  );

  test('is refused when it is the one of sigstore-conformance', async () => {
    const path = '../fixtures/trusted-root-without-start/trusted_root.json';
    const json = readFileSync(fileURLToPath(new URL(path, import.meta.url)), 'utf8');
    const run = await runIn(world, inputs(json));
    expectRefused(run, 'TRUST_ROOT_UNAVAILABLE', {
      says: ['tlogs[1].publicKey.validFor.start is missing'],
    });
    // The twin: with a start it is read, and refuses this world, which it does not know.
    const whole = json.replace('"validFor": {}', '"validFor": { "start": "2025-09-01T00:00:00Z" }');
    expectRefused(await runIn(world, inputs(whole)), 'CERTIFICATE_UNTRUSTED');
  });
});

const found = findCosign();
const noCosign = 'executable' in found ? undefined : found.absent;

describeUnless(noCosign)('a trusted root without a start of validity', () => {
  let home: string;

  beforeEach(() => {
    home = mkdtempSync(join(tmpdir(), 'cosign-home-'));
  });

  afterEach(() => {
    rmSync(home, { recursive: true, force: true });
  });

  /** The world's trusted root, with another validity for the last one of a list. */
  function trustedRootWith(list: keyof Lists, validFor: object | undefined): TrustedRootJson {
    const root = world.trustedRoot();
    const last = root[list].at(-1);
    if (last === undefined) throw new Error(`no ${list} in this world`);
    Object.assign('publicKey' in last ? last.publicKey : last, { validFor });
    return root;
  }

  test.each<[keyof Lists, 'refused' | 'accepted']>([
    ['tlogs', 'refused'],
    ['ctlogs', 'refused'],
    ['certificateAuthorities', 'accepted'],
    ['timestampAuthorities', 'accepted'],
  ])('in %s is %s by cosign and by the action', async (list, verdict) => {
    const whole = await runIn(world, inputs(world.trustedRoot()));
    expectInstalled(whole, { version: VERSION });
    const { 'kubectl-path': file = '', 'bundle-path': bundle = '' } = whole.outputs;
    const cosign = new Cosign('executable' in found ? found.executable : '', world, home);
    for (const validFor of [{}, undefined]) {
      const root = trustedRootWith(list, validFor);
      const path = world.writeTrustedRoot(root);
      const judged = await cosign.verifyBundle(file, bundle, {}, path);
      if (verdict === 'accepted') expect(judged).toMatchObject({ accepted: true });
      else expect(judged.output).toContain('missing public key validity period');
      const run = await runIn(world, inputs(root));
      if (verdict === 'accepted') expectInstalled(run, { version: VERSION });
      else expectRefused(run, 'TRUST_ROOT_UNAVAILABLE', { says: ['validFor.start is missing'] });
    }
  });
});

describeUnless(noCosign)('a trusted root that is not quite one', () => {
  let home: string;

  beforeEach(() => {
    home = mkdtempSync(join(tmpdir(), 'cosign-home-'));
  });

  afterEach(() => {
    rmSync(home, { recursive: true, force: true });
  });

  type Change = (root: TrustedRootJson) => unknown;
  /** The log that has the entries. */
  const mainLog = ({ tlogs }: TrustedRootJson): TrustedRootJson['tlogs'][number] => {
    const id = world.log.logId.toString('base64');
    const log = tlogs.find(({ logId }) => logId.keyId === id);
    if (log === undefined) throw new Error('the log is not in the trusted root');
    return log;
  };
  const startingAt =
    (start: string): Change =>
    (root) =>
      Object.assign(mainLog(root).publicKey.validFor, { start });

  test.each<[string, Change, { cosign: 'accepts' | RegExp; action: 'accepts' | RegExp }]>([
    ['nothing is changed', () => {}, { cosign: 'accepts', action: 'accepts' }],
    ['a start of "1"', startingAt('1'), { cosign: /proto/, action: /start .* not a time/ }],
    ['a start of "2001"', startingAt('2001'), { cosign: /proto/, action: /not a time/ }],
    [
      'a start of "Jan 1 2001"',
      startingAt('Jan 1 2001'),
      { cosign: /proto/, action: /not a time/ },
    ],
    [
      'a start on February 30',
      startingAt('2001-02-30T00:00:00Z'),
      { cosign: /proto/, action: /not a time/ },
    ],
    [
      'a start with an offset',
      startingAt('2001-02-28T00:00:00+01:00'),
      { cosign: 'accepts', action: 'accepts' },
    ],
    [
      'no media type',
      (root) => Reflect.deleteProperty(root, 'mediaType'),
      { cosign: /media type/, action: /mediaType/ },
    ],
    [
      'another media type',
      (root) => Object.assign(root, { mediaType: 'application/x' }),
      { cosign: /media type/, action: /mediaType/ },
    ],
    [
      'no hash algorithm',
      (root) => Reflect.deleteProperty(mainLog(root), 'hashAlgorithm'),
      { cosign: /hash algorithm/, action: /hashAlgorithm/ },
    ],
    [
      'no key details',
      (root) => Reflect.deleteProperty(mainLog(root).publicKey, 'keyDetails'),
      { cosign: /public key type/, action: /keyDetails/ },
    ],
    [
      'the key details of another type',
      (root) => Object.assign(mainLog(root).publicKey, { keyDetails: 'PKIX_ED25519' }),
      { cosign: /public key is not/, action: /keyDetails/ },
    ],
    [
      'two logs with one ID',
      (root) =>
        root.tlogs.push({
          ...mainLog(root),
          publicKey: root.ctlogs[0]?.publicKey ?? mainLog(root).publicKey,
        }),
      { cosign: /not enough verified log entries/, action: /same ID/ },
    ],
    // The differences.
    [
      'the same log twice',
      (root) => root.tlogs.push(mainLog(root)),
      { cosign: 'accepts', action: /same ID/ },
    ],
    [
      'a log without URL',
      (root) => Reflect.deleteProperty(mainLog(root), 'baseUrl'),
      { cosign: 'accepts', action: /LOG_ENTRY_INVALID/ },
    ],
    [
      'a field in snake case',
      (root) => {
        Object.assign(mainLog(root), { hash_algorithm: 'SHA2_256' });
        Reflect.deleteProperty(mainLog(root), 'hashAlgorithm');
      },
      { cosign: 'accepts', action: /camel case/ },
    ],
    [
      'an unknown field',
      (root) => Object.assign(root, { somethingNew: 1 }),
      { cosign: /unknown field/, action: 'accepts' },
    ],
  ])('%s', async (_, change, { cosign: theirs, action: ours }) => {
    const whole = await runIn(world, inputs(world.trustedRoot()));
    expectInstalled(whole, { version: VERSION });
    const { 'kubectl-path': file = '', 'bundle-path': bundle = '' } = whole.outputs;
    const root = world.trustedRoot();
    change(root);
    const cosign = new Cosign('executable' in found ? found.executable : '', world, home);
    const judged = await cosign.verifyBundle(file, bundle, {}, world.writeTrustedRoot(root));
    expect(judged.accepted).toBe(theirs === 'accepts');
    if (theirs !== 'accepts') expect(judged.output).toMatch(theirs);
    const run = await runIn(world, inputs(root));
    if (ours === 'accepts') expectInstalled(run, { version: VERSION });
    else {
      expect(run.exitCode).toBe(1);
      expect(run.stdout).toMatch(ours);
    }
  });
});

type Lists = Pick<
  TrustedRootJson,
  'tlogs' | 'ctlogs' | 'certificateAuthorities' | 'timestampAuthorities'
>;
