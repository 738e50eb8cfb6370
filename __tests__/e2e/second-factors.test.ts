import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DAY, MINUTE, World, type ActionResult, type PublishedFile } from '../support/index.js';
import {
  NATIVE,
  STRANGER,
  expectInstalled,
  expectRefused,
  freshVersions,
  reportOf,
  runIn,
} from './expectations.js';

const VERSION = 'v1.38.0';
const WRONG = 'a'.repeat(64);
const HOUR = 60 * MINUTE;
const fresh = freshVersions('1.39');

let world: World;

beforeAll(async () => {
  const tools = ['kubectl', 'kubeadm', 'kubelet'];
  world = await World.start({ publish: [{ version: VERSION, platforms: [NATIVE], tools }] });
});
afterEach(() => world.reset());
afterAll(() => world.stop());

const file = (tool = 'kubectl', version = VERSION): PublishedFile =>
  world.release.artifact(version, NATIVE, tool);
const install = (inputs: Record<string, string>, toolCache?: string): Promise<ActionResult> =>
  runIn(world, { version: VERSION, ...inputs }, toolCache === undefined ? {} : { toolCache });

describe('checksum', () => {
  test.each<[string, (hex: string) => string]>([
    ['plain', (hex) => hex],
    ['in capitals', (hex) => hex.toUpperCase()],
    ['with the algorithm', (hex) => `sha256:${hex}`],
    ['with the tool', (hex) => `kubectl=${hex}`],
    ['with both', (hex) => `kubectl=sha256:${hex}`],
  ])('the right one, %s', async (_, written) => {
    expectInstalled(await install({ checksum: written(file().sha256) }));
  });

  test('a wrong one, though everything else is right', async () => {
    const message = expectRefused(await install({ checksum: WRONG }), 'CHECKSUM_MISMATCH');
    expect(message).toContain(WRONG);
    expect(message).toContain(file().sha256);
  });

  test('a right one does not make good a wrong signature', async () => {
    const version = fresh();
    world.release.publish({ version, platforms: [NATIVE], signing: STRANGER });
    const checksum = file('kubectl', version).sha256;
    expectRefused(await install({ version, checksum }), 'IDENTITY_MISMATCH');
  });

  const all = ['kubectl', 'kubeadm', 'kubelet'];
  const tools = all.join(', ');
  const lines = (of: Record<string, string>): string =>
    Object.entries(of)
      .map(([tool, hex]) => `${tool}=${hex}`)
      .join('\n');

  test('for several tools, or for some of them', async () => {
    const kubectl = file('kubectl').sha256;
    const kubelet = file('kubelet').sha256;
    const run = await install({ tools, checksum: lines({ kubectl, kubelet }) });
    expectInstalled(run, { tools: all });
  });

  test('a wrong one for one of several tools: none is installed', async () => {
    const checksum = lines({ kubectl: file('kubectl').sha256, kubelet: WRONG });
    const message = expectRefused(await install({ tools, checksum }), 'CHECKSUM_MISMATCH');
    expect(message).toContain('kubelet');
  });

  test('that of another of the tools', async () => {
    const checksum = lines({ kubectl: file('kubelet').sha256 });
    expectRefused(await install({ tools, checksum }), 'CHECKSUM_MISMATCH');
  });

  test.each([
    ['without the tool, for several', WRONG],
    ['for a tool that is not asked for', `kube-proxy=${WRONG}`],
    ['too short', 'abc'],
  ])('%s: INVALID_INPUT', async (_, checksum) => {
    expectRefused(await install({ tools, checksum }), 'INVALID_INPUT');
  });

  test('a cached copy is compared too, and stays when it is not the one', async () => {
    const first = await install({});
    const { toolCache } = first.dirs;
    const run = await install({ checksum: WRONG }, toolCache);
    expect(run.annotations.map(({ title }) => title)).toEqual([
      'setup-verified-kubectl: CHECKSUM_MISMATCH',
    ]);
    expect(run.paths).toEqual([]);
    world.reset();
    const again = await install({ checksum: file().sha256 }, toolCache);
    expectInstalled(again);
    expect(again.outputs['cache-hit']).toBe('true');
    expect(world.host.server.requests).toEqual([]);
  });

  test.each([
    ['the right one', () => file().sha256, true],
    ['a wrong one', () => WRONG, false],
  ])('%s for a copy that is already there', async (_, checksum, isAccepted) => {
    const bin = mkdtempSync(join(tmpdir(), 'second-factors-'));
    mkdirSync(bin, { recursive: true });
    writeFileSync(join(bin, file().path.split('/').pop() ?? ''), file().bytes);
    const run = await runIn(
      world,
      { version: VERSION, checksum: checksum() },
      { env: { PATH: bin } },
    );
    rmSync(bin, { recursive: true });
    if (isAccepted) {
      expectInstalled(run);
      expect(reportOf(run)['source']).toBe('preinstalled');
    } else {
      expectRefused(run, 'CHECKSUM_MISMATCH');
    }
  });
});

const ago = (milliseconds: number): Date => new Date(Date.now() - milliseconds);

/** @param sbomSigned how long ago, in milliseconds; with the binary unless given */
function publish(signing: object, sbomSigned?: number): string {
  const version = fresh();
  world.release.publish({ version, platforms: [NATIVE], signing });
  if (sbomSigned !== undefined) {
    world.release.putSbom(version, {}, { signing: { at: ago(sbomSigned) } });
  }
  return version;
}

describe('minimum-release-age', () => {
  test.each([
    ['1d', 2 * DAY, true],
    ['3d', 2 * DAY, false],
    ['12h', 13 * HOUR, true],
    ['12h', 11 * HOUR, false],
    ['90m', 95 * MINUTE, true],
    ['90m', 85 * MINUTE, false],
    ['1w', 8 * DAY, true],
    ['1w', 6 * DAY, false],
  ])('%s, for a signature logged %d ms ago: %s', async (minimumAge, age, isOldEnough) => {
    const version = publish({ at: ago(age) });
    const run = await install({ version, 'minimum-release-age': minimumAge });
    if (isOldEnough) {
      expectInstalled(run);
    } else {
      const { integratedTime } = file('kubectl', version).entry;
      const message = expectRefused(run, 'RELEASE_TOO_NEW');
      expect(message).toContain(integratedTime.toISOString());
    }
  });

  // The certificate is ten days old in both; only the log's time differs.
  test.each([
    ['old', 9 * DAY, true],
    ['new', HOUR, false],
  ])('the time of the log counts: %s', async (_, logged, isOldEnough) => {
    const at = ago(10 * DAY);
    const certificate = { notAfter: new Date(Date.now() + DAY) };
    const version = publish({ at, certificate, integratedTime: ago(logged) });
    const run = await install({ version, 'minimum-release-age': '3d' });
    if (isOldEnough) {
      expectInstalled(run);
    } else {
      expectRefused(run, 'RELEASE_TOO_NEW');
    }
  });

  test.each([
    ['old enough', 5 * DAY, true],
    ['too new', DAY, false],
  ])('the time of an RFC 3161 timestamp counts for Rekor v2: %s', async (_, age, isOldEnough) => {
    const version = publish({});
    const kubectl = file('kubectl', version);
    kubectl.putBundle(kubectl.bundleV2({ at: ago(age) }));
    kubectl.removeMaterial();
    const run = await install({ version, 'minimum-release-age': '3d' });
    if (isOldEnough) {
      expectInstalled(run);
    } else {
      expectRefused(run, 'RELEASE_TOO_NEW');
    }
  });

  test('a cached copy is measured too, and stays when it is too new', async () => {
    const version = publish({ at: ago(DAY) });
    const first = await install({ version });
    const { toolCache } = first.dirs;
    const run = await install({ version, 'minimum-release-age': '2d' }, toolCache);
    expect(run.annotations.map(({ title }) => title)).toEqual([
      'setup-verified-kubectl: RELEASE_TOO_NEW',
    ]);
    expect(run.paths).toEqual([]);
    const again = await install({ version, 'minimum-release-age': '12h' }, toolCache);
    expectInstalled(again);
    expect(again.outputs['cache-hit']).toBe('true');
  });

  describe('of an old binary that an SBOM lists which was signed later', () => {
    const expectTooNew = (run: ActionResult, version: string): void => {
      const errors = run.annotations.filter(({ level }) => level === 'error');
      expect(errors.map(({ title }) => title)).toEqual(['setup-verified-kubectl: RELEASE_TOO_NEW']);
      const { integratedTime } = world.release.sbom(version).entry;
      expect(errors[0]?.message).toContain(
        `the SBOM that lists kubectl was signed at ${integratedTime.toISOString()}`,
      );
      expect(run.paths).toEqual([]);
    };

    test('an hour ago: refused', async () => {
      const version = publish({ at: ago(400 * DAY) }, HOUR);
      expectTooNew(await install({ version, 'minimum-release-age': '52w' }), version);
    });

    test('an hour ago, without minimum-release-age: installed', async () => {
      expectInstalled(await install({ version: publish({ at: ago(400 * DAY) }, HOUR) }));
    });

    test('long enough ago: installed', async () => {
      const version = publish({ at: ago(400 * DAY) }, 370 * DAY);
      expectInstalled(await install({ version, 'minimum-release-age': '52w' }));
    });

    test('an hour ago, in the tool cache: refused, and it stays', async () => {
      const version = publish({ at: ago(400 * DAY) }, HOUR);
      const { toolCache } = (await install({ version })).dirs;
      expectTooNew(await install({ version, 'minimum-release-age': '52w' }, toolCache), version);
      const again = await install({ version, 'minimum-release-age': '30m' }, toolCache);
      expectInstalled(again);
      expect(again.outputs['cache-hit']).toBe('true');
    });

    test('an hour ago, with bind-release: false: no SBOM counts', async () => {
      const version = publish({ at: ago(400 * DAY) }, HOUR);
      const inputs = { version, 'minimum-release-age': '52w', 'bind-release': 'false' };
      expectInstalled(await install(inputs));
    });
  });
});

describe('maximum-release-age', () => {
  test.each([
    ['3d', 2 * DAY, true],
    ['1d', 2 * DAY, false],
    ['12h', 11 * HOUR, true],
    ['12h', 13 * HOUR, false],
    ['1w', 6 * DAY, true],
    ['1w', 8 * DAY, false],
  ])('%s, for a signature logged %d ms ago: %s', async (maximumAge, age, isYoungEnough) => {
    const version = publish({ at: ago(age) });
    const run = await install({ version, 'maximum-release-age': maximumAge });
    if (isYoungEnough) {
      expectInstalled(run);
    } else {
      const { integratedTime } = file('kubectl', version).entry;
      const message = expectRefused(run, 'RELEASE_TOO_OLD');
      expect(message).toContain(`kubectl was signed at ${integratedTime.toISOString()}`);
      expect(message).toContain('serving an outdated pointer');
    }
  });

  test('an SBOM that was signed again since makes no old binary young', async () => {
    const version = publish({ at: ago(400 * DAY) }, HOUR);
    expectRefused(await install({ version, 'maximum-release-age': '30d' }), 'RELEASE_TOO_OLD');
  });

  test('a stable.txt that names a genuine but old release: refused', async () => {
    const version = publish({ at: ago(400 * DAY) });
    const before = world.host.get('release/stable.txt');
    world.release.point('stable', version);
    const run = await install({ version: 'stable', 'maximum-release-age': '120d' });
    world.release.point('stable', before.toString());
    expectRefused(run, 'RELEASE_TOO_OLD');
  });

  test('a cached copy is measured too, and stays when it is too old', async () => {
    const version = publish({ at: ago(3 * DAY) });
    const { toolCache } = (await install({ version })).dirs;
    const run = await install({ version, 'maximum-release-age': '2d' }, toolCache);
    expect(run.annotations.map(({ title }) => title)).toEqual([
      'setup-verified-kubectl: RELEASE_TOO_OLD',
    ]);
    expect(run.paths).toEqual([]);
    const again = await install({ version, 'maximum-release-age': '4d' }, toolCache);
    expectInstalled(again);
    expect(again.outputs['cache-hit']).toBe('true');
  });

  test('a cached copy that is too old for a range does not keep the host from being asked', async () => {
    const old = publish({ at: ago(60 * DAY) });
    const { toolCache } = (await install({ version: old })).dirs;
    const young = publish({ at: ago(5 * DAY) });
    const version = `${old.slice(1)} - ${young.slice(1)}`;
    const run = await install({ version, 'maximum-release-age': '30d' }, toolCache);
    expectInstalled(run, { version: young });
    // Its twin: young enough for the limit.
    const twin = await install(
      { version: old.slice(1).replace(/\.\d+$/, '.x'), 'maximum-release-age': '90d' },
      toolCache,
    );
    expect(twin.outputs['cache-hit']).toBe('true');
  });

  test('between both ages', async () => {
    const version = publish({ at: ago(3 * DAY) });
    const ages = { 'minimum-release-age': '2d', 'maximum-release-age': '4d' };
    expectInstalled(await install({ version, ...ages }));
  });
});

test.each(['minimum-release-age', 'maximum-release-age'])('%s: INVALID_INPUT', async (name) => {
  for (const given of ['3', 'three days', '-1d', '1y', '1.5d']) {
    expectRefused(await install({ [name]: given }), 'INVALID_INPUT');
  }
});

describe('trusted-root', () => {
  /** Inputs that leave TUF out; empty ones fall back to their defaults. */
  const noTuf = { 'tuf-mirror-url': '', 'tuf-root': '' };

  test('a file, without any request to a TUF repository', async () => {
    const run = await install({ ...noTuf, 'trusted-root': world.writeTrustedRoot() });
    expectInstalled(run);
    expect(world.tufServer.requests).toEqual([]);
  });

  test('a file that trusts another log', async () => {
    const root = world.trustedRoot();
    root.tlogs = root.tlogs.filter(
      ({ logId }) => logId.keyId !== world.log.logId.toString('base64'),
    );
    const path = world.writeTrustedRoot(root, 'another-log.json');
    expectRefused(await install({ ...noTuf, 'trusted-root': path }), 'LOG_ENTRY_INVALID');
  });

  test('a file that is no trusted root', async () => {
    const path = world.writeTrustedRoot('{', 'broken.json');
    expectRefused(await install({ ...noTuf, 'trusted-root': path }), 'TRUST_ROOT_UNAVAILABLE');
  });

  test('a file that does not exist', async () => {
    expectRefused(await install({ ...noTuf, 'trusted-root': 'none.json' }), 'INVALID_INPUT');
  });

  test('embedded: loaded without any request, and does not trust this world', async () => {
    const run = await install({ ...noTuf, 'trusted-root': 'embedded' });
    expectRefused(run, 'CERTIFICATE_UNTRUSTED');
    expect(world.tufServer.requests).toEqual([]);
  });

  test('beside tuf-root: only one can be trusted', async () => {
    const run = await install({ 'trusted-root': world.writeTrustedRoot() });
    expectRefused(run, 'INVALID_INPUT');
  });
});
