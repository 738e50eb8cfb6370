import { setTimeout as sleep } from 'node:timers/promises';
import tls from 'node:tls';
import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals';
import type { HttpOptions } from '../../../src/transfer/http.js';
import {
  LoopbackServer,
  Proxy,
  RawServer,
  createServerCertificate,
  script,
  tally,
  type Script,
} from '../../support/index.js';
import { failureOf } from './failure.js';
import { SHORT, testClient, type TestClient } from './server.js';

// A connection that goes wrong in each of its phases, directly and behind a proxy. That a request has
// no socket until CONNECT and TLS are done, and that destroying it then emits nothing, is how Node 24
// does it: lib/_http_agent.js (`createSocket`), lib/_http_client.js (`destroy`), lib/https.js.

const certificate = createServerCertificate();
const ordinaryAuthorities = tls.getCACertificates('default');
const unhandled: unknown[] = [];
const note = (error: unknown): void => void unhandled.push(error);

let server: RawServer | undefined;
let target: LoopbackServer;
const abandoned: TestClient[] = [];

beforeAll(async () => {
  process.on('unhandledRejection', note).on('uncaughtException', note).on('warning', note);
  tls.setDefaultCACertificates([...ordinaryAuthorities, certificate.authority]);
  target = await LoopbackServer.start(() => ({ status: 200, body: 'hello' }), { tls: certificate });
});

afterEach(async () => {
  for (const { abort } of abandoned.splice(0)) abort.abort();
  await server?.stop();
  server = undefined;
  target.reset();
});

afterAll(async () => {
  await target.stop();
  tls.setDefaultCACertificates(ordinaryAuthorities);
  process.off('unhandledRejection', note).off('uncaughtException', note).off('warning', note);
  expect(unhandled).toEqual([]);
});

/** Short enough to wait for each of two tries. */
const LIMITS = { ...SHORT, responseTimeout: 400, retries: 1 };

async function clientOf(
  way: 'plain' | 'proxy' | 'https proxy',
  act: Script,
  options: Partial<HttpOptions> = {},
): Promise<TestClient & { url: URL; server: RawServer }> {
  const started = await RawServer.start(way === 'https proxy' ? script.tls(certificate, act) : act);
  server = started;
  const authority = `127.0.0.1:${started.port}`;
  const proxy = `${way === 'https proxy' ? 'https' : 'http'}://${authority}`;
  const client = testClient({
    limits: LIMITS,
    ...options,
    ...(way === 'plain' ? {} : { proxyEnvironment: { https_proxy: proxy } }),
  });
  abandoned.push(client);
  return {
    ...client,
    server: started,
    url: new URL(way === 'plain' ? `https://${authority}/a` : `${target.url}/a`),
  };
}

/** Every socket is closed by the client itself, not only at the end of the run. */
async function expectClosed(raw: RawServer): Promise<void> {
  for (let waited = 0; raw.open > 0 && waited < 5_000; waited += 20) await sleep(20);
  expect(raw.open).toBe(0);
}

const SWITCH =
  'HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n';
const inTls = (inside: Script): Script => script.tls(certificate, inside);
const ENDLESS_HEADER = script.endless('HTTP/1.1 200 OK\r\nx: ', 'a');

const HELD = /no response within 0.4 s/;
const CLOSED = /socket hang up|ECONNRESET|disconnected|closed/;

const PHASES: readonly [
  way: 'plain' | 'proxy' | 'https proxy',
  what: string,
  act: Script,
  reason: RegExp,
][] = [
  ['plain', 'silent before TLS', script.silence(), HELD],
  ['plain', 'silent after TLS', inTls(script.silence()), HELD],
  ['plain', 'closed before TLS', script.close(), CLOSED],
  ['plain', 'closed in TLS', script.closeWhenSpokenTo(), CLOSED],
  ['plain', 'closed after TLS', inTls(script.closeWhenSpokenTo()), CLOSED],
  ['plain', 'closed in the headers', inTls(script.answer('HTTP/1.1 2', script.close())), CLOSED],
  ['plain', 'switches protocols', inTls(script.answer(SWITCH)), /HTTP status 101/],
  [
    'plain',
    'says 101, and does not name a protocol',
    inTls(script.answer('HTTP/1.1 101 Switching Protocols\r\n\r\n')),
    /HTTP status 101/,
  ],
  ['plain', 'endless header', inTls(ENDLESS_HEADER), /Header overflow/],
  ['proxy', 'silent', script.silence(), HELD],
  ['proxy', 'silent in its answer', script.answer('HTTP/1.1 200 OK\r\n'), HELD],
  ['proxy', 'silent in the tunnel', script.tunnel(script.silence()), HELD],
  ['proxy', 'silent after TLS', script.tunnel(inTls(script.silence())), HELD],
  ['proxy', 'closed', script.close(), CLOSED],
  ['proxy', 'closed after CONNECT', script.closeWhenSpokenTo(), CLOSED],
  ['proxy', 'closed in its answer', script.answer('HTTP/1.1 200', script.close()), CLOSED],
  ['proxy', 'closed after its answer', script.tunnel(script.close()), CLOSED],
  ['proxy', 'closed in TLS', script.tunnel(script.closeWhenSpokenTo()), CLOSED],
  ['proxy', 'closed after TLS', script.tunnel(inTls(script.closeWhenSpokenTo())), CLOSED],
  ['proxy', 'endless header', ENDLESS_HEADER, /Header overflow/],
  ['proxy', 'endless headers', script.endless('HTTP/1.1 200 OK\r\n', 'x: a\r\n'), /overflow/],
  ['proxy', 'endless reason', script.endless('HTTP/1.1 200 ', 'a'), /Header overflow/],
  ['proxy', 'endless bytes', script.endless('', 'a'), /Parse Error/],
  ['proxy', 'switches protocols', script.answer(SWITCH), /refused the tunnel: HTTP status 101/],
  [
    'proxy',
    'switches protocols in the tunnel',
    script.tunnel(inTls(script.answer(SWITCH))),
    /HTTP status 101/,
  ],
  [
    'proxy',
    'refuses',
    script.answer('HTTP/1.1 403 ::error::x\r\n\r\n'),
    /the proxy refused the tunnel: HTTP status 403$/,
  ],
  [
    'proxy',
    'another 2xx',
    script.answer('HTTP/1.1 204 No Content\r\n\r\n'),
    /the proxy refused the tunnel: HTTP status 204$/,
  ],
  [
    'proxy',
    'speaks before TLS',
    script.answer('HTTP/1.1 200 OK\r\n\r\nhello'),
    /the proxy sent data before the tunnel was used/,
  ],
  ['https proxy', 'silent', script.silence(), HELD],
  ['https proxy', 'closed', script.closeWhenSpokenTo(), CLOSED],
  ['https proxy', 'endless header', ENDLESS_HEADER, /Header overflow/],
];

describe('a connection that goes wrong', () => {
  test.each(PHASES)('%s: %s', async (way, _what, act, reason) => {
    const { http, url, server: raw, records } = await clientOf(way, act);
    const { message, notFound } = await failureOf(http.read(url, 5));
    expect(message).toMatch(reason);
    expect(notFound).toBe(false);
    // One line in the debug log for each request.
    expect(records).toHaveLength(raw.connections);
    await expectClosed(raw);
    // A socket's buffers on either side, and one piece more: not what an endless answer would be.
    expect(raw.mostBytesTaken).toBeLessThan(4 << 20);
    tally('faults refused with a named cause');
  });

  test.each(PHASES.filter(([, , , reason]) => reason === HELD))(
    '%s: %s: an abort ends it at once',
    async (way, _what, act) => {
      const limits = { ...LIMITS, responseTimeout: 60_000 };
      const { http, url, server: raw, abort } = await clientOf(way, act, { limits });
      const reading = http.read(url, 5);
      while (raw.connections === 0) await sleep(5);
      await sleep(50);
      const reason = new Error('enough');
      const started = performance.now();
      abort.abort(reason);
      await expect(reading).rejects.toBe(reason);
      expect(performance.now() - started).toBeLessThan(1_000);
      await expectClosed(raw);
    },
  );

  test('the total ends it, too', async () => {
    const limits = { ...LIMITS, responseTimeout: 60_000, metadataTimeout: 200 };
    const { http, url } = await clientOf('proxy', script.silence(), { limits });
    expect((await failureOf(http.read(url, 5))).message).toContain('gave up after 0.2 s');
  });

  test('a request that waits for a connection ends while others are busy', async () => {
    const body: Script = async (connection) => {
      for (let sent = 0; sent < 400 && !connection.destroyed; sent++) {
        connection.write('a');
        await sleep(20);
      }
    };
    const head = 'HTTP/1.1 200 OK\r\ncontent-length: 2000\r\n\r\n';
    const limits = { ...LIMITS, metadataTimeout: 1_000, retries: 0 };
    const server = inTls(script.answer(head, body));
    const { http, url, records, abort } = await clientOf('plain', server, { limits });
    // There are two connections for small objects, and each byte keeps one alive for eight seconds.
    const occupy = (): Promise<void> =>
      http.retry('GET', url, 60_000, async (signal) => {
        for await (const piece of (await http.open(url, {}, signal)).body) {
          expect(piece).toHaveLength(1);
        }
      });
    const busy = Promise.allSettled([occupy(), occupy()]);
    while (records.length < 2) await sleep(5);
    expect(records.map(({ outcome }) => outcome)).toEqual(['200', '200']);
    const started = performance.now();
    expect((await failureOf(http.read(url, 5))).message).toContain('gave up after 1 s');
    expect(performance.now() - started).toBeLessThan(4_000);
    abort.abort();
    await busy;
  });

  test.each(['plain', 'proxy'] as const)(
    '%s: requests that wait for a connection end, and open none after the abort',
    async (way) => {
      const { http, url, server: raw, abort } = await clientOf(way, script.silence());
      const requests = Array.from({ length: 9 }, () => failureOf(http.read(url, 5)));
      for (const { message } of await Promise.all(requests)) expect(message).toMatch(HELD);
      // The agent opens connections for the requests in its queue, long after these have failed.
      abort.abort();
      await expectClosed(raw);
      await sleep(100);
      expect(raw.open).toBe(0);
    },
  );
});

describe('a proxy that answers slowly', () => {
  // Node's own agent doubles its listeners with each piece of the answer: 26 of them take 2 GiB.
  test('piece by piece: bounded in memory, and in time', async () => {
    const limits = { ...LIMITS, responseTimeout: 1_000, retries: 0 };
    const dribble = script.dribble(`HTTP/1.1 200 OK\r\nx: ${'a'.repeat(500)}`, 2);
    const { http, url } = await clientOf('proxy', dribble, { limits });
    const before = process.memoryUsage.rss();
    expect((await failureOf(http.read(url, 5))).message).toContain('no response within 1 s');
    expect(process.memoryUsage.rss() - before).toBeLessThan(100 << 20);
  });

  test('piece by piece, to the end: the tunnel is used', async () => {
    const limits = { ...LIMITS, responseTimeout: 10_000, retries: 0 };
    const inside = inTls(
      script.answer('HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhello', script.silence()),
    );
    const answer = `HTTP/1.1 200 OK\r\nvia: ${'a'.repeat(40)}\r\n\r\n`;
    const { http, url } = await clientOf('proxy', script.dribble(answer, 2, inside), { limits });
    expect((await http.read(url, 5)).toString()).toBe('hello');
  });
});

describe('a proxy that works', () => {
  test.each([false, true])('over TLS itself: %s', async (isSecure) => {
    const proxy = await Proxy.start(isSecure ? { tls: certificate } : {});
    const { http, records } = testClient({ proxyEnvironment: { HTTPS_PROXY: proxy.url } });
    for (let i = 0; i < 3; i++) {
      expect((await http.read(new URL(`${target.url}/a`), 5)).toString()).toBe('hello');
    }
    await proxy.stop();
    // One tunnel for all three requests.
    expect(proxy.requests.map(({ method }) => method)).toEqual(['CONNECT']);
    expect(records.map(({ outcome }) => outcome)).toEqual(['200', '200', '200']);
  });

  test('twenty requests at a time', async () => {
    const proxy = await Proxy.start();
    const { http } = testClient({ proxyEnvironment: { https_proxy: proxy.url } });
    const url = new URL(`${target.url}/a`);
    const bodies = await Promise.all(Array.from({ length: 20 }, () => http.read(url, 5)));
    expect(new Set(bodies.map(String))).toEqual(new Set(['hello']));
    await proxy.stop();
  });

  test("the host's certificate is checked behind it", async () => {
    const proxy = await Proxy.start({ hosts: { 'other.test:443': `127.0.0.1:${target.port}` } });
    const { http } = testClient({ limits: LIMITS, proxyEnvironment: { https_proxy: proxy.url } });
    const { message } = await failureOf(http.read(new URL('https://other.test/a'), 5));
    expect(message).toContain("does not match certificate's altnames");
    expect(target.requests).toEqual([]);
    await proxy.stop();
  });
});
