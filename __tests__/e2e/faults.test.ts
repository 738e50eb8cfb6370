import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals';
import pLimit from 'p-limit';
import type { ErrorCode } from '../../src/errors.js';
import {
  NATIVE_PLATFORM,
  LoopbackServer,
  ReleaseHost,
  World,
  fault,
  runAction,
  tally,
  transparencyLogApi,
  type ActionResult,
  type FaultAction,
  type ReceivedRequest,
} from '../support/index.js';
import { MISSING, testUnless } from '../support/skip.js';
import { IMPATIENT, TIME_SCALE, expectInstalled, expectRefused } from './expectations.js';

// Every fault at every server: once, then it is survived; for ever, then it is refused with a code
// and a message that names host, tries and last cause. All runs wait a twentieth of what they would,
// or a little more on a slow machine, where an honest answer would come too late.

const VERSION = 'v1.31.9';
const SIZE = 400 * 1024;
let patience = IMPATIENT;

/** @param milliseconds that an undisturbed run takes here */
const patienceFor = (milliseconds: number): typeof patience => ({
  SETUP_VERIFIED_KUBECTL_TIME_SCALE: String(
    Math.min(Math.max(TIME_SCALE, milliseconds / 20_000), 4 * TIME_SCALE),
  ),
});
/** Asked of a resolver that does not answer, too, the question ends soon. */
const RESOLVER = { RES_OPTIONS: 'timeout:1 attempts:1' };

/** TCP port service multiplexer (RFC 1078): nobody listens there any more. */
const CLOSED_PORT = 1;

let world: World;

/** Servers of one run's own, so that several runs can fail at a time. */
interface Lane {
  readonly host: LoopbackServer;
  readonly log: LoopbackServer;
  readonly tuf: LoopbackServer;
  readonly inputs: Record<string, string>;
  stop(): Promise<void>;
}

async function openLane(): Promise<Lane> {
  const [releases, log, tuf] = await Promise.all([
    ReleaseHost.start(),
    LoopbackServer.start(transparencyLogApi(world.log)),
    LoopbackServer.start(world.tuf.handler),
  ]);
  for (const [path, content] of world.host.files) releases.files.set(path, content);
  const servers = [releases, log, tuf];
  return {
    host: releases.server,
    log,
    tuf,
    inputs: {
      ...world.inputs(),
      'download-base-url': releases.url,
      'rekor-url': log.url,
      'tuf-mirror-url': tuf.url,
      version: 'stable',
    },
    stop: async () => {
      await Promise.all(servers.map((server) => server.stop()));
    },
  };
}

const OBJECTS = [
  { name: 'binary', server: 'host', match: /\/kubectl(\.exe)?$/, code: 'DOWNLOAD_FAILED' },
  { name: '.sig', server: 'host', match: /kubectl(\.exe)?\.sig$/, code: 'DOWNLOAD_FAILED' },
  { name: 'SBOM', server: 'host', match: /\.spdx$/, code: 'DOWNLOAD_FAILED' },
  { name: 'pointer', server: 'host', match: /stable\.txt$/, code: 'DOWNLOAD_FAILED' },
  { name: 'Rekor', server: 'log', match: /log\/entries\//, code: 'LOG_UNAVAILABLE' },
  { name: 'TUF', server: 'tuf', match: /\/timestamp\.json$/, code: 'TRUST_ROOT_UNAVAILABLE' },
] as const;
type Served = (typeof OBJECTS)[number];

interface FaultRow {
  readonly name: string;
  readonly act: () => FaultAction;
  /** What the message says after giving up. */
  readonly cause: RegExp;
  /** What it means for ever, by object, where that is not the object's own code. */
  readonly codes?: Readonly<Record<string, ErrorCode>>;
  /** Not a passing fault: it is refused at once. */
  readonly isFinal?: true;
  readonly env?: Readonly<Record<string, string>>;
}

/** 403 as a storage bucket says that there is nothing. */
const ABSENT: Readonly<Record<string, ErrorCode>> = {
  binary: 'PLATFORM_NOT_PUBLISHED',
  '.sig': 'DOWNLOAD_FAILED',
  pointer: 'VERSION_NOT_FOUND',
};

const FAULTS: readonly FaultRow[] = [
  {
    name: 'connection refused',
    // By a redirect: the other objects of the server stay within reach.
    act: () => (delivery) => fault.redirect(`http://127.0.0.1:${CLOSED_PORT}/`)(delivery),
    cause: /ECONNREFUSED/,
  },
  { name: 'reset', act: () => fault.reset(), cause: /ECONNRESET|socket hang up/ },
  { name: 'reset in mid-body', act: () => fault.resetAfter(3), cause: /aborted|ECONNRESET/ },
  { name: 'no answer', act: () => fault.hang(), cause: /no response within|gave up after/ },
  { name: 'stalled body', act: () => fault.stallAfter(3), cause: /no data for|gave up after/ },
  { name: '408', act: () => fault.status(408), cause: /HTTP status 408/ },
  {
    name: '429 with Retry-After',
    act: () => fault.status(429, { 'retry-after': '3600' }),
    cause: /HTTP status 429/,
  },
  { name: '500', act: () => fault.status(500), cause: /HTTP status 500/ },
  { name: '503', act: () => fault.status(503, { 'retry-after': '0' }), cause: /HTTP status 503/ },
  { name: 'body cut short', act: () => fault.truncate(3), cause: /aborted|received \d+ of/ },
  { name: 'not HTTP', act: () => fault.garbage(), cause: /Parse Error/ },
  {
    name: 'name not resolved',
    act: () => fault.redirect('https://no-such-host.invalid/'),
    cause: /getaddrinfo|no response within|gave up after/,
    env: RESOLVER,
  },
  { name: '404', act: () => fault.status(404), cause: /./, codes: ABSENT, isFinal: true },
  { name: '403', act: () => fault.status(403), cause: /./, codes: ABSENT, isFinal: true },
];
const PASSING = FAULTS.filter(({ isFinal }) => isFinal !== true);

const runIn = (lane: Lane, env: Readonly<Record<string, string>> = {}): Promise<ActionResult> =>
  runAction({ inputs: lane.inputs, env: { ...patience, ...env } });

/** Results of all runs, by title: they run some at a time, and each test looks at one. */
const results = new Map<string, { run: ActionResult; requests: ReceivedRequest[]; lane: Lane }>();

const titleOf = (row: FaultRow, object?: Served): string =>
  object === undefined
    ? `${row.name}, once, at every server`
    : `${row.name}, for ever: ${object.name}`;

async function play(row: FaultRow, object?: Served): Promise<void> {
  const lane = await openLane();
  for (const { server, match } of object === undefined ? OBJECTS : [object]) {
    lane[server].fail(match, row.act(), object === undefined ? 1 : Infinity);
  }
  const run = await runIn(lane, row.env);
  const requests = [lane.host, lane.log, lane.tuf].flatMap((server) => server.requests);
  await lane.stop();
  results.set(titleOf(row, object), { run, requests, lane });
}

function resultOf(title: string): { run: ActionResult; requests: ReceivedRequest[]; lane: Lane } {
  const result = results.get(title);
  if (result === undefined) throw new Error(`never run: ${title}`);
  return result;
}

beforeAll(async () => {
  world = await World.start({
    // Every release has a kubectl for Linux: by that the action knows that the version exists.
    publish: [
      { version: VERSION, platforms: [...new Set([NATIVE_PLATFORM, 'linux/amd64'])], size: SIZE },
    ],
  });
  const undisturbed = await runAction({ inputs: { ...world.inputs(), version: VERSION } });
  undisturbed.cleanup();
  world.reset();
  patience = patienceFor(undisturbed.durationMs);
  const limit = pLimit(4);
  await Promise.all([
    ...PASSING.map((row) => limit(() => play(row))),
    ...FAULTS.flatMap((row) => OBJECTS.map((object) => limit(() => play(row, object)))),
  ]);
}, 600_000);

afterAll(async () => {
  for (const { run } of results.values()) run.cleanup();
  await world.stop();
});

const expectGenuine = (run: ActionResult, warnings: readonly string[] = []): void => {
  expectInstalled(run, { world, version: VERSION, warnings });
};

describe('once', () => {
  test.each(PASSING.map((row) => [titleOf(row)]))('%s -> survived', (title) => {
    const { run, requests } = resultOf(title);
    expectGenuine(run);
    for (const { match } of OBJECTS) {
      const paths = requests.map(({ path }) => path.split('?')[0] ?? '');
      expect(paths.filter((path) => match.test(path)).length).toBeGreaterThanOrEqual(2);
    }
    tally('faults survived', OBJECTS.length);
  });
});

/** What a fault that stays means. */
function codeOf(
  { name: row, codes, isFinal }: FaultRow,
  { name, code }: Served,
): ErrorCode | 'survived' {
  if (isFinal !== true) return code;
  // Without a published pair the log's own is taken; without an SBOM the binary is asked; there
  // may be no newer TUF root, but there is always a timestamp.
  if (name === '.sig' || name === 'SBOM') return 'survived';
  if (name === 'Rekor' && row === '404') return 'LOG_ENTRY_NOT_FOUND';
  return codes?.[name] ?? code;
}

describe('for ever', () => {
  for (const row of FAULTS) {
    for (const object of OBJECTS) {
      const code = codeOf(row, object);
      const isAsked = code === 'survived' && object.name === 'SBOM';
      const define = isAsked ? testUnless(MISSING.executables) : test;
      define(`${titleOf(row, object)} -> ${code}`, () => {
        expectOutcome(row, object);
      });
    }
  }

  function expectOutcome(row: FaultRow, object: Served): void {
    const { run, requests, lane } = resultOf(titleOf(row, object));
    const code = codeOf(row, object);
    if (code === 'survived') {
      const warnings = { SBOM: ['Release proven without SBOM'], '.sig': ['Broken publication'] };
      expectGenuine(run, warnings[object.name as keyof typeof warnings]);
      tally('faults survived');
      return;
    }
    const message = expectRefused(run, code);
    if (row.isFinal !== true) {
      expect(message).toContain(new URL(lane[object.server].url).host);
      expect(message).toMatch(/\([^ ]+, \d (?:attempt|attempts)\): /);
      expect(message).toMatch(row.cause);
      // The log may be asked early, and again when the file is here: ten times for one entry.
      const paths = requests.map(({ path }) => path).filter((path) => object.match.test(path));
      const tries = paths.filter((path) => path === paths[0]).length;
      expect(tries).toBeGreaterThanOrEqual(2);
      expect(tries).toBeLessThanOrEqual(object.name === 'Rekor' ? 10 : 5);
    }
    tally('faults refused with a named cause');
  }
});

describe('a download that breaks', () => {
  const atKubectl = /\/kubectl(\.exe)?$/;
  const exact = (): Record<string, string> => ({ ...world.inputs(), version: VERSION });
  const requests = (): (string | string[] | undefined)[][] =>
    world.host.server
      .requestsFor(atKubectl)
      .map(({ headers }) => [headers.range, headers['if-range']]);

  afterEach(() => {
    world.reset();
  });

  test.each([
    ['reset', fault.resetAfter(SIZE / 2)],
    ['stall', fault.stallAfter(SIZE / 2)],
    ['truncate', fault.truncate(SIZE / 2)],
  ])('%s: goes on where it broke', async (_name, act) => {
    world.host.server.fail(atKubectl, act);
    const run = await runAction({ inputs: exact(), env: patience });
    expectGenuine(run);
    const [first, second, ...more] = requests();
    expect(first).toEqual([undefined, undefined]);
    expect(second).toEqual([expect.stringMatching(/^bytes=[1-9]\d*-$/), expect.any(String)]);
    expect(more).toEqual([]);
    run.cleanup();
    tally('faults survived');
  });

  test('begins anew when the object has changed meanwhile', async () => {
    const path = `release/${VERSION}/bin/${NATIVE_PLATFORM}/kubectl`;
    const genuine = world.release.artifact(VERSION, NATIVE_PLATFORM, 'kubectl').bytes;
    const other = Buffer.alloc(genuine.length, 'x');
    world.host.put(path, other);
    world.host.server.fail(atKubectl, async (delivery) => {
      await fault.resetAfter(SIZE / 2)(delivery);
      world.host.put(path, genuine);
    });
    const run = await runAction({ inputs: exact(), env: patience });
    expectGenuine(run);
    const [, second, ...more] = requests();
    expect(second?.[0]).toMatch(/^bytes=/);
    expect(more).toEqual([]);
    run.cleanup();
    tally('faults survived');
  });

  test('refuses what continues with the bytes of another object', async () => {
    world.host.server.fail(atKubectl, fault.resetAfter(SIZE / 2));
    world.host.server.fail(
      ({ headers, path }) => headers.range !== undefined && atKubectl.test(path),
      async ({ request, response, answer }) => {
        const { headers, body } = await answer();
        response.writeHead(206, { ...headers, etag: '"another"' });
        response.end(body);
        expect(request.headers.range).toBeDefined();
      },
    );
    const run = await runAction({ inputs: exact(), env: patience });
    expectGenuine(run);
    expect(requests().map(([range]) => range !== undefined)).toEqual([false, true, false]);
    run.cleanup();
    tally('faults survived');
  });

  test('is slow, but comes', async () => {
    world.host.server.fail(atKubectl, fault.slow(SIZE * 2));
    const run = await runAction({ inputs: exact(), env: patience });
    expectGenuine(run);
    expect(requests()).toHaveLength(1);
    run.cleanup();
    tally('faults survived');
  });
});

describe('a slow small file', () => {
  /** 90 seconds, scaled. */
  const givenUpAfter = (): number =>
    (90_000 * Number(patience.SETUP_VERIFIED_KUBECTL_TIME_SCALE)) / 1000;

  test('that never ends is given up in time', async () => {
    // Every byte keeps the connection alive: only the bound on the whole ends this.
    world.host.server.fail('.cert', fault.slow(20), Infinity);
    const run = await runAction({ inputs: { ...world.inputs(), version: VERSION }, env: patience });
    world.reset();
    expectRefused(run, 'DOWNLOAD_FAILED', { says: [`gave up after ${givenUpAfter()} s`] });
    run.cleanup();
    tally('faults refused with a named cause');
  });
});
