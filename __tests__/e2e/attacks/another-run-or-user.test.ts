import {
  chmodSync,
  chownSync,
  cpSync,
  existsSync,
  linkSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, expect } from '@jest/globals';
import type { ErrorCode } from '../../../src/errors.js';
import {
  NATIVE_PLATFORM,
  LoopbackServer,
  ReleaseHost,
  TransparencyLog,
  World,
  fault,
  filesBelow,
  runAction,
  trustedRootJson,
  type ActionResult,
} from '../../support/index.js';
import { MISSING, canRun, linkFolder } from '../../support/skip.js';
import { transparencyLogApi } from '../../support/transparency-log-api.js';
import { STRANGER, expectInstalled, expectRefused } from '../expectations.js';

import {
  plain,
  type Stage,
  type Attack,
  testAttacks,
  useTrustedRoot,
  ownTuf,
  tufCache,
  attacker,
  marking,
  expectNotExecuted,
  binaryIn,
  expectOutsideOfCache,
  inCache,
  hideSbom,
} from './stage.js';

/** Another Sigstore and another mirror, with other files under the same versions. */
let strange: World;

beforeAll(async () => {
  strange = await World.start();
});

afterAll(() => strange.stop());

/** What a link in place of kept metadata points to. */
function expectPrecious({ toolCache }: Stage): void {
  const elsewhere = join(toolCache, 'elsewhere');
  const names = readdirSync(elsewhere);
  expect(names).toHaveLength(1);
  expect(readFileSync(join(elsewhere, names[0] ?? ''), 'utf8')).toBe('precious');
}

const NOBODY = 65534;

/** What another run, which trusts somebody else, is told to install: never what this one asks for. */
const OTHER_TRUST: Readonly<Record<string, () => Record<string, string>>> = {
  'tuf-root': () => strange.inputs(),
  'trusted-root': () => {
    const inputs = strange.inputs();
    useTrustedRoot(inputs, strange.writeTrustedRoot());
    return inputs;
  },
  'certificate-identity': () => ({
    ...plain.inputs(),
    'certificate-identity': 'stranger@example.com',
  }),
};

/** Publishes another file under the same version, and has another run install it. */
async function runOfOtherTrust({ version, toolCache }: Stage, input: string): Promise<void> {
  const { release } = input === 'certificate-identity' ? plain : strange;
  const signing = input === 'certificate-identity' ? STRANGER : {};
  release.publish({ version, platforms: [NATIVE_PLATFORM], size: 9999, signing });
  const inputs = { ...OTHER_TRUST[input]?.(), version };
  const run = await runAction({ inputs, toolCache });
  expectInstalled(run, { world: input === 'certificate-identity' ? plain : strange });
  expect(run.outputs['cache-hit']).toBe('false');
  expect(statSync(run.outputs['kubectl-path'] ?? '').size).toBeGreaterThanOrEqual(9999);
  run.cleanup();
}

const OLDER = 'v1.20.0';

/** `1.40` */
const minorOf = ({ version }: Stage): string => version.slice(1).split('.', 2).join('.');
const mirrors: ReleaseHost[] = [];

/** Serves a genuine older release under the name of the one asked for; returns its URL. */
async function lyingMirror({ world, version, afterwards }: Stage, sbom: boolean): Promise<string> {
  world.release.publish({ version: OLDER, platforms: [NATIVE_PLATFORM], pointers: false });
  const mirror = await ReleaseHost.start();
  mirrors.push(mirror);
  afterwards.push(() => mirror.stop());
  const names = [`bin/${NATIVE_PLATFORM}/${basename(binaryIn(''))}`];
  for (const name of sbom ? [...names, 'kubernetes-release.spdx'] : names) {
    for (const suffix of ['', '.sig', '.cert', '.sha256']) {
      const bytes = world.host.files.get(`release/${OLDER}/${name}${suffix}`);
      if (bytes !== undefined) mirror.put(`release/${version}/${name}${suffix}`, bytes);
    }
  }
  return mirror.url;
}

/** A run of somebody else on the same machine, with inputs of their own: it installs these bytes, or is refused. */
async function anotherRun(
  { version, toolCache, inputs: own }: Stage,
  inputs: Readonly<Record<string, string>>,
  outcome: Buffer | ErrorCode,
  expected: { readonly warnings?: readonly string[]; readonly keeps?: RegExp } = {},
): Promise<void> {
  const run = await runAction({ inputs: { ...own, ...inputs, version }, toolCache });
  if (typeof outcome === 'string') expectRefused(run, outcome, expected);
  else expectInstalled(run, { ...expected, bytes: { kubectl: outcome } });
  run.cleanup();
}

const bytesOf = ({ release }: World, version: string): Buffer =>
  release.artifact(version, NATIVE_PLATFORM, 'kubectl').bytes;

/** A server for a log; returns its URL. */
async function logOf({ afterwards }: Stage, log: TransparencyLog): Promise<string> {
  const server = await LoopbackServer.start(transparencyLogApi(log));
  afterwards.push(() => server.stop());
  log.baseUrl = server.url;
  return server.url;
}

const expectCached = (run: ActionResult): void => {
  expect(run.outputs['cache-hit']).toBe('true');
};

const NEIGHBOURS: Attack[] = [
  inCache('one more program in the entry', ({ entry }) => {
    writeFileSync(join(entry, 'git'), '#!/bin/sh\n', { mode: 0o755 });
  }),
  ...['verified-kubectl', 'version'].map((which): Attack => ({
    what: `a folder above a copy that everybody may write to: ${which}`,
    outcome: 'without effect',
    needs: [MISSING.permissionBits],
    attack: async (stage) => {
      await stage.earlierRun();
      const version = dirname(stage.entry);
      chmodSync(which === 'version' ? version : dirname(version), 0o777);
    },
    check: (run, { entry }) => {
      expect(run.paths).toEqual([entry]);
    },
    leaves: ({ entry }) => {
      for (const folder of [dirname(entry), dirname(dirname(entry))]) {
        expect(statSync(folder).mode & 0o022).toBe(0);
      }
    },
  })),
  ...['verified-kubectl', 'version', 'the entry'].map((which): Attack => ({
    what: `a folder of another user: ${which}`,
    outcome: 'without effect',
    warnings: [which === 'the entry' ? 'Cached copy refused' : 'Tool cache not used'],
    needs: [MISSING.root],
    attack: async (stage) => {
      await stage.earlierRun();
      const version = dirname(stage.entry);
      const folders = { 'verified-kubectl': dirname(version), version, 'the entry': stage.entry };
      chownSync(folders[which as keyof typeof folders], NOBODY, NOBODY);
    },
    check: (run, stage) => {
      if (which !== 'the entry') expectOutsideOfCache(run, stage);
    },
    leaves: ({ entry }) => {
      expect(existsSync(binaryIn(entry))).toBe(true);
    },
  })),
  {
    what: 'a link in place of the folder of the version, to a folder with an entry of its own',
    outcome: 'without effect',
    warnings: ['Tool cache not used'],
    needs: [MISSING.folderLinks],
    attack: ({ entry, toolCache }) => {
      const precious = join(toolCache, 'elsewhere', basename(entry), 'precious.txt');
      mkdirSync(dirname(precious), { recursive: true });
      writeFileSync(precious, 'precious');
      mkdirSync(dirname(dirname(entry)), { recursive: true });
      linkFolder(join(toolCache, 'elsewhere'), dirname(entry));
    },
    check: expectOutsideOfCache,
    leaves: ({ toolCache }) => {
      expect(filesBelow(join(toolCache, 'elsewhere'))).toHaveLength(1);
    },
  },
  {
    what: 'entries of versions that are none, for a minor',
    outcome: 'without effect',
    attack: (stage) => {
      const { toolCache, inputs } = stage;
      const minor = minorOf(stage);
      inputs['version'] = minor;
      const names = ['01', '9999999999999999', 'x'].map((patch) => `v${minor}.${patch}`);
      if (canRun(MISSING.anyFileName)) names.push(`v${minor}.*`);
      for (const version of names) {
        const entry = plain.cacheEntry(version, 'kubectl', NATIVE_PLATFORM, 'ab'.repeat(32));
        mkdirSync(join(toolCache, entry), { recursive: true });
      }
    },
  },
  ...Object.keys(OTHER_TRUST).map((input): Attack => ({
    what: `another run names its own ${input}, while this one has its copy on PATH`,
    outcome: 'without effect',
    attack: async (stage) => {
      await stage.earlierRun();
      const genuine = readFileSync(binaryIn(stage.entry));
      await runOfOtherTrust(stage, input);
      expect(readFileSync(binaryIn(stage.entry)).equals(genuine)).toBe(true);
    },
    check: (run) => {
      expect(run.outputs['cache-hit']).toBe('true');
    },
  })),
  {
    what: 'a mirror that gives another run the SBOM of another release, for a copy without SBOM',
    warnings: ['Release proven without SBOM'],
    needs: [MISSING.executables],
    outcome: 'without effect',
    locked: 'RELEASE_MISMATCH',
    lockedWarnings: ['Cached copy refused'],
    attack: async (stage) => {
      hideSbom(stage);
      await stage.earlierRun('Release proven without SBOM');
      const mirror = await lyingMirror(stage, true);
      await anotherRun(stage, { 'download-base-url': mirror }, 'RELEASE_MISMATCH', {
        warnings: ['Cached copy refused'],
      });
      await anotherRun(
        stage,
        { 'download-base-url': mirror, 'bind-release': 'false' },
        bytesOf(plain, OLDER),
      );
    },
    check: expectCached,
  },
  {
    what: 'an unbound copy of another release, and a run that is kept waiting before it refuses it',
    // Copies are tried in the order of their digests, until one passes.
    warnings: ({ world, kubectl }) =>
      world.release.artifact(OLDER, NATIVE_PLATFORM, 'kubectl').sha256 < kubectl.sha256
        ? ['Cached copy refused']
        : [],
    outcome: 'without effect',
    lockedWarnings: [],
    attack: async (stage) => {
      const mirror = await lyingMirror(stage, true);
      const unbound = { 'download-base-url': mirror, 'bind-release': 'false' };
      await anotherRun(stage, unbound, bytesOf(plain, OLDER));
      // In the place where a run that binds would look for it.
      const { version, toolCache, world } = stage;
      const sha256 = world.release.artifact(OLDER, NATIVE_PLATFORM, 'kubectl').sha256;
      const from = world.cacheEntry(version, 'kubectl', NATIVE_PLATFORM, sha256, mirror);
      const planted = join(
        toolCache,
        world.cacheEntry(version, 'kubectl', NATIVE_PLATFORM, sha256),
      );
      cpSync(join(toolCache, from), planted, { recursive: true });
      const gate = Promise.withResolvers<undefined>();
      const asked = Promise.withResolvers<undefined>();
      mirrors.at(-1)?.server.fail('kubernetes-release.spdx', async (delivery) => {
        asked.resolve(undefined);
        await gate.promise;
        await fault.delay(0)(delivery);
      });
      const waiting = anotherRun(stage, { 'download-base-url': mirror }, 'RELEASE_MISMATCH', {
        warnings: ['Cached copy refused'],
        // What the other run installs meanwhile.
        keeps: new RegExp(basename(stage.entry)),
      });
      await asked.promise;
      await stage.earlierRun('Cached copy refused');
      gate.resolve(undefined);
      await waiting;
      await anotherRun(stage, unbound, bytesOf(plain, OLDER));
    },
    check: expectCached,
  },
  {
    what: 'another run with the same TUF root, and a mirror that holds back a newer trusted root',
    warnings: ({ version, kubectl }) =>
      strange.release.artifact(version, NATIVE_PLATFORM, 'kubectl').sha256 < kubectl.sha256
        ? ['Cached copy refused']
        : [],
    outcome: 'without effect',
    lockedWarnings: [],
    attack: async (stage) => {
      const { world, version, inputs } = stage;
      const tuf = await ownTuf(stage);
      const { authority, log } = attacker();
      const rekor = await logOf(stage, log);
      const stolen = trustedRootJson({
        validFrom: plain.validFrom,
        logs: [log],
        certificateAuthorities: [authority],
        ctLogs: [plain.ctLog],
        timestampAuthorities: [plain.timestampAuthority],
      });
      tuf.publish({ targets: { 'trusted_root.json': Buffer.from(JSON.stringify(stolen)) } });
      const heldBack = new Map(tuf.files);
      const mirror = await LoopbackServer.start(({ path }) => {
        const body = heldBack.get(decodeURIComponent(path).replace(/^\/+/, ''));
        return body === undefined ? { status: 404 } : { status: 200, body };
      });
      stage.afterwards.push(() => mirror.stop());
      tuf.publish({
        targets: { 'trusted_root.json': Buffer.from(JSON.stringify(world.trustedRoot())) },
      });
      await stage.earlierRun();
      strange.release.publish({
        version,
        platforms: [NATIVE_PLATFORM],
        size: 9999,
        signing: { authority, log },
      });
      await anotherRun(
        stage,
        {
          ...strange.inputs(),
          'rekor-url': rekor,
          'tuf-mirror-url': mirror.url,
          'tuf-root': inputs['tuf-root'] ?? '',
        },
        bytesOf(strange, version),
        { warnings: ['Cached copy refused'] },
      );
    },
    check: expectCached,
  },
  {
    what: 'an unbound copy that the mirror of another run chose, for a run that binds nothing either',
    outcome: 'without effect',
    attack: async (stage) => {
      stage.inputs['bind-release'] = 'false';
      const mirror = await lyingMirror(stage, false);
      await anotherRun(stage, { 'download-base-url': mirror }, bytesOf(plain, OLDER));
    },
    check: (run) => {
      expect(run.outputs['cache-hit']).toBe('false');
    },
  },
  {
    what: 'a genuine copy under a version that does not exist, for a minor',
    outcome: 'without effect',
    lockedWarnings: [],
    warnings: ['Cached copy refused'],
    attack: async (stage) => {
      await stage.earlierRun();
      const planted = join(
        dirname(dirname(stage.entry)),
        `${minorOf(stage)}.9999`,
        basename(stage.entry),
      );
      cpSync(stage.entry, planted, { recursive: true });
      stage.inputs['version'] = minorOf(stage);
    },
    check: (run, { version }) => {
      expect(run.outputs['version']).toBe(version);
    },
  },
  {
    what: 'a kept copy without the checksum that is asked for, which another one has',
    outcome: 'without effect',
    locked: 'LOCK_MISMATCH',
    attack: async (stage) => {
      const { kubectl, inputs } = stage;
      inputs['bind-release'] = 'false';
      await stage.earlierRun();
      kubectl.replace(Buffer.concat([kubectl.bytes, Buffer.from('# built again')]));
      kubectl.sign();
      inputs['checksum'] = kubectl.sha256;
    },
    check: (run) => {
      expect(run.outputs['cache-hit']).toBe('false');
    },
  },
  ...['/proc/self/mem'].map((device): Attack => ({
    what: `a link to ${device}, which fails when it is read, in the tool cache of another action`,
    outcome: 'without effect',
    needs: [MISSING.proc],
    attack: (stage) => {
      for (const arch of ['amd64', 'arm64']) {
        const place = join(stage.toolCache, 'kubectl', stage.version.slice(1), arch);
        mkdirSync(place, { recursive: true });
        writeFileSync(`${place}.complete`, ''); // Else @actions/tool-cache does not find it.
        symlinkSync(device, binaryIn(place));
      }
    },
  })),
  inCache('a copy that has another name', ({ entry, toolCache }) => {
    linkSync(binaryIn(entry), join(toolCache, 'another name'));
  }),
  {
    what: 'a proven copy exchanged, while the run is busy with another tool',
    keeps: /^verified-kubectl-convert(\/|$)/,
    outcome: 'INSTALL_FAILED',
    locked: 'LOCK_MISMATCH',
    attack: async (stage) => {
      const { world, version, toolCache, entry, inputs } = stage;
      await stage.earlierRun();
      const tools = ['kubectl', 'kubectl-convert'];
      world.release.publish({ version, tools, platforms: [NATIVE_PLATFORM] });
      inputs['tools'] = tools.join();
      // The log is asked about the second tool: what is kept of the first one was looked at before.
      world.logServer.fail(/./, async (delivery) => {
        await sleep(1000);
        writeFileSync(join(toolCache, 'exchange'), marking(stage), { mode: 0o755 });
        renameSync(join(toolCache, 'exchange'), binaryIn(entry));
        await fault.delay(0)(delivery);
      });
    },
    check: (run) => {
      expect(run.annotations[0]?.message).toContain('another run changed');
      expect(run.annotations[0]?.message).toContain('Try again.');
    },
    leaves: expectNotExecuted,
  },
  {
    what: 'a link in place of the folder that keeps TUF metadata',
    warnings: ['Trust root not cached'],
    outcome: 'without effect',
    needs: [MISSING.folderLinks],
    attack: async (stage) => {
      await stage.earlierRun();
      const name = basename(tufCache(stage));
      const cache = join(stage.toolCache, 'verified-trust-root');
      const elsewhere = join(stage.toolCache, 'elsewhere');
      mkdirSync(elsewhere);
      writeFileSync(join(elsewhere, name), 'precious');
      rmSync(cache, { recursive: true });
      linkFolder(elsewhere, cache);
    },
    leaves: expectPrecious,
  },
  {
    what: 'a link in place of the file that keeps TUF metadata',
    outcome: 'without effect',
    attack: async (stage) => {
      await stage.earlierRun();
      const kept = tufCache(stage);
      const elsewhere = join(stage.toolCache, 'elsewhere');
      mkdirSync(elsewhere);
      writeFileSync(join(elsewhere, basename(kept)), 'precious');
      rmSync(kept);
      symlinkSync(join(elsewhere, basename(kept)), kept);
    },
    leaves: expectPrecious,
  },
];

testAttacks('other runs and other users: entries', NEIGHBOURS);
