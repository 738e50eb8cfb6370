import {
  appendFileSync,
  chmodSync,
  cpSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals';
import {
  CertificateAuthority,
  World,
  fault,
  imagePayload,
  provenance,
  putSignature,
  putSignatures,
  releaseFile,
  releaseFilePath,
  sbomPath,
  signAsPromoter,
  signatureAnnotations,
  sourceSbom,
  tally,
  type ActionResult,
  type PublishOptions,
} from '../support/index.js';
import { MISSING, testUnless } from '../support/skip.js';
import {
  FOREIGN,
  FOREIGN_ARCH,
  IMPATIENT,
  NATIVE,
  STRANGER,
  cachedFiles,
  expectArtifacts,
  expectInstalled,
  expectRefused,
  freshVersions,
  reportsOf,
  requestedPaths,
  runIn,
  serveAs,
  textOf,
  titlesOf,
  warningsOf,
} from './expectations.js';

const tarball = (kind: string, platform = NATIVE): string =>
  `kubernetes-${kind}-${platform.replace('/', '-')}.tar.gz`;

const OLD = 'v1.26.0';
const TEST = tarball('test');
const FOREIGN_TEST = tarball('test', FOREIGN);
const CLIENT = tarball('client');
const SOURCE = 'kubernetes-src.tar.gz';
const SBOM = 'kubernetes-release.spdx';
const ALL = [TEST, FOREIGN_TEST, CLIENT, SOURCE];
const BY_SBOM = 'proven by its signed SBOM';

const fresh = freshVersions();
let world: World;
let folder: string;

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'artifacts-'));
  world = await World.start({ publish: [{ version: OLD, platforms: [NATIVE], artifacts: ALL }] });
});
afterEach(() => world.reset());
afterAll(async () => {
  await world.stop();
  rmSync(folder, { recursive: true });
});

/** Publishes a version that only this test knows. */
function publish(options: Partial<PublishOptions> = {}): string {
  const version = fresh();
  world.release.publish({ version, platforms: [NATIVE], artifacts: ALL, ...options });
  return version;
}

/** A run without tools. */
const fetch = (
  version: string,
  artifacts = 'test',
  inputs: Readonly<Record<string, string>> = {},
  options: Parameters<typeof runIn>[2] = {},
): Promise<ActionResult> => runIn(world, { version, tools: 'none', artifacts, ...inputs }, options);

const newFolder = (): string => mkdtempSync(join(folder, 'folder-'));

describe('a file of the release', () => {
  test('is kept with its evidence, not unpacked and not on PATH', async () => {
    const version = publish();
    const run = await fetch(version);
    expectArtifacts(run, { version, artifacts: { test: TEST } });
    const entry = world.artifactEntry(version, TEST, NATIVE);
    expect(cachedFiles(run)).toEqual(
      [
        `${entry}.complete`,
        `${entry}/${SBOM}`,
        `${entry}/${SBOM}.sigstore.json`,
        `${entry}/${TEST}`,
        `${entry}/${TEST}.sigstore.json`,
      ].sort(),
    );
  });

  test('every output, with tools: none', async () => {
    const version = publish();
    const run = await fetch(version);
    const { sha256, bytes, entry } = world.release.file(version, TEST);
    const path = run.outputs['artifact-path'] ?? '';
    const shared = {
      version,
      sha256,
      'certificate-identity': 'krel-staging@k8s-releng-prod.iam.gserviceaccount.com',
      'certificate-oidc-issuer': 'https://accounts.google.com',
      'log-index': run.outputs['log-index'],
      'log-entry-uuid': run.outputs['log-entry-uuid'],
      'integrated-time': run.outputs['integrated-time'],
      'bundle-path': `${path}.sigstore.json`,
    };
    expect(run.outputs).toEqual({
      ...shared,
      'artifact-path': path,
      artifacts: JSON.stringify({ test: path }),
      'cache-hit': 'false',
      report: run.outputs['report'],
    });
    expect(entry.uuid).toContain(run.outputs['log-entry-uuid']);
    expect(reportsOf(run)).toEqual([
      {
        ...shared,
        artifact: TEST,
        platform: NATIVE,
        path,
        size: bytes.length,
        source: 'download',
        'cache-hit': false,
        'release-proof': BY_SBOM,
        recovered: null,
        'durations-ms': {
          resolve: expect.any(Number),
          download: expect.any(Number),
          verify: expect.any(Number),
          install: expect.any(Number),
        },
      },
    ]);
  });

  test('beside a tool: outputs with one value describe the tool', async () => {
    const version = publish();
    const run = await runIn(world, { version, artifacts: SOURCE });
    expectInstalled(run, { version, artifacts: { [SOURCE]: SOURCE } });
    const { sha256 } = world.release.artifact(version, NATIVE, 'kubectl');
    expect(run.outputs['sha256']).toBe(sha256);
    expect(reportsOf(run)[1]).toMatchObject({ artifact: SOURCE, platform: null });
    expect(world.host.server.requestsFor(/\.spdx$/)).toHaveLength(1);
  });

  test('beside an image: none is kept unless both pass', async () => {
    const version = publish();
    const image = 'registry.k8s.io/pause:3.10';
    const digest = world.registry.putImage('pause', '3.10');
    const payload = imagePayload({ reference: 'registry.k8s.io/pause', digest });
    const both = (): Promise<ActionResult> => fetch(version, 'test', { images: image });
    const signed = signAsPromoter(world.release, payload);
    putSignatures(world.registry, 'pause', digest, [
      putSignature(world.registry, payload, signatureAnnotations(signed)),
    ]);
    const run = await both();
    expectArtifacts(run, { version, artifacts: { test: TEST } });
    expect(JSON.parse(run.outputs['images'] ?? '{}')).toEqual({
      [image]: `registry.k8s.io/pause@${digest}`,
    });
    expect(reportsOf(run).map(({ artifact, image }) => artifact ?? image)).toEqual([TEST, image]);
    const strange = signAsPromoter(world.release, payload, STRANGER);
    putSignatures(world.registry, 'pause', digest, [
      putSignature(world.registry, payload, signatureAnnotations(strange)),
    ]);
    expectRefused(await both(), 'IDENTITY_MISMATCH');
    world.registry.clear();
  });

  test('log and job summary say as much as for a tool', async () => {
    const version = publish();
    const run = await fetch(version, `test ${SOURCE}`);
    expectArtifacts(run, { artifacts: { test: TEST, [SOURCE]: SOURCE } });
    const [{ sha256, path, ...report } = {}] = reportsOf(run);
    for (const line of [
      `::group::${TEST} ${version} (${NATIVE})`,
      `::group::${SOURCE} ${version}\n`,
      `tlog entry verified with uuid: ${report['log-entry-uuid']} index: ${report['log-index']}`,
      'Verified OK',
      `Release: ${BY_SBOM}`,
      `SHA-256: ${sha256} (0.1 MB)`,
      'Source: downloaded',
      `Path: ${path}`,
      `Evidence: ${path}.sigstore.json`,
    ]) {
      expect(run.stdout).toContain(line);
    }
    const text = textOf(run.summary);
    expect(text).toContain('Verified Kubernetes artifacts');
    expect(text).not.toContain('Verified Kubernetes tools');
    for (const shown of [`${TEST} ${version}`, `for ${NATIVE}`, sha256, BY_SBOM, 'downloaded']) {
      expect(text).toContain(shown);
    }
  });

  test('several names for a file: it is downloaded once, and has a path under each', async () => {
    const version = publish();
    const run = await fetch(version, `test,${TEST}\n  client test`);
    expectArtifacts(run, { artifacts: { test: TEST, [TEST]: TEST, client: CLIENT } });
    expect(world.host.server.requestsFor(new RegExp(`/${TEST}$`))).toHaveLength(1);
  });

  test('of another architecture', async () => {
    const version = publish();
    const run = await fetch(version, 'test', { architecture: FOREIGN_ARCH });
    expectArtifacts(run, { artifacts: { test: FOREIGN_TEST } });
    expect(reportsOf(run)).toMatchObject([{ artifact: FOREIGN_TEST, platform: FOREIGN }]);
  });

  test('of another architecture, by its name', async () => {
    const version = publish();
    const run = await fetch(version, FOREIGN_TEST);
    expectArtifacts(run, { artifacts: { [FOREIGN_TEST]: FOREIGN_TEST } });
    expect(reportsOf(run)).toMatchObject([{ artifact: FOREIGN_TEST, platform: FOREIGN }]);
  });

  test('with a broken publication is recovered like a binary', async () => {
    const version = publish();
    const { certificate } = world.release.file(OLD, TEST);
    const cert = Buffer.from(certificate.pem).toString('base64');
    world.host.put(`${releaseFilePath(version, TEST)}.cert`, cert);
    const run = await fetch(version);
    expectArtifacts(run, { warnings: ['Broken publication'], artifacts: { test: TEST } });
    expect(warningsOf(run)[0]?.message).toContain(TEST);
  });

  test('is downloaded even if a file of its name is on PATH', async () => {
    const version = publish();
    const onPath = newFolder();
    writeFileSync(join(onPath, TEST), world.release.file(version, TEST).bytes);
    const run = await fetch(version, 'test', {}, { env: { PATH: onPath } });
    expectArtifacts(run, { artifacts: { test: TEST } });
    expect(reportsOf(run)).toMatchObject([{ source: 'download' }]);
  });
});

describe('the transfer', () => {
  test('is resumed where it broke', async () => {
    const version = publish();
    world.host.server.fail(`/${TEST}`, fault.resetAfter(50_000));
    const run = await fetch(version, 'test', {}, { env: IMPATIENT });
    expectArtifacts(run, { artifacts: { test: TEST } });
    const [first, second] = world.host.server.requestsFor(new RegExp(`/${TEST}$`));
    expect(first?.headers.range).toBeUndefined();
    expect(second?.headers.range).toMatch(/^bytes=[1-9]\d*-$/);
  });

  test('shows its progress', async () => {
    const version = publish();
    world.host.server.fail(`/${TEST}`, fault.slow(14_000));
    const run = await fetch(version);
    expectArtifacts(run, { artifacts: { test: TEST } });
    expect(run.stdout).toMatch(new RegExp(`^${TEST}: 0\\.\\d MB downloaded \\(\\d+ %\\)$`, 'm'));
  });
});

describe('the tool cache', () => {
  async function runTwice(
    change: (entry: string) => void,
    version = publish(),
  ): Promise<ActionResult> {
    const toolCache = newFolder();
    expectArtifacts(await fetch(version, 'test', {}, { toolCache }), { artifacts: { test: TEST } });
    change(join(toolCache, world.artifactEntry(version, TEST, NATIVE)));
    world.reset();
    return fetch(version, 'test', {}, { toolCache });
  }

  test('an untouched copy is proven again, without a request', async () => {
    const again = await runTwice(() => {});
    expectArtifacts(again, { artifacts: { test: TEST } });
    expect(again.outputs['cache-hit']).toBe('true');
    expect(reportsOf(again)).toMatchObject([{ source: 'cache', 'release-proof': BY_SBOM }]);
    expect(requestedPaths(world)).toEqual([]);
  });

  test.each<[string, (entry: string) => void]>([
    [
      'one byte changed',
      (entry) => {
        const bytes = readFileSync(join(entry, TEST));
        bytes.writeUInt8(bytes.readUInt8(1000) ^ 1, 1000);
        writeFileSync(join(entry, TEST), bytes);
      },
    ],
    ['one byte more', (entry) => appendFileSync(join(entry, TEST), 'x')],
    ['a file beside it', (entry) => writeFileSync(join(entry, 'kubectl'), '')],
    ['its evidence changed', (entry) => appendFileSync(join(entry, `${TEST}.sigstore.json`), ' ')],
  ])('%s: deleted, and downloaded again', async (_, change) => {
    const again = await runTwice(change);
    expectArtifacts(again, { warnings: ['Cached copy refused'], artifacts: { test: TEST } });
    expect(warningsOf(again)[0]?.message).toContain('was deleted');
    expect(again.outputs['cache-hit']).toBe('false');
    tally('attacks refused or without effect');
  });

  test('the SBOM of another release beside it: not used, and downloaded again', async () => {
    const version = publish();
    const other = await fetch(OLD);
    const otherEntry = join(other.dirs.toolCache, world.artifactEntry(OLD, TEST, NATIVE));
    const again = await runTwice((entry) => {
      for (const name of [SBOM, `${SBOM}.sigstore.json`]) {
        cpSync(join(otherEntry, name), join(entry, name));
      }
    }, version);
    expectArtifacts(again, { warnings: ['Cached copy refused'], artifacts: { test: TEST } });
    expect(warningsOf(again)[0]?.message).toContain(`is for ${OLD}`);
    tally('attacks refused or without effect');
  });

  test('no SBOM beside it: the published one proves it, and nothing else', async () => {
    const version = publish();
    const removeSbom = (entry: string): void => {
      for (const name of [SBOM, `${SBOM}.sigstore.json`]) rmSync(join(entry, name));
    };
    const again = await runTwice(removeSbom, version);
    expectArtifacts(again, { artifacts: { test: TEST } });
    expect(again.outputs['cache-hit']).toBe('true');
    const refused = await runTwice((entry) => {
      removeSbom(entry);
      serveAs(world, world.release.sbom(OLD), sbomPath(version));
    }, version);
    const message = expectRefused(refused, 'RELEASE_MISMATCH', {
      warnings: ['Cached copy refused'],
    });
    expect(message).toContain(`is for ${OLD}`);
    tally('attacks refused or without effect');
  });

  testUnless(MISSING.permissionBits)('is taken back from those who could write to it', async () => {
    let folder = '';
    const again = await runTwice((entry) => {
      folder = dirname(dirname(entry));
      chmodSync(folder, 0o777);
      chmodSync(dirname(entry), 0o777);
    });
    expectArtifacts(again, { artifacts: { test: TEST } });
    expect(again.outputs['cache-hit']).toBe('true');
    expect(statSync(folder).mode & 0o777).toBe(0o755);
  });

  test('that cannot be used is not used: the file is below RUNNER_TEMP', async () => {
    const version = publish();
    const toolCache = newFolder();
    writeFileSync(join(toolCache, `verified-${TEST}`), 'in the way');
    const run = await fetch(version, 'test', {}, { toolCache });
    expect(run.exitCode).toBe(0);
    expect(run.annotations.map(({ title }) => title)).toEqual(['Tool cache not used']);
    const path = run.outputs['artifact-path'] ?? '';
    expect(path.startsWith(join(run.dirs.temp, 'verified-tools-'))).toBe(true);
    expect(readFileSync(path).equals(world.release.file(version, TEST).bytes)).toBe(true);
    expect(run.paths).toEqual([]);
  });

  test('with a newer file than a pointer names: a warning', async () => {
    const toolCache = newFolder();
    const named = publish({ pointers: false });
    const held = publish({ pointers: false });
    await fetch(held, `test ${SBOM}`, {}, { toolCache });
    world.release.point('stable', named);
    for (const artifacts of ['test', SBOM]) {
      const run = await fetch('stable', artifacts, {}, { toolCache });
      expect(titlesOf(run, 'error')).toEqual([]);
      expect(titlesOf(run, 'warning')).toEqual(['Pointer names an older version']);
      const name = artifacts === 'test' ? TEST : SBOM;
      expect(warningsOf(run)[0]?.message).toContain(
        `has ${name} ${held}, which passes every check`,
      );
    }
  });

  test('answers a minor version only with what has every file', async () => {
    const toolCache = newFolder();
    const version = publish();
    await fetch(version, 'test', {}, { toolCache });
    const minor = version.slice(1).replace(/\.\d+$/, '');
    expectArtifacts(await fetch(minor, 'test', {}, { toolCache }), {
      version,
      artifacts: { test: TEST },
    });
    world.reset();
    const newest = publish();
    const both = await fetch(minor, `test ${SOURCE}`, {}, { toolCache });
    expectArtifacts(both, { version: newest, artifacts: { test: TEST, [SOURCE]: SOURCE } });
  });
});

describe('forgeries, each refused where the same release without it is accepted', () => {
  const appended = `FileName: ${TEST}\nFileChecksum: SHA256: ${'a'.repeat(64)}\n`;
  const path = (version: string): string => releaseFilePath(version, TEST);

  test.each<[what: string, code: string, says: string, forge: (version: string) => void]>([
    [
      'a tarball of another version',
      'RELEASE_MISMATCH',
      'do not belong to that release',
      (version) => serveAs(world, world.release.file(OLD, TEST), path(version)),
    ],
    [
      'a tarball of another version with its SBOM',
      'RELEASE_MISMATCH',
      `is for ${OLD}`,
      (version) => {
        serveAs(world, world.release.file(OLD, TEST), path(version));
        serveAs(world, world.release.sbom(OLD), sbomPath(version));
      },
    ],
    [
      'a tarball of another platform',
      'RELEASE_MISMATCH',
      `these bytes are ${FOREIGN_TEST} of`,
      (version) => serveAs(world, world.release.file(version, FOREIGN_TEST), path(version)),
    ],
    [
      'another tarball of the release',
      'RELEASE_MISMATCH',
      `these bytes are ${CLIENT} of`,
      (version) => serveAs(world, world.release.file(version, CLIENT), path(version)),
    ],
    [
      'a binary of the release',
      'RELEASE_MISMATCH',
      `these bytes are bin/${NATIVE}/kubectl`,
      (version) => {
        serveAs(world, world.release.artifact(version, NATIVE, 'kubectl'), path(version));
      },
    ],
    [
      'a tarball cut short',
      'SIGNATURE_MISMATCH',
      TEST,
      (version) => {
        const { bytes } = world.release.file(version, TEST);
        world.release.file(version, TEST).replace(bytes.subarray(0, -1));
      },
    ],
    [
      'the SBOM of another release',
      'RELEASE_MISMATCH',
      `is for ${OLD}`,
      (version) => serveAs(world, world.release.sbom(OLD), sbomPath(version)),
    ],
    [
      'an SBOM that lists it with another digest',
      'RELEASE_MISMATCH',
      'with a different SHA-256',
      (version) => void world.release.putSbom(version, { sha256: { [TEST]: 'a'.repeat(64) } }),
    ],
    [
      'an SBOM that lists it twice, with different digests',
      'RELEASE_MISMATCH',
      `contradicts itself: it lists ${TEST} with 2 different SHA-256 digests`,
      (version) => void world.release.putSbom(version, { appended }),
    ],
    [
      'an SBOM that does not list it',
      'RELEASE_MISMATCH',
      'lists no such file',
      (version) => void world.release.putSbom(version, { omit: [TEST] }),
    ],
    [
      'signed by somebody else',
      'IDENTITY_MISMATCH',
      'stranger@example.com',
      (version) => void world.release.file(version, TEST).sign(STRANGER),
    ],
    [
      'signed with a certificate of another authority',
      'CERTIFICATE_UNTRUSTED',
      TEST,
      (version) => {
        world.release.file(version, TEST).sign({ authority: CertificateAuthority.create() });
      },
    ],
    [
      'in no log',
      'LOG_ENTRY_NOT_FOUND',
      TEST,
      (version) => {
        const file = world.release.file(version, TEST);
        file.replace(releaseFile('not logged', version));
        file.sign({ log: false });
        world.release.putSbom(version);
      },
    ],
    [
      'not signed',
      'RELEASE_NOT_SIGNED',
      TEST,
      (version) => {
        const file = world.release.file(version, TEST);
        file.replace(releaseFile('not signed', version));
        file.removeMaterial();
        world.release.putSbom(version);
      },
    ],
  ])('%s -> %s: %s', async (_, code, says, forge) => {
    const version = publish();
    expectArtifacts(await fetch(version), { version, artifacts: { test: TEST } });
    forge(version);
    const message = expectRefused(await fetch(version), code);
    expect(message).toContain(says);
    tally('attacks refused or without effect');
  });

  test('a tarball that ends too early on the way -> DOWNLOAD_FAILED', async () => {
    const version = publish();
    world.host.server.fail(`/${TEST}`, fault.truncate(1_000), Infinity);
    expectRefused(await fetch(version, 'test', {}, { env: IMPATIENT }), 'DOWNLOAD_FAILED');
    world.reset();
    expectArtifacts(await fetch(version), { artifacts: { test: TEST } });
    tally('attacks refused or without effect');
  });

  test('a refused artifact keeps a good tool from PATH', async () => {
    const version = publish();
    world.release.file(version, TEST).sign(STRANGER);
    expectRefused(await runIn(world, { version, artifacts: 'test' }), 'IDENTITY_MISMATCH');
  });
});

describe('the SBOM as an artifact', () => {
  test('proves itself by its namespace', async () => {
    const version = publish();
    const run = await fetch(version, SBOM);
    expectArtifacts(run, { version, artifacts: { [SBOM]: SBOM } });
    expect(reportsOf(run)).toMatchObject([
      { artifact: SBOM, platform: null, 'release-proof': 'proven by its own namespace' },
    ]);
    expect(world.host.server.requestsFor(/\.spdx$/)).toHaveLength(1);
  });

  test('that of another release is refused', async () => {
    const version = publish();
    serveAs(world, world.release.sbom(OLD), sbomPath(version));
    expectRefused(await fetch(version, SBOM), 'RELEASE_MISMATCH', {
      says: [`requested ${SBOM} of ${version}`, `"https://sbom.k8s.io/${OLD}/release"`],
    });
    tally('attacks refused or without effect');
  });

  test('from the tool cache it is proven again', async () => {
    const version = publish();
    const toolCache = newFolder();
    await fetch(version, SBOM, {}, { toolCache });
    world.reset();
    const again = await fetch(version, SBOM, {}, { toolCache });
    expectArtifacts(again, { artifacts: { [SBOM]: SBOM } });
    expect(again.outputs['cache-hit']).toBe('true');
    expect(reportsOf(again)).toMatchObject([{ 'release-proof': 'proven by its own namespace' }]);
    expect(requestedPaths(world)).toEqual([]);
  });

  test('from the tool cache, a genuine one of another release is not used', async () => {
    const version = publish();
    const toolCache = newFolder();
    const of = (one: string): string => join(toolCache, world.artifactEntry(one, SBOM));
    await fetch(OLD, SBOM, {}, { toolCache });
    mkdirSync(dirname(of(version)), { recursive: true });
    const planted = join(dirname(of(version)), of(OLD).split(/[\\/]/).at(-1) ?? '');
    cpSync(of(OLD), planted, { recursive: true });
    const run = await fetch(version, SBOM, {}, { toolCache });
    expectArtifacts(run, { warnings: ['Cached copy refused'], artifacts: { [SBOM]: SBOM } });
    expect(warningsOf(run)[0]?.message).toContain(`/${OLD}/release`);
    tally('attacks refused or without effect');
  });

  test('the one of the source code has a namespace of its own', async () => {
    const name = 'kubernetes-source.spdx';
    const version = publish();
    const put = (of: string): void => {
      world.release.putFile(releaseFilePath(version, name), sourceSbom(of));
    };
    put(version);
    expectArtifacts(await fetch(version, name), { artifacts: { [name]: name } });
    put(OLD);
    expectRefused(await fetch(version, name), 'RELEASE_MISMATCH', {
      says: [`"https://sbom.k8s.io/${OLD}/source"`],
    });
    serveAs(world, world.release.sbom(version), releaseFilePath(version, name));
    expectRefused(await fetch(version, name), 'RELEASE_MISMATCH', {
      says: [`"https://sbom.k8s.io/${version}/release"`],
    });
    tally('attacks refused or without effect');
  });
});

describe('provenance.json', () => {
  const NAME = 'provenance.json';

  function publishProvenance(of?: string, options: { signed?: boolean } = {}): string {
    const version = publish();
    const files = [{ name: TEST, bytes: world.release.file(version, TEST).bytes }];
    const bytes = provenance(of ?? version, files);
    world.release.putFile(releaseFilePath(version, NAME), bytes, options);
    // krel copies it to the bucket by itself, without checksums: PublishVersion in pkg/anago/release.go.
    world.host.remove(`${releaseFilePath(version, NAME)}.sha256`);
    return version;
  }

  test('as Kubernetes publishes it: refused, with the reason', async () => {
    const version = publishProvenance(undefined, { signed: false });
    const message = expectRefused(await fetch(version, NAME), 'RELEASE_NOT_SIGNED', {
      says: [`Kubernetes publishes ${NAME} without a signature`, 'Remove it from "artifacts"'],
    });
    expect(message).toContain('no .sig and no .cert');
  });

  test('where it is signed: accepted', async () => {
    const version = publishProvenance();
    const run = await fetch(version, NAME);
    expectArtifacts(run, { version, artifacts: { [NAME]: NAME } });
    expect(reportsOf(run)).toMatchObject([{ 'release-proof': 'proven by its own subjects' }]);
  });

  test('signed, but of another release: refused', async () => {
    const version = publishProvenance(OLD);
    expectRefused(await fetch(version, NAME), 'RELEASE_MISMATCH', {
      says: [`requested ${NAME} of ${version}`, `/release/${OLD}/${TEST}`],
    });
    tally('attacks refused or without effect');
  });

  test('signed by somebody else: refused', async () => {
    const version = publishProvenance();
    world.release.file(version, NAME).sign(STRANGER);
    expectRefused(await fetch(version, NAME), 'IDENTITY_MISMATCH');
    tally('attacks refused or without effect');
  });
});

describe('a release without a signed SBOM', () => {
  test('cannot prove a tarball: refused, with the way out', async () => {
    const version = publish({ sbom: false });
    expectRefused(await fetch(version), 'RELEASE_MISMATCH', {
      says: [`${TEST} cannot report its version`, 'bind-release: false'],
    });
  });

  test('bind-release: false', async () => {
    const version = publish({ sbom: false });
    const run = await fetch(version, 'test', { 'bind-release': 'false' });
    expectArtifacts(run, { artifacts: { test: TEST } });
    expect(reportsOf(run)).toMatchObject([{ 'release-proof': 'not proven (bind-release: false)' }]);
  });
});

test('bind-release: false takes an older tarball under a newer name, but no other signer', async () => {
  const version = publish();
  const unbound = { 'bind-release': 'false' };
  const older = world.release.file(OLD, TEST);
  serveAs(world, older, releaseFilePath(version, TEST));
  expectArtifacts(await fetch(version, 'test', unbound), {
    artifacts: { test: TEST },
    bytes: { [TEST]: older.bytes },
  });
  world.release.file(version, TEST).sign(STRANGER);
  world.host.put(releaseFilePath(version, TEST), world.release.file(version, TEST).bytes);
  expectRefused(await fetch(version, 'test', unbound), 'IDENTITY_MISMATCH');
});

describe('second factors', () => {
  test.each(['test', TEST])('checksum by the name %s', async (name) => {
    const version = publish();
    const { sha256 } = world.release.file(version, TEST);
    const accepted = await fetch(version, 'test', { checksum: `${name}=${sha256}` });
    expectArtifacts(accepted, { artifacts: { test: TEST } });
    const other = await fetch(version, 'test', { checksum: `${name}=${'a'.repeat(64)}` });
    expectRefused(other, 'CHECKSUM_MISMATCH', { says: [`${TEST}: expected`] });
  });

  test('checksum without a name, for the only file', async () => {
    const version = publish();
    const { sha256 } = world.release.file(version, TEST);
    const accepted = await fetch(version, 'test', { checksum: sha256 });
    expectArtifacts(accepted, { artifacts: { test: TEST } });
    expectRefused(
      await runIn(world, { version, artifacts: 'test', checksum: sha256 }),
      'INVALID_INPUT',
    );
  });

  test('minimum-release-age and maximum-release-age', async () => {
    const version = publish(); // Signed 30 days ago.
    const aged = (inputs: Record<string, string>): Promise<ActionResult> =>
      fetch(version, 'test', inputs);
    expectRefused(await aged({ 'minimum-release-age': '5w' }), 'RELEASE_TOO_NEW', { says: [TEST] });
    expectRefused(await aged({ 'maximum-release-age': '3w' }), 'RELEASE_TOO_OLD', { says: [TEST] });
    expectArtifacts(await aged({ 'minimum-release-age': '3w', 'maximum-release-age': '5w' }), {
      artifacts: { test: TEST },
    });
  });
});

describe('mirrors', () => {
  test('the token goes to the mirror, and nowhere else', async () => {
    const version = publish();
    const run = await fetch(version, 'test', { 'download-token': 'secret' });
    expectArtifacts(run, { artifacts: { test: TEST } });
    for (const { headers } of world.host.server.requests) {
      expect(headers.authorization).toBe('Bearer secret');
    }
    for (const { headers } of [...world.logServer.requests, ...world.tufServer.requests]) {
      expect(headers.authorization).toBeUndefined();
    }
  });

  test('a folder with the layout of dl.k8s.io, and what was published', async () => {
    const version = publish();
    const mirror = newFolder();
    const [path, sbom] = [releaseFilePath(version, TEST), sbomPath(version)];
    for (const name of [path, sbom].flatMap((one) => [one, `${one}.sig`, `${one}.cert`])) {
      mkdirSync(dirname(join(mirror, name)), { recursive: true });
      writeFileSync(join(mirror, name), world.host.get(name));
    }
    const inputs = { 'download-base-url': pathToFileURL(mirror).href };
    const accepted = await fetch(version, 'test', inputs);
    expectArtifacts(accepted, { artifacts: { test: TEST } });
    appendFileSync(join(mirror, path), 'x');
    expectRefused(await fetch(version, 'test', inputs), 'SIGNATURE_MISMATCH');
  });
});

test('an air gap: what one run left in its tool cache serves another one without any request', async () => {
  const version = publish();
  const online = await fetch(version);
  const mirror = newFolder();
  const files = join(mirror, 'release', version);
  cpSync(dirname(online.outputs['artifact-path'] ?? ''), files, { recursive: true });
  world.reset();
  const inputs = {
    'download-base-url': pathToFileURL(mirror).href,
    'trusted-root': world.writeTrustedRoot(),
    'tuf-root': '',
  };
  const run = await fetch(version, `test ${SBOM}`, inputs);
  expectArtifacts(run, { version, artifacts: { test: TEST, [SBOM]: SBOM } });
  expect(requestedPaths(world)).toEqual([]);
  cpSync(join(files, TEST), join(files, CLIENT));
  cpSync(join(files, `${TEST}.sigstore.json`), join(files, `${CLIENT}.sigstore.json`));
  expectRefused(await fetch(version, 'client', inputs), 'RELEASE_MISMATCH');
});

describe('what there is not', () => {
  test('a tarball for a platform that none is published for: nothing is asked for', async () => {
    const run = await fetch(OLD, 'server', { architecture: '386' });
    expectRefused(run, 'PLATFORM_NOT_PUBLISHED', {
      says: ['has no server tarball for', 'linux/amd64'],
    });
    expect(requestedPaths(world)).toEqual([]);
  });

  test('a tarball for a platform that this release has none for', async () => {
    const version = publish({ artifacts: [FOREIGN_TEST] });
    // isPublished() asks for it.
    world.host.put(`release/${version}/bin/linux/amd64/kubectl.sha256`, 'a'.repeat(64));
    expectRefused(await fetch(version), 'PLATFORM_NOT_PUBLISHED', {
      says: [`Kubernetes ${version} has no ${TEST} for ${NATIVE}`],
    });
  });

  test('a file that this release has not', async () => {
    const version = publish({ artifacts: [] });
    // isPublished() asks for it.
    world.host.put(`release/${version}/bin/linux/amd64/kubectl.sha256`, 'a'.repeat(64));
    expectRefused(await fetch(version, SOURCE), 'DOWNLOAD_FAILED', {
      says: [`Kubernetes ${version} has no ${SOURCE} at`, 'check that the mirror has the file'],
    });
  });

  test('the release', async () => {
    expectRefused(await fetch('v1.99.9'), 'VERSION_NOT_FOUND');
  });

  test.each([
    '../kubernetes-src.tar.gz',
    'bin/linux/amd64/kubectl',
    '/etc/passwd',
    '.kubernetes-src.tar.gz',
    'kubernetes-src.tar.gz.sig',
    'kubernetes-client-plan9-amd64.tar.gz',
    'KUBERNETES-SRC.TAR.GZ',
    'kubernetes-src.tar.gz?x',
    'https://example.com/kubernetes-src.tar.gz',
    'toString',
    'all',
  ])('a file %s in any release: nothing is asked for', async (name) => {
    expectRefused(await fetch(OLD, name), 'INVALID_INPUT', { says: ['Input "artifacts"', name] });
    expect(requestedPaths(world)).toEqual([]);
  });

  test('anything to do: tools: none alone', async () => {
    expectRefused(await runIn(world, { tools: 'none' }), 'INVALID_INPUT', {
      says: ['"artifacts"'],
    });
    expect(requestedPaths(world)).toEqual([]);
  });

  test('a tool beside none', async () => {
    const run = await fetch(OLD, 'test', { tools: 'none kubectl' });
    expectRefused(run, 'INVALID_INPUT', { says: ['"none"'] });
  });
});
