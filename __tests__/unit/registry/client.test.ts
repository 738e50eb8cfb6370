import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { RegistryClient } from '../../../src/registry/client.js';
import type { Descriptor, Digest } from '../../../src/registry/manifest.js';
import {
  LoopbackServer,
  Registry,
  digestOf,
  fault,
  json,
  registryRedirector,
} from '../../support/index.js';
import { codeOfRejection } from '../sigstore/errors.js';
import { rejectionOf } from '../expect-error.js';
import { testClient } from '../transfer/server.js';

const registry = new Registry();
/** Another registry, or another host of the same one. */
const other = new Registry();
const tokens: { path: string; authorization: string | undefined }[] = [];
let server: LoopbackServer;
let otherServer: LoopbackServer;
let redirector: LoopbackServer;
let tokenServer: LoopbackServer;
let tokenAnswer: unknown;

beforeAll(async () => {
  server = await LoopbackServer.start(registry.handler);
  otherServer = await LoopbackServer.start(other.handler);
  redirector = await LoopbackServer.start(registryRedirector(server.url, otherServer.url));
  tokenServer = await LoopbackServer.start(({ path, headers }) => {
    tokens.push({ path, authorization: headers.authorization });
    return json(200, tokenAnswer);
  });
});

afterAll(async () => {
  await Promise.all([server, otherServer, redirector, tokenServer].map((one) => one.stop()));
});

beforeEach(() => {
  registry.clear();
  other.clear();
  for (const one of [server, otherServer, redirector, tokenServer]) one.reset();
  tokens.length = 0;
  tokenAnswer = { token: 'open-sesame' };
});

const client = (at: { url: string } = server, path = '/'): RegistryClient =>
  new RegistryClient(testClient().http, new URL(path, at.url));

function descriptor(bytes: Buffer, changes: Partial<Descriptor> = {}): Descriptor {
  return {
    mediaType: 'application/octet-stream',
    digest: digestOf(bytes) as Digest,
    size: bytes.length,
    ...changes,
  };
}

describe('a manifest', () => {
  test.each(['oci', 'docker'] as const)('of an image, by tag and by digest: %s', async (format) => {
    const digest = registry.putImage('a/b', 'v1', { format });
    const byTag = await client().manifest('a/b', 'v1');
    expect(byTag).toMatchObject({ kind: 'image', digest });
    expect(await client().manifest('a/b', digest)).toEqual(byTag);
  });

  test.each(['oci', 'docker'] as const)('of an index: %s', async (format) => {
    const image = registry.putImage('a', undefined);
    const platform = { os: 'linux', architecture: 'arm', variant: 'v7' };
    const digest = registry.putIndex('a', 'v1', [{ digest: image, platform }], format);
    expect(await client().manifest('a', 'v1')).toMatchObject({
      kind: 'index',
      digest,
      manifests: [{ digest: image, platform: 'linux/arm/v7' }],
    });
  });

  test('asks for all four media types', async () => {
    registry.putImage('a', 'v1');
    await client().manifest('a', 'v1');
    expect(server.requests[0]?.headers.accept?.split(', ')).toHaveLength(5);
  });

  test('that the registry does not have', async () => {
    registry.putImage('a', 'v1');
    expect(await client().manifest('a', 'v2')).toBeUndefined();
    expect(await client().manifest('b', 'v1')).toBeUndefined();
  });

  test('other than its digest says', async () => {
    const digest = registry.putImage('a', 'v1');
    registry.manifests.set(`a ${digest}`, {
      bytes: Buffer.concat([registry.manifest('a', digest), Buffer.from(' ')]),
      mediaType: 'application/json',
    });
    expect(await codeOfRejection(client().manifest('a', digest))).toBe('IMAGE_MISMATCH');
  });

  test('of more than 4 MiB', async () => {
    const padded = (size: number): Buffer =>
      Buffer.concat([registry.manifest('a', 'v1'), Buffer.alloc(size, ' ')]).subarray(0, size);
    registry.putImage('a', 'v1');
    registry.putManifest('a', padded(4 << 20), 'allowed');
    registry.putManifest('a', padded((4 << 20) + 1), 'larger');
    expect(await client().manifest('a', 'allowed')).toMatchObject({ kind: 'image' });
    expect(await codeOfRejection(client().manifest('a', 'larger'))).toBe('IMAGE_MISMATCH');
  });

  test('below a path of the registry', async () => {
    registry.putImage('mirror/k8s/a', 'v1');
    expect(await client(server, '/mirror/k8s/').manifest('a', 'v1')).toMatchObject({
      kind: 'image',
    });
    expect(await client(server, '/mirror/').manifest('a', 'v1')).toBeUndefined();
  });
});

describe('a blob', () => {
  const bytes = Buffer.from('layer');

  test('as its descriptor says', async () => {
    registry.putBlob(bytes, '');
    expect(await client().blob('a', descriptor(bytes), 5)).toEqual(bytes);
  });

  test('larger than allowed is not even asked for', async () => {
    registry.putBlob(bytes, '');
    expect(await codeOfRejection(client().blob('a', descriptor(bytes), 4))).toBe('IMAGE_MISMATCH');
    expect(server.requests).toEqual([]);
  });

  test.each([
    ['other bytes of the same size', Buffer.from('lawyer').subarray(0, 5)],
    ['one byte less', bytes.subarray(1)],
    ['one byte more', Buffer.from('layers')],
    ['nothing', Buffer.alloc(0)],
  ])('%s', async (_what, served) => {
    registry.blobs.set(digestOf(bytes), served);
    expect(await codeOfRejection(client().blob('a', descriptor(bytes), 5))).toBe('IMAGE_MISMATCH');
  });

  test.each([4, 6])('of another size than its descriptor says: %i', async (size) => {
    registry.putBlob(bytes, '');
    const lying = descriptor(bytes, { size });
    expect(await codeOfRejection(client().blob('a', lying, 10))).toBe('IMAGE_MISMATCH');
  });

  test('that is missing', async () => {
    expect(await codeOfRejection(client().blob('a', descriptor(bytes), 5))).toBe('IMAGE_MISMATCH');
  });

  test('without an end is given up after its size', async () => {
    registry.putBlob(bytes, '');
    server.fail(/blobs/, fault.endless(), Infinity);
    expect(await codeOfRejection(client().blob('a', descriptor(bytes), 5))).toBe('IMAGE_MISMATCH');
    expect(server.requests).toHaveLength(1);
  });
});

describe('a registry that fails', () => {
  test.each([429, 500, 503])('status %i is tried again', async (status) => {
    registry.putImage('a', 'v1');
    server.fail(/manifests/, fault.status(status), 2);
    expect(await client().manifest('a', 'v1')).toMatchObject({ kind: 'image' });
    expect(server.requests).toHaveLength(3);
  });

  test.each([400, 401, 403, 503])('status %i for ever', async (status) => {
    registry.putImage('a', 'v1');
    server.fail(/manifests/, fault.status(status), Infinity);
    expect(await codeOfRejection(client().manifest('a', 'v1'))).toBe('REGISTRY_UNAVAILABLE');
  });
});

describe('redirects', () => {
  test('to another host, for signatures to a third one', async () => {
    const digest = registry.putImage('a', 'v1');
    const tag = `${digest.replace(':', '-')}.sig`;
    other.putImage('a', tag);
    expect(await client(redirector).manifest('a', 'v1')).toMatchObject({ digest });
    expect(await client(redirector).manifest('a', tag)).toMatchObject({ kind: 'image' });
    expect(redirector.requests).toHaveLength(2);
    expect(server.requests).toHaveLength(1);
    expect(otherServer.requests).toHaveLength(1);
  });
});

describe('a registry that asks for a token', () => {
  const challengeFor = (realm: string): string =>
    `Bearer realm="${realm}",service="registry.test",scope="repository:a:pull"`;

  const demandToken = (of: Registry, challenge: string): void => {
    of.demand = { challenge: () => challenge, token: 'open-sesame' };
  };

  test('gets the one that anybody gets, and gets it again', async () => {
    registry.putImage('a', 'v1');
    demandToken(registry, challengeFor(`${tokenServer.url}/token?keep=this`));
    const asking = client();
    await asking.manifest('a', 'v1');
    await asking.manifest('a', 'v1');
    const query = 'keep=this&service=registry.test&scope=repository%3Aa%3Apull';
    expect(tokens).toEqual([{ path: `/token?${query}`, authorization: undefined }]);
    expect(server.requests.map(({ headers }) => headers.authorization)).toEqual([
      undefined,
      'Bearer open-sesame',
      'Bearer open-sesame',
    ]);
  });

  test.each([{ access_token: 'open-sesame' }, { token: 'open-sesame', access_token: 'other' }])(
    'which the token server calls %j',
    async (answer) => {
      registry.putImage('a', 'v1');
      tokenAnswer = answer;
      demandToken(registry, challengeFor(tokenServer.url));
      expect(await client().manifest('a', 'v1')).toMatchObject({ kind: 'image' });
    },
  );

  test('and another repository gets another one', async () => {
    registry.putImage('a', 'v1');
    registry.putImage('b', 'v1');
    demandToken(registry, challengeFor(tokenServer.url));
    const asking = client();
    await asking.manifest('a', 'v1');
    await asking.manifest('b', 'v1');
    expect(tokens).toHaveLength(2);
  });

  test('and redirects: the host behind it never sees the token', async () => {
    other.putImage('a', 'v1');
    demandToken(registry, challengeFor(tokenServer.url));
    server.faults.push({
      match: ({ headers }) => headers.authorization !== undefined,
      act: fault.redirect(`${otherServer.url}/v2/a/manifests/v1`),
      times: Infinity,
    });
    expect(await client().manifest('a', 'v1')).toMatchObject({ kind: 'image' });
    expect(otherServer.requests.map(({ headers }) => headers.authorization)).toEqual([undefined]);
  });

  test('behind a redirect: the host in front never sees the token', async () => {
    registry.putImage('a', 'v1');
    demandToken(registry, challengeFor(tokenServer.url));
    expect(await client(redirector).manifest('a', 'v1')).toMatchObject({ kind: 'image' });
    expect(redirector.requests.map(({ headers }) => headers.authorization)).toEqual([undefined]);
    expect(server.requests.map(({ headers }) => headers.authorization)).toEqual([
      undefined,
      'Bearer open-sesame',
    ]);
  });

  test('and does not take it', async () => {
    registry.putImage('a', 'v1');
    tokenAnswer = { token: 'wrong' };
    demandToken(registry, challengeFor(tokenServer.url));
    const asking = client();
    expect(await codeOfRejection(asking.manifest('a', 'v1'))).toBe('REGISTRY_UNAVAILABLE');
    expect(server.requests).toHaveLength(2);
    // The token is known now, and no better the second time.
    expect(await codeOfRejection(asking.manifest('a', 'v1'))).toBe('REGISTRY_UNAVAILABLE');
    expect(server.requests).toHaveLength(3);
  });

  describe('that has expired', () => {
    const expire = (next: string): void => {
      registry.demand = { challenge: () => challengeFor(tokenServer.url), token: next };
    };

    const authorizations = (): (string | undefined)[] =>
      server.requests.map(({ headers }) => headers.authorization);

    test.each([
      ['the registry itself', () => server, [undefined, 'one', 'one', 'two', 'two']],
      [
        'a registry behind a redirect, which is asked without a token first',
        () => redirector,
        [undefined, 'one', undefined, 'one', 'two', undefined, 'two'],
      ],
    ])('gets another one for %s', async (_what, at, sent) => {
      registry.putImage('a', 'v1');
      tokenAnswer = { token: 'one' };
      expire('one');
      const asking = client(at());
      await asking.manifest('a', 'v1');
      expire('two');
      tokenAnswer = { token: 'two' };
      expect(await asking.manifest('a', 'v1')).toMatchObject({ kind: 'image' });
      expect(await asking.manifest('a', 'v1')).toMatchObject({ kind: 'image' });
      expect(tokens).toHaveLength(2);
      expect(authorizations()).toEqual(sent.map((token) => token && `Bearer ${token}`));
    });

    test('gets one other, and not a third', async () => {
      registry.putImage('a', 'v1');
      tokenAnswer = { token: 'one' };
      expire('one');
      const asking = client();
      await asking.manifest('a', 'v1');
      expire('three');
      tokenAnswer = { token: 'two' };
      expect(await codeOfRejection(asking.manifest('a', 'v1'))).toBe('REGISTRY_UNAVAILABLE');
      expect(tokens).toHaveLength(2);
      expect(authorizations()).toEqual([undefined, 'Bearer one', 'Bearer one', 'Bearer two']);
    });

    test('gets one other, although another request is answered with each new one', async () => {
      registry.putImage('a', 'v1');
      demandToken(registry, challengeFor(tokenServer.url));
      const asking = client();
      await asking.manifest('a', 'v1');
      server.faults.push({
        match: '/manifests/v2',
        times: 9,
        act: async ({ response }) => {
          await asking.manifest('a', 'v1');
          const headers = { 'www-authenticate': challengeFor(tokenServer.url) };
          response.writeHead(401, headers).end();
        },
      });
      expect(await codeOfRejection(asking.manifest('a', 'v2'))).toBe('REGISTRY_UNAVAILABLE');
      expect(server.requestsFor('/manifests/v2')).toHaveLength(2);
      expect(tokens).toHaveLength(2);
    });

    test('gets one for several requests that are under way', async () => {
      const digest = registry.putImage('a', 'v1');
      tokenAnswer = { token: 'one' };
      expire('one');
      const asking = client();
      await asking.manifest('a', 'v1');
      expire('two');
      tokenAnswer = { token: 'two' };
      await Promise.all([asking.manifest('a', 'v1'), asking.manifest('a', digest)]);
      await asking.manifest('a', 'v1');
      expect(authorizations().at(-1)).toBe('Bearer two');
      // Both may have been refused before either had asked for a token.
      expect(tokens.length).toBeLessThanOrEqual(3);
    });

    test('is not replaced because another host refuses the request that it was sent for', async () => {
      registry.putImage('a', 'v1');
      demandToken(registry, challengeFor(tokenServer.url));
      const asking = client();
      await asking.manifest('a', 'v1');
      other.demand = { challenge: () => challengeFor(tokenServer.url), token: 'another' };
      server.faults.push({
        match: ({ headers }) => headers.authorization !== undefined,
        act: fault.redirect(`${otherServer.url}/v2/a/manifests/v1`),
        times: Infinity,
      });
      expect(await codeOfRejection(asking.manifest('a', 'v1'))).toBe('REGISTRY_UNAVAILABLE');
      expect(tokens).toHaveLength(1);
    });
  });

  test.each([
    {},
    { token: '' },
    { token: 1 },
    { token: 'a b' },
    { token: 'a\nb' },
    [],
    null,
    { token: 'a'.repeat(64 << 10) },
  ])('whose token server gives none: %#', async (answer) => {
    registry.putImage('a', 'v1');
    tokenAnswer = answer;
    demandToken(registry, challengeFor(tokenServer.url));
    expect(await codeOfRejection(client().manifest('a', 'v1'))).toBe('REGISTRY_UNAVAILABLE');
    expect(server.requests).toHaveLength(1);
  });

  test.each([
    'Basic realm="registry"',
    'Bearer service="registry.test"',
    'Bearer realm="http://registry.test/token"',
    'Bearer realm="ftp://127.0.0.1/token"',
    'Bearer realm="file:///etc/passwd"',
    'Bearer realm="token"',
    'Bearer realm="$,realm="$"',
    '',
  ])('from nobody who may give one: %s', async (challenge) => {
    registry.putImage('a', 'v1');
    demandToken(registry, challenge.replaceAll('$', tokenServer.url));
    const error = await rejectionOf(client().manifest('a', 'v1'));
    expect(error.code).toBe('REGISTRY_UNAVAILABLE');
    expect(tokens).toEqual([]);
  });

  test.each(['me:secret', 'secret', ':secret'])(
    'from a token server that it gives credentials for: %s',
    async (credentials) => {
      registry.putImage('a', 'v1');
      demandToken(registry, challengeFor(tokenServer.url.replace('//', `//${credentials}@`)));
      const error = await rejectionOf(client().manifest('a', 'v1'));
      expect(error.code).toBe('REGISTRY_UNAVAILABLE');
      expect(error.message).not.toContain('secret');
      expect(tokens).toEqual([]);
    },
  );

  test('from a file', async () => {
    registry.putImage('a', 'v1');
    const folder = mkdtempSync(join(tmpdir(), 'token-'));
    const file = join(folder, 'token.json');
    writeFileSync(file, '{"token":"open-sesame"}');
    demandToken(registry, challengeFor(pathToFileURL(file).href));
    expect(await codeOfRejection(client().manifest('a', 'v1'))).toBe('REGISTRY_UNAVAILABLE');
    expect(server.requests).toHaveLength(1);
    rmSync(folder, { recursive: true });
  });
});
