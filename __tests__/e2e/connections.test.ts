import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import pLimit from 'p-limit';
import {
  NATIVE_PLATFORM,
  RawServer,
  World,
  createServerCertificate,
  runAction,
  script,
  startUnansweredPort,
  tally,
  type ActionResult,
  type Script,
  type UnansweredPort,
} from '../support/index.js';

// Every phase of a connection, at every server, directly and through a proxy: silent, closed, endless,
// or switching protocols. Each run must end by itself, with one annotation, and leave nothing behind.
// All of them wait a twentieth of what they would.

const VERSION = 'v1.31.9';
const ENVIRONMENT = { SETUP_VERIFIED_KUBECTL_TIME_SCALE: '0.05' };

const SERVERS = [
  { name: 'host', input: 'download-base-url', code: 'DOWNLOAD_FAILED' },
  { name: 'log', input: 'rekor-url', code: 'LOG_UNAVAILABLE' },
  { name: 'tuf', input: 'tuf-mirror-url', code: 'TRUST_ROOT_UNAVAILABLE' },
] as const;
type Served = (typeof SERVERS)[number];

const certificate = createServerCertificate();
const inTls = (inside: Script): Script => script.tls(certificate, inside);
const SWITCH = script.answer(
  'HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n',
);
const ENDLESS = script.endless('HTTP/1.1 200 OK\r\nx: ', 'a');

const HELD = /no response within 0.75 s|gave up after/;
const CLOSED = /socket hang up|ECONNRESET|disconnected|closed/;

interface Row {
  readonly way: 'plain' | 'proxy';
  readonly what: string;
  /** Undefined for a port that does not even complete a TCP handshake. */
  readonly act: Script | undefined;
  readonly cause: RegExp;
}

const ALL_ROWS: readonly Row[] = [
  { way: 'plain', what: 'TCP silent', act: undefined, cause: HELD },
  { way: 'plain', what: 'TLS silent', act: script.silence(), cause: HELD },
  { way: 'plain', what: 'silent after TLS', act: inTls(script.silence()), cause: HELD },
  { way: 'plain', what: 'endless header', act: inTls(ENDLESS), cause: /Header overflow/ },
  { way: 'plain', what: '101', act: inTls(SWITCH), cause: /HTTP status 101/ },
  { way: 'plain', what: 'closed before TLS', act: script.close(), cause: CLOSED },
  { way: 'plain', what: 'closed in TLS', act: script.closeWhenSpokenTo(), cause: CLOSED },
  { way: 'plain', what: 'closed after TLS', act: inTls(script.closeWhenSpokenTo()), cause: CLOSED },
  { way: 'proxy', what: 'TCP silent', act: undefined, cause: HELD },
  { way: 'proxy', what: 'CONNECT silent', act: script.silence(), cause: HELD },
  { way: 'proxy', what: 'TLS silent', act: script.tunnel(script.silence()), cause: HELD },
  {
    way: 'proxy',
    what: 'silent after TLS',
    act: script.tunnel(inTls(script.silence())),
    cause: HELD,
  },
  { way: 'proxy', what: 'endless CONNECT answer', act: ENDLESS, cause: /Header overflow/ },
  {
    way: 'proxy',
    what: 'CONNECT answer in 200 pieces',
    act: script.dribble(`HTTP/1.1 200 OK\r\nx: ${'a'.repeat(200)}`, 2),
    cause: HELD,
  },
  { way: 'proxy', what: '101 to CONNECT', act: SWITCH, cause: /HTTP status 101/ },
  {
    way: 'proxy',
    what: '101 in the tunnel',
    act: script.tunnel(inTls(SWITCH)),
    cause: /HTTP status 101/,
  },
  { way: 'proxy', what: 'closed', act: script.close(), cause: CLOSED },
  { way: 'proxy', what: 'closed after CONNECT', act: script.closeWhenSpokenTo(), cause: CLOSED },
  {
    way: 'proxy',
    what: 'closed in the CONNECT answer',
    act: script.answer('HTTP/1.1 200', script.close()),
    cause: CLOSED,
  },
  {
    way: 'proxy',
    what: 'closed after the CONNECT answer',
    act: script.tunnel(script.close()),
    cause: CLOSED,
  },
  {
    way: 'proxy',
    what: 'closed in TLS',
    act: script.tunnel(script.closeWhenSpokenTo()),
    cause: CLOSED,
  },
  {
    way: 'proxy',
    what: 'closed after TLS',
    act: script.tunnel(inTls(script.closeWhenSpokenTo())),
    cause: CLOSED,
  },
  // Twin: 404 to CONNECT says nothing about an object of the host.
  {
    way: 'proxy',
    what: '404 to CONNECT',
    act: script.answer('HTTP/1.1 404 Not Found\r\n\r\n'),
    cause: /the proxy refused the tunnel: HTTP status 404/,
  },
];
const ROWS = ALL_ROWS.filter(({ act }) => act !== undefined || process.platform === 'linux');

const titleOf = ({ way, what }: Row, { name }: Served): string => `${way}, ${what}: ${name}`;

let world: World;
let unanswered: UnansweredPort | undefined;
let authorities: string;
const results = new Map<string, { run: ActionResult; server: RawServer | undefined }>();

async function play(row: Row, served: Served): Promise<void> {
  const server = row.act === undefined ? undefined : await RawServer.start(row.act);
  const authority = `127.0.0.1:${server?.port ?? unanswered?.port ?? 0}`;
  const run = await runAction({
    inputs: {
      ...world.inputs(),
      version: VERSION,
      // A port on which nobody listens: only the proxy could reach it.
      [served.input]: row.way === 'plain' ? `https://${authority}` : 'https://localhost:1',
    },
    env: {
      ...ENVIRONMENT,
      NODE_EXTRA_CA_CERTS: authorities,
      ...(row.way === 'plain' ? {} : { https_proxy: `http://${authority}`, no_proxy: '127.0.0.1' }),
    },
  });
  await server?.stop();
  results.set(titleOf(row, served), { run, server });
}

beforeAll(async () => {
  world = await World.start({
    tls: true,
    publish: [{ version: VERSION, platforms: [NATIVE_PLATFORM] }],
  });
  const own = readFileSync(world.environment()['NODE_EXTRA_CA_CERTS'] ?? '', 'utf8');
  authorities = world.writeFile('authorities.pem', `${own}\n${certificate.authority}`);
  if (process.platform === 'linux') unanswered = await startUnansweredPort();
  const limit = pLimit(4);
  await Promise.all(ROWS.flatMap((row) => SERVERS.map((served) => limit(() => play(row, served)))));
}, 600_000);

afterAll(async () => {
  for (const { run } of results.values()) run.cleanup();
  unanswered?.stop();
  await world.stop();
});

describe('a connection that goes wrong', () => {
  test.each(
    ROWS.flatMap((row) =>
      SERVERS.map((served) => [titleOf(row, served), served.code, row.cause] as const),
    ),
  )('%s -> %s', (title, code, cause) => {
    const { run, server } = results.get(title) ?? {};
    if (run === undefined) throw new Error(`never run: ${title}`);
    expect(run.timedOut).toBe(false);
    expect(run.annotations.map((annotation) => annotation.title)).toEqual([
      `setup-verified-kubectl: ${code}`,
    ]);
    const message = run.annotations[0]?.message ?? '';
    expect(message).toMatch(/\([^ ]+, \d (?:attempt|attempts)\): /);
    expect(message).toMatch(cause);
    expect(run.exitCode).toBe(1);
    expect(run.paths).toEqual([]);
    expect(run.tempFiles()).toEqual([]);
    expect(run.toolCacheFiles()).toEqual([]);
    // Neither an uncaught exception nor a warning of Node about listeners.
    expect(run.stderr).toBe('');
    // A socket's buffers on either side, and one piece more: not what an endless answer would be.
    expect(server?.mostBytesTaken ?? 0).toBeLessThan(4 << 20);
    // Every further try is a line of the log.
    const tries = Number(/(\d) (?:attempt|attempts)\)/.exec(message)?.[1]);
    for (let next = 2; next <= tries; next++) {
      expect(run.stdout).toMatch(
        new RegExp(`^GET https://.*; retrying in .* s \\(attempt ${next} of 5\\)$`, 'm'),
      );
    }
    tally('faults refused with a named cause');
  });
});
