import { execFile } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals';
import {
  Cosign,
  LoopbackServer,
  RELEASE_IDENTITY,
  RELEASE_ISSUER,
  World,
  certificateAuthorityApi,
  cosignTufEnvironment,
  findCosign,
  forgery,
  type BundleJson,
  type CosignResult,
  type Expectation,
} from '../support/index.js';
import { MISSING, describeUnless, testUnless } from '../support/skip.js';
import {
  NATIVE,
  expectArtifacts,
  expectInstalled,
  expectRefused,
  fileNameOf,
  requestsTo,
  runIn,
  startServers,
  stopServers,
} from './expectations.js';
import { installIn, missingFolder } from './install-expectations.js';
import {
  fresh,
  world,
  folder,
  publish,
  urlOf,
  write,
  expectCosign,
  expectAction,
  expectInstall,
  beside,
  answered,
  startWorld,
  stopWorld,
  type Publication,
  type BundleRow,
} from './cosign/stage.js';
import { ofTheSbom } from './cosign/changes.js';
import { PAIR, BUNDLES, GIVEN, TRUST_ROOT, INVALID_SIGNATURE, OF_BUNDLE } from './cosign/claims.js';
import { olderBundle, withChain, cosigned, timed, withUnsigned } from './cosign/bundles.js';
import { PAIRS } from './cosign/pair-rows.js';
import { PUBLISHED, TAMPERED } from './cosign/bundle-rows.js';
import { TARBALL, TARBALLS, publishTarball } from './cosign/tarball-rows.js';

/**
 * A judge that is not ours: the same world before cosign 3 and before the action. Each row says what both make of it,
 * and so it says where they differ; `shows` is the line of the comparison in docs/verification.md.
 */
const found = findCosign();
const suite = describeUnless('executable' in found ? undefined : found.absent);

let cosign: Cosign;
let authorityServer: LoopbackServer;

suite('cosign', () => {
  beforeAll(async () => {
    if (!('executable' in found)) return;
    await startWorld();
    cosign = new Cosign(found.executable, world, folder);
    authorityServer = await LoopbackServer.start(certificateAuthorityApi(world.authority));
  });
  afterEach(async () => {
    await startServers(world);
    world.reset();
  });
  afterAll(async () => {
    await Promise.all([stopWorld(), authorityServer.stop()]);
  });

  describe('verify-blob --signature --certificate --rekor-url', () => {
    test.each(PAIRS)('$shows: $what', async ({ change, flags = [], ...row }) => {
      const publication = publish();
      change?.(publication);
      const { version, kubectl } = publication;
      const [theirs, ours, installed] = await Promise.all([
        cosign.verifyBlob(urlOf(kubectl), {}, { flags }),
        runIn(world, { version }),
        installIn(world, { version }),
      ]);
      expectCosign(theirs, row.cosign);
      expectAction(ours, row.action);
      expectInstall(installed, row.action, { [fileNameOf('kubectl')]: kubectl.bytes });
    });

    test(`${PAIR}: those of the SBOM`, async () => {
      const sbom = world.release.sbom(publish().version);
      expectCosign(await cosign.verifyBlob(urlOf(sbom)), 'accepts');
      sbom.replace(Buffer.concat([sbom.bytes, Buffer.from('\n')]));
      expectCosign(await cosign.verifyBlob(urlOf(sbom)), INVALID_SIGNATURE);
    });
  });

  describe('a tarball', () => {
    test.each(TARBALLS)('$what', async ({ change, ...row }) => {
      const { version, tarball } = publishTarball();
      change?.(tarball);
      const inputs = { version, tools: 'none', artifacts: TARBALL };
      const [theirs, ours, installed] = await Promise.all([
        cosign.verifyBlob(urlOf(tarball)),
        runIn(world, inputs),
        installIn(world, inputs, { target: missingFolder() }),
      ]);
      expectCosign(theirs, row.cosign);
      const outcome = row.action === 'accepts' ? 'installed' : row.action;
      expectInstall(installed, outcome, { [TARBALL]: tarball.bytes });
      if (row.action !== 'accepts') {
        expectRefused(ours, row.action);
        return;
      }
      expectArtifacts(ours, { version, artifacts: { [TARBALL]: TARBALL } });
      const path = ours.outputs['artifact-path'] ?? '';
      const bundle = ours.outputs['bundle-path'] ?? '';
      expectCosign(await cosign.verifyBundle(path, bundle), 'accepts');
      const longer = write(TARBALL, Buffer.concat([tarball.bytes, Buffer.of(0)]));
      expectCosign(await cosign.verifyBundle(longer, bundle), /invalid signature/);
    });
  });

  /** Puts a bundle beside the artifact, asks cosign, and, without the pair, the action. */
  async function judge(
    { version, kubectl }: Publication,
    row: BundleRow,
    genuine = kubectl.bundle(),
  ): Promise<void> {
    const bundle = JSON.stringify(row.bundle(genuine, { version, kubectl }) ?? genuine);
    world.log.index.clear();
    for (const suffix of ['.sig', '.cert']) world.host.files.delete(`${kubectl.path}${suffix}`);
    const file = write('kubectl', kubectl.bytes);
    expectCosign(await cosign.verifyBundle(file, write('bundle.json', bundle)), row.cosign);
    expect(requestsTo(world)).toEqual([]);
    world.host.put(`${kubectl.path}.sigstore.json`, bundle);
    const [ours, installed] = await Promise.all([
      runIn(world, { version }),
      installIn(world, { version }),
    ]);
    expectAction(ours, row.action);
    expectInstall(installed, row.action, { [fileNameOf('kubectl')]: kubectl.bytes });
  }

  describe('verify-blob --bundle --trusted-root, of a bundle beside the artifact', () => {
    test.each(PUBLISHED)('$shows: $what', (row) => judge(publish(), row));
  });

  describe('bundle create, as in "Verify by hand" in the README', () => {
    /** Makes a bundle of the published pair; returns the paths of file and bundle. */
    async function bundleOfPair({
      kubectl,
    }: Publication): Promise<{ file: string; bundle: string; created: CosignResult }> {
      const file = write('kubectl', kubectl.bytes);
      const material = (ending: string): string =>
        write(`kubectl${ending}`, world.host.get(`${kubectl.path}${ending}`));
      const bundle = join(mkdtempSync(join(folder, 'bundle-')), 'kubectl.sigstore.json');
      const created = await cosign.run(
        [
          ...['bundle', 'create', '--artifact', file, '--out', bundle],
          ...['--signature', material('.sig'), '--certificate', material('.cert')],
          ...['--rekor-url', world.logServer.url],
        ],
        cosignTufEnvironment(world),
      );
      return { file, bundle, created };
    }

    test('the published pair gives a bundle that proves without network', async () => {
      const { file, bundle, created } = await bundleOfPair(publish());
      expect(created.output).not.toContain('rror');
      expect(created.accepted).toBe(true);
      await stopServers(world);
      expectCosign(await cosign.verifyBundle(file, bundle), 'accepts');
      const stranger = { identity: 'mallory@example.com' };
      expectCosign(await cosign.verifyBundle(file, bundle, stranger), OF_BUNDLE.ANOTHER_IDENTITY);
    });

    /** The README's own commands, against this world. `--rekor-url` names its log instead of Sigstore's. */
    function readmeCommands(version: string): string {
      const readme = readFileSync(join(import.meta.dirname, '..', '..', 'README.md'), 'utf8');
      const [, commands = ''] = /^## Verify by hand$.*?^```bash\n(.*?)^```$/ms.exec(readme) ?? [];
      expect(commands.match(/^cosign /gm)).toHaveLength(4);
      return commands
        .replaceAll('https://dl.k8s.io', world.host.url)
        .replaceAll('v1.31.9', version)
        .replaceAll('linux/amd64', NATIVE)
        .replaceAll(
          'cosign bundle create',
          `cosign bundle create --rekor-url ${world.logServer.url}`,
        );
    }

    function runReadme(version: string): Promise<CosignResult> {
      if (!('executable' in found)) throw new Error(found.absent);
      const path = mkdtempSync(join(folder, 'path-'));
      symlinkSync(found.executable, join(path, 'cosign'));
      const env = {
        ...process.env,
        ...cosignTufEnvironment(world),
        PATH: `${path}:${process.env['PATH'] ?? ''}`,
        HOME: mkdtempSync(join(folder, 'home-')),
      };
      const cwd = mkdtempSync(join(folder, 'readme-'));
      const words = ['-euo', 'pipefail', '-c', readmeCommands(version)];
      return new Promise((resolve) => {
        execFile('bash', words, { cwd, env, timeout: 60_000 }, (error, stdout, stderr) => {
          resolve({ accepted: error === null, output: `${stdout}${stderr}` });
        });
      });
    }

    const onLinux = testUnless(MISSING.linux);

    onLinux('the commands of the README accept a genuine release', async () => {
      const { accepted, output } = await runReadme(publish().version);
      expect(output.match(/Verified OK/g)).toHaveLength(2);
      expect(accepted).toBe(true);
    });

    onLinux('and refuse another release under its name', async () => {
      const older = publish();
      const { version, kubectl } = publish();
      kubectl.replace(older.kubectl.bytes);
      for (const ending of ['.sig', '.cert']) {
        world.host.put(
          `${kubectl.path}${ending}`,
          world.host.get(`${older.kubectl.path}${ending}`),
        );
      }
      const { accepted, output } = await runReadme(version);
      expect(output.match(/Verified OK/g)).toHaveLength(2);
      expect(accepted).toBe(false);
    });

    test('the certificate of another signing run gives none', async () => {
      const publication = publish();
      ofTheSbom('.cert')(publication);
      const { bundle, created } = await bundleOfPair(publication);
      expect(created.accepted).toBe(false);
      expect(existsSync(bundle)).toBe(false);
    });
  });

  describe('verify-blob --bundle --trusted-root, of what the action writes, while nobody answers', () => {
    /** Installs, stops all servers, and returns where file and evidence lie. */
    async function evidence(version: string): Promise<string> {
      const run = await runIn(world, { version });
      expect(run.exitCode).toBe(0);
      await stopServers(world);
      return run.outputs['kubectl-path'] ?? '';
    }

    async function expectEvidence(file: string): Promise<void> {
      const check = (expectation: Expectation = {}): Promise<CosignResult> =>
        cosign.verifyBundle(file, `${file}.sigstore.json`, expectation);
      expectCosign(await check(), 'accepts');
      expectCosign(await check({ identity: 'mallory@example.com' }), OF_BUNDLE.ANOTHER_IDENTITY);
      expectCosign(await check({ issuer: 'https://other.test' }), OF_BUNDLE.ANOTHER_IDENTITY);
    }

    test.each<[string, (publication: Publication) => void]>([
      ['from .sig and .cert', () => {}],
      [
        'recovered from the log',
        ({ version, kubectl }) => {
          ofTheSbom('.cert')({ version, kubectl });
          world.log.index.set(kubectl.sha256, [kubectl.entry.uuid]);
        },
      ],
      ...(['0.1', '0.2'] as const).map((bundleVersion): [string, (p: Publication) => void] => [
        `from a bundle of version ${bundleVersion}`,
        beside(({ kubectl }) => olderBundle(bundleVersion, kubectl.bundle())),
      ]),
      ['from a bundle of version 0.3', beside(({ kubectl }) => kubectl.bundle())],
      ['from a bundle with an entry of Rekor v2', beside(({ kubectl }) => kubectl.bundleV2())],
      [
        'from a bundle with certificates behind the leaf',
        beside(({ kubectl }) => withChain(kubectl.bundle(), Buffer.from('no certificate'))),
      ],
      [
        'from a log whose checkpoint others have signed too',
        answered(() => forgery.checkpointWithForeignSignatures(50)),
      ],
      [
        'from a bundle whose checkpoint others have signed too (Rekor v1)',
        beside(({ kubectl }) => cosigned(kubectl.bundle(), 50)),
      ],
      [
        'from a bundle whose checkpoint others have signed too (Rekor v2)',
        beside(({ kubectl }) => cosigned(kubectl.bundleV2(), 200)),
      ],
      [
        'from a bundle with a time that nobody signed',
        beside(({ kubectl }) => timed(kubectl.bundleV2())),
      ],
      [
        'from a bundle with a response that holds no certificate',
        beside((publication) =>
          withUnsigned({ certificates: [] })(publication.kubectl.bundle(), publication),
        ),
      ],
    ])('of kubectl: %s', async (_, change) => {
      const publication = publish();
      change(publication);
      await expectEvidence(await evidence(publication.version));
    });

    test('of the SBOM', async () => {
      const kubectl = await evidence(publish().version);
      await expectEvidence(join(kubectl, '..', 'kubernetes-release.spdx'));
    });

    test(`${TRUST_ROOT}: the trust root through TUF`, async () => {
      const { version, kubectl } = publish();
      const pair = await cosign.verifyBlob(urlOf(kubectl), {}, {}, cosignTufEnvironment(world));
      expectCosign(pair, 'accepts');
      const run = await runIn(world, { version });
      const file = run.outputs['kubectl-path'] ?? '';
      const bundle = run.outputs['bundle-path'] ?? '';
      expectCosign(await cosign.verifyBundleThroughTuf(file, bundle), 'accepts');
      const other = await World.start({ baseEntries: 1 });
      const trustedRoot = other.writeTrustedRoot();
      expectCosign(await cosign.verifyBundle(file, bundle, {}, trustedRoot), OF_BUNDLE.NOT_PROVEN);
      await other.stop();
    });

    test(`${GIVEN}, or as regular expressions`, async () => {
      const { version, kubectl } = publish();
      const file = write('kubectl', kubectl.bytes);
      const bundle = write('bundle.json', JSON.stringify(kubectl.bundle()));
      const check = (...flags: string[]): Promise<CosignResult> => {
        const trustedRoot = world.writeTrustedRoot();
        const args = ['verify-blob', file, '--bundle', bundle, '--trusted-root', trustedRoot];
        return cosign.run([...args, ...flags]);
      };
      const anything = [
        '--certificate-identity-regexp',
        '.*',
        '--certificate-oidc-issuer-regexp',
        '.*',
      ];
      expectCosign(await check(), /certificate-identity.* is required/);
      expectCosign(await check(...anything.slice(0, 2)), /certificate-oidc-issuer.* is required/);
      expectCosign(await check(...anything), 'accepts');
      for (const name of ['certificate-identity', 'certificate-oidc-issuer']) {
        expectRefused(await runIn(world, { version, [name]: '' }), 'INVALID_INPUT');
        expectRefused(await runIn(world, { version, [name]: '.*' }), 'IDENTITY_MISMATCH');
      }
    });
  });

  describe('verify-blob --bundle --trusted-root, of what the action wrote and somebody changed', () => {
    let publication: Publication;
    let written: string;

    beforeAll(async () => {
      publication = publish();
      const run = await runIn(world, { version: publication.version });
      written = readFileSync(run.outputs['bundle-path'] ?? '', 'utf8');
      world.reset();
    });

    test.each<BundleRow>([
      {
        shows: BUNDLES,
        what: 'nothing is changed',
        bundle: () => {},
        cosign: 'accepts',
        action: 'installed',
      },
      ...TAMPERED,
    ])('$shows: $what', (row) => judge(publication, row, JSON.parse(written) as BundleJson));
  });

  describe('what cosign signs', () => {
    type Signer = 'signBlob' | 'signBlobWithBundle';
    const signers: readonly [Signer, readonly string[]][] = [
      ['signBlob', ['.sig', '.cert']],
      ['signBlobWithBundle', ['.sigstore.json']],
    ];

    /** A release whose kubectl and SBOM cosign signs. */
    async function publishSignedBy(signer: Signer, email: string): Promise<Publication> {
      const version = fresh();
      world.release.publish({ version, platforms: [NATIVE], signed: false });
      const kubectl = world.release.artifact(version, NATIVE, 'kubectl');
      const [, suffixes = []] = signers.find(([name]) => name === signer) ?? [];
      for (const published of [kubectl, world.release.sbom(version)]) {
        const file = write('file', published.bytes);
        const as = { email, issuer: RELEASE_ISSUER };
        const result = await cosign[signer](file, { as, authorityUrl: authorityServer.url });
        expect(result).toMatchObject({ accepted: true });
        for (const suffix of suffixes) {
          world.host.put(`${published.path}${suffix}`, readFileSync(`${file}${suffix}`));
        }
      }
      return { version, kubectl };
    }

    test.each(signers)('%s: installed, with %j', async (signer, suffixes) => {
      const { version, kubectl } = await publishSignedBy(signer, RELEASE_IDENTITY);
      const run = await runIn(world, { version });
      expectInstalled(run);
      expect(run.outputs).toMatchObject({
        sha256: kubectl.sha256,
        'certificate-identity': RELEASE_IDENTITY,
        'certificate-oidc-issuer': RELEASE_ISSUER,
      });
      for (const suffix of suffixes) {
        expect(world.host.server.requestsFor(`kubectl${suffix}`)).toHaveLength(1);
      }
      const file = run.outputs['kubectl-path'] ?? '';
      expectCosign(await cosign.verifyBundle(file, `${file}.sigstore.json`), 'accepts');
    });

    test.each(signers)('%s: refused when somebody else signs', async (signer) => {
      const { version } = await publishSignedBy(signer, 'mallory@example.com');
      expectRefused(await runIn(world, { version }), 'IDENTITY_MISMATCH');
    });
  });
});

test('every line of the comparison in docs/verification.md is shown here, and no other', () => {
  const shown = [...PAIRS, ...PUBLISHED, ...TAMPERED].map(({ shows }) => shows);
  const text = readFileSync(new URL('../../docs/verification.md', import.meta.url), 'utf8');
  const [, section = ''] = text.split('\n## Compared with `cosign verify-blob`\n');
  const [table = ''] = section.split('\n## ');
  const lines = [...table.matchAll(/^\| ([^|]*[^|\s-][^|]*)\|/gm)].map(([, line]) => line?.trim());
  expect(new Set(lines)).toEqual(new Set([...shown, TRUST_ROOT, GIVEN]));
});
