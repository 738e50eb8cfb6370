import {
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import {
  loadTrustRoot,
  type TrustRoot,
  type TrustRootSource,
} from '../../../../src/sigstore/trust/trusted-root.js';
import { parseTrustedRoot } from '../../../../src/sigstore/trust/trusted-root-json.js';
import {
  changeKeptMetadata,
  DAY,
  fault,
  keptMetadataPath,
  LoopbackServer,
  metadataToKeep,
  readKeptMetadata,
  TransparencyLog,
  TufRepository,
  World,
  writeKeptMetadata,
  type OnlineRole,
  type Role,
  type RotateOptions,
  type TrustedRootJson,
} from '../../../support/index.js';
import { codeOfRejection } from '../errors.js';
import { httpClient } from '../http-client.js';

const PAST = new Date(Date.now() - DAY);
const FUTURE = new Date(Date.now() + 30 * DAY);

function fail(): never {
  throw new Error('the world has changed');
}

let world: World;
let genuine: Buffer;
let evil: Buffer;
let tuf: TufRepository;
let server: LoopbackServer;
let folder: string;

beforeAll(async () => {
  world = await World.start({ baseEntries: 3 });
  genuine = Buffer.from(JSON.stringify(world.trustedRoot()));
  const stranger = await World.start({ baseEntries: 3 });
  evil = Buffer.from(JSON.stringify(stranger.trustedRoot()));
  await stranger.stop();
});

afterAll(() => world.stop());

const repositoryOf = (trustedRoot: Buffer): TufRepository =>
  TufRepository.create({ 'trusted_root.json': trustedRoot });

beforeEach(async () => {
  tuf = repositoryOf(genuine);
  server = await LoopbackServer.start(tuf.handler);
  folder = mkdtempSync(join(tmpdir(), 'trusted-root-'));
});

afterEach(async () => {
  await server.stop();
  rmSync(folder, { recursive: true, force: true });
});

/** As in a run of its own: the cache is the same, the rest is not. */
function source(changes: { root?: Buffer; mirror?: URL } = {}): TrustRootSource {
  return {
    kind: 'tuf',
    mirror: new URL(server.url),
    root: tuf.rootJson,
    cache: join(folder, 'cache'),
    scratch: mkdtempSync(join(folder, 'scratch-')),
    ...changes,
  };
}

const load = (from = source()): Promise<TrustRoot> => loadTrustRoot(from, httpClient());

const knows = ({ material }: TrustRoot, log: TransparencyLog): boolean =>
  material.tlogs.some(({ logID }) => logID.equals(log.logId));

/** Loads, and says whether that is the world's trust root. */
async function expectGenuine(loading: Promise<TrustRoot>): Promise<TrustRoot> {
  const trust = await loading;
  expect(knows(trust, world.log)).toBe(true);
  return trust;
}

async function expectUnavailable(loading: Promise<TrustRoot>): Promise<void> {
  expect(await codeOfRejection(loading)).toBe('TRUST_ROOT_UNAVAILABLE');
}

/** A run that succeeds, and keeps what it has seen. */
async function warmUp(): Promise<void> {
  await (await load()).keep();
  server.reset();
}

/** The file in which the metadata of the repository is kept. */
const keptPath = (): string => keptMetadataPath(join(folder, 'cache'));

/** Makes what was kept incomplete, so that the repository is asked. */
const damage = (): void => {
  changeKeptMetadata(keptPath(), 'targets.json', undefined);
};

const WHOLE_SET = ['snapshot.json', 'targets.json', 'timestamp.json', 'trusted_root.json'];

describe('a TUF repository', () => {
  test('gives the trust root', async () => {
    const trust = await expectGenuine(load());
    expect(trust.material.certificateAuthorities).toHaveLength(2);
    expect(trust.origin).toContain(server.url);
  });

  test('leaves nothing in the cache before it is kept', async () => {
    const trust = await load();
    expect(readdirSync(folder)).not.toContain('cache');
    await trust.keep();
    expect([...readKeptMetadata(keptPath()).keys()].sort()).toEqual(WHOLE_SET);
  });

  test('of which nothing is there is refused', async () => {
    server.fail(/./, fault.status(404), Infinity);
    await expectUnavailable(load());
  });

  test('that does not answer is refused', async () => {
    await server.stop();
    await expectUnavailable(load());
  });

  test.each(['', '{}', '<html>'])('whose initial root is %j is refused', async (root) => {
    await expectUnavailable(load(source({ root: Buffer.from(root) })));
  });

  test('is refused by the initial root of another', async () => {
    await expectUnavailable(load(source({ root: repositoryOf(genuine).rootJson })));
  });

  test('without the target is refused', async () => {
    tuf.publish({ targets: { 'other.json': genuine } });
    await expectUnavailable(load());
  });

  test('whose target is another than its metadata says is refused', async () => {
    const name = [...tuf.files.keys()].find((path) => path.endsWith('trusted_root.json')) ?? '';
    tuf.files.set(name, evil);
    await expectUnavailable(load());
  });

  test('whose target is no trusted root is refused', async () => {
    tuf.publish({ targets: { 'trusted_root.json': Buffer.from('<html>') } });
    await expectUnavailable(load());
  });

  test.each<OnlineRole>(['timestamp', 'snapshot', 'targets'])(
    'whose %s is by a key that its root does not name is refused',
    async (role) => {
      tuf.publish({ foreignKey: [role] });
      await expectUnavailable(load());
    },
  );

  test.each<OnlineRole>(['timestamp', 'snapshot', 'targets'])(
    'whose %s has expired is refused, and accepted when it is renewed',
    async (role) => {
      tuf.publish({ expires: { [role]: PAST } });
      await expectUnavailable(load());
      tuf.publish({ expires: { [role]: FUTURE } });
      await expectGenuine(load());
    },
  );

  test('whose root has expired is refused, and accepted when it is renewed', async () => {
    tuf.renewRoot(PAST);
    await expectUnavailable(load());
    tuf.renewRoot(FUTURE);
    await expectGenuine(load());
  });

  test('gives up when the run ends, and does not blame the repository', async () => {
    const aborted = httpClient(AbortSignal.abort());
    await expect(loadTrustRoot(source(), aborted)).rejects.not.toMatchObject({
      code: 'TRUST_ROOT_UNAVAILABLE',
    });
  });
});

describe('a root that was rotated', () => {
  test('is followed', async () => {
    tuf.rotateRoot();
    tuf.rotateRoot();
    await expectGenuine(load());
    expect(server.requestsFor('/3.root.json')).toHaveLength(1);
  });

  test('is followed to new keys of the other roles', async () => {
    tuf.rotateOnlineKeys();
    await expectGenuine(load());
  });

  test.each<[string, RotateOptions]>([
    ['by the old key alone', { signedBy: 'old' }],
    ['by the new key alone', { signedBy: 'new' }],
    ['by a key that nobody knows', { signedBy: 'foreign' }],
    ['under a version that is not the next one', { version: 7 }],
    ['under the same version', { version: 1 }],
  ])('%s is refused', async (_, options) => {
    tuf.rotateRoot(options);
    await expectUnavailable(load());
  });

  test('cannot be hidden by not answering', async () => {
    tuf.rotateRoot();
    server.fail('/2.root.json', fault.reset(), Infinity);
    await expectUnavailable(load());
    server.reset();
    await expectGenuine(load());
  });

  test('is followed after a cache that knows the old one has expired', async () => {
    await warmUp();
    damage();
    tuf.rotateOnlineKeys();
    await expectGenuine(load());
  });

  test('is kept, one version after the other', async () => {
    tuf.rotateRoot();
    tuf.rotateOnlineKeys();
    await warmUp();
    const kept = readKeptMetadata(keptPath());
    expect([...kept.keys()].sort()).toEqual(['2.root.json', '3.root.json', ...WHOLE_SET]);
    await server.stop();
    await expectGenuine(load());
    changeKeptMetadata(keptPath(), '2.root.json', undefined);
    await expectUnavailable(load());
  });
});

describe('the cache', () => {
  test('that is fresh is used, without any request', async () => {
    await warmUp();
    const trust = await expectGenuine(load());
    expect(server.requests).toEqual([]);
    expect(trust.origin).toContain('still fresh');
  });

  test('that is fresh is used when the repository is not there', async () => {
    await warmUp();
    await server.stop();
    await expectGenuine(load());
  });

  test('is not that of another initial root, or of another mirror', async () => {
    await warmUp();
    const other = repositoryOf(evil);
    await expectUnavailable(load(source({ root: other.rootJson })));
    server.reset();
    await expectGenuine(load(source({ mirror: new URL(`${server.url}/.`) })));
    const mirror = await LoopbackServer.start(tuf.handler);
    await expectGenuine(load(source({ mirror: new URL(mirror.url) })));
    expect(mirror.requests).not.toEqual([]);
    await mirror.stop();
  });

  test('holds what the last run has kept, and nothing older', async () => {
    await warmUp();
    const before = readKeptMetadata(keptPath());
    damage();
    tuf.publish();
    await warmUp();
    const after = readKeptMetadata(keptPath());
    expect([...after.keys()].sort()).toEqual(WHOLE_SET);
    for (const name of ['timestamp.json', 'snapshot.json', 'targets.json']) {
      expect(after.get(name)).not.toEqual(before.get(name));
    }
    expect(after).toEqual(metadataToKeep(tuf));
  });

  describe.each<Role | 'nothing'>(['nothing', 'timestamp', 'snapshot', 'targets', 'root'])(
    'when the repository refreshed %s',
    (role) => {
      test.each(WHOLE_SET)('and %s is damaged or gone, is replaced', async (name) => {
        await warmUp();
        for (const bytes of [Buffer.from('{}'), undefined]) {
          changeKeptMetadata(keptPath(), name, bytes);
          if (role !== 'nothing') tuf.refresh(role);
          await warmUp();
          await expectGenuine(load());
          expect(server.requests).toEqual([]);
          expect(readKeptMetadata(keptPath())).toEqual(metadataToKeep(tuf));
        }
      });
    },
  );

  test('whose target is another one is not used', async () => {
    await warmUp();
    changeKeptMetadata(keptPath(), 'trusted_root.json', evil);
    await expectGenuine(load());
    expect(server.requests).not.toEqual([]);
  });

  test('whose metadata has expired is not used', async () => {
    await warmUp();
    // Genuine in every part: what was kept when it was still fresh.
    tuf.publish({ expires: { timestamp: PAST } });
    plant(tuf);
    tuf.publish({ expires: { timestamp: FUTURE } });
    await expectGenuine(load());
    expect(server.requests).not.toEqual([]);
  });

  test('whose trusted root is genuine and fresh, but no longer accepted, is not used', async () => {
    await warmUp();
    tuf.publish({ targets: { 'trusted_root.json': Buffer.from('{}') } });
    plant(tuf);
    tuf.publish({ targets: { 'trusted_root.json': genuine } });
    await expectGenuine(load());
    expect(server.requests).not.toEqual([]);
  });

  /** Puts all that a repository serves into the cache, as somebody who can write there would. */
  function plant(repository: TufRepository): void {
    writeKeptMetadata(keptPath(), metadataToKeep(repository));
  }

  test('with the metadata of somebody else gains nothing', async () => {
    await warmUp();
    const theirs = repositoryOf(evil);
    theirs.rotateRoot();
    plant(theirs);
    await expectGenuine(load());
    await server.stop();
    await expectUnavailable(load());
  });

  test('with a root that somebody else rotated gains nothing', async () => {
    await warmUp();
    const theirs = repositoryOf(evil);
    theirs.rotateRoot({ signedBy: 'foreign' });
    const kept = readKeptMetadata(keptPath());
    kept.set('2.root.json', theirs.files.get('2.root.json') ?? Buffer.alloc(0));
    writeKeptMetadata(keptPath(), kept);
    await expectGenuine(load());
  });

  test.each(['timestamp.json', 'snapshot.json'])(
    'with a %s by somebody else gains nothing, and is replaced',
    async (name) => {
      await warmUp();
      const theirs = repositoryOf(evil);
      theirs.publish();
      changeKeptMetadata(keptPath(), name, metadataToKeep(theirs).get(name));
      await warmUp();
      await server.stop();
      await expectGenuine(load());
    },
  );

  const UNREADABLE: [string, (path: string) => void][] = [
    ['empty', (path) => writeFileSync(path, '')],
    ['cut off', (path) => writeFileSync(path, readFileSync(path).subarray(0, 5000))],
    ['HTML', (path) => writeFileSync(path, '<html>')],
    ...['{}', 'null', '[]', '7', '"text"', '{"timestamp.json":{"toString":1}}'].map(
      (text): [string, (path: string) => void] => [text, (path) => writeFileSync(path, text)],
    ),
    ['not UTF-8', (path) => writeFileSync(path, Buffer.alloc(64, 0xff))],
    ['huge', (path) => truncateSync(path, 1 << 30)],
    ['nested deeply', (path) => writeFileSync(path, '['.repeat(1 << 20))],
    ['gone', (path) => rmSync(path)],
  ];

  test.each(UNREADABLE)('that is %s is replaced', async (_, write) => {
    await warmUp();
    write(keptPath());
    await expectGenuine(load());
    expect(server.requests).not.toEqual([]);
    await warmUp();
    await expectGenuine(load());
    expect(server.requests).toEqual([]);
  });

  test('whose timestamp is longer than a client would fetch is not used', async () => {
    await warmUp();
    const genuineTimestamp = tuf.files.get('timestamp.json') ?? Buffer.alloc(0);
    for (const [size, isUsed] of [
      [16384, true],
      [16385, false],
    ] as const) {
      const padded = Buffer.alloc(size, ' ');
      genuineTimestamp.copy(padded);
      changeKeptMetadata(keptPath(), 'timestamp.json', padded);
      await expectGenuine(load());
      expect(server.requests.length === 0).toBe(isUsed);
    }
  });

  test('that is a folder is not used', async () => {
    await warmUp();
    const path = keptPath();
    rmSync(path);
    mkdirSync(join(path, 'folder'), { recursive: true });
    await expectGenuine(load());
    expect(server.requests).not.toEqual([]);
  });

  test('gets no file that is left over when it cannot be written', async () => {
    await warmUp();
    const path = keptPath();
    rmSync(path);
    mkdirSync(join(path, 'folder'), { recursive: true });
    const trust = await expectGenuine(load());
    await expect(trust.keep()).rejects.toThrow();
    expect(readdirSync(join(folder, 'cache'))).toEqual([basename(path)]);
  });

  test('keeps what is not ours', async () => {
    await warmUp();
    const notes = join(folder, 'cache', 'notes.txt');
    const path = keptPath();
    writeFileSync(notes, 'not ours');
    changeKeptMetadata(path, 'targets.json', undefined);
    await warmUp();
    expect(readFileSync(notes, 'utf8')).toBe('not ours');
  });

  test('refuses a repository that was rolled back behind what it has seen', async () => {
    tuf.publish();
    await warmUp();
    damage();
    await expectGenuine(load());
    tuf.rollBackTo(1);
    await expectUnavailable(load());
    rmSync(keptPath());
    await expectGenuine(load()); // Who has seen nothing cannot know.
  });

  test('refuses a snapshot that rolls targets back behind what it has seen', async () => {
    tuf.publish();
    await warmUp();
    damage();
    tuf.refresh('snapshot');
    await expectGenuine(load());
    tuf.rollBackTargetsTo(1);
    await expectUnavailable(load());
    rmSync(keptPath());
    await expectGenuine(load());
  });

  test.each(['timestamp', 'snapshot', 'targets'] as const)(
    'refuses a rollback also after a refresh of the %s',
    async (role) => {
      await warmUp();
      damage();
      tuf.refresh(role);
      await warmUp();
      damage();
      tuf.rollBackTo(1);
      await expectUnavailable(load());
    },
  );
});

describe('two runs at once', () => {
  test('leave the newer set, whichever ends first', async () => {
    const older = await load();
    tuf.publish();
    const newer = await load();
    await newer.keep();
    await older.keep();
    expect(readKeptMetadata(keptPath())).toEqual(metadataToKeep(tuf));
    rmSync(keptPath());
    await older.keep();
    await newer.keep();
    expect(readKeptMetadata(keptPath())).toEqual(metadataToKeep(tuf));
  });

  test('leave a whole set, whatever the repository refreshes in between', async () => {
    await warmUp();
    for (const role of ['timestamp', 'snapshot', 'targets', 'root'] as const) {
      damage();
      const before = await Promise.all([load(), load(), load()]);
      tuf.refresh(role);
      const after = await Promise.all([load(), load(), load()]);
      await Promise.all([...after, ...before].map((trust) => trust.keep()));
      server.reset();
      await expectGenuine(load());
      expect(server.requests).toEqual([]);
      expect(readdirSync(join(folder, 'cache'))).toHaveLength(1);
    }
  });
});

describe('a file', () => {
  const fromFile = (content: Buffer | string): Promise<TrustRoot> => {
    return load({ kind: 'file', path: 'trusted_root.json', json: Buffer.from(content) });
  };

  test('gives the trust root', async () => {
    const trust = await expectGenuine(fromFile(genuine));
    await trust.keep();
    expect(server.requests).toEqual([]);
  });

  test.each(['', '<html>', 'null', '[]', '7', '{}'])('that holds %j is refused', async (text) => {
    await expectUnavailable(fromFile(text));
  });

  test.each(['certificateAuthorities', 'tlogs'] as const)('without %s is refused', async (name) => {
    await expectUnavailable(fromFile(JSON.stringify({ ...world.trustedRoot(), [name]: [] })));
  });

  const LOGS = ['tlogs', 'ctlogs'] as const;
  const AUTHORITIES = ['certificateAuthorities', 'timestampAuthorities'] as const;
  /** What may be in place of a time: protobuf's JSON has RFC 3339 and null, which is as good as nothing. */
  const NO_TIMES: unknown[] = [
    ...[{}, [], 0, true, '', 'yesterday', '1', '2001', 'Jan 1 2001', '2001-01-01'],
    ...['2001-01-01T00:00:00', '2001-01-01 00:00:00Z', '2001-02-29T00:00:00Z'],
    ...[
      '2001-01-01T24:00:00Z',
      '2001-01-01T00:60:00Z',
      '2001-01-01T00:00:00+24:00',
      '2001-01-01T00:00:00.Z',
      '2001-13-01T00:00:00Z',
      '2001-01-01T00:00Z',
    ],
  ];

  // cosign 3.1.3: "tlog missing public key validity period start time", "tlog missing public key validity period", for
  // both kinds of logs (sigstore-go, pkg/root/trusted_root.go, ParseTransparencyLogs).
  test.each(LOGS)('whose %s have no start of validity is refused', async (list) => {
    for (const index of [0, 1]) {
      for (const validFor of [{ start: null }, {}, null, undefined]) {
        const root = world.trustedRoot();
        const { publicKey } = root[list][index] ?? fail();
        Object.assign(publicKey, { validFor });
        await expectUnavailable(fromFile(JSON.stringify(root)));
        Object.assign(publicKey, { validFor: { start: '1970-01-01T00:00:00Z' } });
        await expectGenuine(fromFile(JSON.stringify(root)));
      }
    }
  });

  test('says which log has no start of validity', async () => {
    const root = world.trustedRoot();
    Object.assign(root.ctlogs[1] ?? fail(), {
      publicKey: { ...root.ctlogs[1]?.publicKey, validFor: {} },
    });
    const loading = fromFile(JSON.stringify(root));
    await expect(loading).rejects.toThrow('ctlogs[1].publicKey.validFor.start is missing');
  });

  test('whose log key has no start of validity is refused: from sigstore-conformance', async () => {
    const path = new URL(
      '../../../fixtures/trusted-root-without-start/trusted_root.json',
      import.meta.url,
    );
    const json = readFileSync(fileURLToPath(path), 'utf8');
    await expectUnavailable(fromFile(json));
    const whole = json.replace('"validFor": {}', '"validFor": { "start": "2025-09-01T00:00:00Z" }');
    expect(whole).not.toBe(json);
    expect((await fromFile(whole)).material.tlogs).toHaveLength(2);
  });

  // cosign 3.1.3 accepts these, and "cosign trusted-root create" calls their start optional: certificates have a
  // validity of their own (sigstore-go, ParseCertificateAuthority and ParseTimestampingAuthority).
  test.each(AUTHORITIES)('whose %s have no start of validity is accepted', async (list) => {
    for (const validFor of [{ start: null }, {}, null, undefined]) {
      const root = world.trustedRoot();
      Object.assign(root[list][1] ?? fail(), { validFor });
      await expectGenuine(fromFile(JSON.stringify(root)));
    }
  });

  test.each(NO_TIMES)('with %j in place of a time is refused', async (time) => {
    for (const list of AUTHORITIES) {
      for (const name of ['start', 'end']) {
        const root = world.trustedRoot();
        Object.assign(root[list][1]?.validFor ?? fail(), { [name]: time });
        await expectUnavailable(fromFile(JSON.stringify(root)));
      }
    }
    for (const list of LOGS) {
      for (const name of ['start', 'end']) {
        const root = world.trustedRoot();
        Object.assign(root[list][1]?.publicKey.validFor ?? fail(), { [name]: time });
        await expectUnavailable(fromFile(JSON.stringify(root)));
      }
    }
  });

  test.each([
    '2000-02-29T23:59:59Z',
    '2001-01-01T00:00:00.123456789Z',
    '2001-01-31T00:00:00+01:30',
  ])('with the time %s is accepted', async (start) => {
    const root = world.trustedRoot();
    Object.assign(root.tlogs[0]?.publicKey.validFor ?? fail(), { start });
    await expectGenuine(fromFile(JSON.stringify(root)));
  });

  // cosign 3.1.3 refuses each of these: "unsupported TrustedRoot media type", "unsupported tlog hash algorithm",
  // "unsupported tlog public key type", "tlog public key is not ECDSA", "tlog missing log ID" (sigstore-go,
  // pkg/root/trusted_root.go). Of two logs with one ID, it silently takes the last.
  test.each<[string, (root: TrustedRootJson) => void]>([
    ['without media type', (root) => Reflect.deleteProperty(root, 'mediaType')],
    ['with another media type', (root) => Object.assign(root, { mediaType: 'application/json' })],
    [
      'of a later version',
      (root) => Object.assign(root, { mediaType: root.mediaType.replace('0.1', '0.2') }),
    ],
    [
      'with a field in snake case',
      ({ certificateAuthorities: [authority] }) => {
        Object.assign(authority ?? fail(), { valid_for: { end: '2001-01-01T00:00:00Z' } });
      },
    ],
    ...LOGS.flatMap((list): [string, (root: TrustedRootJson) => void][] => [
      [
        `with ${list} without hash algorithm`,
        (root) => Reflect.deleteProperty(root[list][0] ?? fail(), 'hashAlgorithm'),
      ],
      [
        `with ${list} with another hash algorithm`,
        (root) => Object.assign(root[list][0] ?? fail(), { hashAlgorithm: 'SHA2_512' }),
      ],
      [
        `with ${list} without key details`,
        (root) => Reflect.deleteProperty(root[list][0]?.publicKey ?? fail(), 'keyDetails'),
      ],
      ...[
        'PKIX_ED25519',
        'PKCS1_RSA_PKCS1V5',
        'PKIX_ECDSA_P384_SHA_256',
        'PKIX_RSA_PSS_2048_SHA256',
      ].map((keyDetails): [string, (root: TrustedRootJson) => void] => [
        `with ${list} with an ECDSA key and ${keyDetails}`,
        (root) => Object.assign(root[list][0]?.publicKey ?? fail(), { keyDetails }),
      ]),
      [
        `with ${list} without ID`,
        (root) => Reflect.deleteProperty(root[list][0] ?? fail(), 'logId'),
      ],
      [
        `with ${list} without ID, but with one for the checkpoint`,
        (root) => {
          const log = root[list][0] ?? fail();
          Object.assign(log, { checkpointKeyId: log.logId, logId: { keyId: '' } });
        },
      ],
      [
        `with ${list} of which two have one ID`,
        (root) => {
          const [first, second] = [root[list][0] ?? fail(), root[list][1] ?? fail()];
          root[list].push({ ...first, logId: second.logId });
          root[list].splice(0, 1);
        },
      ],
      [
        `with ${list} of which two have one ID, and one has another for the checkpoint`,
        (root) => {
          const first = root[list][0] ?? fail();
          const checkpointKeyId = { keyId: Buffer.alloc(32).toString('base64') };
          root[list].push({ ...first, ...{ checkpointKeyId } });
        },
      ],
      [
        `with ${list} of which two have one ID for the checkpoint`,
        (root) => Object.assign(root[list][0] ?? fail(), { checkpointKeyId: root[list][1]?.logId }),
      ],
    ]),
  ])('%s is refused', async (_, change) => {
    const root = world.trustedRoot();
    await expectGenuine(fromFile(JSON.stringify(root)));
    change(root);
    await expectUnavailable(fromFile(JSON.stringify(root)));
  });

  test.each<[string, (json: string) => string | Buffer]>([
    ['a member twice', (json) => json.replace('{', '{"tlogs":[],')],
    ['a byte order mark', (json) => `\ufeff${json}`],
    [
      'a byte that is not UTF-8',
      (json) => Buffer.from(json.replace('"sigstore"', '"\u00ff"'), 'latin1'),
    ],
  ])('with %s is refused', async (_, change) => {
    await expectUnavailable(fromFile(change(genuine.toString())));
  });

  // Fields that a later version adds, and the number in place of the name of an algorithm.
  test.each<[string, (root: TrustedRootJson) => void]>([
    ['an unknown field', (root) => Object.assign(root, { somethingNew: {} })],
    [
      'numbers of algorithms',
      ({ tlogs: [log] }) => {
        Object.assign(log ?? fail(), { hashAlgorithm: 1 });
        Object.assign(log?.publicKey ?? fail(), { keyDetails: 5 });
      },
    ],
  ])('with %s is accepted', async (_, change) => {
    const root = world.trustedRoot();
    change(root);
    await expectGenuine(fromFile(JSON.stringify(root)));
  });

  test('of a megabyte is accepted, and one byte more is refused', async () => {
    const limit = 1 << 20;
    const padded = Buffer.concat([genuine, Buffer.alloc(limit - genuine.length, ' ')]);
    await expectGenuine(fromFile(padded));
    await expectUnavailable(fromFile(Buffer.concat([padded, Buffer.from(' ')])));
  });
});

describe('the embedded copy', () => {
  test("is that of Sigstore's public instance", async () => {
    const root = await load({ kind: 'embedded' });
    const { material } = root;
    const publicLog = Buffer.from(
      'c0d23d6ad406973f9559f3ba2d1ca01f84147d8ffc5b8445c224f98b9591801d',
      'hex',
    );
    expect(material.tlogs.some(({ logID }) => logID.equals(publicLog))).toBe(true);
    expect(material.certificateAuthorities).toHaveLength(2);
    expect(knows(root, world.log)).toBe(false);
    const again = parseTrustedRoot(root.json);
    expect(again.tlogs.map(({ logID }) => logID)).toEqual(material.tlogs.map(({ logID }) => logID));
  });
});

test('parseTrustedRoot reads what the world writes', () => {
  expect(parseTrustedRoot(genuine).tlogs).toHaveLength(3);
});
