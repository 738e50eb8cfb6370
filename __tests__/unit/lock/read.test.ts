import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import Ajv from 'ajv';
import { compareLocks } from '../../../src/lock/compare.js';
import { serializeLock, withoutWhiteSpace } from '../../../src/lock/format.js';
import { MAX_LOCK_BYTES, parseLock } from '../../../src/lock/read.js';
import type { LockContent } from '../../../src/lock/lock.js';
import {
  World,
  digestOf,
  lockOf,
  lockText,
  putSignedImage,
  type LockJson,
  type LockedImageJson,
} from '../../support/index.js';
import { errorOf, rejectionOf } from '../expect-error.js';
import { textOf } from '../repository.js';

const VERSION = 'v1.31.9';
const SBOM = 'kubernetes-release.spdx';
const KUBECTL = 'bin/linux/amd64/kubectl';
const ETCD = 'registry.k8s.io/etcd:3.5.15-0';
const PROXY = `registry.k8s.io/kube-proxy:${VERSION}`;
const isValid = new Ajv().compile(JSON.parse(textOf('schema/lock.schema.json')) as object);

let world: World;
let lock: LockJson;
/** The same with an image of the release, and another one. */
let withImages: LockJson;

beforeAll(async () => {
  world = await World.start({ publish: [{ version: VERSION }, { version: 'v1.31.8' }] });
  lock = lockOf(world, VERSION, { platforms: ['linux/amd64'] });
  putSignedImage(world, 'etcd', '3.5.15-0');
  putSignedImage(world, 'kube-proxy', VERSION, ['amd64', 'arm64']);
  const { images = {} } = lockOf(world, VERSION, { platforms: [], images: [ETCD, PROXY] });
  withImages = { ...lock, images };
});

afterAll(() => world.stop());

const parse = (text: string | Buffer): LockContent => parseLock(Buffer.from(text), '"lock.json"');

const entry = (path: string): LockJson['files'][string] => {
  const found = lock.files[path];
  if (found === undefined) throw new Error(`no ${path}`);
  return found;
};

const image = (name: string): LockedImageJson => {
  const found = withImages.images?.[name];
  if (found === undefined) throw new Error(`no ${name}`);
  return found;
};

test('what is read is written again, byte for byte', () => {
  for (const one of [lock, withImages]) {
    expect(serializeLock(parse(lockText(one)))).toBe(lockText(one));
  }
});

test('a bundle of an older version is written as one of version 0.3', () => {
  const { files } = parse(lockText(lock));
  for (const { bundle } of files.values()) {
    expect(bundle.mediaType).toBe('application/vnd.dev.sigstore.bundle.v0.3+json');
  }
});

test('the version, each digest and each bundle are on lines of their own, sorted by path', () => {
  const content = parse(lockText(lock));
  const reversed = { ...content, files: new Map([...content.files].reverse()) };
  const lines = serializeLock(reversed).split('\n');
  expect(lines.map((line) => line.slice(0, 40))).toEqual([
    '{',
    '  "lockVersion": 1,',
    `  "version": "${VERSION}",`,
    '  "files": {',
    `    "${KUBECTL}": {`,
    expect.stringMatching(/^ {6}"sha256": "/),
    expect.stringMatching(/^ {6}"bundle": \{"mediaType":/),
    '    },',
    `    "${SBOM}": {`,
    expect.stringMatching(/^ {6}"sha256": "/),
    expect.stringMatching(/^ {6}"bundle": \{"mediaType":/),
    '    }',
    '  }',
    '}',
    '',
  ]);
});

test('what a lock has of an image is on lines of their own, sorted by reference', () => {
  const content = parse(lockText(withImages));
  const reversed = { ...content, images: new Map([...content.images].reverse()) };
  const lines = serializeLock(reversed).split('\n');
  const ofImage = [
    expect.stringMatching(/^ {6}"digest": "sha256:[0-9a-f]{64}",$/),
    expect.stringMatching(/^ {6}"payload": "/),
    expect.stringMatching(/^ {6}"bundle": \{"mediaType":/),
    expect.stringMatching(/^ {6}"blobs": \["[^ ]*"\]$/),
  ];
  expect(lines.slice(lines.indexOf('  "images": {') - 1)).toEqual([
    '  },',
    '  "images": {',
    `    "${ETCD}": {`,
    ...ofImage,
    '    },',
    `    "${PROXY}": {`,
    ...ofImage,
    '    }',
    '  }',
    '}',
    '',
  ]);
});

describe('images that are LOCK_INVALID', () => {
  const changed = (images: object): string => JSON.stringify({ ...lock, images });
  const of = (name: string, changes: object): object => ({
    [name]: { ...image(name), ...changes },
  });
  const [manifest, first, second, ...others] = [0, 1, 2, 3, 4].map(
    (index) => () => image(PROXY).blobs[index],
  );

  test.each<[string, () => object]>([
    ['none', () => ({})],
    ['a name without a tag', () => ({ 'registry.k8s.io/etcd': image(ETCD) })],
    ['a word of the input', () => ({ 'kube-proxy': image(PROXY) })],
    ['a word that means several', () => ({ 'control-plane': image(PROXY) })],
    ['another registry', () => ({ 'docker.io/etcd:3.5.15-0': image(ETCD) })],
    ['a path', () => ({ 'registry.k8s.io/../etcd:3.5.15-0': image(ETCD) })],
    ['__proto__', () => JSON.parse('{"__proto__": {}}') as object],
    ['in another order', () => ({ [PROXY]: image(PROXY), [ETCD]: image(ETCD) })],
    ['null', () => ({ [ETCD]: null })],
    ['a digest without algorithm', () => of(ETCD, { digest: image(ETCD).digest.slice(7) })],
    ['a digest in capitals', () => of(ETCD, { digest: image(ETCD).digest.toUpperCase() })],
    ['no payload', () => of(ETCD, { payload: undefined })],
    ['a payload that is a number', () => of(ETCD, { payload: 1 })],
    ['a payload with spaces', () => of(ETCD, { payload: `${image(ETCD).payload} ` })],
    ['no blobs', () => of(ETCD, { blobs: undefined })],
    ['a blob that is a number', () => of(ETCD, { blobs: [1] })],
    ['a blob in base64url', () => of(ETCD, { blobs: [`${image(ETCD).blobs[0] ?? ''}-_`] })],
    ['a blob more', () => of(ETCD, { blobs: [...image(ETCD).blobs, 'AAAA'] })],
    ['a blob twice', () => of(PROXY, { blobs: [...image(PROXY).blobs, manifest?.()] })],
    [
      'blobs in another order',
      () => of(PROXY, { blobs: [manifest, second, first, ...others].map((blob) => blob?.()) }),
    ],
    [
      'the contents of an image that is not of the release',
      () => ({ 'registry.k8s.io/kube-proxy:v1.31.8': image(PROXY) }),
    ],
    ['an unknown member', () => of(ETCD, { unknown: '' })],
  ])('%s', (_what, images) => {
    const error = errorOf(() => parse(changed(images())));
    expect(error.code).toBe('LOCK_INVALID');
    expect(error.message).not.toContain('it is not JSON');
  });

  test('null in place of images', () => {
    const text = lockText(lock).replace(/\n}\n$/, ',\n  "images": null\n}\n');
    expect(errorOf(() => parse(text)).code).toBe('LOCK_INVALID');
  });

  test('images in front of files', () => {
    const { images = {}, files, ...head } = withImages;
    const text = JSON.stringify({ ...head, images, files });
    expect(errorOf(() => parse(text)).code).toBe('LOCK_INVALID');
    expect(parse(JSON.stringify({ ...head, files, images })).images.size).toBe(2);
  });
});

describe('the size of a blob', () => {
  /** The lock with an image whose manifest has so many bytes. It names another digest than its payload. */
  const withManifest = (bytes: number): string => {
    const [blob = ''] = image(ETCD).blobs;
    const manifest = JSON.parse(Buffer.from(blob, 'base64').toString()) as object;
    const padded = Buffer.from(JSON.stringify(manifest).padEnd(bytes));
    const changed = { digest: digestOf(padded), blobs: [padded.toString('base64')] };
    return lockText({ ...lock, images: { [ETCD]: { ...image(ETCD), ...changed } } });
  };

  test.each([
    [256 << 10, true],
    [(256 << 10) + 1, false],
  ])('%i bytes: accepted by reader and schema: %s', (bytes, isAccepted) => {
    const text = withManifest(bytes);
    if (isAccepted) {
      expect(parse(text).images.size).toBe(1);
    } else {
      const error = errorOf(() => parse(text));
      expect([error.code, error.message]).toEqual([
        'LOCK_INVALID',
        expect.stringContaining('a blob is larger than 262144 bytes'),
      ]);
    }
    // Base64 has no length between the one of 262,143 bytes and the one of 262,146.
    expect(isValid(JSON.parse(withManifest(bytes + 2 * Number(!isAccepted))))).toBe(isAccepted);
  });
});

describe('images that are LOCK_MISMATCH', () => {
  const parsed = (images: NonNullable<LockJson['images']>): (() => unknown) => {
    return () => parse(lockText({ ...lock, images }));
  };

  test.each<[string, () => Partial<LockedImageJson>, string]>([
    ['evidence for another image', () => ({ bundle: image(ETCD).bundle }), 'its evidence is for'],
    ['the payload of another image', () => ({ payload: image(ETCD).payload }), 'its evidence is'],
    ['the digest of another image', () => ({ digest: image(ETCD).digest }), 'but without the'],
    ['the blobs of another image', () => ({ blobs: image(ETCD).blobs }), 'but without the'],
    ['a blob less', () => ({ blobs: image(PROXY).blobs.slice(0, -1) }), 'but without the'],
  ])('%s', (_what, changes, says) => {
    const error = errorOf(parsed({ [PROXY]: { ...image(PROXY), ...changes() } }));
    expect(error.code).toBe('LOCK_MISMATCH');
    expect(error.message).toContain(`"lock.json" has ${PROXY} with `);
    expect(error.message).toContain(says);
  });

  test('another digest than the one in the reference', () => {
    const other = `registry.k8s.io/etcd@sha256:${'0a'.repeat(32)}`;
    expect(errorOf(parsed({ [other]: image(ETCD) })).code).toBe('LOCK_MISMATCH');
    const right = `registry.k8s.io/etcd@${image(ETCD).digest}`;
    expect(parsed({ [right]: image(ETCD) })).not.toThrow();
  });

  test('an image that is not locked', () => {
    const read = parseLock(Buffer.from(lockText(withImages)), '"lock.json"');
    expect(read.image({ name: ETCD }).digest).toBe(image(ETCD).digest);
    const error = errorOf(() => read.image({ name: 'constructor' }));
    expect(error.code).toBe('LOCK_MISMATCH');
    expect(error.situation).toBe('lock-incomplete');
    expect(error.message).toBe(
      `"lock.json" does not have constructor; it has ${VERSION} with ${KUBECTL}, ${ETCD}, ${PROXY}`,
    );
  });
});

describe('LOCK_INVALID', () => {
  test.each<[string, (text: string) => string | Buffer]>([
    ['nothing', () => ''],
    ['HTML', () => '<html>'],
    ['a list', () => '[]'],
    ['null', () => 'null'],
    ['text', () => '"lock"'],
    ['JSON nested 100,000 deep', () => '['.repeat(100_000)],
    [
      'objects nested 100,000 deep in a bundle',
      (text) =>
        text.replace(
          /"bundle": \{/,
          `"bundle": {"x":${'{"x":'.repeat(100_000)}1${'}'.repeat(100_000)},`,
        ),
    ],
    ['bytes that are not UTF-8', (text) => Buffer.concat([Buffer.from(text), Buffer.of(0xff)])],
    [
      'a checkpoint that is not UTF-8',
      (text) =>
        Buffer.from(
          Buffer.from(text).toString('latin1').replace('\u00e2\u0080\u0094', '\u00ff'),
          'latin1',
        ),
    ],
    ['a byte order mark', (text) => `\ufeff${text}`],
    ['text behind it', (text) => `${text}x`],
    ['no lockVersion', (text) => text.replace('  "lockVersion": 1,\n', '')],
    ['lockVersion 0', (text) => text.replace('"lockVersion": 1', '"lockVersion": 0')],
    ['lockVersion 1.0', (text) => text.replace('"lockVersion": 1', '"lockVersion": 1.0')],
    ['lockVersion "1"', (text) => text.replace('"lockVersion": 1', '"lockVersion": "1"')],
    ['a version without v', (text) => text.replace(`"${VERSION}"`, '"1.31.9"')],
    ['a minor', (text) => text.replace(`"${VERSION}"`, '"v1.31"')],
    ['a path as version', (text) => text.replace(`"${VERSION}"`, '"v1.31.9/../x"')],
    ['a path that leaves the release', (text) => text.replace(KUBECTL, '../kubectl')],
    ['a path in two folders', (text) => text.replace(KUBECTL, 'bin/linux/amd64/x/kubectl')],
    ['__proto__ as path', (text) => text.replace(KUBECTL, '__proto__')],
    ['an escaped letter', (text) => text.replace(KUBECTL, 'bin/linux/amd64/k\\u0075bectl')],
    [
      'files in another order',
      () => lockText({ ...lock, files: { [SBOM]: entry(SBOM), [KUBECTL]: entry(KUBECTL) } }),
    ],
    ['no SBOM', () => lockText({ ...lock, files: { [KUBECTL]: entry(KUBECTL) } })],
    [
      'an upper-case digest',
      (text) => text.replace(entry(KUBECTL).sha256, entry(KUBECTL).sha256.toUpperCase()),
    ],
    [
      'a bundle of version 0.2',
      (text) => text.replace('bundle.v0.3+json', 'bundle+json;version=0.2'),
    ],
  ])('%s', (_what, change) => {
    const text = lockText(lock);
    expect(change(text)).not.toEqual(text);
    expect(errorOf(() => parse(change(text))).code).toBe('LOCK_INVALID');
  });

  test('a later lockVersion says so', () => {
    const error = errorOf(() => parse('{"lockVersion": 2}'));
    expect(error.code).toBe('LOCK_INVALID');
    expect(error.situation).toBe('lock-too-new');
  });

  test('nothing of a file that is no lock is repeated', () => {
    const { message } = errorOf(() => parse('{"password": "hunter2", "lockVersion": "hunter3"}'));
    expect(message).not.toContain('hunter');
    expect(errorOf(() => parse('hunter2')).message).not.toContain('hunter');
  });
});

describe('bounds', () => {
  const many = (count: number): string => {
    const names = Array.from(
      { length: count - 1 },
      (_, index) => `a${String(index).padStart(4, '0')}`,
    );
    const files = names.map((name) => [name, entry(KUBECTL)]);
    return lockText({
      ...lock,
      files: Object.fromEntries([...files, [SBOM, entry(SBOM)]]) as LockJson['files'],
    });
  };

  test.each([
    [512, true],
    [513, false],
  ])('%i files: accepted by reader and schema: %s', (count, isAccepted) => {
    const text = many(count);
    expect(isValid(JSON.parse(text))).toBe(isAccepted);
    if (isAccepted) expect(parse(text).files.size).toBe(count);
    else expect(errorOf(() => parse(text)).message).toContain('more than 512 files');
  });

  test.each([
    [100, true],
    [101, false],
  ])('%i images: accepted by reader and schema: %s', (count, isAccepted) => {
    const names = Array.from(
      { length: count },
      (_, index) => `registry.k8s.io/etcd:${String(index).padStart(3, '0')}`,
    );
    const images = Object.fromEntries(names.map((name) => [name, image(ETCD)]));
    const text = lockText({ ...lock, images });
    expect(isValid(JSON.parse(text))).toBe(isAccepted);
    if (isAccepted) expect(parse(text).images.size).toBe(count);
    else expect(errorOf(() => parse(text)).message).toContain('more than 100 images');
  });

  test('a payload that is too large', () => {
    const payload = Buffer.alloc((16 << 10) + 1).toString('base64');
    const images = { [ETCD]: { ...image(ETCD), payload } };
    const error = errorOf(() => parse(lockText({ ...lock, images })));
    expect(error.message).toContain('"payload" is larger than');
  });

  test('white space up to the limit is accepted, and one byte more is not', () => {
    const text = lockText(lock);
    const padded = `${text}${' '.repeat(MAX_LOCK_BYTES - Buffer.byteLength(text))}`;
    expect(parse(padded).version).toBe(VERSION);
    expect(errorOf(() => parse(`${padded} `)).message).toContain('larger than');
  });

  test('a bundle that is too large', () => {
    const text = lockText(lock).replace(/"envelope":"/, `"envelope":"${'x'.repeat(300_000)}`);
    expect(errorOf(() => parse(text)).message).toContain('"bundle" is larger than');
  });

  test('a text of 4 MiB is compared without a deep stack', () => {
    const text = `"${'\\"x'.repeat(1 << 20)}"`;
    expect(withoutWhiteSpace(` ${text}\n`)).toBe(text);
  });
});

describe('LOCK_MISMATCH', () => {
  test('other bytes than the locked ones', async () => {
    const read = parseLock(Buffer.from(lockText(lock)), '"lock.json"');
    const evidence = read.evidenceFor({ path: KUBECTL, version: VERSION });
    const sha256 = Buffer.from(entry(KUBECTL).sha256, 'hex');
    expect((await evidence.find({ sha256 }))?.candidates).toHaveLength(1);
    const other = { sha256: Buffer.from(entry(SBOM).sha256, 'hex') };
    const error = await rejectionOf(evidence.find(other));
    expect(error.code).toBe('LOCK_MISMATCH');
    expect(error.situation).toBeUndefined();
    expect(error.message).toBe(
      `${KUBECTL} has SHA-256 ${entry(SBOM).sha256}, but "lock.json" has ${entry(KUBECTL).sha256}`,
    );
  });

  test('evidence for another file', () => {
    const files = { ...lock.files, [KUBECTL]: { ...entry(KUBECTL), bundle: entry(SBOM).bundle } };
    const error = errorOf(() => parse(lockText({ ...lock, files })));
    expect(error.code).toBe('LOCK_MISMATCH');
    expect(error.message).toContain('its evidence is for a file with SHA-256');
  });

  test.each([
    ['another platform', { path: 'bin/linux/arm64/kubectl', version: VERSION }],
    ['another tool', { path: 'bin/linux/amd64/kubeadm', version: VERSION }],
    ['another version', { path: KUBECTL, version: 'v1.31.8' }],
    ['a member of every object', { path: 'constructor', version: VERSION }],
  ])('%s', (_what, wanted) => {
    const read = parseLock(Buffer.from(lockText(lock)), '"lock.json"');
    const error = errorOf(() => read.digestOf(wanted));
    expect(error.code).toBe('LOCK_MISMATCH');
    expect(error.situation).toBe('lock-incomplete');
    expect(error.message).toBe(
      `"lock.json" does not have ${wanted.path} of ${wanted.version}; it has ${VERSION} with ${KUBECTL}`,
    );
  });
});

describe('compare', () => {
  const content = (files: LockJson['files'], version = VERSION): LockContent =>
    parse(lockText({ lockVersion: 1, version, files }));

  test('the same lock: nothing', () => {
    expect(compareLocks(content(lock.files), content(lock.files))).toEqual([]);
  });

  test('a new patch: version and digests', () => {
    const older = lockOf(world, 'v1.31.8', { platforms: ['linux/amd64'] }).files;
    expect(compareLocks(content(older, 'v1.31.8'), content(lock.files))).toEqual([
      '-version: v1.31.8',
      '+version: v1.31.9',
      `-${KUBECTL}: ${older[KUBECTL]?.sha256 ?? ''}`,
      `+${KUBECTL}: ${entry(KUBECTL).sha256}`,
      `-${SBOM}: ${older[SBOM]?.sha256 ?? ''}`,
      `+${SBOM}: ${entry(SBOM).sha256}`,
    ]);
  });

  test('a new file, and one that goes', () => {
    const [one, none] = [content(lock.files), content({ [SBOM]: entry(SBOM) })];
    const { sha256 } = entry(KUBECTL);
    expect(compareLocks(none, one)).toEqual([`+${KUBECTL}: ${sha256}`]);
    expect(compareLocks(one, none)).toEqual([`-${KUBECTL}: ${sha256}`]);
  });

  test('no lock yet: everything', () => {
    expect(compareLocks(undefined, content(lock.files))).toEqual([
      `+version: ${VERSION}`,
      `+${KUBECTL}: ${entry(KUBECTL).sha256}`,
      `+${SBOM}: ${entry(SBOM).sha256}`,
    ]);
  });

  test('a new image, one that goes, one that has moved, one that was signed again', () => {
    const images = (changed: LockJson['images']): LockContent =>
      parse(lockText({ ...lock, ...(changed && { images: changed }) }));
    const [none, etcd] = [images(undefined), images({ [ETCD]: image(ETCD) })];
    const { digest } = image(ETCD);
    expect(compareLocks(none, etcd)).toEqual([`+${ETCD}: ${digest}`]);
    expect(compareLocks(etcd, none)).toEqual([`-${ETCD}: ${digest}`]);
    const again = putSignedImage(world, 'etcd', '3.5.15-0');
    expect(again).toBe(digest);
    const resigned = lockOf(world, VERSION, { platforms: [], images: [ETCD] }).images;
    expect(compareLocks(etcd, images(resigned))).toEqual([
      ` ${ETCD}: other evidence for the same image`,
    ]);
    putSignedImage(world, 'etcd', '3.5.15-0', ['amd64']);
    const moved = lockOf(world, VERSION, { platforms: [], images: [ETCD] }).images;
    expect(compareLocks(etcd, images(moved))).toEqual([
      `-${ETCD}: ${digest}`,
      `+${ETCD}: ${moved?.[ETCD]?.digest ?? ''}`,
    ]);
  });

  test('another bundle for the same bytes', () => {
    const kubectl = world.release.artifact(VERSION, 'linux/amd64', 'kubectl');
    kubectl.sign();
    const files = { ...lock.files, [KUBECTL]: { ...entry(KUBECTL), bundle: kubectl.bundle() } };
    expect(compareLocks(content(lock.files), content(files))).toEqual([
      ` ${KUBECTL}: another bundle for the same bytes`,
    ]);
  });
});
