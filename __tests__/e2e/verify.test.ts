import { mkdirSync, mkdtempSync } from 'node:fs';
import { basename, join } from 'node:path';
import { describe, expect, test } from '@jest/globals';
import {
  NATIVE_PLATFORM,
  RELEASE_IDENTITY,
  RELEASE_ISSUER,
  artifactPath,
  forgery,
  lockOf,
  lockText,
  type PublishedFile,
} from '../support/index.js';
import { MISSING, testUnless } from '../support/skip.js';
import {
  IMPATIENT,
  STRANGER,
  requestedPaths,
  serveAs,
  stopServers,
  startServers,
} from './expectations.js';
import {
  VERSION,
  OLDER,
  LINUX,
  MAC,
  WINDOWS,
  SBOM,
  SOURCE,
  CLIENT,
  world,
  folder,
  options,
  offline,
  verifyWith,
  verify,
  verifyOffline,
  jsonOf,
  expectRefused,
  expectVerified,
  put,
  kubectl,
  putWithEvidence,
  putLock,
  wholeSeconds,
  PAIR,
  BUNDLE,
  UNBOUND,
  AT,
  useWorld,
  run,
} from './verify/stage.js';

useWorld();

describe('what it prints', () => {
  test('for people, worded like cosign', async () => {
    const file = kubectl();
    put('kubectl', file.bytes);
    const result = await verify('kubectl', ...AT);
    expect(result).toMatchObject({ exitCode: 0 });
    expect(result.stdout).toBe(
      [
        `tlog entry verified with uuid: ${file.entry.uuid.slice(-64)} index: ${file.entry.logIndex}`,
        'Verified OK',
        `Signed by: ${RELEASE_IDENTITY}`,
        `Issuer: ${RELEASE_ISSUER}`,
        `Signed at: ${wholeSeconds(file.entry.integratedTime)}`,
        `Release: ${VERSION}, proven by its signed SBOM`,
        `Path in the release: bin/${NATIVE_PLATFORM}/${basename(file.path)}`,
        `SHA-256 of the SBOM: ${world.release.sbom(VERSION).sha256}`,
        `SHA-256: ${file.sha256} (${(file.bytes.length / 1e6).toFixed(1)} MB)`,
        'Evidence: published',
        `Trust root: TUF repository ${world.tufServer.url}`,
        'File: kubectl',
        '',
      ].join('\n'),
    );
    expect(result.stderr).toContain(`Version: ${VERSION} (requested: ${VERSION})`);
  });

  test('for scripts: one object, as the schema says', async () => {
    const file = kubectl(VERSION, MAC);
    put('kubectl-darwin-arm64', file.bytes);
    const result = await verify('kubectl-darwin-arm64', ...AT, '--json', '--quiet');
    expect({ code: result.exitCode, stderr: result.stderr }).toEqual({ code: 0, stderr: '' });
    expect(jsonOf(result)).toEqual({
      verified: true,
      file: 'kubectl-darwin-arm64',
      sha256: file.sha256,
      size: file.bytes.length,
      release: {
        version: VERSION,
        path: `bin/${MAC}/kubectl`,
        platform: MAC,
        'sbom-sha256': world.release.sbom(VERSION).sha256,
      },
      'release-proof': 'proven by its signed SBOM',
      'certificate-identity': RELEASE_IDENTITY,
      'certificate-oidc-issuer': RELEASE_ISSUER,
      'log-entry-uuid': file.entry.uuid.slice(-64),
      'log-index': String(file.entry.logIndex),
      'integrated-time': wholeSeconds(file.entry.integratedTime),
      evidence: 'published',
      recovered: null,
      'trust-root': `TUF repository ${world.tufServer.url}`,
    });
  });

  test('for scripts: a refusal too', async () => {
    put('kubectl', 'not what was signed');
    const result = await verify('kubectl', ...AT, '--json');
    expect(result.exitCode).toBe(1);
    expect(result.stderr).toMatch(/^error\[SIGNATURE_MISMATCH\]/m);
    expect(jsonOf(result)).toEqual({
      verified: false,
      file: 'kubectl',
      error: {
        code: 'SIGNATURE_MISMATCH',
        message: expect.stringContaining('kubectl'),
        hint: expect.stringContaining('Do not use the file'),
      },
    });
  });

  test('for scripts: wrong use too', async () => {
    const result = await verify('kubectl', '--json');
    expect(result.exitCode).toBe(2);
    expect(jsonOf(result)).toMatchObject({ verified: false, error: { code: 'INVALID_INPUT' } });
  });

  testUnless(MISSING.anyFileName)('nothing of a name can move the cursor', async () => {
    const name = put('\u001b[2Jkubectl', kubectl().bytes);
    const result = await verify(name, ...AT, '--artifact', 'kubectl');
    expectVerified(result, 'File: \\u{1b}[2Jkubectl\n');
    expect(`${result.stdout}${result.stderr}`).not.toContain('\u001b');
    const odd = put('kube\u009b\u202e\u2028##[x]', kubectl().bytes);
    const json = await verify(odd, ...AT, '--artifact', 'kubectl', '--json');
    expect(json.stdout).not.toMatch(/[\u009b\u202e\u2028]|##\[/);
    expect(jsonOf(json)).toMatchObject({ verified: true, file: odd });
  });
});

describe('what the release host and the log have', () => {
  const reject = (what: string, code: string, change: (file: PublishedFile) => void) =>
    test(`${what}: ${code}`, async () => {
      change(kubectl());
      put('kubectl', kubectl().bytes);
      expectRefused(await verify('kubectl', ...AT), code);
    });

  reject('signed by somebody else', 'IDENTITY_MISMATCH', (file) => void file.sign(STRANGER));
  reject('not signed', 'RELEASE_NOT_SIGNED', (file) => {
    file.removeMaterial();
    world.log.index.clear();
  });
  reject('not in the log', 'LOG_ENTRY_NOT_FOUND', (file) => {
    file.replace(Buffer.concat([file.bytes, Buffer.from('\n')]));
    file.sign({ log: false });
  });
  reject('a log that lies', 'LOG_ENTRY_INVALID', () => {
    world.log.tamper = forgery.checkpointByAnotherKey();
  });
  reject('signed, but not in the SBOM', 'RELEASE_MISMATCH', (file) => {
    file.replace(Buffer.concat([file.bytes, Buffer.from('\n')]));
    file.sign();
  });
  reject('an SBOM of another release', 'RELEASE_MISMATCH', () => {
    serveAs(world, world.release.sbom(OLDER), `release/${VERSION}/${SBOM}`);
  });
  reject('an SBOM signed by somebody else', 'IDENTITY_MISMATCH', () => {
    world.release.sbom(VERSION).sign(STRANGER);
  });

  test('a copy that was changed by one bit', async () => {
    const bytes = Buffer.from(kubectl().bytes);
    bytes.writeUInt8(bytes.readUInt8(1000) ^ 1, 1000);
    put('kubectl', bytes);
    expectRefused(await verify('kubectl', ...AT), 'SIGNATURE_MISMATCH');
  });

  test('a genuine file of another version, with everything that proves it there', async () => {
    put('kubectl', kubectl(OLDER).bytes);
    serveAs(world, kubectl(OLDER), artifactPath(VERSION, NATIVE_PLATFORM, 'kubectl'));
    expectRefused(
      await verify('kubectl', ...AT),
      'RELEASE_MISMATCH',
      'do not belong to that release',
    );
    expectVerified(await verify('kubectl', '--version', OLDER));
  });

  test('a genuine file of another version is no broken publication', async () => {
    const file = kubectl(OLDER);
    world.log.index.set(file.sha256, [file.entry.uuid]);
    put('kubectl', file.bytes);
    const result = await verify('kubectl', ...AT);
    expectRefused(result, 'RELEASE_MISMATCH');
    expect(result.stderr).not.toContain('warning');
  });

  test('a broken publication is made good by the log, as in a run', async () => {
    const file = kubectl();
    world.log.index.set(file.sha256, [file.entry.uuid]);
    world.host.put(`${file.path}.cert`, world.host.get(`${world.release.sbom(VERSION).path}.cert`));
    put('kubectl', file.bytes);
    const result = await verify('kubectl', ...AT);
    expectVerified(result, 'Broken publication: ');
    expect(result.stderr).toContain('warning: Broken publication');
    expect(jsonOf(await verify('kubectl', ...AT, '--json'))['recovered']).toContain('signature');
  });

  test('a version that does not exist', async () => {
    put('kubectl', kubectl().bytes);
    world.log.index.clear();
    expectRefused(await verify('kubectl', '--version', '1.31.77'), 'VERSION_NOT_FOUND', 'v1.31.77');
    expectRefused(
      await verify('kubectl', '--version', '1.31.77', ...BUNDLE_OF()),
      'VERSION_NOT_FOUND',
    );
  });

  const BUNDLE_OF = (): string[] => {
    put('kubectl.sigstore.json', JSON.stringify(kubectl().bundle()));
    return BUNDLE;
  };

  test('a version that has to be looked up', async () => {
    put('kubectl', kubectl().bytes);
    expectVerified(await verify('kubectl', '--version', '1.31'), `Release: ${VERSION}, `);
    put('.kubectl-version', '1.31.8\n');
    expectRefused(
      await verify('kubectl', '--version-file', '.kubectl-version'),
      'RELEASE_MISMATCH',
    );
  });

  test('nobody answers', async () => {
    put('kubectl', kubectl().bytes);
    await stopServers(world);
    const result = await verifyWith(offline(), ['kubectl', ...AT], IMPATIENT);
    await startServers(world);
    expectRefused(result, 'DOWNLOAD_FAILED');
  });

  test('second factors', async () => {
    put('kubectl', kubectl().bytes);
    expectVerified(await verify('kubectl', ...AT, '--checksum', kubectl().sha256));
    expectRefused(
      await verify('kubectl', ...AT, '--checksum', 'ab'.repeat(32)),
      'CHECKSUM_MISMATCH',
    );
    expectVerified(await verify('kubectl', ...AT, '--minimum-release-age', '1d'));
    expectRefused(
      await verify('kubectl', ...AT, '--minimum-release-age', '90d'),
      'RELEASE_TOO_NEW',
    );
    expectRefused(await verify('kubectl', ...AT, '--maximum-release-age', '1d'), 'RELEASE_TOO_OLD');
  });
});

describe('what the file is', () => {
  test.each([
    ['kubectl-linux-amd64', `bin/${LINUX}/kubectl`],
    ['kubectl_darwin_arm64', `bin/${MAC}/kubectl`],
    ['kubectl-v1.31.9-linux-amd64', `bin/${LINUX}/kubectl`],
    ['kubectl-linux-amd64-v1.31.9', `bin/${LINUX}/kubectl`],
    ['kubectl-convert-linux-amd64', `bin/${LINUX}/kubectl-convert`],
    ['kubectl-windows-amd64.exe', `bin/${WINDOWS}/kubectl.exe`],
    [SOURCE, SOURCE],
    [CLIENT, CLIENT],
    [SBOM, SBOM],
  ])('%s says it', async (name, path) => {
    put(name, world.host.get(`release/${VERSION}/${path}`));
    expect(jsonOf(await verify(name, ...AT, '--json'))).toMatchObject({ release: { path } });
  });

  test('kubectl.exe is for Windows, with the architecture that is given', async () => {
    put('kubectl.exe', kubectl(VERSION, WINDOWS).bytes);
    const result = await verify('kubectl.exe', ...AT, '--architecture', 'amd64');
    expectVerified(result, `Path in the release: bin/${WINDOWS}/kubectl.exe`);
  });

  test.each([
    [['--artifact', 'kubectl', '--platform', MAC], `bin/${MAC}/kubectl`],
    [['--artifact', `bin/${MAC}/kubectl`], `bin/${MAC}/kubectl`],
    [['--artifact', 'client', '--platform', MAC], CLIENT],
    [['--artifact', CLIENT], CLIENT],
  ])('%j say it', async (args, path) => {
    put('download', world.host.get(`release/${VERSION}/${path}`));
    const json = jsonOf(await verify('download', ...AT, ...args, '--json'));
    expect(json).toMatchObject({ release: { path } });
  });

  test('options win over the name', async () => {
    put('kubeadm', kubectl(VERSION, MAC).bytes);
    const args = ['--artifact', 'kubectl', '--platform', MAC];
    expectVerified(await verify('kubeadm', ...AT, ...args), `bin/${MAC}/kubectl`);
    put('kubectl-linux-amd64', kubectl(VERSION, MAC).bytes);
    expectRefused(
      await verify('kubectl-linux-amd64', ...AT, ...BUNDLE_MAC()),
      'RELEASE_MISMATCH',
      `these bytes are bin/${MAC}/kubectl of ${VERSION}`,
    );
  });

  const BUNDLE_MAC = (): string[] => {
    put('kubectl.sigstore.json', JSON.stringify(kubectl(VERSION, MAC).bundle()));
    return BUNDLE;
  };

  test('a name that does not say it is refused, before any request', async () => {
    for (const name of ['download', 'server', 'kubectl (1)', 'kubectl.txt', 'my-kubectl']) {
      put(name, kubectl().bytes);
      expectRefused(await verify(name, ...AT), 'INVALID_INPUT', 'Set "artifact"');
    }
    expect(requestedPaths(world)).toEqual([]);
  });

  test('no name chooses the version', async () => {
    put('kubectl-v1.31.8', kubectl(OLDER).bytes);
    expectRefused(
      await verify('kubectl-v1.31.8'),
      'INVALID_INPUT',
      'Set "version" or "version-file"',
      'Its name says v1.31.8.',
    );
    expect(requestedPaths(world)).toEqual([]);
    expectRefused(await verify('kubectl-v1.31.8', ...AT), 'RELEASE_MISMATCH');
    expectVerified(await verify('kubectl-v1.31.8', '--version', OLDER));
  });

  test.each([
    ['--artifact', 'kubectx'],
    ['--artifact', 'bin/linux/amd64/kubectl.exe'],
    ['--artifact', 'bin/plan9/amd64/kubectl'],
    ['--artifact', '../kubectl'],
    ['--platform', 'linux'],
    ['--version', 'abc'],
  ])('%s %s is refused', async (...args) => {
    put('kubectl', kubectl().bytes);
    expectRefused(await verify('kubectl', ...AT, ...args), 'INVALID_INPUT');
    expect(requestedPaths(world)).toEqual([]);
  });

  test.each([
    ['kubectl-linux-amd64', '--platform', MAC],
    ['kubectl-linux-amd64', '--platform', 'no platform'],
    ['kubectl-linux-amd64', '--architecture', 'arm64'],
    ['kubectl.exe', '--platform', LINUX],
    [CLIENT, '--platform', LINUX],
    [SOURCE, '--platform', LINUX],
    ['kubectl', '--platform', LINUX, '--artifact', `bin/${MAC}/kubectl`],
  ])('%s with %s %s: no name wins over an input', async (name, ...args) => {
    const path = name.startsWith('kubectl') ? `bin/${LINUX}/kubectl` : name;
    put(name, world.host.get(`release/${VERSION}/${path}`));
    expectRefused(await verify(name, ...AT, ...args), 'INVALID_INPUT', `"${args[0]?.slice(2)}"`);
    expect(requestedPaths(world)).toEqual([]);
  });

  test.each([
    ['kubectl-linux-amd64', '--platform', LINUX],
    ['kubectl-linux-amd64', '--architecture', 'amd64'],
    [CLIENT, '--platform', MAC],
  ])('%s with %s %s, which is true', async (name, ...args) => {
    const path = name.startsWith('kubectl') ? `bin/${LINUX}/kubectl` : name;
    put(name, world.host.get(`release/${VERSION}/${path}`));
    expectVerified(await verify(name, ...AT, ...args), `Path in the release: ${path}`);
  });

  test('a platform that Kubernetes does not publish for', async () => {
    put('kubelet', kubectl().bytes);
    const args = ['--artifact', 'kubelet', '--platform', MAC];
    expectRefused(await verify('kubelet', ...AT, ...args), 'PLATFORM_NOT_PUBLISHED');
  });
});

test.each(['constructor', '__proto__'])(
  'a file named %s has no checksum of its own',
  async (name) => {
    put(name, kubectl().bytes);
    const args = [...AT, '--artifact', 'kubectl'];
    expectVerified(await verify(name, ...args));
    const wrong = ['--checksum', '0'.repeat(64)];
    expectRefused(await verify(name, ...args, ...wrong), 'CHECKSUM_MISMATCH');
  },
);

test('--sbom for a file that no SBOM lists is refused', async () => {
  put(SBOM, world.host.get(`release/${VERSION}/${SBOM}`));
  put('sbom.json', JSON.stringify(world.release.sbom(VERSION).bundle()));
  const args = ['--sbom', SBOM, '--sbom-bundle', 'sbom.json'];
  expectRefused(await verify(SBOM, ...AT, ...args), 'INVALID_INPUT', 'Leave "sbom" away');
  expectVerified(await verify(SBOM, ...AT));
});

describe('--signature with --certificate', () => {
  test('the log is asked for the proof of logging', async () => {
    putWithEvidence(kubectl());
    const result = await verifyOffline('kubectl', ...AT, ...PAIR);
    expectVerified(result, `Release: ${VERSION}, `, 'Evidence: signature and certificate');
    expect(requestedPaths(world).filter((path) => path.includes('/kubectl'))).toEqual([]);
    expect(world.logServer.requests.length).toBeGreaterThan(0);
  });

  test('a PEM certificate, as cosign writes it', async () => {
    putWithEvidence(kubectl());
    put('kubectl.cert', kubectl().certificate.pem);
    expectVerified(await verifyOffline('kubectl', ...AT, ...PAIR));
  });

  test.each<[string, string, (file: PublishedFile) => void]>([
    ['of another file', 'SIGNATURE_MISMATCH', () => putWithEvidence(world.release.sbom(VERSION))],
    ['no signature', 'SIGNATURE_MALFORMED', () => void put('kubectl.sig', '<html>')],
    ['no certificate', 'SIGNATURE_MALFORMED', () => void put('kubectl.cert', '<html>')],
    [
      'not logged',
      'LOG_ENTRY_NOT_FOUND',
      (file) => {
        file.replace(Buffer.concat([file.bytes, Buffer.from('\n')]));
        const { signature, certificate } = file.sign({ log: false });
        put('kubectl.sig', signature.toString('base64'));
        put('kubectl.cert', certificate.pem);
      },
    ],
    [
      'by somebody else',
      'IDENTITY_MISMATCH',
      (file) => {
        const { signature, certificate } = file.sign(STRANGER);
        put('kubectl.sig', signature.toString('base64'));
        put('kubectl.cert', certificate.pem);
      },
    ],
  ])('%s: %s, although what is published is genuine', async (_what, code, change) => {
    const file = kubectl();
    putWithEvidence(file);
    change(file);
    put('kubectl', file.bytes);
    if (code !== 'LOG_ENTRY_NOT_FOUND') world.log.index.set(file.sha256, [file.entry.uuid]);
    expectRefused(await verify('kubectl', ...AT, ...PAIR), code);
    expectRefused(await verify('kubectl', ...UNBOUND, ...PAIR), code);
  });

  test('another logged pair does not replace one that was not logged', async () => {
    const file = kubectl();
    const { entry } = file;
    world.log.index.set(file.sha256, [entry.uuid]);
    putWithEvidence(file);
    const { signature, certificate } = file.sign({ log: false });
    put('kubectl.sig', signature.toString('base64'));
    put('kubectl.cert', certificate.pem);
    expectRefused(await verify('kubectl', ...AT, ...PAIR), 'LOG_ENTRY_NOT_FOUND');
    // A run takes the logged one, and so does this command without a pair of its own.
    expectVerified(await verify('kubectl', ...AT), 'Broken publication');
  });

  test('another logged pair does not make a wrong one good', async () => {
    const file = kubectl();
    const first = { signature: file.signature, certificate: file.certificate };
    file.sign();
    world.log.index.set(file.sha256, [file.entry.uuid]);
    putWithEvidence(file);
    put('kubectl.cert', first.certificate.pem);
    expectRefused(await verify('kubectl', ...AT, ...PAIR), 'SIGNATURE_MISMATCH');
    put('kubectl.sig', first.signature.toString('base64'));
    expectVerified(await verify('kubectl', ...AT, ...PAIR));
  });
});

describe('--bundle', () => {
  test('asks the release host for the SBOM alone', async () => {
    putWithEvidence(kubectl());
    expectVerified(
      await verifyOffline('kubectl', ...AT, ...BUNDLE),
      `Release: ${VERSION}, `,
      'Evidence: bundle',
    );
    expect(requestedPaths(world).filter((path) => !path.includes(SBOM))).toEqual([
      expect.stringContaining('/api/v1/log/entries'),
    ]);
  });

  test.each<[string, string, () => string]>([
    [
      'another file',
      'SIGNATURE_MISMATCH',
      () => JSON.stringify(world.release.sbom(VERSION).bundle()),
    ],
    ['no bundle', 'SIGNATURE_MALFORMED', () => '{}'],
    [
      'another log',
      'LOG_ENTRY_INVALID',
      () => JSON.stringify(kubectl().bundle(forgery.checkpointByAnotherKey())),
    ],
  ])('%s: %s, although what is published is genuine', async (_what, code, bundle) => {
    putWithEvidence(kubectl());
    put('kubectl.sigstore.json', bundle());
    expectRefused(await verify('kubectl', ...AT, ...BUNDLE), code);
  });

  test('a genuine file of another version', async () => {
    putWithEvidence(kubectl(OLDER));
    expectRefused(await verifyOffline('kubectl', ...AT, ...BUNDLE), 'RELEASE_MISMATCH');
    expectVerified(await verifyOffline('kubectl', '--version', OLDER, ...BUNDLE));
  });
});

describe('--lock-file', () => {
  test('the digest finds the file, its path and its version', async () => {
    putLock();
    for (const path of [`bin/${MAC}/kubectl`, SOURCE, SBOM]) {
      put('download', world.host.get(`release/${VERSION}/${path}`));
      const json = jsonOf(await verifyOffline('download', '--lock-file', 'k.lock', '--json'));
      expect(json).toMatchObject({ release: { version: VERSION, path }, evidence: 'lock' });
    }
  });

  test('one request for the SBOM, and no other', async () => {
    putLock();
    put('download', kubectl(VERSION, MAC).bytes);
    expectVerified(
      await verifyOffline('download', '--lock-file', 'k.lock'),
      `Path in the release: bin/${MAC}/kubectl`,
      'Evidence: lock file',
    );
    expect(requestedPaths(world)).toEqual([`/release/${VERSION}/${SBOM}`]);
  });

  test('bytes that are not in the lock, although they are published', async () => {
    putLock();
    put('kubectl', kubectl(OLDER, MAC).bytes);
    expectRefused(
      await verifyOffline('kubectl', '--lock-file', 'k.lock'),
      'LOCK_MISMATCH',
      kubectl(OLDER, MAC).sha256,
    );
    expect(requestedPaths(world)).toEqual([]);
  });

  test('what is said besides must be true', async () => {
    putLock();
    put('kubectl', kubectl(VERSION, MAC).bytes);
    const lock = ['--lock-file', 'k.lock'];
    expectVerified(await verifyOffline('kubectl', ...lock, '--version', '1.31', '--platform', MAC));
    expectVerified(await verifyOffline('kubectl', ...lock, '--artifact', `bin/${MAC}/kubectl`));
    for (const wrong of [
      ['--version', OLDER],
      ['--platform', LINUX],
      ['--artifact', `bin/${LINUX}/kubectl`],
      ['--artifact', SOURCE],
      ['--artifact', 'bin/linux/s390x/kubectl'],
    ]) {
      expectRefused(await verifyOffline('kubectl', ...lock, ...wrong), 'LOCK_MISMATCH');
    }
  });

  test('the lock does not choose who must have signed', async () => {
    kubectl(VERSION, MAC).sign(STRANGER);
    putLock();
    put('kubectl', kubectl(VERSION, MAC).bytes);
    expectRefused(await verifyOffline('kubectl', '--lock-file', 'k.lock'), 'IDENTITY_MISMATCH');
  });

  test('evidence in the lock that is for other bytes', async () => {
    const lock = lockOf(world, VERSION, { platforms: [MAC] });
    const entry = lock.files[`bin/${MAC}/kubectl`];
    if (entry !== undefined) entry.bundle = kubectl(OLDER, MAC).bundle();
    put('k.lock', lockText(lock));
    put('kubectl', kubectl(VERSION, MAC).bytes);
    expectRefused(await verifyOffline('kubectl', '--lock-file', 'k.lock'), 'LOCK_MISMATCH');
  });

  test('another SBOM than the locked one', async () => {
    putLock();
    world.release.putSbom(VERSION, { appended: '\n# another run\n' });
    put('kubectl', kubectl(VERSION, MAC).bytes);
    expectRefused(await verifyOffline('kubectl', '--lock-file', 'k.lock'), 'LOCK_MISMATCH');
  });

  test('a lock that cannot be read', async () => {
    put('kubectl', kubectl().bytes);
    put('k.lock', '{}');
    expectRefused(await verifyOffline('kubectl', '--lock-file', 'k.lock'), 'LOCK_INVALID');
    expectRefused(await verifyOffline('kubectl', '--lock-file', 'missing'), 'LOCK_INVALID');
  });

  test('a lock anywhere on this machine', async () => {
    putLock();
    mkdirSync(join(folder, 'deep'));
    put('deep/kubectl', kubectl(VERSION, MAC).bytes);
    const flags = Object.entries(offline()).flatMap(([name, value]) => [`--${name}`, value]);
    const result = await run(['verify', ...flags, 'kubectl', '--lock-file', '../k.lock'], {
      folder: join(folder, 'deep'),
    });
    expectVerified(result);
  });
});

describe('--sbom', () => {
  const SBOM_OPTIONS = ['--sbom', SBOM, '--sbom-bundle', `${SBOM}.sigstore.json`];

  test('with bundles, nobody is asked anything', async () => {
    putWithEvidence(kubectl());
    putWithEvidence(world.release.sbom(VERSION), SBOM);
    await stopServers(world);
    const result = await verifyOffline('kubectl', ...AT, ...BUNDLE, ...SBOM_OPTIONS);
    await startServers(world);
    expectVerified(result, `Release: ${VERSION}, proven by its signed SBOM`);
  });

  test('with a lock, nobody is asked anything', async () => {
    putLock();
    put('kubectl', kubectl(VERSION, MAC).bytes);
    put(SBOM, world.release.sbom(VERSION).bytes);
    await stopServers(world);
    const result = await verifyOffline('kubectl', '--lock-file', 'k.lock', '--sbom', SBOM);
    await startServers(world);
    expectVerified(result, `Release: ${VERSION}, proven by its signed SBOM`);
    put(SBOM, world.release.sbom(OLDER).bytes);
    expectRefused(
      await verifyOffline('kubectl', '--lock-file', 'k.lock', '--sbom', SBOM),
      'LOCK_MISMATCH',
      SBOM,
    );
  });

  test.each<[string, string, () => void]>([
    [
      'of another release',
      'RELEASE_MISMATCH',
      () => putWithEvidence(world.release.sbom(OLDER), SBOM),
    ],
    [
      'with another bundle',
      'SIGNATURE_MISMATCH',
      () => void put(`${SBOM}.sigstore.json`, JSON.stringify(world.release.sbom(OLDER).bundle())),
    ],
    [
      'that was changed',
      'SIGNATURE_MISMATCH',
      () => void put(SBOM, Buffer.concat([world.release.sbom(VERSION).bytes, Buffer.from('\n')])),
    ],
    [
      'signed by somebody else',
      'IDENTITY_MISMATCH',
      () => {
        world.release.sbom(VERSION).sign(STRANGER);
        putWithEvidence(world.release.sbom(VERSION), SBOM);
        world.release.putSbom(VERSION);
      },
    ],
  ])('%s: %s, although the published one is genuine', async (_what, code, change) => {
    putWithEvidence(kubectl());
    putWithEvidence(world.release.sbom(VERSION), SBOM);
    change();
    expectRefused(await verifyOffline('kubectl', ...AT, ...BUNDLE, ...SBOM_OPTIONS), code);
  });
});

describe('--bind-release false', () => {
  test.each([[PAIR], [BUNDLE]])('with %j: any signed file, and it says so', async (evidence) => {
    putWithEvidence(kubectl(OLDER, MAC));
    const result = await verifyOffline('kubectl', ...UNBOUND, ...evidence);
    expectVerified(result, 'Release: not proven (bind-release: false)\n');
    expect(result.stdout).not.toContain('v1.31');
    const json = jsonOf(await verifyOffline('kubectl', ...UNBOUND, ...evidence, '--json'));
    expect(json).toMatchObject({
      verified: true,
      release: null,
      'release-proof': 'not proven (bind-release: false)',
    });
    expect(requestedPaths(world).filter((path) => !path.startsWith('/api/'))).toEqual([]);
  });

  test('with a bundle or a lock, and a trust root on this machine, nobody is asked', async () => {
    putLock();
    putWithEvidence(kubectl(VERSION, MAC));
    await stopServers(world);
    const results = [
      await verifyOffline('kubectl', ...UNBOUND, ...BUNDLE),
      await verifyOffline('kubectl', ...UNBOUND, '--lock-file', 'k.lock'),
    ];
    await startServers(world);
    for (const result of results) expectVerified(result, 'Release: not proven');
    expect(requestedPaths(world)).toEqual([]);
  });

  test('with what is published, nothing would check the version', async () => {
    put('kubectl', kubectl(OLDER).bytes);
    const says = 'Name the evidence ("bundle", "signature" with "certificate", or "lock-file")';
    for (const version of [[], AT]) {
      expectRefused(await verify('kubectl', ...version, ...UNBOUND), 'INVALID_INPUT', says);
    }
    expect(requestedPaths(world)).toEqual([]);
  });

  test('second factors apply', async () => {
    putWithEvidence(kubectl());
    const args = ['kubectl', ...UNBOUND, ...BUNDLE];
    expectVerified(await verifyOffline(...args, '--checksum', kubectl().sha256));
    expectRefused(await verifyOffline(...args, '--checksum', 'ab'.repeat(32)), 'CHECKSUM_MISMATCH');
    expectRefused(await verifyOffline(...args, '--minimum-release-age', '90d'), 'RELEASE_TOO_NEW');
  });

  test('another identity must be asked for', async () => {
    world.release.artifact(VERSION, NATIVE_PLATFORM, 'kubectl').sign(STRANGER);
    putWithEvidence(kubectl());
    const args = ['kubectl', ...UNBOUND, ...BUNDLE];
    expectRefused(await verifyOffline(...args), 'IDENTITY_MISMATCH');
    expectVerified(
      await verifyOffline(...args, '--certificate-identity', 'stranger@example.com'),
      'Signed by: stranger@example.com',
    );
  });
});

describe('the trust root', () => {
  test('is kept: a second time, the TUF repository is not asked', async () => {
    putWithEvidence(kubectl());
    const args = ['kubectl', ...UNBOUND, ...BUNDLE];
    const env = { RUNNER_TOOL_CACHE: mkdtempSync(join(folder, 'cache-')) };
    expectVerified(await verifyWith(options(), args, env));
    expect(world.tufServer.requests.length).toBeGreaterThan(0);
    world.reset();
    expectVerified(await verifyWith(options(), args, env), '(cached metadata, still fresh)');
    expect(requestedPaths(world)).toEqual([]);
  });

  test('the embedded one does not know this world', async () => {
    putWithEvidence(kubectl());
    const result = await run([
      'verify',
      'kubectl',
      ...UNBOUND,
      ...BUNDLE,
      '--trusted-root',
      'embedded',
    ]);
    expectRefused(result, 'CERTIFICATE_UNTRUSTED');
  });
});

describe('combinations that mean nothing', () => {
  test.each([
    [[...PAIR, ...BUNDLE]],
    [[...BUNDLE, '--lock-file', 'k.lock']],
    [[...PAIR, '--lock-file', 'k.lock']],
    [['--certificate', 'kubectl.cert', '--lock-file', 'k.lock']],
    [PAIR.slice(0, 2)],
    [PAIR.slice(2)],
    [['--signature', 'missing', '--certificate', 'kubectl.cert']],
    [['--bundle', 'missing']],
    [['--bundle', '.']],
    [[...BUNDLE, '--sbom', SBOM]],
    [[...BUNDLE, '--sbom-bundle', 'kubectl.sigstore.json']],
    [['--lock-file', 'k.lock', '--sbom', SBOM, '--sbom-bundle', 'kubectl.sigstore.json']],
    [['--lock-file', 'k.lock', '--sbom-bundle', 'kubectl.sigstore.json']],
    [[...BUNDLE, '--sbom', 'missing', '--sbom-bundle', 'kubectl.sigstore.json']],
    [[...BUNDLE, ...UNBOUND, '--sbom', SBOM, '--sbom-bundle', 'kubectl.sigstore.json']],
    [[...BUNDLE, ...UNBOUND]],
    [['--platform', LINUX, '--architecture', 'amd64']],
    [['--certificate-identity', '']],
    [['--bind-release', 'no']],
    [['--checksum', 'abc']],
  ])('%j', async (args) => {
    putWithEvidence(kubectl());
    putLock();
    put(SBOM, world.release.sbom(VERSION).bytes);
    const result = await verifyOffline('kubectl', ...AT, ...args);
    expectRefused(result, 'INVALID_INPUT');
    expect(requestedPaths(world)).toEqual([]);
  });

  test.each([
    [['verify']],
    [['verify', 'a', 'b']],
    [['verify', 'a', '--tools', 'kubectl']],
    [['verify', 'a', '--images', 'x']],
  ])('%j: exit code 2', async (args) => {
    const result = await run(args);
    expect({ code: result.exitCode, stdout: result.stdout }).toEqual({ code: 2, stdout: '' });
  });

  test('--help has examples, exit codes, and no option that means nothing', async () => {
    const result = await run(['verify', '--help']);
    expect(result.exitCode).toBe(0);
    for (const words of [
      'Usage: setup-verified-kubectl verify [options] <file>',
      'Examples:',
      'Exit codes:',
      'Evidence options:',
      '--sbom-bundle <path>',
    ])
      expect(result.stdout).toContain(words);
    for (const words of ['--tools', '--images', '--check-latest', '--cluster-version'])
      expect(result.stdout).not.toContain(words);
  });
});
