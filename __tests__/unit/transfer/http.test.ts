import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals';
import { LoopbackServer, fault, type FaultAction } from '../../support/index.js';
import { failureOf } from './failure.js';
import { SHORT, testClient } from './server.js';

let server: LoopbackServer;
const unhandled: unknown[] = [];
const note = (error: unknown): void => void unhandled.push(error);

beforeAll(async () => {
  process.on('unhandledRejection', note).on('uncaughtException', note);
  server = await LoopbackServer.start(({ path, headers }) => ({
    status: path === '/absent' ? 404 : 200,
    headers: { 'x-encoding': String(headers['accept-encoding']) },
    body: 'hello',
  }));
});

afterEach(() => {
  server.reset();
});

afterAll(async () => {
  await server.stop();
  process.off('unhandledRejection', note).off('uncaughtException', note);
  expect(unhandled).toEqual([]);
});

const at = (path: string): URL => new URL(path, server.url);

describe('read', () => {
  test('a small object', async () => {
    expect((await testClient().http.read(at('/a'), 5)).toString()).toBe('hello');
  });

  test('one byte more than allowed is too much, and not tried again', async () => {
    const error = await failureOf(testClient().http.read(at('/a'), 4));
    expect(error.message).toContain('larger than 4 bytes');
    expect(server.requests).toHaveLength(1);
  });

  test.each<[string, () => FaultAction]>([
    ['does not answer', () => fault.hang()],
    ['stalls in the body', () => fault.stall()],
  ])('a server that %s is reported, again and again', async (_, action) => {
    server.fail('/a', action(), Infinity);
    const waits: string[] = [];
    const limits = {
      ...SHORT,
      metadataTimeout: 700,
      firstWaitNotice: 100,
      waitNoticeInterval: 200,
    };
    const { http } = testClient({ limits, onWait: ({ url }) => waits.push(url) });
    await failureOf(http.read(at('/a'), 5));
    expect(waits.length).toBeGreaterThanOrEqual(2);
    expect(new Set(waits)).toEqual(new Set([at('/a').href]));
  });

  test('a server that answers is not reported', async () => {
    const waits: string[] = [];
    await testClient({ onWait: ({ url }) => waits.push(url) }).http.read(at('/a'), 5);
    expect(waits).toEqual([]);
  });

  test('asks for no compression', async () => {
    await testClient().http.read(at('/a'), 5);
    expect(server.requests[0]?.headers['accept-encoding']).toBe('identity');
  });

  test('sends JSON', async () => {
    const { http } = testClient();
    await http.read(at('/a'), 5, { method: 'POST', json: { ä: 1 } });
    expect(server.requests[0]?.body.toString()).toBe('{"ä":1}');
    expect(server.requests[0]?.headers['content-length']).toBe('8');
  });

  test.each([404, 403, 410])('status %i is absent', async (status) => {
    server.fail('/a', fault.status(status), Infinity);
    const { http } = testClient();
    expect(await http.readIfPresent(at('/a'), 5)).toBeUndefined();
    expect((await failureOf(http.read(at('/a'), 5))).notFound).toBe(true);
  });

  test.each([400, 401, 402, 405, 418, 451, 501])('status %i is final', async (status) => {
    server.fail('/a', fault.status(status), Infinity);
    const error = await failureOf(testClient().http.read(at('/a'), 5));
    expect(error).toMatchObject({ status, tries: 1, local: false, notFound: false });
  });

  test.each([408, 425, 429, 500, 502, 503, 504])('status %i passes', async (status) => {
    server.fail('/a', fault.status(status, {}, 'x'.repeat(100_000)), 2);
    await testClient().http.read(at('/a'), 5);
    expect(server.requests).toHaveLength(3);
  });

  test('the error names method, URL without secrets, host, tries and cause', async () => {
    server.fail(() => true, fault.status(503), Infinity);
    const url = new URL(`http://user:secret@127.0.0.1:${server.port}/a?token=secret`);
    const { message, url: shown } = await failureOf(testClient().http.read(url, 5));
    expect(message).toBe(
      `GET ${server.url}/a (127.0.0.1:${server.port}, 5 attempts): HTTP status 503`,
    );
    expect(shown).toBe(`${server.url}/a`);
  });
});

describe('the response limit', () => {
  test('does not count the wait for a connection that other requests use', async () => {
    const slow = await LoopbackServer.start(async () => {
      await new Promise((resolve) => setTimeout(resolve, 600));
      return { status: 200, body: 'hello' };
    });
    // Two connections: the last of six requests is sent after 1,200 ms.
    const { http } = testClient({ limits: { ...SHORT, responseTimeout: 1_000, retries: 0 } });
    const reads = Array.from({ length: 6 }, () => http.read(new URL('/a', slow.url), 5));
    const results = await Promise.allSettled(reads);
    await slow.stop();
    expect(results.map(({ status }) => status)).toEqual(Array(6).fill('fulfilled'));
  });

  test('its twin: counts the wait for the response', async () => {
    server.fail('/hang', fault.hang(), Infinity);
    const { http } = testClient({ limits: { ...SHORT, responseTimeout: 300, retries: 0 } });
    const { message } = await failureOf(http.read(at('/hang'), 5));
    expect(message).toContain('no response within 0.3 s');
  });
});

describe('redirects', () => {
  test.each([301, 302, 303, 307, 308])('%i is followed', async (status) => {
    server.fail('/a', fault.redirect('/b', status));
    expect((await testClient().http.read(at('/a'), 5)).toString()).toBe('hello');
  });

  test('five are followed, the sixth is not', async () => {
    for (const hops of [5, 6]) {
      server.reset();
      server.fail('/a', fault.redirect('/a'), hops);
      const answer = testClient().http.read(at('/a'), 5);
      if (hops === 5) expect((await answer).toString()).toBe('hello');
      else expect((await failureOf(answer)).message).toContain('more than 5 redirects');
      expect(server.requests).toHaveLength(6);
    }
  });

  test.each([
    ['http://example.test/', 'neither https nor http on loopback'],
    ['ftp://127.0.0.1/', 'neither https'],
    ['javascript:1', 'neither https'],
    ['http://[', 'not a URL'],
  ])('to %s: refused', async (location, reason) => {
    server.fail('/a', fault.redirect(location), Infinity);
    expect((await failureOf(testClient().http.read(at('/a'), 5))).message).toContain(reason);
  });

  test('without a location are a status like any other', async () => {
    server.fail('/a', fault.status(302), Infinity);
    expect((await failureOf(testClient().http.read(at('/a'), 5))).status).toBe(302);
  });

  test('leave large bodies unread, and no error behind', async () => {
    const big = 'x'.repeat(5_000_000);
    const { http } = testClient();
    for (let i = 0; i < 20; i++) {
      server.fail('/a', fault.status(302, { location: '/b' }, big));
      server.fail('/b', fault.status(404, {}, big));
      server.fail('/c', fault.status(302, { location: '/d' }), 1);
      server.fail('/d', fault.resetAfter(2));
      expect((await failureOf(http.read(at('/a'), 5))).status).toBe(404);
      expect((await http.read(at('/c'), 5)).toString()).toBe('hello');
    }
    expect(unhandled).toEqual([]);
  });
});

describe('the token', () => {
  test('goes to its origin, and never to another, not even on the way back', async () => {
    const other = await LoopbackServer.start(() => ({
      status: 302,
      headers: { location: `${server.url}/back` },
    }));
    server.fail('/a', fault.redirect('/same'));
    server.fail('/same', fault.redirect(`${other.url}/x`));
    const token = { origin: server.url, value: 'secret' };
    await testClient({ token }).http.read(at('/a'), 5);
    expect(server.requests.map(({ headers }) => headers.authorization)).toEqual([
      'Bearer secret',
      'Bearer secret',
      undefined,
    ]);
    expect(other.requests.map(({ headers }) => headers.authorization)).toEqual([undefined]);
    await other.stop();
  });
});

describe('the end', () => {
  test('an abort ends a waiting, a stalled and a pausing request at once', async () => {
    const { http, abort } = testClient({
      limits: { ...SHORT, retryDelay: 60_000, maxRetryDelay: 60_000 },
    });
    server.fail('/hang', fault.hang());
    server.fail('/stall', fault.stall());
    server.fail('/503', fault.status(503));
    server.fail('/429', fault.status(429, { 'retry-after': '60' }));
    const all = ['/hang', '/stall', '/503', '/429'].map((path) => http.read(at(path), 5));
    const ends = Promise.allSettled(all);
    while (server.requests.length < 4) await new Promise((resolve) => setTimeout(resolve, 5));
    await new Promise((resolve) => setTimeout(resolve, 50));
    const reason = new Error('enough');
    abort.abort(reason);
    expect(await ends).toEqual(all.map(() => ({ status: 'rejected', reason })));
    await expect(http.read(at('/a'), 5)).rejects.toBe(reason);
  });
});
