import { afterAll, beforeAll, beforeEach, describe, expect, jest, test } from '@jest/globals';
import { RegistryClient } from '../../../src/registry/client.js';
import {
  blobsOf,
  fetchContents,
  parseContents,
  type ImageContents,
} from '../../../src/registry/contents.js';
import { digestOf, type Digest } from '../../../src/registry/manifest.js';
import { LoopbackServer, Registry, type ManifestJson } from '../../support/index.js';
import { errorOf } from '../expect-error.js';
import { codeOfRejection } from '../sigstore/errors.js';
import { testClient } from '../transfer/server.js';

const registry = new Registry();
let server: LoopbackServer;

beforeAll(async () => {
  server = await LoopbackServer.start(registry.handler);
});

afterAll(() => server.stop());

beforeEach(() => {
  registry.clear();
});

async function fetched(reference: string): Promise<ImageContents> {
  const client = new RegistryClient(testClient().http, new URL('/', server.url));
  const manifest = await client.manifest('a', reference);
  if (manifest === undefined) throw new Error(`no a:${reference}`);
  return fetchContents(client, 'a', manifest, 'a');
}

function parsed(digest: string, blobs: readonly Buffer[]): ImageContents {
  const find = (wanted: Digest): Buffer => {
    const found = blobs.find((bytes) => digestOf(bytes) === wanted);
    if (found === undefined) throw new Error(`no ${wanted}`);
    return found;
  };
  return parseContents(digest as Digest, find, 'a');
}

const platformOf = (architecture: string): Record<string, string> => ({
  os: 'linux',
  architecture,
});

function putIndex(architectures: readonly string[], more: readonly string[] = []): string {
  const images = architectures.map((architecture) => ({
    digest: registry.putImage('a', undefined, { platform: `linux/${architecture}` }),
    platform: platformOf(architecture),
  }));
  const attestations = more.map((digest) => ({
    digest,
    platform: { os: 'unknown', architecture: 'unknown' },
  }));
  return registry.putIndex('a', 'v1', [...images, ...attestations]);
}

describe('what is fetched can be stored and parsed again', () => {
  test('an image: its manifest and its configuration', async () => {
    const digest = registry.putImage('a', 'v1');
    const contents = await fetched('v1');
    const { config } = JSON.parse(registry.manifest('a', 'v1').toString()) as ManifestJson;
    expect(blobsOf(contents).map(digestOf)).toEqual([digest, config.digest]);
    expect(parsed(digest, blobsOf(contents))).toEqual(contents);
  });

  test('an index: also those of each platform, without attestations', async () => {
    const attestation = registry.putImage('a', undefined, { layers: [Buffer.from('in-toto')] });
    const digest = putIndex(['amd64', 'arm64'], [attestation]);
    const contents = await fetched('v1');
    expect(contents.images.map(({ platform }) => platform)).toEqual(['linux/amd64', 'linux/arm64']);
    expect(blobsOf(contents)).toHaveLength(5);
    expect(blobsOf(contents).map(digestOf)).not.toContain(attestation);
    expect(parsed(digest, blobsOf(contents).toReversed())).toEqual(contents);
  });

  test('a manifest that is listed for two platforms: once', async () => {
    const image = registry.putImage('a', undefined);
    const platforms = ['amd64', 'arm64'].map(platformOf);
    const digest = registry.putIndex(
      'a',
      'v1',
      platforms.map((platform) => ({ digest: image, platform })),
    );
    const contents = await fetched('v1');
    expect(blobsOf(contents)).toHaveLength(3);
    expect(parsed(digest, blobsOf(contents))).toEqual(contents);
  });
});

test('a manifest that is listed for 100 platforms is found, parsed and written once', () => {
  const image = registry.putImage('a', undefined);
  const listed = Array.from({ length: 100 }, (_, i) => ({
    digest: image,
    platform: platformOf(`a${String(i)}`),
  }));
  const digest = registry.putIndex('a', 'v1', listed);
  const all = [...registry.manifests.values()].map(({ bytes }) => bytes);
  const found: Digest[] = [];
  const contents = parseContents(
    digest as Digest,
    (wanted) => {
      found.push(wanted);
      return (
        [...all, ...registry.blobs.values()].find((bytes) => digestOf(bytes) === wanted) ??
        Buffer.alloc(0)
      );
    },
    'a',
  );
  expect(contents.images).toHaveLength(100);
  expect(new Set(contents.images.map(({ manifest }) => manifest)).size).toBe(1);
  expect(found).toEqual([...new Set(found)]);
  // Their digests tell them apart. Text of each of them, 100 times, could be 400 MB.
  const toString = jest.spyOn(Buffer.prototype, 'toString');
  try {
    expect(blobsOf(contents)).toHaveLength(3);
    expect(toString).not.toHaveBeenCalled();
  } finally {
    toString.mockRestore();
  }
});

describe('refused, fetched as well as parsed', () => {
  test('an index in an index', async () => {
    const inner = putIndex(['amd64']);
    const digest = registry.putIndex('a', 'v2', [{ digest: inner, platform: platformOf('amd64') }]);
    expect(await codeOfRejection(fetched('v2'))).toBe('IMAGE_MISMATCH');
    const blobs = [...registry.manifests.values()].map(({ bytes }) => bytes);
    const error = errorOf(() => parsed(digest, [...blobs, ...registry.blobs.values()]));
    expect(error.code).toBe('IMAGE_MISMATCH');
  });

  test.each([-1, 1])('a configuration whose size is wrong by %i', async (difference) => {
    registry.putImage('a', 'v1');
    const manifest = JSON.parse(registry.manifest('a', 'v1').toString()) as ManifestJson;
    const right = registry.putManifest('a', manifest, 'v1');
    expect(parsed(right, blobsOf(await fetched('v1'))).images).toHaveLength(1);
    manifest.config.size += difference;
    const digest = registry.putManifest('a', manifest, 'v1');
    expect(await codeOfRejection(fetched('v1'))).toBe('IMAGE_MISMATCH');
    const blobs = [registry.manifest('a', digest), ...registry.blobs.values()];
    expect(errorOf(() => parsed(digest, blobs)).code).toBe('IMAGE_MISMATCH');
  });

  test.each([
    [1 << 20, true],
    [(1 << 20) + 1, false],
  ])('a configuration of %i bytes: accepted: %s', async (size, isAccepted) => {
    const config = registry.putBlob(Buffer.alloc(size, ' '), '');
    const manifest = { schemaVersion: 2, config, layers: [] };
    const digest = registry.putManifest('a', manifest, 'v1');
    const blobs = [registry.manifest('a', digest), ...registry.blobs.values()];
    if (isAccepted) {
      expect(parsed(digest, blobs)).toEqual(await fetched('v1'));
    } else {
      expect(await codeOfRejection(fetched('v1'))).toBe('IMAGE_MISMATCH');
      expect(errorOf(() => parsed(digest, blobs)).code).toBe('IMAGE_MISMATCH');
    }
  });
});
