import http from 'node:http';
import https from 'node:https';
import { describe, expect, test } from '@jest/globals';
import { NonRetryableError } from '../../../src/transfer/errors.js';
import {
  bypassesProxy,
  proxySettings,
  type ProxyEnvironment,
} from '../../../src/transfer/proxy.js';
import { RawServer } from '../../support/index.js';
import { failureOf } from './failure.js';
import { testClient } from './server.js';

const PROXY = 'http://proxy.test:3128';

/** Whether Node itself would ask the proxy: only then is the request's path an absolute URL. */
function nodeUsesProxy(environment: ProxyEnvironment, host: string, port: number): boolean {
  const agent = new http.Agent({ proxyEnv: { ...environment } });
  agent.createConnection = () => undefined;
  const path = host.includes(':') ? `http://[${host}]:${port}/a` : `http://${host}:${port}/a`;
  return http.request(path, { agent }).path.startsWith('http://');
}

function usesProxy(environment: ProxyEnvironment, host: string, port: number): boolean {
  const settings = proxySettings('http', environment);
  return settings !== undefined && !bypassesProxy(settings.bypass, host, port);
}

describe('no_proxy means what it means to Node', () => {
  test.each<[noProxy: string, host: string, isUsed: boolean]>([
    ['', 'a.test', true],
    ['*', 'a.test', false],
    ['*, b.test', 'a.test', false],
    ['a.test', 'a.test', false],
    ['A.Test', 'a.test', false],
    ['b.test, a.test ', 'a.test', false],
    ['b.test', 'a.test', true],
    ['a.test', 'www.a.test', true],
    ['.a.test', 'www.a.test', false],
    ['.a.test', 'a.test', false],
    ['.a.test', 'aa.test', true],
    ['*.a.test', 'www.a.test', false],
    ['*.a.test', 'a.test', true],
    ['a.test:8443', 'a.test', false],
    ['a.test:443', 'a.test', true],
    ['127.0.0.1', '127.0.0.1', false],
    ['10.0.0.1-10.0.0.9', '10.0.0.5', false],
    ['10.0.0.1 - 10.0.0.9', '10.0.0.9', false],
    ['10.0.0.1-10.0.0.9', '10.0.0.10', true],
    ['10.0.0.9-10.0.0.1', '10.0.0.5', true],
    ['10.0.0.1-', '10.0.0.1', true],
    ['10.0.0.1-10.0.0.9', 'a-b.test', true],
    ['10.0.0.0/8', '10.0.0.5', true],
    ['::1', '::1', false],
    ['[::1]', '::1', true],
    [',', 'a.test', true],
  ])('%j, %s: proxy %s', (noProxy, host, isUsed) => {
    const environment = { http_proxy: PROXY, no_proxy: noProxy };
    expect(nodeUsesProxy(environment, host, 8443)).toBe(isUsed);
    expect(usesProxy(environment, host, 8443)).toBe(isUsed);
  });
});

describe('the environment means what it means to Node', () => {
  test.each<[environment: ProxyEnvironment, isUsed: boolean]>([
    [{}, false],
    [{ http_proxy: '' }, false],
    [{ http_proxy: PROXY }, true],
    [{ HTTP_PROXY: PROXY }, true],
    [{ http_proxy: '', HTTP_PROXY: PROXY }, true],
    [{ https_proxy: PROXY }, false],
    [{ http_proxy: PROXY, no_proxy: '', NO_PROXY: 'a.test' }, false],
    [{ http_proxy: PROXY, no_proxy: 'b.test', NO_PROXY: 'a.test' }, true],
  ])('%j: proxy %s', (environment, isUsed) => {
    expect(nodeUsesProxy(environment, 'a.test', 80)).toBe(isUsed);
    expect(usesProxy(environment, 'a.test', 80)).toBe(isUsed);
  });

  test('lower case comes first, and each scheme has its own', () => {
    const environment = { https_proxy: 'http://a.test', HTTPS_PROXY: 'http://b.test' };
    expect(proxySettings('https', environment)?.url.href).toBe('http://a.test/');
    expect(proxySettings('http', environment)).toBeUndefined();
  });

  // Node would connect directly, without a word.
  test.each(['proxy.test:3128', 'HTTP://proxy.test:3128', '10.0.0.1:3128', 'u:p@proxy.test'])(
    'unlike Node, %s is an http proxy, as in curl',
    (value) => {
      expect(nodeUsesProxy({ http_proxy: value }, 'a.test', 80)).toBe(false);
      expect(proxySettings('http', { http_proxy: value })?.url.href).toBe(
        `http://${value.replace('HTTP://', '')}/`,
      );
    },
  );

  test('a proxy without a scheme is asked, over http and https', async () => {
    const heads: string[] = [];
    const proxy = await RawServer.start((connection) => {
      connection.on('data', (piece: Buffer) => {
        heads.push(piece.toString().split('\r\n', 1)[0] ?? '');
        connection.resetAndDestroy();
      });
    });
    const address = `127.0.0.1:${proxy.port}`;
    const proxyEnvironment = { http_proxy: address, https_proxy: address };
    for (const url of ['http://127.0.0.2:1/a', 'https://a.test/a']) {
      await failureOf(testClient({ proxyEnvironment }).http.read(new URL(url), 5));
    }
    await proxy.stop();
    expect(new Set(heads)).toEqual(
      new Set(['GET http://127.0.0.2:1/a HTTP/1.1', 'CONNECT a.test:443 HTTP/1.1']),
    );
  });

  test.each([
    ['http://user:hunter2@:1', 'is not a URL'],
    ['socks5://user:hunter2@proxy.test', 'is not an http or https proxy'],
    ['http://user:hunter2@proxy.test\n', 'is not a URL'],
    ['http://user:hunter2%zz@proxy.test', 'are not URL-encoded'],
  ])('%j is refused, and not shown', async (value, reason) => {
    for (const scheme of ['http', 'https'] as const) {
      const read = (): unknown => proxySettings(scheme, { [`${scheme}_proxy`]: value });
      expect(read).toThrow(NonRetryableError);
      const client = testClient({ proxyEnvironment: { [`${scheme}_proxy`]: value } });
      const url = new URL(`${scheme}://127.0.0.1:1/`);
      const { message, tries } = await failureOf(client.http.read(url, 5));
      expect(message).toContain(`proxy for ${scheme} ${reason}`);
      expect(message).not.toContain('hunter2');
      expect(tries).toBe(1);
    }
  });
});

describe('CONNECT is what it is from Node', () => {
  test.each([
    ['https://a.test/', ''],
    ['https://a.test:8443/', 'user:p%40ss@'],
    ['https://[::1]/', ''],
    ['https://127.0.0.1/', ''],
  ])('%s', async (url, credentials) => {
    const heads: string[] = [];
    const proxy = await RawServer.start((connection) => {
      connection.on('data', (piece: Buffer) => {
        heads.push(piece.toString());
        connection.resetAndDestroy();
      });
    });
    const proxyEnvironment = { https_proxy: `http://${credentials}127.0.0.1:${proxy.port}` };
    const agent = new https.Agent({ keepAlive: true, proxyEnv: proxyEnvironment });
    await new Promise((resolve) => https.get(url, { agent }).on('error', resolve));
    await failureOf(testClient({ proxyEnvironment }).http.read(new URL(url), 5));
    await proxy.stop();
    const [theirs, ours] = heads.map((head) => head.split('\r\n').sort());
    expect(theirs).toContain('proxy-connection: keep-alive');
    expect(ours).toEqual(theirs);
  });
});
