import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { Proxy, World } from '../support/index.js';
import {
  IMPATIENT,
  NATIVE,
  expectRefused,
  expectInstalled,
  requestedPaths,
  runIn,
} from './expectations.js';

/** Ports on which nobody listens: only the proxy knows what is meant. */
const PORTS = { host: 1, log: 2, tuf: 3 };

const INPUT = { host: 'download-base-url', log: 'rekor-url', tuf: 'tuf-mirror-url' } as const;

const NAMES = ['host', 'log', 'tuf'] as const;

describe.each([
  { scheme: 'https', tls: true, lower: 'https_proxy', upper: 'HTTPS_PROXY' },
  { scheme: 'http', tls: false, lower: 'http_proxy', upper: 'HTTP_PROXY' },
])('$scheme', ({ scheme, tls, lower, upper }) => {
  let world: World;
  let proxy: Proxy | undefined;

  beforeAll(async () => {
    world = await World.start({ tls, publish: [{ version: 'v1.31.9', platforms: [NATIVE] }] });
  });

  afterAll(async () => {
    await world.stop();
  });

  beforeEach(() => {
    world.reset();
  });

  afterEach(async () => {
    await proxy?.stop();
    proxy = undefined;
  });

  const startProxy = async (credentials?: string): Promise<Proxy> => {
    const hosts = Object.fromEntries(
      NAMES.map((name) => [`localhost:${PORTS[name]}`, `127.0.0.1:${world.servers[name].port}`]),
    );
    proxy = await Proxy.start({ hosts, ...(credentials === undefined ? {} : { credentials }) });
    return proxy;
  };

  /** Inputs that reach these servers by way of the proxy alone, and the others directly. */
  const throughProxy = (...names: (typeof NAMES)[number][]): Record<string, string> =>
    Object.fromEntries(names.map((name) => [INPUT[name], `${scheme}://localhost:${PORTS[name]}`]));

  /** Which servers the proxy was asked for. */
  const seen = (): string[] => {
    const authority = (target: string): string =>
      target.includes('://') ? new URL(target).host : target;
    return [...new Set(proxy?.requests.map(({ target }) => authority(target)))].sort();
  };

  const ALL = NAMES.map((name) => `localhost:${PORTS[name]}`);

  test.each([lower, upper])('%s sees every request', async (variable) => {
    const { url } = await startProxy();
    const run = await runIn(world, throughProxy(...NAMES), { env: { [variable]: url } });
    expectInstalled(run, { version: 'v1.31.9' });
    expect(seen()).toEqual(ALL);
    for (const name of NAMES) {
      expect(world.servers[name].requests.length).toBeGreaterThan(0);
    }
    const methods = new Set(proxy?.requests.map(({ method }) => method));
    expect(methods.has('CONNECT')).toBe(tls);
    if (!tls) expect(proxy?.requests).toHaveLength(requestedPaths(world).length);
  });

  test('without the variable there is no way', async () => {
    await startProxy();
    const run = await runIn(world, throughProxy('host'), { env: IMPATIENT });
    expectRefused(run, 'DOWNLOAD_FAILED', { says: ['proxy'] });
    expect(proxy?.requests).toEqual([]);
  });

  test.each(['no_proxy', 'NO_PROXY'])('%s keeps all from the proxy', async (variable) => {
    const { url } = await startProxy();
    const run = await runIn(world, {}, { env: { [lower]: url, [variable]: '127.0.0.1' } });
    expectInstalled(run, { version: 'v1.31.9' });
    expect(proxy?.requests).toEqual([]);
  });

  test.each(NAMES)('no_proxy keeps all but %s from the proxy', async (name) => {
    const { url } = await startProxy();
    const env = { [lower]: url, no_proxy: 'example.com,127.0.0.1' };
    expectInstalled(await runIn(world, throughProxy(name), { env }), { version: 'v1.31.9' });
    expect(seen()).toEqual([`localhost:${PORTS[name]}`]);
  });

  test('the proxy of the other scheme is not used', async () => {
    const { url } = await startProxy();
    const env = { [tls ? 'http_proxy' : 'https_proxy']: url };
    expectInstalled(await runIn(world, {}, { env }), { version: 'v1.31.9' });
    expect(proxy?.requests).toEqual([]);
  });

  test('a proxy with a password gets it, and the log does not', async () => {
    const { url } = await startProxy('user:hunter2');
    const env = { [lower]: url.replace('//', '//user:hunter2@'), RUNNER_DEBUG: '1' };
    const run = await runIn(world, throughProxy(...NAMES), { env });
    expectInstalled(run, { version: 'v1.31.9' });
    expect(`${run.stdout}${run.stderr}${run.summary}`).not.toContain('hunter2');
  });

  test('a proxy that wants a password and gets none', async () => {
    const { url } = await startProxy('user:hunter2');
    const inputs = {
      ...throughProxy('host'),
      'trusted-root': world.writeTrustedRoot(),
      'tuf-root': '',
    };
    const run = await runIn(world, inputs, { env: { ...IMPATIENT, [lower]: url } });
    expectRefused(run, 'DOWNLOAD_FAILED', { says: ['proxy'] });
  });
});
