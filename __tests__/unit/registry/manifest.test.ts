import { describe, expect, test } from '@jest/globals';
import { parseConfig, parseDigest, parseManifest } from '../../../src/registry/manifest.js';
import { MEDIA_TYPES, digestOf, type IndexJson, type ManifestJson } from '../../support/index.js';
import { codeOf } from '../sigstore/errors.js';

const DIGEST = `sha256:${'0a'.repeat(32)}`;
const other = (n: number): string => `sha256:${n.toString(16).padStart(64, '0')}`;

const image = (): ManifestJson => ({
  schemaVersion: 2,
  mediaType: MEDIA_TYPES.oci.manifest,
  config: { mediaType: MEDIA_TYPES.oci.config, digest: DIGEST, size: 10 },
  layers: [
    { mediaType: MEDIA_TYPES.oci.layer, digest: other(1), size: 0, annotations: { a: 'b' } },
  ],
});

const index = (...platforms: (Record<string, string> | undefined)[]): IndexJson => ({
  schemaVersion: 2,
  mediaType: MEDIA_TYPES.oci.index,
  manifests: platforms.map((platform, i) => ({
    mediaType: MEDIA_TYPES.oci.manifest,
    digest: other(i),
    size: 10,
    ...(platform === undefined ? {} : { platform }),
  })),
});

const bytesOf = (value: unknown): Buffer =>
  Buffer.from(typeof value === 'string' ? value : JSON.stringify(value));
const parse = (value: unknown): ReturnType<typeof parseManifest> =>
  parseManifest(bytesOf(value), 'the image');

const AMD64 = { os: 'linux', architecture: 'amd64' };
const ARM64 = { os: 'linux', architecture: 'arm64', variant: 'v8' };
const WINDOWS = { os: 'windows', architecture: 'amd64', 'os.version': '10.0.20348.1' };
const UNKNOWN = { os: 'unknown', architecture: 'unknown' };

describe('an image', () => {
  test('with the digest of its bytes', () => {
    expect(parse(image())).toEqual({
      kind: 'image',
      bytes: bytesOf(image()),
      digest: digestOf(bytesOf(image())),
      config: {
        mediaType: MEDIA_TYPES.oci.config,
        digest: DIGEST,
        size: 10,
      },
      layers: [
        {
          mediaType: MEDIA_TYPES.oci.layer,
          digest: other(1),
          size: 0,
          annotations: new Map([['a', 'b']]),
        },
      ],
    });
  });

  test('without the annotations of its configuration: nobody reads them', () => {
    const config = { ...image().config, annotations: { a: 'b' } };
    expect(parse({ ...image(), config })).toMatchObject({ config: { ...image().config } });
    const parsed = parse({ ...image(), config });
    expect(Object.keys(parsed.kind === 'image' ? parsed.config : {})).toEqual([
      'mediaType',
      'digest',
      'size',
    ]);
  });

  test('of Docker, and one whose media type is left out', () => {
    expect(parse({ ...image(), mediaType: MEDIA_TYPES.docker.manifest }).kind).toBe('image');
    expect(parse({ ...image(), mediaType: undefined }).kind).toBe('image');
  });

  test.each([
    ['an index by its media type', { mediaType: MEDIA_TYPES.oci.index }],
    ['of an unknown media type', { mediaType: 'application/json' }],
    ['of a media type that is no text', { mediaType: 2 }],
    ['of schema version 1', { schemaVersion: 1 }],
    ['without schema version', { schemaVersion: undefined }],
    ['an index as well', { manifests: [] }],
    ['an image of schema 1 as well', { fsLayers: [] }],
    ['without layers', { layers: undefined }],
    ['with layers that are none', { layers: {} }],
    ['with too many layers', { layers: Array.from({ length: 1001 }, () => image().config) }],
    ['without config', { config: undefined }],
    ['with another kind of digest', { config: { ...image().config, digest: 'sha512:ab' } }],
    ['with capitals in a digest', { config: { ...image().config, digest: DIGEST.toUpperCase() } }],
    ['with a path in a digest', { config: { ...image().config, digest: `${DIGEST}/../x` } }],
    ['with a negative size', { config: { ...image().config, size: -1 } }],
    ['with half a byte', { config: { ...image().config, size: 0.5 } }],
    ['with a size beyond all bounds', { config: { ...image().config, size: 2 ** 41 } }],
    ['with a size that is a text', { config: { ...image().config, size: '10' } }],
    [
      'with an annotation that is a number',
      { config: { ...image().config, annotations: { a: 1 } } },
    ],
  ])('%s', (_what, changes) => {
    expect(codeOf(() => parse({ ...image(), ...changes }))).toBe('IMAGE_MISMATCH');
  });
});

describe('an index', () => {
  test('with the platform of each image', () => {
    const parsed = parse(
      index(AMD64, ARM64, WINDOWS, { ...WINDOWS, 'os.version': '10.0.17763.1' }),
    );
    expect(parsed.kind === 'index' && parsed.manifests.map(({ platform }) => platform)).toEqual([
      'linux/amd64',
      'linux/arm64/v8',
      'windows/amd64/10.0.20348.1',
      'windows/amd64/10.0.17763.1',
    ]);
  });

  test('with attestations of BuildKit, and something without a platform', () => {
    expect(parse(index(AMD64, UNKNOWN, UNKNOWN, undefined, undefined))).toMatchObject({
      manifests: [{ platform: 'linux/amd64' }, {}, {}, {}, {}],
    });
  });

  test('without the annotations of its configuration: nobody reads them', () => {
    const config = { ...image().config, annotations: { a: 'b' } };
    expect(parse({ ...image(), config })).toMatchObject({ config: { ...image().config } });
    const parsed = parse({ ...image(), config });
    expect(Object.keys(parsed.kind === 'image' ? parsed.config : {})).toEqual([
      'mediaType',
      'digest',
      'size',
    ]);
  });

  test('of Docker, and one whose media type is left out', () => {
    expect(parse({ ...index(AMD64), mediaType: MEDIA_TYPES.docker.index }).kind).toBe('index');
    expect(parse({ ...index(AMD64), mediaType: undefined }).kind).toBe('index');
  });

  test.each([
    ['an image by its media type', { mediaType: MEDIA_TYPES.oci.manifest }],
    ['an image as well', { layers: [] }],
    ['an image as well, by its config', { config: image().config }],
    ['with two images for one platform', { manifests: index(AMD64, ARM64, AMD64).manifests }],
    [
      'with too many images',
      { manifests: Array.from({ length: 101 }, (_, i) => index({ os: String(i) }).manifests[0]) },
    ],
    ['with a platform that is none', { manifests: [{ ...image().config, platform: 'linux' }] }],
  ])('%s', (_what, changes) => {
    expect(codeOf(() => parse({ ...index(AMD64, ARM64), ...changes }))).toBe('IMAGE_MISMATCH');
  });
});

test.each([
  ['nothing', ''],
  ['HTML', '<html></html>'],
  ['a list', '[]'],
  ['null', 'null'],
  ['neither', '{"schemaVersion":2}'],
  ['a duplicate name', JSON.stringify(image()).replace('{', `{"layers":[],`)],
  ['a duplicate name deep inside', JSON.stringify(image()).replace('"a":"b"', '"a":"b","a":"c"')],
])('neither image nor index: %s', (_what, text) => {
  expect(codeOf(() => parse(text))).toBe('IMAGE_MISMATCH');
});

describe('a configuration', () => {
  const config = {
    architecture: 'arm64',
    os: 'linux',
    rootfs: { type: 'layers', diff_ids: [other(1), other(2)] },
  };

  test('names the platform and the layers', () => {
    expect(parseConfig(bytesOf(config), 'the image')).toEqual({
      platform: 'linux/arm64',
      diffIds: [other(1), other(2)],
    });
  });

  test.each([
    ['no platform', { os: undefined }],
    ['no layers', { rootfs: {} }],
    ['a layer without digest', { rootfs: { diff_ids: ['x'] } }],
    ['too many layers', { rootfs: { diff_ids: Array.from({ length: 1001 }, () => other(1)) } }],
  ])('%s', (_what, changes) => {
    const bytes = bytesOf({ ...config, ...changes });
    expect(codeOf(() => parseConfig(bytes, 'the image'))).toBe('IMAGE_MISMATCH');
  });
});

test.each([`${DIGEST}0`, DIGEST.slice(0, -1), `${DIGEST}\n`, 'latest', ''])(
  'no digest: %j',
  (text) => {
    expect(parseDigest(DIGEST)).toBe(DIGEST);
    expect(parseDigest(text)).toBeUndefined();
  },
);
