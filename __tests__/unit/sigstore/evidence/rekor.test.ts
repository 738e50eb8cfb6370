import { createHash } from 'node:crypto';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import {
  TransparencyLog,
  checkEntryId,
  parseLogEntries,
} from '../../../../src/sigstore/evidence/rekor.js';
import {
  DAY,
  fault,
  forgery,
  World,
  type AnsweredEntry,
  type LogEntry,
} from '../../../support/index.js';
import { codeOf, codeOfRejection } from '../errors.js';
import { httpClient } from '../http-client.js';

const artifact = Buffer.from('an artifact');
const digest = createHash('sha256').update(artifact).digest('hex');

let world: World;
let entry: LogEntry;
let log: TransparencyLog;

beforeAll(async () => {
  world = await World.start();
  const logged = world.release.signAndLog(artifact).entry;
  if (logged === undefined) throw new Error('not logged');
  entry = logged;
});

beforeEach(() => {
  // A new one, because it remembers answers.
  log = new TransparencyLog(httpClient(), new URL(`${world.logServer.url}/`));
  world.reset();
  world.log.index.clear();
  world.log.index.set(digest, [entry.uuid]);
});

afterAll(() => world.stop());

function answered(): AnsweredEntry {
  const [answer] = Object.values(world.log.answer(entry.uuid) ?? {});
  if (answer === undefined) throw new Error('no answer');
  return answer;
}

const parse = (value: unknown): ReturnType<typeof parseLogEntries> =>
  parseLogEntries(Buffer.from(JSON.stringify(value)));

/** The genuine answer with another value at a path of names; `undefined` takes it away. */
function changed(path: string, value: unknown): unknown {
  const answer = structuredClone(answered());
  const names = path.split('.');
  const last = names.pop() ?? '';
  const parent = names.reduce<unknown>((at, name) => Reflect.get(at as object, name), answer);
  Reflect.set(parent as object, last, value);
  return { [entry.uuid]: answer };
}

const PROOF = 'verification.inclusionProof';

describe('parseLogEntries', () => {
  test('reads an answer of the log', () => {
    const answer = answered();
    const proof = answer.verification?.inclusionProof;
    expect(parse({ [entry.uuid]: answer })).toEqual([
      {
        uuid: entry.uuid,
        body: entry.body,
        integratedTime: answer.integratedTime,
        logId: world.log.logId,
        logIndex: entry.logIndex,
        signedEntryTimestamp: Buffer.from(
          answer.verification?.signedEntryTimestamp ?? '',
          'base64',
        ),
        inclusionProof: {
          logIndex: entry.index,
          treeSize: world.log.tree.size,
          rootHash: world.log.tree.root(),
          hashes: world.log.tree.inclusionProof(entry.index),
          checkpoint: proof?.checkpoint,
        },
      },
    ]);
  });

  test('reads a list of answers, and an id without the tree id', () => {
    const answer = answered();
    const uuid = entry.uuid.slice(-64);
    const uuids = parse([{ [entry.uuid]: answer }, { [uuid]: answer }]).map((read) => read.uuid);
    expect(uuids).toEqual([entry.uuid, uuid]);
  });

  test('reads nothing from an empty answer', () => {
    expect(parse([])).toEqual([]);
    expect(parse({})).toEqual([]);
  });

  test('accepts a proof of 64 hashes', () => {
    const hashes = Array<string>(64).fill(digest);
    expect(parse(changed(`${PROOF}.hashes`, hashes))).toHaveLength(1);
  });

  test.each<[string, unknown]>([
    ['body', undefined],
    ['body', ''],
    ['body', '*'],
    ['body', 7],
    ['integratedTime', undefined],
    ['integratedTime', '1'],
    ['integratedTime', -1],
    ['integratedTime', 1.5],
    ['integratedTime', 1e300],
    ['logID', undefined],
    ['logID', 'c0d2'],
    ['logID', digest.toUpperCase()],
    ['logIndex', null],
    ['logIndex', -1],
    ['verification', undefined],
    ['verification', null],
    ['verification', []],
    ['verification.signedEntryTimestamp', undefined],
    ['verification.signedEntryTimestamp', ''],
    ['verification.signedEntryTimestamp', 'not base64'],
    [PROOF, undefined],
    [PROOF, []],
    [`${PROOF}.checkpoint`, undefined],
    [`${PROOF}.checkpoint`, ''],
    [`${PROOF}.hashes`, undefined],
    [`${PROOF}.hashes`, {}],
    [`${PROOF}.hashes`, ['']],
    [`${PROOF}.hashes`, ['00']],
    [`${PROOF}.hashes`, Array<string>(65).fill(digest)],
    [`${PROOF}.logIndex`, '1'],
    [`${PROOF}.rootHash`, `${digest}00`],
    [`${PROOF}.treeSize`, -1],
  ])('refuses an entry whose %s is %j', (path, value) => {
    expect(codeOf(() => parse(changed(path, value)))).toBe('LOG_ENTRY_INVALID');
  });

  test.each(['', '<html>', 'null', '7', '"text"', '[[]]', '{"id":null}', '{"id":[]}'])(
    'refuses %j',
    (text) => {
      expect(codeOf(() => parseLogEntries(Buffer.from(text)))).toBe('LOG_ENTRY_INVALID');
    },
  );

  test('refuses an entry under another id', () => {
    const id = `${entry.uuid.slice(0, -1)}${entry.uuid.endsWith('0') ? '1' : '0'}`;
    expect(codeOf(() => parse({ [id]: answered() }))).toBe('LOG_ENTRY_INVALID');
  });
});

describe('checkEntryId', () => {
  test.each<[string, (uuid: string) => string]>([
    ['80 digits', (uuid) => uuid],
    ['64 digits', (uuid) => uuid.slice(-64)],
    ['80 digits of another tree', (uuid) => `0123456789abcdef${uuid.slice(-64)}`],
  ])('accepts %s', (_, id) => {
    expect(codeOf(() => checkEntryId(id(entry.uuid), entry.body))).toBeUndefined();
  });

  test.each<[string, (uuid: string) => string]>([
    ['nothing', () => ''],
    ['another leaf hash', () => digest],
    ['capital letters', (uuid) => uuid.toUpperCase()],
    ['something in front', (uuid) => `x${uuid}`],
    ['something behind', (uuid) => `${uuid}\n`],
    ['half a tree id', (uuid) => uuid.slice(8)],
  ])('refuses %s', (_, id) => {
    expect(codeOf(() => checkEntryId(id(entry.uuid), entry.body))).toBe('LOG_ENTRY_INVALID');
  });

  test('refuses another body', () => {
    const body = Buffer.concat([entry.body, Buffer.from(' ')]);
    expect(codeOf(() => checkEntryId(entry.uuid, body))).toBe('LOG_ENTRY_INVALID');
  });
});

describe('entryByLeafHash', () => {
  test('finds an entry', async () => {
    const found = await log.entryByLeafHash(entry.uuid.slice(-64));
    expect(found?.body).toEqual(entry.body);
  });

  test('finds none where the log has none', async () => {
    expect(await log.entryByLeafHash(digest)).toBeUndefined();
  });

  test('refuses another entry, genuine and under its own id', async () => {
    const other = world.release.signAndLog(Buffer.from('another')).entry;
    world.log.tamper = () => world.log.answer(other?.uuid ?? '') ?? {};
    const asked = log.entryByLeafHash(entry.uuid.slice(-64));
    expect(await codeOfRejection(asked)).toBe('LOG_ENTRY_INVALID');
  });

  test('refuses an entry under the id that was asked for, whose body is another', async () => {
    world.log.tamper = forgery.underAnotherId();
    const asked = log.entryByLeafHash(entry.uuid.slice(-64));
    expect(await codeOfRejection(asked)).toBe('LOG_ENTRY_INVALID');
  });

  test.each([403, 410, 400])('says so when the log answers %i', async (status) => {
    world.logServer.fail(/./, fault.status(status), Infinity);
    const asked = log.entryByLeafHash(entry.uuid.slice(-64));
    expect(await codeOfRejection(asked)).toBe('LOG_UNAVAILABLE');
  });
});

describe('entriesByDigest', () => {
  /** Puts so many entries for one digest into the log; the last one is the earliest. */
  function logMany(count: number): string[] {
    const uuids: string[] = [];
    for (let i = 0; i < count; i++) {
      const integratedTime = new Date(Date.now() - i * DAY);
      uuids.push(world.log.addBody(Buffer.from(`{"n":${i}}`), integratedTime).uuid);
    }
    world.log.index.set(digest, uuids);
    return uuids;
  }

  test('finds the entries, earliest first', async () => {
    const uuids = logMany(13);
    const found = await log.entriesByDigest(digest);
    expect(found.map(({ uuid }) => uuid)).toEqual(uuids.toReversed());
    expect(world.logServer.requestsFor('/retrieve')).toHaveLength(3);
  });

  test('looks at thirty of them, ten at a time', async () => {
    logMany(31);
    expect(await log.entriesByDigest(digest)).toHaveLength(30);
    expect(world.logServer.requestsFor('/log/entries/retrieve')).toHaveLength(3);
  });

  test('finds none where the index has none', async () => {
    expect(await log.entriesByDigest('0'.repeat(64))).toEqual([]);
  });

  // Rekor without index answers 501 (pkg/api/index.go, SearchIndexNotImplementedHandler); 400 and 422 are its answers
  // to a request that it does not understand, 403 is that of a proxy that does not let it through.
  test.each([400, 401, 403, 404, 405, 410, 422, 501])(
    'finds none where the index answers %i',
    async (status) => {
      world.logServer.fail('/index/retrieve', fault.status(status), Infinity);
      expect(await log.entriesByDigest(digest)).toEqual([]);
      expect(world.logServer.requests).toHaveLength(1);
    },
  );

  test.each([405, 410, 501])('says so when the entries answer %i', async (status) => {
    world.logServer.fail('/log/entries/retrieve', fault.status(status), Infinity);
    expect(await codeOfRejection(log.entriesByDigest(digest))).toBe('LOG_UNAVAILABLE');
  });

  test('gives up when the run ends, and does not blame the log', async () => {
    const aborted = httpClient(AbortSignal.abort());
    const ended = new TransparencyLog(aborted, new URL(`${world.logServer.url}/`));
    await expect(ended.entriesByDigest(digest)).rejects.not.toHaveProperty(
      'code',
      'LOG_UNAVAILABLE',
    );
  });

  const nested = JSON.stringify([[digest]]);
  const many = JSON.stringify(Array<string>(4000).fill('0'.repeat(80)));
  test.each<[string, string]>([
    ...['{}', 'null', '7', '[7]', '["../../log"]', '[null]', nested, '<html>', ''].map(
      (text): [string, string] => [text, text],
    ),
    ['more than is read', many],
  ])('finds none where the index answers %s', async (_, text) => {
    world.logServer.fail('/index/retrieve', fault.body(text), Infinity);
    expect(await log.entriesByDigest(digest)).toEqual([]);
    expect(world.logServer.requests).toHaveLength(1);
  });

  test.each([408, 429, 500, 503])('says so when the index answers %i', async (status) => {
    world.logServer.fail('/index/retrieve', fault.status(status), Infinity);
    expect(await codeOfRejection(log.entriesByDigest(digest))).toBe('LOG_UNAVAILABLE');
  });

  test('says so when the index does not answer', async () => {
    world.logServer.fail('/index/retrieve', fault.reset(), Infinity);
    expect(await codeOfRejection(log.entriesByDigest(digest))).toBe('LOG_UNAVAILABLE');
  });

  test('says so when the entries are larger than is read', async () => {
    const large = fault.body(' '.repeat(((10 * 256) << 10) + 1));
    world.logServer.fail('/log/entries/retrieve', large, Infinity);
    expect(await codeOfRejection(log.entriesByDigest(digest))).toBe('LOG_UNAVAILABLE');
  });
});

describe('an answer', () => {
  const hash = (): string => entry.uuid.slice(-64);
  const unknown = '0'.repeat(64);

  test.each<[string, () => Promise<unknown>, number]>([
    ['with an entry', () => log.entryByLeafHash(hash()), 1],
    ['that there is no such entry', () => log.entryByLeafHash(unknown), 1],
    ['with entries for a digest', () => log.entriesByDigest(digest), 2],
    ['that there are none', () => log.entriesByDigest(unknown), 1],
  ])('%s is remembered', async (_, ask, requests) => {
    const [first] = await Promise.all([ask(), ask()]);
    expect(await ask()).toBe(first);
    expect(world.logServer.requests).toHaveLength(requests);
  });

  test('about one thing is no answer about another', async () => {
    expect(await log.entryByLeafHash(unknown)).toBeUndefined();
    expect(await log.entryByLeafHash(hash())).toBeDefined();
    expect(await log.entriesByDigest(unknown)).toEqual([]);
    expect(await log.entriesByDigest(digest)).toHaveLength(1);
  });

  test.each<[string, () => Promise<unknown>]>([
    ['an entry', () => log.entryByLeafHash(hash())],
    ['entries for a digest', () => log.entriesByDigest(digest)],
  ])('that fails is asked for again: %s', async (_, ask) => {
    world.logServer.fail(/./, fault.status(500), 5);
    expect(await codeOfRejection(ask())).toBe('LOG_UNAVAILABLE');
    expect(await codeOfRejection(ask())).toBeUndefined();
  });
});
