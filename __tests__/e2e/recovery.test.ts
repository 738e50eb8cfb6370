import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import {
  DAY,
  World,
  fault,
  type ActionResult,
  type PublishedFile,
  type SignOptions,
  type Signed,
} from '../support/index.js';
import {
  IMPATIENT,
  NATIVE,
  STRANGER,
  expectInstalled,
  expectRefused,
  freshVersions,
  reportOf,
  runIn,
  warningsOf,
} from './expectations.js';

const fresh = freshVersions('1.35');
let world: World;

beforeAll(async () => {
  world = await World.start();
});
afterEach(() => world.reset());
afterAll(() => world.stop());

interface Publication {
  readonly version: string;
  readonly kubectl: PublishedFile;
}

/** A release; `signing` is how its kubectl is signed and logged. */
function publish(signing: SignOptions = {}): Publication {
  const version = fresh();
  world.release.publish({ version, platforms: [NATIVE], signing, sbom: false });
  world.release.putSbom(version);
  return { version, kubectl: world.release.artifact(version, NATIVE, 'kubectl') };
}

const install = (version: string, env: Record<string, string> = {}): Promise<ActionResult> =>
  runIn(world, { version }, { env });

/** Signature and certificate of another signing run, of other bytes. */
function anotherRun(): { sig: string; cert: string } {
  const { signature, certificate } = world.release.signAndLog(Buffer.from('another file'));
  return { sig: signature.toString('base64'), cert: base64(certificate.pem) };
}

const base64 = (text: string): string => Buffer.from(text).toString('base64');

/** Ways to break what was published beside a file; the log is left alone. */
const BROKEN: readonly [string, string, (file: PublishedFile) => void][] = [
  [
    'the certificate of another signing run (v1.35.0 linux/amd64)',
    'SIGNATURE_MISMATCH',
    ({ path }) => world.host.put(`${path}.cert`, anotherRun().cert),
  ],
  [
    'the signature of another signing run',
    'SIGNATURE_MISMATCH',
    ({ path }) => world.host.put(`${path}.sig`, anotherRun().sig),
  ],
  [
    'the pair of another file',
    'SIGNATURE_MISMATCH',
    ({ path }) => {
      const { sig, cert } = anotherRun();
      world.host.put(`${path}.sig`, sig);
      world.host.put(`${path}.cert`, cert);
    },
  ],
  [
    'a signature that cannot be read',
    'SIGNATURE_MALFORMED',
    ({ path }) => world.host.put(`${path}.sig`, '<html>'),
  ],
  [
    'a certificate that cannot be read',
    'SIGNATURE_MALFORMED',
    ({ path }) => world.host.put(`${path}.cert`, '<html>'),
  ],
  ['no pair', 'RELEASE_NOT_SIGNED', (file) => file.removeMaterial()],
  ['no signature', 'RELEASE_NOT_SIGNED', ({ path }) => world.host.remove(`${path}.sig`)],
  ['no certificate', 'RELEASE_NOT_SIGNED', ({ path }) => world.host.remove(`${path}.cert`)],
];

describe('a broken pair without a trust root', () => {
  test.each([
    ['is not blamed on the pair', 503, 'TRUST_ROOT_UNAVAILABLE'],
    ['is recovered when there is one', undefined, undefined],
  ])('%s', async (_, status, code) => {
    const { version, kubectl } = publish();
    const { sig, cert } = anotherRun();
    world.host.put(`${kubectl.path}.sig`, sig);
    world.host.put(`${kubectl.path}.cert`, cert);
    if (status !== undefined) world.tufServer.fail(/./, fault.status(status), Infinity);
    const run = await runIn(world, { version, 'bind-release': 'false' }, { env: IMPATIENT });
    if (code === undefined) expectInstalled(run, { warnings: ['Broken publication'] });
    else expectRefused(run, code);
  });
});

describe('a pair that is replaced while it is being read', () => {
  test.each(['.sig', '.cert'] as const)('%s is old, then new: fetched once more', async (old) => {
    const { version, kubectl } = publish();
    const { sig, cert } = anotherRun();
    const path = `/${kubectl.path}${old}`;
    world.host.server.fail(path, fault.body(old === '.sig' ? sig : cert), 1);
    const run = await install(version);
    expectInstalled(run, { warnings: ['Broken publication'] });
    expect(warningsOf(run)[0]?.message).toContain('the pair from a second download');
    for (const suffix of ['.sig', '.cert']) {
      expect(world.host.server.requestsFor(`/${kubectl.path}${suffix}`)).toHaveLength(2);
    }
    expect(world.log.find(run.outputs['log-entry-uuid'] ?? '')).toBe(kubectl.entry);
    expect(world.logServer.requestsFor(/index\/retrieve/)).toEqual([]);
  });

  test('an unreadable one, then a right one: fetched once more', async () => {
    const { version, kubectl } = publish();
    world.host.server.fail(`/${kubectl.path}.sig`, fault.body('<html>'), 1);
    expectInstalled(await install(version), { warnings: ['Broken publication'] });
    expect(world.logServer.requestsFor(/index\/retrieve/)).toEqual([]);
  });

  test('a pair that stays wrong is fetched twice, and not more', async () => {
    const { version, kubectl } = publish({ log: false });
    world.host.put(`${kubectl.path}.cert`, anotherRun().cert);
    expectRefused(await install(version), 'SIGNATURE_MISMATCH');
    for (const suffix of ['.sig', '.cert']) {
      expect(world.host.server.requestsFor(`/${kubectl.path}${suffix}`)).toHaveLength(2);
    }
  });
});

describe.each(BROKEN)('published with %s', (_, code, spoil) => {
  test('is verified with signature and certificate from the log', async () => {
    const { version, kubectl } = publish();
    spoil(kubectl);
    const run = await install(version);
    expectInstalled(run, { warnings: ['Broken publication'] });
    const said = `verified with the signature and certificate in log entry ${kubectl.entry.uuid}`;
    expect(warningsOf(run)[0]?.message).toContain(said);
    expect(reportOf(run)).toMatchObject({
      recovered: expect.stringContaining(said),
      sha256: kubectl.sha256,
      'log-entry-uuid': kubectl.entry.uuid.slice(-64),
      'release-proof': 'proven by its signed SBOM',
    });
    expect(run.summary).toContain('Broken publication');
  });

  test(`is refused when only a stranger's entry is in the log: ${code}`, async () => {
    const { version, kubectl } = publish({ log: false });
    world.release.signAndLog(kubectl.bytes, STRANGER);
    spoil(kubectl);
    expectRefused(await install(version), code);
  });

  test(`is refused when the log has no entry: ${code}`, async () => {
    const { version, kubectl } = publish({ log: false });
    spoil(kubectl);
    expectRefused(await install(version), code);
  });
});

describe('a pair that verifies, but was never logged', () => {
  test('is replaced by the one that was', async () => {
    const { version, kubectl } = publish({ log: false });
    const { entry } = world.release.signAndLog(kubectl.bytes);
    const run = await install(version);
    expectInstalled(run, { warnings: ['Broken publication'] });
    expect(run.outputs['log-entry-uuid']).toBe(entry?.uuid.slice(-64));
  });

  test('is refused when none was', async () => {
    const { version } = publish({ log: false });
    expectRefused(await install(version), 'LOG_ENTRY_NOT_FOUND');
  });

  test('is refused when only a stranger’s was', async () => {
    const { version, kubectl } = publish({ log: false });
    world.release.signAndLog(kubectl.bytes, STRANGER);
    expectRefused(await install(version), 'LOG_ENTRY_NOT_FOUND');
  });
});

test('a pair by somebody else is refused, though the log holds the right entry', async () => {
  const { version, kubectl } = publish();
  kubectl.sign(STRANGER);
  expectRefused(await install(version), 'IDENTITY_MISMATCH');
});

describe('several entries', () => {
  const daysAgo = (days: number): Date => new Date(Date.now() - days * DAY);
  const sign = (file: PublishedFile, options: SignOptions): Signed =>
    world.release.signAndLog(file.bytes, options);

  test('the earliest one wins, in whatever order the log names them', async () => {
    const { version, kubectl } = publish({ at: daysAgo(10) });
    const earliest = sign(kubectl, { at: daysAgo(20) });
    sign(kubectl, { at: daysAgo(15) });
    kubectl.removeMaterial();
    const run = await install(version);
    expectInstalled(run, { warnings: ['Broken publication'] });
    expect(run.outputs['log-entry-uuid']).toBe(earliest.entry?.uuid.slice(-64));
    expect(run.outputs['integrated-time']).toBe(earliest.entry?.integratedTime.toISOString());
  });

  test('the earliest valid one wins over an earlier one that is not', async () => {
    const { version, kubectl } = publish({ at: daysAgo(10) });
    sign(kubectl, { ...STRANGER, at: daysAgo(20) });
    sign(kubectl, { at: daysAgo(18), integratedTime: daysAgo(17) });
    kubectl.removeMaterial();
    const run = await install(version);
    expectInstalled(run, { warnings: ['Broken publication'] });
    expect(run.outputs['log-entry-uuid']).toBe(kubectl.entry.uuid.slice(-64));
  });

  test.each([
    ['29 strangers first: found', 29, true],
    ['30 strangers first: not found, and no more entries are asked for', 30, false],
  ])('%s', async (_, count, isFound) => {
    const { version, kubectl } = publish();
    const [genuine = ''] = world.log.index.get(kubectl.sha256) ?? [];
    const strangers = Array.from(
      { length: count },
      () => sign(kubectl, { ...STRANGER, at: daysAgo(40) }).entry?.uuid ?? '',
    );
    world.log.index.set(kubectl.sha256, [...strangers, genuine]);
    kubectl.removeMaterial();
    const run = await install(version);
    if (isFound) {
      expectInstalled(run, { warnings: ['Broken publication'] });
    } else {
      expectRefused(run, 'RELEASE_NOT_SIGNED');
    }
    const asked = world.logServer
      .requestsFor(/entries\/retrieve/)
      .map(({ body }) => JSON.parse(body.toString()) as { entryUUIDs: string[] })
      .map(({ entryUUIDs }) => entryUUIDs.length);
    expect(asked).toEqual([10, 10, 10]);
  });

  test('large entries of strangers are no obstacle', async () => {
    const { version, kubectl } = publish();
    const [genuine = ''] = world.log.index.get(kubectl.sha256) ?? [];
    const large = Array.from({ length: 9 }, (_, n) => {
      const body = { apiVersion: '0.0.1', kind: 'intoto', spec: `${n}${'A'.repeat(90_000)}` };
      return world.log.addBody(Buffer.from(JSON.stringify(body))).uuid;
    });
    world.log.index.set(kubectl.sha256, [...large, genuine]);
    kubectl.removeMaterial();
    expectInstalled(await install(version), { warnings: ['Broken publication'] });
  });

  test('an entry for another file does not count', async () => {
    const { version, kubectl } = publish({ log: false });
    const { entry } = world.release.signAndLog(Buffer.from('another file'));
    world.log.index.set(kubectl.sha256, [entry?.uuid ?? '']);
    kubectl.removeMaterial();
    expectRefused(await install(version), 'RELEASE_NOT_SIGNED');
  });
});

describe('while the log is down', () => {
  beforeEach(() => world.logServer.fail(/index|retrieve/, fault.status(503), Infinity));

  test('a wrong pair is still a wrong pair', async () => {
    const { version, kubectl } = publish();
    world.host.put(`${kubectl.path}.cert`, anotherRun().cert);
    expectRefused(await install(version, IMPATIENT), 'SIGNATURE_MISMATCH');
  });

  test('no pair: LOG_UNAVAILABLE', async () => {
    const { version, kubectl } = publish();
    kubectl.removeMaterial();
    expectRefused(await install(version, IMPATIENT), 'LOG_UNAVAILABLE');
  });
});

// Rekor's index is deprecated; a Rekor without it answers 501 (pkg/api/index.go).
describe.each([
  ...[400, 403, 404, 405, 410, 422, 501].map((status) => ({
    answer: `status ${status}`,
    action: fault.status(status),
  })),
  { answer: 'null', action: fault.body('null') },
  {
    answer: '4000 entry IDs',
    action: fault.body(JSON.stringify(Array<string>(4000).fill('0'.repeat(80)))),
  },
])('while the log has no usable index, and answers $answer', ({ action }) => {
  beforeEach(() => world.logServer.fail(/index/, action, Infinity));

  test('a right pair needs none', async () => {
    expectInstalled(await install(publish().version));
  });

  test('a wrong pair is a wrong pair', async () => {
    const { version, kubectl } = publish();
    world.host.put(`${kubectl.path}.cert`, anotherRun().cert);
    expectRefused(await install(version, IMPATIENT), 'SIGNATURE_MISMATCH');
  });

  test('no pair: RELEASE_NOT_SIGNED', async () => {
    const { version, kubectl } = publish();
    kubectl.removeMaterial();
    expectRefused(await install(version, IMPATIENT), 'RELEASE_NOT_SIGNED');
  });

  test('a pair that was never logged: LOG_ENTRY_NOT_FOUND', async () => {
    const { version } = publish({ log: false });
    expectRefused(await install(version, IMPATIENT), 'LOG_ENTRY_NOT_FOUND');
  });
});

describe('the log is asked once for each thing', () => {
  /** Every request at the log, with what it asked for. */
  const asked = (): string[] =>
    world.logServer.requests.map(
      ({ method, path, body }) => `${method} ${path} ${body.toString()}`,
    );

  function expectEachOnce(): void {
    expect(asked()).not.toEqual([]);
    expect(asked().toSorted()).toEqual([...new Set(asked())].toSorted());
  }

  test('about a pair that was never logged', async () => {
    const { version, kubectl } = publish({ log: false });
    expectRefused(await install(version), 'LOG_ENTRY_NOT_FOUND');
    expectEachOnce();
    expect(asked().filter((request) => request.includes(kubectl.sha256))).toHaveLength(1);
  });

  test('about a pair that was never logged, when another one was', async () => {
    const { version, kubectl } = publish({ log: false });
    world.release.signAndLog(kubectl.bytes);
    expectInstalled(await install(version), { warnings: ['Broken publication'] });
    expectEachOnce();
  });

  test('about a pair that does not verify', async () => {
    const { version, kubectl } = publish({ log: false });
    world.host.put(`${kubectl.path}.cert`, anotherRun().cert);
    expectRefused(await install(version), 'SIGNATURE_MISMATCH');
    expectEachOnce();
  });
});
