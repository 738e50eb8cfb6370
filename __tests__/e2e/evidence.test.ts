import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals';
import {
  chmodSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import type { SerializedBundle } from '@sigstore/bundle';
import {
  DAY,
  RELEASE_IDENTITY,
  RELEASE_ISSUER,
  World,
  independentVerify,
  keptMetadataPath,
  metadataToKeep,
  writeKeptMetadata,
  type ActionResult,
  type RunOptions,
} from '../support/index.js';
import { MISSING, linkFolder, testUnless } from '../support/skip.js';
import {
  FOREIGN,
  FOREIGN_ARCH,
  IMPATIENT,
  NATIVE,
  STRANGER,
  cachedFiles,
  expectInstalled,
  expectRefused,
  freshVersions,
  reportOf,
  requestsTo,
  runIn,
  startServers,
  stopServers,
  warningsOf,
} from './expectations.js';

const VERSION = 'v1.36.1';
const OTHER_VERSION = 'v1.36.2';
const WITHOUT_SBOM = 'v1.36.3';
const fresh = freshVersions('1.41');
const SUFFIX = process.platform === 'win32' ? '.exe' : '';

let world: World;
/** A tool cache with proven copies; each test works on a copy of it. */
let filled: string;
let folder: string;

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'evidence-'));
  filled = join(folder, 'filled');
  world = await World.start();
  for (const version of [VERSION, OTHER_VERSION]) {
    world.release.publish({ version, platforms: [NATIVE], tools: ['kubectl', 'kubelet'] });
  }
  world.release.publish({ version: WITHOUT_SBOM, platforms: [NATIVE, FOREIGN] });
  const tools = { tools: 'kubectl,kubelet' };
  const options = { toolCache: filled };
  for (const inputs of [
    { version: VERSION, ...tools },
    { version: OTHER_VERSION, ...tools },
    { version: WITHOUT_SBOM, 'bind-release': 'false' },
    { version: WITHOUT_SBOM, 'bind-release': 'false', architecture: FOREIGN_ARCH },
  ]) {
    const run = await runIn(world, inputs, options);
    expect(run.exitCode).toBe(0);
  }
  // As a run leaves it that binds, and found no SBOM.
  for (const platform of [NATIVE, FOREIGN]) {
    const { sha256 } = world.release.artifact(WITHOUT_SBOM, platform, 'kubectl');
    const unbound = world.cacheEntry(WITHOUT_SBOM, 'kubectl', platform, sha256, world.host.url);
    const bound = world.cacheEntry(WITHOUT_SBOM, 'kubectl', platform, sha256);
    cpSync(join(filled, unbound), join(filled, bound), { recursive: true });
  }
});
afterEach(async () => {
  await startServers(world);
  world.reset();
});
afterAll(async () => {
  await world.stop();
  rmSync(folder, { recursive: true, force: true });
});

/** A tool cache as an earlier run left it. */
function warmCache(): string {
  const copy = mkdtempSync(join(folder, 'cache-'));
  cpSync(filled, copy, { recursive: true });
  world.reset();
  return copy;
}

const install = (
  toolCache: string,
  inputs: Record<string, string> = {},
  options: RunOptions = {},
): Promise<ActionResult> =>
  runIn(world, { version: VERSION, ...inputs }, { toolCache, ...options });

function entryOf(toolCache: string, tool = 'kubectl', version = VERSION): string {
  return join(toolCache, world.cacheEntry(version, tool));
}

function filesOf(toolCache: string, tool = 'kubectl', version = VERSION): Record<Part, string> {
  const entry = entryOf(toolCache, tool, version);
  return {
    entry,
    binary: join(entry, `${tool}${SUFFIX}`),
    bundle: join(entry, `${tool}${SUFFIX}.sigstore.json`),
    sbom: join(entry, 'kubernetes-release.spdx'),
    sbomBundle: join(entry, 'kubernetes-release.spdx.sigstore.json'),
  };
}
/** Puts a copy of something else, alone, where VERSION would be looked for with its digest. */
function plant(toolCache: string, { tool = 'kubectl', version = VERSION }): string {
  const { sha256 } = world.release.artifact(version, NATIVE, tool);
  const planted = join(toolCache, world.cacheEntry(VERSION, 'kubectl', NATIVE, sha256));
  rmSync(entryOf(toolCache), { recursive: true });
  cpSync(entryOf(toolCache, tool, version), planted, { recursive: true });
  if (tool !== 'kubectl') {
    for (const suffix of [SUFFIX, `${SUFFIX}.sigstore.json`]) {
      renameSync(join(planted, `${tool}${suffix}`), join(planted, `kubectl${suffix}`));
    }
  }
  return planted;
}

type Part = 'entry' | 'binary' | 'bundle' | 'sbom' | 'sbomBundle';

const titlesOf = ({ annotations }: ActionResult): (string | undefined)[] =>
  annotations.map(({ title }) => title);

const downloads = (version = VERSION, tool = 'kubectl'): number =>
  world.host.server.requestsFor(`${version}/bin/${NATIVE}/${tool}${SUFFIX}`).length;

describe('a copy in the tool cache', () => {
  test('is proven and used without a single request', async () => {
    const run = await install(warmCache());
    expectInstalled(run);
    expect(requestsTo(world)).toEqual([]);
    expect(run.outputs).toMatchObject({ 'cache-hit': 'true', version: VERSION });
    expect(reportOf(run)).toMatchObject({
      source: 'cache',
      sha256: world.release.artifact(VERSION, NATIVE, 'kubectl').sha256,
      'release-proof': 'proven by its signed SBOM',
    });
    expect(run.stdout).toContain('Verified OK');
    expect(run.stdout).toContain('cached metadata, still fresh');
  });

  test('is proven and used while nobody answers', async () => {
    const toolCache = warmCache();
    await stopServers(world);
    const run = await install(toolCache, { tools: 'kubectl kubelet' });
    expectInstalled(run, { tools: ['kubectl', 'kubelet'] });
    expect(run.outputs['cache-hit']).toBe('true');
    expect(reportOf(run, 'kubelet')['source']).toBe('cache');
  });

  test('another version is not there while nobody answers', async () => {
    const toolCache = warmCache();
    await stopServers(world);
    const run = await install(toolCache, { version: 'v1.36.9' }, { env: IMPATIENT });
    expect(run.exitCode).toBe(1);
    expect(run.paths).toEqual([]);
  });
});

/** Leaves a trace when it is executed, which must never happen. */
const trap = (trace: string): string => `#!/bin/sh\ntouch '${trace}'\n`;

const flip = (file: string, at: number): void => {
  const bytes = readFileSync(file);
  bytes.writeUInt8(bytes.readUInt8(at) ^ 0x01, at);
  writeFileSync(file, bytes);
};

function changeBundle(file: string, change: (bundle: SerializedBundle) => void): void {
  const bundle = JSON.parse(readFileSync(file, 'utf8')) as SerializedBundle;
  change(bundle);
  writeFileSync(file, `${JSON.stringify(bundle, undefined, 2)}\n`);
}

/** The one log entry of a bundle. */
function logEntryOf(
  bundle: SerializedBundle,
): SerializedBundle['verificationMaterial']['tlogEntries'][0] {
  const [entry] = bundle.verificationMaterial.tlogEntries;
  if (entry === undefined) {
    throw new Error('no log entry in this bundle');
  }
  return entry;
}

const flipBase64 = (text: string): string => {
  const bytes = Buffer.from(text, 'base64');
  bytes.writeUInt8(bytes.readUInt8(bytes.length - 1) ^ 0x01, bytes.length - 1);
  return bytes.toString('base64');
};

describe('a copy that fails is removed, said in a warning, and fetched anew', () => {
  type Spoil = (files: Record<Part, string>, toolCache: string) => void;

  /** The evidence with one thing changed. */
  const entryWith =
    (change: (entry: ReturnType<typeof logEntryOf>, bundle: SerializedBundle) => void): Spoil =>
    ({ bundle: file }) =>
      changeBundle(file, (bundle) => change(logEntryOf(bundle), bundle));

  const cases: [string, Spoil][] = [
    ['one bit of the binary is wrong', ({ binary }) => flip(binary, 40_000)],
    ['the binary is cut off', ({ binary }) => writeFileSync(binary, '')],
    ['the binary is gone', ({ binary }) => rmSync(binary)],
    ['the evidence is gone', ({ bundle }) => rmSync(bundle)],
    ['the evidence is empty', ({ bundle }) => writeFileSync(bundle, '')],
    [
      'the folder is empty',
      ({ entry }) => readdirSync(entry).forEach((f) => rmSync(join(entry, f))),
    ],
    [
      'something is added to the evidence',
      ({ bundle }) => writeFileSync(bundle, readFileSync(bundle, 'utf8').replace('{', '{"x":1,')),
    ],
    [
      'the entry timestamp is wrong',
      entryWith(({ inclusionPromise }) => {
        if (inclusionPromise !== undefined) {
          inclusionPromise.signedEntryTimestamp = flipBase64(inclusionPromise.signedEntryTimestamp);
        }
      }),
    ],
    [
      'the time of the entry is another',
      entryWith((entry) => (entry.integratedTime = String(Number(entry.integratedTime) + 1))),
    ],
    ['the index of the entry is another', entryWith((entry) => (entry.logIndex = '1'))],
    [
      'the inclusion proof is gone',
      entryWith((entry) => Reflect.deleteProperty(entry, 'inclusionProof')),
    ],
    [
      'the entry timestamp is gone',
      entryWith((entry) => Reflect.deleteProperty(entry, 'inclusionPromise')),
    ],
    [
      'a hash of the inclusion proof is wrong',
      entryWith(({ inclusionProof }) => {
        const hashes = inclusionProof?.hashes ?? [];
        hashes[0] = flipBase64(hashes[0] ?? '');
      }),
    ],
    [
      'the log entry is gone',
      entryWith((_, bundle) => (bundle.verificationMaterial.tlogEntries = [])),
    ],
    [
      'the signature is wrong',
      entryWith((_, { messageSignature }) => {
        if (messageSignature !== undefined) {
          messageSignature.signature = flipBase64(messageSignature.signature);
        }
      }),
    ],
    [
      'the evidence is that of another version',
      ({ bundle }, toolCache) =>
        cpSync(filesOf(toolCache, 'kubectl', OTHER_VERSION).bundle, bundle),
    ],
    [
      'binary and evidence are those of another version',
      ({ binary, bundle }, toolCache) => {
        const other = filesOf(toolCache, 'kubectl', OTHER_VERSION);
        cpSync(other.binary, binary);
        cpSync(other.bundle, bundle);
      },
    ],
    [
      'the whole copy is that of another version',
      ({ entry }, toolCache) => {
        rmSync(entry, { recursive: true });
        cpSync(entryOf(toolCache, 'kubectl', OTHER_VERSION), entry, { recursive: true });
      },
    ],
    [
      'binary and evidence are those of another tool',
      ({ binary, bundle }, toolCache) => {
        const other = filesOf(toolCache, 'kubelet');
        cpSync(other.binary, binary);
        cpSync(other.bundle, bundle);
      },
    ],
    ['one bit of the SBOM is wrong', ({ sbom }) => flip(sbom, 100)],
    ['the evidence of the SBOM is gone', ({ sbomBundle }) => rmSync(sbomBundle)],
    [
      'the evidence of the SBOM is wrong',
      ({ sbomBundle: file }) =>
        changeBundle(file, (bundle) => {
          const entry = logEntryOf(bundle);
          entry.integratedTime = String(Number(entry.integratedTime) + 1);
        }),
    ],
    [
      'the SBOM is that of another version, with its evidence',
      ({ sbom, sbomBundle }, toolCache) => {
        const other = filesOf(toolCache, 'kubectl', OTHER_VERSION);
        cpSync(other.sbom, sbom);
        cpSync(other.sbomBundle, sbomBundle);
      },
    ],
    ['a folder stands in it', ({ entry }) => mkdirSync(join(entry, 'folder'))],
  ];

  test.each([
    ['version', { version: OTHER_VERSION }],
    ['tool', { tool: 'kubelet' }],
  ])('a whole copy of another %s, under the name of its bytes', async (_, what) => {
    const toolCache = warmCache();
    const planted = plant(toolCache, what);
    const run = await install(toolCache);
    expectInstalled(run, { warnings: ['Cached copy refused'] });
    expect(warningsOf(run)[0]?.message).toContain('requested bin/');
    expect(run.outputs['sha256']).toBe(world.release.artifact(VERSION, NATIVE, 'kubectl').sha256);
    expect(run.paths).not.toContain(planted);
    // Somebody may have it on PATH, who trusts or was told otherwise.
    expect(existsSync(planted)).toBe(true);
  });

  test.each(cases)('%s', async (_, spoil) => {
    const toolCache = warmCache();
    const files = filesOf(toolCache);
    spoil(files, toolCache);
    await expectFetchedAnew(toolCache, files);
  });

  async function expectFetchedAnew(toolCache: string, files: Record<Part, string>): Promise<void> {
    const run = await install(toolCache);
    expectInstalled(run, { warnings: ['Cached copy refused'] });
    expect(warningsOf(run)[0]?.message).toContain(files.entry);
    expect(run.outputs['cache-hit']).toBe('false');
    expect(reportOf(run)['source']).toBe('download');
    expect(downloads()).toBe(1);
    const { bytes } = world.release.artifact(VERSION, NATIVE, 'kubectl');
    expect(readFileSync(files.binary).equals(bytes)).toBe(true);
    world.reset();
    expectInstalled(await install(toolCache));
    expect(requestsTo(world)).toEqual([]);
  }

  test('a changed binary is not executed meanwhile', async () => {
    const toolCache = warmCache();
    const files = filesOf(toolCache);
    const trace = join(toolCache, 'trace');
    writeFileSync(files.binary, trap(trace));
    rmSync(files.sbom);
    await expectFetchedAnew(toolCache, files);
    expect(existsSync(trace)).toBe(false);
  });

  testUnless(MISSING.permissionBits).each<[string, Part, number]>([
    ['the group can write to the binary', 'binary', 0o775],
    ['everybody can write to the binary', 'binary', 0o757],
    ['the group can write to the evidence', 'bundle', 0o664],
    ['the group can write to the folder', 'entry', 0o775],
    ['the group can write to the SBOM', 'sbom', 0o664],
  ])('%s', async (_, part, mode) => {
    const toolCache = warmCache();
    const files = filesOf(toolCache);
    chmodSync(files[part], mode);
    await expectFetchedAnew(toolCache, files);
  });

  testUnless(MISSING.symbolicLinks).each<[string, Part]>([
    ['the binary is a link', 'binary'],
    ['the evidence is a link', 'bundle'],
  ])('%s, and what it leads to stays', async (_, part) => {
    await expectLinkReplaced(part, symlinkSync);
  });

  testUnless(MISSING.folderLinks)('the folder is a link, and what it leads to stays', async () => {
    await expectLinkReplaced('entry', linkFolder);
  });

  async function expectLinkReplaced(
    part: Part,
    link: (target: string, path: string) => void,
  ): Promise<void> {
    const toolCache = warmCache();
    const files = filesOf(toolCache);
    const elsewhere = join(toolCache, 'elsewhere');
    renameSync(files[part], elsewhere);
    link(elsewhere, files[part]);
    await expectFetchedAnew(toolCache, files);
    expect(existsSync(elsewhere)).toBe(true);
  }

  test('and while nobody answers, the run fails: the copy does not come back', async () => {
    const toolCache = warmCache();
    const files = filesOf(toolCache);
    flip(files.binary, 40_000);
    await stopServers(world);
    const run = await install(toolCache, {}, { env: IMPATIENT });
    expect(run.exitCode).toBe(1);
    expect(run.paths).toEqual([]);
    expect(existsSync(files.entry)).toBe(false);
  });
});

describe('evidence for another identity than this run asks for', () => {
  const asStranger = { 'certificate-identity': 'stranger@example.com' };

  test('does not count: a copy by somebody who was asked for in another run', async () => {
    const version = fresh();
    const publishBy = (signing: object): void =>
      world.release.publish({ version, platforms: [NATIVE], signing });
    publishBy(STRANGER);
    const first = await runIn(world, { version, ...asStranger });
    expectInstalled(first);
    const { toolCache } = first.dirs;
    expectInstalled(await runIn(world, { version, ...asStranger }, { toolCache }));
    const copy = dirname(first.outputs['kubectl-path'] ?? '');
    cpSync(copy, entryOf(toolCache, 'kubectl', version), { recursive: true });
    publishBy({});
    const run = await runIn(world, { version }, { toolCache });
    expectInstalled(run, { warnings: ['Cached copy refused'] });
    expect(warningsOf(run)[0]?.message).toContain('stranger@example.com');
    expect(run.outputs['certificate-identity']).toBe(RELEASE_IDENTITY);
  });

  test('does not count, and neither does a publication by another one', async () => {
    const version = fresh();
    world.release.publish({ version, platforms: [NATIVE], signing: STRANGER });
    const { dirs, outputs } = await runIn(world, { version, ...asStranger });
    const entry = entryOf(dirs.toolCache, 'kubectl', version);
    cpSync(dirname(outputs['kubectl-path'] ?? ''), entry, { recursive: true });
    const run = await runIn(world, { version }, { toolCache: dirs.toolCache });
    expect(titlesOf(run)).toEqual([
      'Cached copy refused',
      'setup-verified-kubectl: IDENTITY_MISMATCH',
    ]);
    expect(run.paths).toEqual([]);
  });

  test.each([
    ['issuer', { 'certificate-oidc-issuer': 'https://other.test' }],
    ['name', asStranger],
  ])('does not count: another %s; and the copy stays for whom it is', async (_, inputs) => {
    const toolCache = warmCache();
    const refused = await install(toolCache, inputs);
    expect(titlesOf(refused)).toEqual(['setup-verified-kubectl: IDENTITY_MISMATCH']);
    expect(refused.paths).toEqual([]);
    const run = await install(toolCache);
    expectInstalled(run);
    expect(run.outputs['cache-hit']).toBe('true');
  });
});

describe('a copy without SBOM', () => {
  test('needs none with bind-release: false', async () => {
    const toolCache = warmCache();
    await stopServers(world);
    const run = await install(toolCache, { version: WITHOUT_SBOM, 'bind-release': 'false' });
    expectInstalled(run);
    expect(reportOf(run)).toMatchObject({
      source: 'cache',
      'release-proof': 'not proven (bind-release: false)',
    });
  });

  test('is bound by the published one', async () => {
    const run = await install(warmCache(), { version: WITHOUT_SBOM });
    expectInstalled(run);
    expect(reportOf(run)).toMatchObject({
      source: 'cache',
      'release-proof': 'proven by its signed SBOM',
    });
    expect(downloads(WITHOUT_SBOM)).toBe(0);
  });

  test('of another version is found out by the published one', async () => {
    const toolCache = warmCache();
    plant(toolCache, { version: WITHOUT_SBOM });
    const run = await install(toolCache);
    expectInstalled(run, { warnings: ['Cached copy refused'] });
    expect(run.outputs['sha256']).toBe(world.release.artifact(VERSION, NATIVE, 'kubectl').sha256);
  });

  // A binary that could be asked is no exception: a download would not ask it either.
  test.each([
    ['this machine', {}, NATIVE],
    ['another architecture', { architecture: FOREIGN_ARCH }, FOREIGN],
  ])('for %s stays where it is while nobody answers', async (_, platform, name) => {
    const toolCache = warmCache();
    await stopServers(world);
    const inputs = { version: WITHOUT_SBOM, ...platform };
    const run = await install(toolCache, inputs, { env: IMPATIENT });
    expect(run.annotations.map(({ title }) => title)).toEqual([
      'setup-verified-kubectl: DOWNLOAD_FAILED',
    ]);
    expect(run.paths).toEqual([]);
    const kept = world.cacheEntry(WITHOUT_SBOM, 'kubectl', name);
    expect(cachedFiles(run)).toContain(`${kept}/kubectl${SUFFIX}`);
    await startServers(world);
    expectInstalled(await install(toolCache, inputs));
  });
});

describe('the trust root, while nobody answers', () => {
  /** The tool cache of a run with TUF metadata that expired meanwhile, or did not. */
  function cacheWithMetadata(expires: Date): string {
    const toolCache = warmCache();
    world.tuf.publish({ expires: { timestamp: expires } });
    const kept = keptMetadataPath(join(toolCache, 'verified-trust-root'));
    writeKeptMetadata(kept, metadataToKeep(world.tuf));
    return toolCache;
  }
  const EXPIRED = new Date(Date.now() - DAY);

  afterEach(() => world.tuf.publish({ expires: { timestamp: new Date(Date.now() + 30 * DAY) } }));

  test('is taken cached metadata, still fresh', async () => {
    const toolCache = cacheWithMetadata(new Date(Date.now() + DAY));
    await stopServers(world);
    expectInstalled(await install(toolCache, {}, { env: IMPATIENT }));
  });

  test('is not taken from metadata that has expired', async () => {
    const toolCache = cacheWithMetadata(EXPIRED);
    await stopServers(world);
    const run = await install(toolCache, {}, { env: IMPATIENT });
    expect(run.annotations.map(({ title }) => title)).toEqual([
      'setup-verified-kubectl: TRUST_ROOT_UNAVAILABLE',
    ]);
    expect(run.paths).toEqual([]);
    expect(existsSync(filesOf(toolCache).binary)).toBe(true);
  });

  test('may be a file', async () => {
    const toolCache = cacheWithMetadata(EXPIRED);
    const inputs = { ...NO_TUF, 'trusted-root': world.writeTrustedRoot() };
    expectInstalled(await install(toolCache, inputs));
    await stopServers(world);
    const run = await install(toolCache, inputs);
    expectInstalled(run);
    expect(run.outputs['cache-hit']).toBe('true');
  });

  test('may be a file, of the right instance', async () => {
    const other = await World.start({ baseEntries: 1 });
    const inputs = { ...NO_TUF, 'trusted-root': other.writeTrustedRoot() };
    const run = await install(warmCache(), inputs);
    await other.stop();
    expect(titlesOf(run)).toEqual(['setup-verified-kubectl: CERTIFICATE_UNTRUSTED']);
    expect(run.paths).toEqual([]);
  });

  test('may be embedded, and then does not trust this world', async () => {
    const inputs = { ...NO_TUF, 'trusted-root': 'embedded' };
    const run = await runIn(world, { version: VERSION, ...inputs });
    expectRefused(run, 'CERTIFICATE_UNTRUSTED');
    expect(world.tufServer.requests).toEqual([]);
  });
});

/** Inputs that leave TUF out; empty ones fall back to their defaults. */
const NO_TUF = { 'tuf-mirror-url': '', 'tuf-root': '' };

describe('the evidence, before an independent judge', () => {
  /** `verify` of the umbrella package: it knows nothing of this action. */
  async function judge(
    bundle: SerializedBundle,
    bytes: Buffer,
    identity = RELEASE_IDENTITY,
    issuer = RELEASE_ISSUER,
  ): Promise<void> {
    await independentVerify(bundle, bytes, {
      certificateIdentityEmail: identity,
      certificateIssuer: issuer,
      tufMirrorURL: world.tufServer.url,
      tufRootPath: world.tufRootPath,
      tufCachePath: mkdtempSync(join(folder, 'judge-')),
    });
  }

  const read = (file: string): SerializedBundle =>
    JSON.parse(readFileSync(file, 'utf8')) as SerializedBundle;

  test('bundle-path names the bundle beside the binary', async () => {
    const run = await install(warmCache());
    const path = run.outputs['bundle-path'] ?? '';
    expect(path).toBe(`${run.outputs['kubectl-path'] ?? ''}.sigstore.json`);
    expect(read(path).mediaType).toBe('application/vnd.dev.sigstore.bundle.v0.3+json');
    const { entry } = world.release.artifact(VERSION, NATIVE, 'kubectl');
    expect(logEntryOf(read(path))).toMatchObject({
      logIndex: String(entry.logIndex),
      integratedTime: String(entry.integratedTime.getTime() / 1000),
      canonicalizedBody: entry.body.toString('base64'),
      inclusionPromise: { signedEntryTimestamp: expect.any(String) },
      inclusionProof: { logIndex: String(entry.index), checkpoint: expect.anything() },
    });
  });

  test.each<[string, Part, Part]>([
    ['of the binary', 'binary', 'bundle'],
    ['of the SBOM', 'sbom', 'sbomBundle'],
  ])('%s is accepted, and a tampered one is not', async (_, file, evidence) => {
    const files = filesOf(warmCache());
    const bytes = readFileSync(files[file]);
    const bundle = (): SerializedBundle => read(files[evidence]);
    await judge(bundle(), bytes);

    const longer = Buffer.concat([bytes, Buffer.from('\n')]);
    await expect(judge(bundle(), longer)).rejects.toThrow();
    await expect(judge(bundle(), bytes, 'stranger@example.com')).rejects.toThrow();
    await expect(judge(bundle(), bytes, RELEASE_IDENTITY, 'https://other.test')).rejects.toThrow();
    const tampered = bundle();
    const entry = logEntryOf(tampered);
    entry.integratedTime = String(Number(entry.integratedTime) + 1);
    await expect(judge(tampered, bytes)).rejects.toThrow();
  });

  test.each([
    ['recovered from the log', (path: string) => world.host.remove(`${path}.cert`)],
    [
      'of Rekor v2 with a timestamp',
      (path: string) => {
        const version = path.split('/')[1] ?? '';
        const file = world.release.artifact(version, NATIVE, 'kubectl');
        file.putBundle(file.bundleV2());
        file.removeMaterial();
      },
    ],
  ])('%s is accepted', async (_, change) => {
    const version = fresh();
    world.release.publish({ version, platforms: [NATIVE] });
    const file = world.release.artifact(version, NATIVE, 'kubectl');
    change(file.path);
    const run = await runIn(world, { version });
    expect(run.exitCode).toBe(0);
    await judge(read(run.outputs['bundle-path'] ?? ''), file.bytes);
  });
});
