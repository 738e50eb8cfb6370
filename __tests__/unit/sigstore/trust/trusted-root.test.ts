import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import {
  loadTrustRoot,
  parseTrustedRoot,
  type TrustRoot,
  type TrustRootSource,
} from '../../../../src/sigstore/trust/trusted-root.js';
import {
  DAY,
  fault,
  filesBelow,
  LoopbackServer,
  TransparencyLog,
  TufRepository,
  World,
  type OnlineRole,
  type RotateOptions,
} from '../../../support/index.js';
import { codeOfRejection } from '../errors.js';
import { httpClient } from '../http-client.js';

const PAST = new Date(Date.now() - DAY);
const FUTURE = new Date(Date.now() + 30 * DAY);

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

/** The one folder in which the metadata of one repository is kept. */
function cacheFolder(): string {
  const cache = join(folder, 'cache');
  const [name = 'none'] = readdirSync(cache);
  return join(cache, name);
}

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
    expect(filesBelow(cacheFolder())).toContain('timestamp.json');
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
    rmSync(join(cacheFolder(), 'timestamp.json'));
    tuf.rotateOnlineKeys();
    await expectGenuine(load());
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
    const before = filesBelow(cacheFolder());
    rmSync(join(cacheFolder(), 'timestamp.json'));
    tuf.publish();
    await warmUp();
    const after = filesBelow(cacheFolder());
    expect(before).toContain('1.snapshot.json');
    expect(after).toContain('2.snapshot.json');
    expect(after).not.toContain('1.snapshot.json');
  });

  test('loses old metadata, and nothing that another run is writing', async () => {
    await warmUp();
    writeFileSync(join(cacheFolder(), '.partial'), '');
    writeFileSync(join(cacheFolder(), '0.targets.json'), '');
    rmSync(join(cacheFolder(), 'timestamp.json'));
    await warmUp();
    expect(filesBelow(cacheFolder())).toContain('.partial');
    expect(filesBelow(cacheFolder())).not.toContain('0.targets.json');
  });

  test.each(['timestamp.json', '1.snapshot.json', '1.targets.json'])(
    'of which %s is damaged or gone is not used',
    async (name) => {
      await warmUp();
      writeFileSync(join(cacheFolder(), name), '{}');
      await expectGenuine(load());
      rmSync(join(cacheFolder(), name));
      await expectGenuine(load());
      expect(server.requestsFor('/timestamp.json')).toHaveLength(2);
    },
  );

  test('whose target is another one is not used', async () => {
    await warmUp();
    const target = readdirSync(cacheFolder()).find((name) => name.endsWith('trusted_root.json'));
    writeFileSync(join(cacheFolder(), target ?? ''), evil);
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

  /** Puts all that a repository serves into the cache, as somebody who can write there would. */
  function plant(repository: TufRepository): void {
    for (const [name, bytes] of repository.files) {
      writeFileSync(join(cacheFolder(), encodeURIComponent(name)), bytes);
    }
    const snapshot = repository.files.get(`${repository.version}.snapshot.json`);
    writeFileSync(join(cacheFolder(), 'snapshot.json'), snapshot ?? '');
    writeFileSync(join(cacheFolder(), 'root.json'), repository.rootJson);
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
    const root = theirs.files.get('2.root.json') ?? Buffer.alloc(0);
    writeFileSync(join(cacheFolder(), '2.root.json'), root);
    await expectGenuine(load());
  });

  test('with a timestamp by somebody else gains nothing', async () => {
    await warmUp();
    const theirs = repositoryOf(evil);
    theirs.publish();
    const timestamp = theirs.files.get('timestamp.json') ?? Buffer.alloc(0);
    writeFileSync(join(cacheFolder(), 'timestamp.json'), timestamp);
    await expectGenuine(load());
  });

  test('with a folder, or a huge file, for its timestamp gains nothing', async () => {
    await warmUp();
    writeFileSync(join(cacheFolder(), 'timestamp.json'), Buffer.alloc(3 << 20, ' '));
    await expectGenuine(load());
    rmSync(join(cacheFolder(), 'timestamp.json'));
    mkdirSync(join(cacheFolder(), 'timestamp.json', 'folder'), { recursive: true });
    await expectGenuine(load());
  });

  test('refuses a repository that was rolled back behind what it has seen', async () => {
    tuf.publish();
    await warmUp();
    rmSync(join(cacheFolder(), '2.targets.json')); // So that it is not enough by itself.
    await expectGenuine(load());
    tuf.rollBackTo(1);
    await expectUnavailable(load());
    rmSync(cacheFolder(), { recursive: true });
    await expectGenuine(load()); // Who has seen nothing cannot know.
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

  test('of a megabyte is accepted, and one byte more is refused', async () => {
    const limit = 1 << 20;
    const padded = Buffer.concat([genuine, Buffer.alloc(limit - genuine.length, ' ')]);
    await expectGenuine(fromFile(padded));
    await expectUnavailable(fromFile(Buffer.concat([padded, Buffer.from(' ')])));
  });
});

describe('the embedded copy', () => {
  test("is that of Sigstore's public instance", async () => {
    const { material } = await load({ kind: 'embedded' });
    const publicLog = Buffer.from(
      'c0d23d6ad406973f9559f3ba2d1ca01f84147d8ffc5b8445c224f98b9591801d',
      'hex',
    );
    expect(material.tlogs.some(({ logID }) => logID.equals(publicLog))).toBe(true);
    expect(material.certificateAuthorities).toHaveLength(2);
    expect(knows({ material, origin: '', keep: async () => {} }, world.log)).toBe(false);
  });
});

test('parseTrustedRoot reads what the world writes', () => {
  expect(parseTrustedRoot(genuine).tlogs).toHaveLength(3);
});
