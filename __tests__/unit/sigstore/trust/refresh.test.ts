import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import {
  afterAll,
  afterEach,
  beforeAll,
  beforeEach,
  describe,
  expect,
  jest,
  test,
} from '@jest/globals';
import { loadTrustRoot, type TrustRoot } from '../../../../src/sigstore/trust/trusted-root.js';
import {
  DAY,
  LoopbackServer,
  TufRepository,
  World,
  type Answer,
  type Role,
} from '../../../support/index.js';
import { codeOfRejection } from '../errors.js';
import { httpClient } from '../http-client.js';

let folder: string;
let server: LoopbackServer;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'refresh-'));
});

afterEach(async () => {
  jest.useRealTimers();
  await server.stop();
  rmSync(folder, { recursive: true, force: true });
});

/** Sets the clock, and leaves every timer alone. */
function setClock(now: Date | number): void {
  jest.useFakeTimers({
    now,
    doNotFake: [
      ...(['hrtime', 'nextTick', 'performance', 'queueMicrotask'] as const),
      ...(['setImmediate', 'clearImmediate', 'setInterval', 'clearInterval'] as const),
      ...(['setTimeout', 'clearTimeout'] as const),
    ],
  });
}

/** Loads as a new run with the same cache would. @param root the initial root; the embedded one unless given */
const load = (root?: Buffer): Promise<TrustRoot> =>
  loadTrustRoot(
    {
      kind: 'tuf',
      mirror: new URL(server.url),
      cache: join(folder, 'cache'),
      scratch: mkdtempSync(join(folder, 'scratch-')),
      ...(root === undefined ? {} : { root }),
    },
    httpClient(),
  );

/** A run that succeeds and keeps its metadata; returns the paths that it asked for. */
async function run(root?: Buffer): Promise<string[]> {
  server.requests.length = 0;
  const trust = await load(root);
  await trust.keep();
  expect(trust.origin.includes('still fresh')).toBe(server.requests.length === 0);
  return server.requests.map(({ path }) => path);
}

// Recorded from https://tuf-repo-cdn.sigstore.dev; see the README there.
describe("Sigstore's public repository, when nothing but the timestamp changes", () => {
  const recorded = (name: string): Buffer =>
    readFileSync(
      fileURLToPath(new URL(`../../../fixtures/tuf-public-good/${name}`, import.meta.url)),
    );
  const BEFORE = new Date('2026-08-11T15:00:00Z');
  const AFTER = new Date('2026-08-22T12:00:00Z');
  let timestamp: string;

  const answer = (path: string): Answer => {
    const name = path === '/timestamp.json' ? timestamp : path.slice(1);
    try {
      return { status: 200, body: recorded(name) };
    } catch {
      return { status: 404 };
    }
  };

  beforeEach(async () => {
    timestamp = 'timestamp.2026-08-11.json';
    server = await LoopbackServer.start(({ path }) => answer(path));
    setClock(BEFORE);
  });

  test.each([
    ['the embedded root', undefined],
    ['the first root of all', recorded('1.root.json')],
  ])('a run without network succeeds after it, from %s', async (_, root) => {
    expect(await run(root)).toContain('/165.snapshot.json');
    expect(await run(root)).toEqual([]);
    timestamp = 'timestamp.2026-08-21.json';
    setClock(AFTER);
    const asked = await run(root);
    expect(asked).toContain('/timestamp.json');
    // The client has it from the first run: the case in which it was lost from the cache.
    expect(asked).not.toContain('/165.snapshot.json');
    expect(await run(root)).toEqual([]);
    await server.stop();
    expect(await run(root)).toEqual([]);
  });

  test('a run without network fails when the new timestamp was never fetched', async () => {
    await run();
    await server.stop();
    expect(await run()).toEqual([]);
    setClock(AFTER);
    expect(await codeOfRejection(load())).toBe('TRUST_ROOT_UNAVAILABLE');
  });
});

describe('when a repository refreshes', () => {
  const ROLES: readonly Role[] = ['timestamp', 'snapshot', 'targets', 'root'];
  let world: World;
  let tuf: TufRepository;

  beforeAll(async () => {
    world = await World.start({ baseEntries: 1 });
  });

  afterAll(() => world.stop());

  beforeEach(async () => {
    const target = Buffer.from(JSON.stringify(world.trustedRoot()));
    tuf = TufRepository.create({ 'trusted_root.json': target });
    server = await LoopbackServer.start(tuf.handler);
  });

  /** What must hold after each run that asked the repository. */
  async function expectWholeSetKept(): Promise<void> {
    expect(await run(tuf.rootJson)).toEqual([]);
    await server.stop();
    expect(await run(tuf.rootJson)).toEqual([]);
    await server.start();
  }

  test.each(ROLES)('%s alone, after the kept timestamp has expired', async (role) => {
    await run(tuf.rootJson);
    setClock(Date.now() + 8 * DAY);
    tuf.refresh(role);
    if (role === 'root') tuf.refresh('timestamp'); // Or nothing could be loaded at all.
    expect(await run(tuf.rootJson)).toContain('/timestamp.json');
    await expectWholeSetKept();
  });

  test('each role in turn, every eighth day', async () => {
    await run(tuf.rootJson);
    const order = [...ROLES, ...ROLES.toReversed(), 'timestamp', 'timestamp'] as const;
    for (const role of order) {
      setClock(Date.now() + 8 * DAY);
      tuf.refresh(role);
      if (role === 'root') tuf.refresh('timestamp');
      expect(await run(tuf.rootJson)).toContain('/timestamp.json');
      await expectWholeSetKept();
    }
  });

  test('nothing, and the kept timestamp has expired, a run is refused', async () => {
    await run(tuf.rootJson);
    setClock(Date.now() + 8 * DAY);
    expect(await codeOfRejection(load(tuf.rootJson))).toBe('TRUST_ROOT_UNAVAILABLE');
  });
});
