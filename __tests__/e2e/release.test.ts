import { existsSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import {
  CertificateAuthority,
  World,
  artifactPath,
  executable,
  fault,
  sbomPath,
  type ActionResult,
} from '../support/index.js';
import { MISSING, testUnless } from '../support/skip.js';
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
  runIn,
  serveAs,
  warningsOf,
} from './expectations.js';

const OLD = 'v1.26.0';
const BY_SBOM = 'proven by its signed SBOM';
const BY_BINARY = 'reported by the signed binary (the release has no signed SBOM)';
const fresh = freshVersions();
let world: World;

beforeAll(async () => {
  world = await World.start({
    publish: [{ version: OLD, platforms: [NATIVE, FOREIGN], tools: ['kubectl', 'kubelet'] }],
  });
});
afterEach(() => world.reset());
afterAll(() => world.stop());

/** Publishes a version that only this test knows. */
function publish(options: Partial<Parameters<World['release']['publish']>[0]> = {}): string {
  const version = fresh();
  world.release.publish({ version, platforms: [NATIVE, FOREIGN], ...options });
  return version;
}

const pathOf = (version: string, tool = 'kubectl'): string => artifactPath(version, NATIVE, tool);
const nameOf = (tool: string, platform = NATIVE): string =>
  artifactPath('v0.0.0', platform, tool).replace('release/v0.0.0/', '');

const install = (
  version: string,
  inputs: Record<string, string> = {},
  env: Record<string, string> = {},
): Promise<ActionResult> => runIn(world, { version, ...inputs }, { env });

describe('the SBOM of the release', () => {
  test('proves it, and is kept with its evidence beside the binary', async () => {
    const version = publish();
    const run = await install(version);
    expectInstalled(run);
    expect(reportOf(run)['release-proof']).toBe(BY_SBOM);
    expect(run.stdout).toContain(`Release: ${BY_SBOM}`);
    expect(run.summary).toContain(BY_SBOM);
    const folder = world.cacheEntry(version);
    const name = nameOf('kubectl').split('/').pop() ?? '';
    expect(cachedFiles(run).sort()).toEqual(
      [
        `${folder}.complete`,
        `${folder}/kubernetes-release.spdx`,
        `${folder}/kubernetes-release.spdx.sigstore.json`,
        `${folder}/${name}`,
        `${folder}/${name}.sigstore.json`,
      ].sort(),
    );
  });

  test('is fetched and verified once for several tools', async () => {
    const tools = ['kubectl', 'kubeadm', 'kubelet'];
    const version = publish({ tools });
    const run = await install(version, { tools: tools.join(',') });
    expectInstalled(run, { version, tools });
    for (const suffix of ['.spdx', '.spdx.sig', '.spdx.cert']) {
      expect(world.host.server.requestsFor(suffix)).toHaveLength(1);
    }
    expect(tools.map((tool) => reportOf(run, tool)['release-proof'])).toEqual(
      tools.map(() => BY_SBOM),
    );
  });

  test('proves a binary for another architecture', async () => {
    const version = publish();
    const run = await install(version, { architecture: FOREIGN_ARCH });
    expectInstalled(run);
    expect(reportOf(run)).toMatchObject({ platform: FOREIGN, 'release-proof': BY_SBOM });
  });

  test.each([
    ['blank lines between the fields', { blankLines: true }],
    ['no images', { images: 0 }],
    ['a text block in it', { insideText: 'Copyright\n\n(c) The Authors' }],
    ['a name that is another version, which nothing relies on', { documentNameVersion: OLD }],
  ])('may have %s', async (_, sbom) => {
    expectInstalled(await install(publish({ sbom })));
  });
});

describe('other bytes than the ones asked for, all validly signed', () => {
  test('an older release under a newer name', async () => {
    const version = publish();
    serveAs(world, world.release.artifact(OLD, NATIVE, 'kubectl'), pathOf(version));
    const message = expectRefused(await install(version), 'RELEASE_MISMATCH');
    expect(message).toContain(`${nameOf('kubectl')} of ${version}`);
    expect(message).toMatch(/signed at 20.* do not belong to that release/);
  });

  test('an older release under a newer name, for another architecture', async () => {
    const version = publish();
    const path = artifactPath(version, FOREIGN, 'kubectl');
    serveAs(world, world.release.artifact(OLD, FOREIGN, 'kubectl'), path);
    const run = await install(version, { architecture: FOREIGN_ARCH });
    const message = expectRefused(run, 'RELEASE_MISMATCH');
    expect(message).toContain(`${nameOf('kubectl', FOREIGN)} of ${version}`);
    expect(message).toMatch(/signed at 20.* do not belong to that release/);
  });

  test('an older release with its SBOM', async () => {
    const version = publish();
    serveAs(world, world.release.artifact(OLD, NATIVE, 'kubectl'), pathOf(version));
    serveAs(world, world.release.sbom(OLD), sbomPath(version));
    const message = expectRefused(await install(version), 'RELEASE_MISMATCH');
    expect(message).toContain(`${nameOf('kubectl')} of ${version}`);
    expect(message).toContain(`is for ${OLD}`);
  });

  test('another tool of the same release', async () => {
    const version = publish({ tools: ['kubectl', 'kubelet'] });
    serveAs(world, world.release.artifact(version, NATIVE, 'kubelet'), pathOf(version));
    const message = expectRefused(await install(version), 'RELEASE_MISMATCH');
    expect(message).toContain(`requested ${nameOf('kubectl')} of ${version}`);
    expect(message).toContain(`these bytes are ${nameOf('kubelet')} of ${version}`);
  });

  test('the same tool for another platform', async () => {
    const version = publish();
    serveAs(world, world.release.artifact(version, FOREIGN, 'kubectl'), pathOf(version));
    const message = expectRefused(await install(version), 'RELEASE_MISMATCH');
    expect(message).toContain(`requested ${nameOf('kubectl')} of ${version}`);
    expect(message).toContain(`these bytes are ${nameOf('kubectl', FOREIGN)} of ${version}`);
  });

  test('one of several tools: none of them is installed', async () => {
    const version = publish({ tools: ['kubectl', 'kubelet'] });
    serveAs(world, world.release.artifact(OLD, NATIVE, 'kubelet'), pathOf(version, 'kubelet'));
    const run = await install(version, { tools: 'kubectl kubelet' });
    expectRefused(run, 'RELEASE_MISMATCH');
  });
});

describe('an SBOM that says something else', () => {
  const name = nameOf('kubectl');

  test('it is that of another version', async () => {
    const version = publish();
    serveAs(world, world.release.sbom(OLD), sbomPath(version));
    const message = expectRefused(await install(version), 'RELEASE_MISMATCH');
    expect(message).toContain(version);
    expect(message).toContain(OLD);
  });

  test.each([
    ['its namespace is another version', { namespaceVersion: OLD }],
    ['it does not list the file', { omit: [name] }],
    ['it lists the file with another digest', { sha256: { [name]: 'a'.repeat(64) } }],
    [
      'it lists the file twice, with different digests',
      { appended: `FileName: ${name}\nFileChecksum: SHA256: ${'a'.repeat(64)}\n` },
    ],
    [
      'it has two namespaces',
      { appended: `DocumentNamespace: https://sbom.k8s.io/${OLD}/release` },
    ],
  ])('%s', async (_, sbom) => {
    const version = publish({ sbom });
    expect(expectRefused(await install(version), 'RELEASE_MISMATCH')).toContain(version);
  });
});

describe('look-alike lines', () => {
  const name = nameOf('kubectl');
  const fileLines = (version: string): string =>
    [
      `FileName: ${name}`,
      `SPDXID: SPDXRef-File-kubectl`,
      `FileChecksum: SHA256: ${world.release.artifact(version, NATIVE, 'kubectl').sha256}`,
    ].join('\n');

  test('a file inside a text does not count', async () => {
    const version = publish({ sbom: false });
    world.release.putSbom(version, { omit: [name], insideText: `\n${fileLines(version)}\n` });
    expectRefused(await install(version), 'RELEASE_MISMATCH');
  });

  test('the same lines outside of a text do', async () => {
    const version = publish({ sbom: false });
    world.release.putSbom(version, { omit: [name], appended: fileLines(version) });
    expectInstalled(await install(version));
  });

  test('a second entry with the same digest is the same statement', async () => {
    const version = publish({ sbom: false });
    world.release.putSbom(version, { appended: fileLines(version) });
    expectInstalled(await install(version));
  });

  test('a second, wrong digest inside a text does no harm', async () => {
    const version = publish({ sbom: { insideText: `FileName: ${name}\n${fileLines(OLD)}` } });
    expectInstalled(await install(version));
  });

  test('a namespace inside a text does not count', async () => {
    const version = publish({ sbom: false });
    const insideText = `\nDocumentNamespace: https://sbom.k8s.io/${version}/release\n`;
    world.release.putSbom(version, { namespaceVersion: OLD, insideText });
    expectRefused(await install(version), 'RELEASE_MISMATCH');
  });

  test('fields on the line on which a text ends do not count', async () => {
    const version = publish({ sbom: false });
    const insideText = `\n</text>FileName: ${name}\nFileChecksum: SHA256: ${'a'.repeat(64)}\n`;
    world.release.putSbom(version, { insideText });
    expectInstalled(await install(version));
  });
});

describe('an SBOM that is there with a signature and fails is not treated as missing', () => {
  test.each<[string, string, (version: string) => void]>([
    [
      'it is signed by somebody else',
      'IDENTITY_MISMATCH',
      (version) => world.release.sbom(version).sign(STRANGER),
    ],
    [
      'its certificate comes from another authority',
      'CERTIFICATE_UNTRUSTED',
      (version) => world.release.sbom(version).sign({ authority: CertificateAuthority.create() }),
    ],
    [
      'its bytes were changed',
      'SIGNATURE_MISMATCH',
      (version) => {
        const sbom = world.release.sbom(version);
        sbom.replace(Buffer.concat([sbom.bytes, Buffer.from('Comment: changed\n')]));
      },
    ],
    [
      'its signature cannot be read',
      'SIGNATURE_MALFORMED',
      (version) => {
        world.host.put(`${sbomPath(version)}.sig`, 'no signature');
        world.log.index.delete(world.release.sbom(version).sha256);
      },
    ],
    [
      'its signature is in no log',
      'LOG_ENTRY_NOT_FOUND',
      (version) => {
        const sbom = world.release.sbom(version);
        sbom.replace(Buffer.concat([sbom.bytes, Buffer.from('Comment: not logged\n')]));
        sbom.sign({ log: false });
      },
    ],
  ])('%s: %s', async (_, code, spoil) => {
    const version = publish();
    spoil(version);
    expectRefused(await install(version), code);
  });

  test('it cannot be fetched: DOWNLOAD_FAILED', async () => {
    const version = publish();
    world.host.server.fail('.spdx', fault.status(500), Infinity);
    expectRefused(await install(version, {}, IMPATIENT), 'DOWNLOAD_FAILED');
  });

  test('its bundle is malformed: SIGNATURE_MALFORMED', async () => {
    const version = publish();
    const sbom = world.release.sbom(version);
    sbom.removeMaterial();
    world.host.put(`${sbom.path}.sigstore.json`, '{}');
    expectRefused(await install(version), 'SIGNATURE_MALFORMED');
  });
});

describe('an SBOM with a broken publication is recovered like a binary', () => {
  test.each<[string, (version: string) => void]>([
    [
      'its certificate is that of another signing run',
      (version) => {
        const { certificate } = world.release.sbom(OLD);
        const cert = Buffer.from(certificate.pem).toString('base64');
        world.host.put(`${sbomPath(version)}.cert`, cert);
      },
    ],
    ['its pair is gone', (version) => world.release.sbom(version).removeMaterial()],
  ])('%s', async (_, spoil) => {
    const version = publish();
    spoil(version);
    const run = await install(version);
    expectInstalled(run, { warnings: ['Broken publication'] });
    const { uuid } = world.release.sbom(version).entry;
    expect(warningsOf(run)[0]?.message).toContain(`in log entry ${uuid}`);
    expect(reportOf(run)['release-proof']).toBe(BY_SBOM);
  });

  test('but not with a stranger’s entry', async () => {
    const version = publish({ sbom: false });
    const sbom = world.release.putSbom(version, {}, { signing: STRANGER });
    const { certificate } = world.release.sbom(OLD);
    world.host.put(`${sbom.path}.cert`, Buffer.from(certificate.pem).toString('base64'));
    expectRefused(await install(version), 'SIGNATURE_MISMATCH');
  });
});

describe('a release without a signed SBOM', () => {
  /** Published without signature, and never logged. */
  const unsigned = { signed: false } as const;

  const askable = testUnless(MISSING.executables);

  askable.each(['kubectl', 'kubeadm', 'kubelet', 'kube-proxy'])(
    'none published: the signed %s is asked',
    async (tool) => {
      const version = publish({ sbom: false, tools: [tool] });
      const run = await install(version, { tools: tool });
      expectInstalled(run, { tools: [tool], warnings: ['Release proven without SBOM'] });
      expect(warningsOf(run)[0]?.message).toContain(`it is ${tool} ${version} for ${NATIVE}`);
      expect(reportOf(run, tool)['release-proof']).toBe(BY_BINARY);
      expect(run.summary).toContain('reported by the signed binary');
      expect(cachedFiles(run).some((file) => file.endsWith('.spdx'))).toBe(false);
    },
  );

  askable('one published without signature: the signed binary is asked', async () => {
    const version = publish({ sbom: false });
    world.release.putSbom(version, {}, unsigned);
    const run = await install(version);
    expectInstalled(run, { warnings: ['Release proven without SBOM'] });
    expect(warningsOf(run)[0]?.message).toContain('is not signed');
    expect(reportOf(run)['release-proof']).toBe(BY_BINARY);
  });

  askable('a host that answers 403 for what it does not have', async () => {
    const version = publish({ sbom: false });
    world.host.missing = 403;
    try {
      expectInstalled(await install(version), { warnings: ['Release proven without SBOM'] });
    } finally {
      world.host.missing = 404;
    }
  });

  const served: [string, string, Partial<Parameters<typeof executable>[0]>][] = [
    ['another version', `kubectl ${OLD} for ${NATIVE}`, { version: OLD }],
    ['another platform', `for ${FOREIGN}`, { reportedPlatform: FOREIGN }],
    ['another tool', 'did not report its version', { tool: 'kubelet' }],
  ];
  askable.each(served)('the binary says it is %s', async (_, said, difference) => {
    const version = publish({ sbom: false });
    const asked = { tool: 'kubectl', version, platform: NATIVE };
    world.release.putFile(pathOf(version), executable({ ...asked, ...difference }));
    const message = expectRefused(await install(version), 'RELEASE_MISMATCH');
    expect(message).toContain(`kubectl ${version}`);
    expect(message).toContain(said);
    expect(message).toContain('bind-release: false');
  });

  askable('another tool that answers the same question', async () => {
    const version = publish({ sbom: false, tools: ['kubelet'] });
    const bytes = executable({ tool: 'kube-proxy', version, platform: NATIVE });
    world.release.putFile(pathOf(version, 'kubelet'), bytes);
    const run = await install(version, { tools: 'kubelet' });
    expect(expectRefused(run, 'RELEASE_MISMATCH')).toContain(`reports another tool ${version}`);
  });

  askable('a binary for another platform under this name is not executed', async () => {
    const version = publish({ sbom: false });
    const bytes = executable({ tool: 'kubectl', version, platform: FOREIGN });
    world.release.putFile(pathOf(version), bytes);
    const message = expectRefused(await install(version), 'RELEASE_MISMATCH');
    expect(message).toContain(`is not an executable for ${NATIVE}`);
  });

  describe('tells when it is executed:', () => {
    let trace: string;
    beforeEach(() => {
      trace = join(mkdtempSync(join(tmpdir(), 'release-')), 'executed');
    });
    afterEach(() => rmSync(dirname(trace), { recursive: true }));

    async function installTracing(tool: string): Promise<ActionResult> {
      const version = publish({ sbom: false, tools: [tool] });
      const before = [{ call: 'create', path: trace }] as const;
      const bytes = executable({ tool, version, platform: NATIVE, before });
      world.release.putFile(pathOf(version, tool), bytes);
      return install(version, { tools: tool });
    }

    askable('kubelet, which can tell its version, is', async () => {
      expectInstalled(await installTracing('kubelet'), {
        tools: ['kubelet'],
        warnings: ['Release proven without SBOM'],
      });
      expect(existsSync(trace)).toBe(true);
    });

    askable.each([
      'kubectl-convert',
      'kube-log-runner',
      'mounter',
      'kube-aggregator',
      'apiextensions-apiserver',
    ])('%s, which cannot, is not', async (tool) => {
      const message = expectRefused(await installTracing(tool), 'RELEASE_MISMATCH');
      expect(message).toContain(`${tool} does not report its version`);
      expect(message).toContain('bind-release: false');
      expect(existsSync(trace)).toBe(false);
    });
  });

  askable('a cached copy without its SBOM, where the host is down, is not asked', async () => {
    const version = publish();
    const toolCache = (await install(version)).dirs.toolCache;
    const copy = join(toolCache, world.cacheEntry(version));
    for (const name of readdirSync(copy)) {
      if (name.includes('spdx')) rmSync(join(copy, name));
    }
    world.host.server.fail(/./, fault.status(500), Infinity);
    const run = await runIn(world, { version }, { toolCache, env: IMPATIENT });
    expectRefused(run, 'DOWNLOAD_FAILED');
    // Its twin: with the host, the published SBOM binds it.
    world.host.server.reset();
    const second = await runIn(world, { version }, { toolCache });
    expectInstalled(second, { version });
    expect(second.outputs['cache-hit']).toBe('true');
  });

  test('an unsigned binary is never asked', async () => {
    const version = publish({ sbom: false, signed: false });
    expectRefused(await install(version), 'RELEASE_NOT_SIGNED');
  });

  test('another architecture cannot be asked: refused, with the way out', async () => {
    const version = publish({ sbom: false });
    const run = await install(version, { architecture: FOREIGN_ARCH });
    const message = expectRefused(run, 'RELEASE_MISMATCH');
    expect(message).toContain(`kubectl for ${FOREIGN} cannot be executed on this runner`);
    expect(message).toContain('bind-release: false');
  });

  test('another architecture with bind-release: false', async () => {
    const version = publish({ sbom: false });
    const inputs = { architecture: FOREIGN_ARCH, 'bind-release': 'false' };
    const run = await install(version, inputs);
    expectInstalled(run);
    expect(reportOf(run)['release-proof']).toBe('not proven (bind-release: false)');
  });
});

describe('bind-release: false', () => {
  test('does not ask for the SBOM, and the report says so', async () => {
    const version = publish();
    const run = await install(version, { 'bind-release': 'false' });
    expectInstalled(run);
    expect(world.host.server.requestsFor(/spdx/)).toEqual([]);
    const said = 'not proven (bind-release: false)';
    expect(reportOf(run)['release-proof']).toBe(said);
    expect(run.stdout).toContain(`Release: ${said}`);
    expect(run.summary).toContain('not proven');
  });

  test('takes an older release under a newer name, but no other signer', async () => {
    const version = publish();
    const older = world.release.artifact(OLD, NATIVE, 'kubectl');
    serveAs(world, older, pathOf(version));
    const run = await install(version, { 'bind-release': 'false' });
    expectInstalled(run, { version, bytes: { kubectl: older.bytes } });
    world.release.artifact(version, NATIVE, 'kubectl').sign(STRANGER);
    const bytes = world.release.artifact(version, NATIVE, 'kubectl').bytes;
    world.host.put(pathOf(version), bytes);
    expectRefused(await install(version, { 'bind-release': 'false' }), 'IDENTITY_MISMATCH');
  });
});
