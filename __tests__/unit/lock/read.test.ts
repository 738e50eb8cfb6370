import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import Ajv from 'ajv';
import { compareLocks } from '../../../src/lock/compare.js';
import { serializeLock, withoutWhiteSpace } from '../../../src/lock/format.js';
import { MAX_LOCK_BYTES, parseLock } from '../../../src/lock/read.js';
import type { LockContent } from '../../../src/lock/lock.js';
import { World, lockOf, lockText, type LockJson } from '../../support/index.js';
import { errorOf, rejectionOf } from '../expect-error.js';
import { textOf } from '../repository.js';

const VERSION = 'v1.31.9';
const SBOM = 'kubernetes-release.spdx';
const KUBECTL = 'bin/linux/amd64/kubectl';
const isValid = new Ajv().compile(JSON.parse(textOf('schema/lock.schema.json')) as object);

let world: World;
let lock: LockJson;

beforeAll(async () => {
  world = await World.start({ publish: [{ version: VERSION }, { version: 'v1.31.8' }] });
  lock = lockOf(world, VERSION, { platforms: ['linux/amd64'] });
});

afterAll(() => world.stop());

const parse = (text: string | Buffer): LockContent => parseLock(Buffer.from(text), '"lock.json"');

const entry = (path: string): LockJson['files'][string] => {
  const found = lock.files[path];
  if (found === undefined) throw new Error(`no ${path}`);
  return found;
};

test('what is read is written again, byte for byte', () => {
  expect(serializeLock(parse(lockText(lock)))).toBe(lockText(lock));
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
    const isSignedBy = (): boolean => true;
    const sha256 = Buffer.from(entry(KUBECTL).sha256, 'hex');
    expect((await evidence.find({ sha256, isSignedBy }))?.candidates).toHaveLength(1);
    const other = { sha256: Buffer.from(entry(SBOM).sha256, 'hex'), isSignedBy };
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

  test('another bundle for the same bytes', () => {
    const kubectl = world.release.artifact(VERSION, 'linux/amd64', 'kubectl');
    kubectl.sign();
    const files = { ...lock.files, [KUBECTL]: { ...entry(KUBECTL), bundle: kubectl.bundle() } };
    expect(compareLocks(content(lock.files), content(files))).toEqual([
      ` ${KUBECTL}: another bundle for the same bytes`,
    ]);
  });
});
