import { generateKeyPairSync } from 'node:crypto';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import type { ErrorCode } from '../../src/errors.js';
import {
  artifactPath,
  type BundleJson,
  CertificateAuthority,
  DAY,
  forgery,
  lockOf,
  lockText,
  MINUTE,
  NATIVE_PLATFORM,
  RELEASE_IDENTITY,
  RELEASE_ISSUER,
  TransparencyLog,
  World,
  type ActionResult,
  type Forgery,
  type IssueOptions,
  type PublishedFile,
  type RunOptions,
  type SubjectAlternativeName,
  type TrustedRootJson,
} from '../support/index.js';
import { utf8String } from '../support/der.js';
import { OID, extension, generalName } from '../support/x509.js';
import { expectInstalled, expectRefused, runIn } from './expectations.js';

const VERSION = 'v1.31.9';
const PRERELEASE = 'v1.32.0-rc.1';

let world: World;

beforeAll(async () => {
  world = await World.start({ missing: 403 });
});

/**
 * The genuine world, anew for each test.
 *
 * The search index of the log is empty, which is allowed to happen: else a broken publication
 * would be mended with the entry of what was published before.
 */
beforeEach(() => {
  world.reset();
  world.publishTrustedRoot();
  for (const version of ['v1.30.4', VERSION, PRERELEASE]) {
    world.release.publish({ version, platforms: [NATIVE_PLATFORM], pointers: false });
  }
  world.release.point('stable', VERSION);
  world.release.point('stable-1.31', VERSION);
  world.release.point('stable-1.30', 'v1.30.4');
  world.log.index.clear();
});

afterAll(() => world.stop());

const run = (
  inputs: Readonly<Record<string, string>> = {},
  options: Omit<RunOptions, 'inputs'> = {},
): Promise<ActionResult> => runIn(world, { version: VERSION, ...inputs }, options);

const kubectl = (): PublishedFile => world.release.artifact(VERSION, NATIVE_PLATFORM, 'kubectl');
const sbom = (): PublishedFile => world.release.sbom(VERSION);

/** One thing that is changed in the genuine world, or in the inputs, and what comes of it. */
interface Refusal {
  readonly what: string;
  readonly code: ErrorCode;
  readonly change?: () => void;
  readonly inputs?: Readonly<Record<string, string>>;
  /**
   * What comes of it when a lock file holds the changed material; the same unless given, and `false` for what a lock
   * cannot hold or does not ask for.
   */
  readonly locked?: ErrorCode | false;
}

/** The bundle of a file as it is published now, and as the log answers now. */
function publishedBundle(file: PublishedFile): BundleJson {
  const bundle = file.bundle(world.log.tamper);
  const signature = world.host.get(`${file.path}.sig`).toString();
  const pem = Buffer.from(world.host.get(`${file.path}.cert`).toString(), 'base64').toString();
  const rawBytes = pem.replace(/-----.*-----|\n/g, '');
  return {
    ...bundle,
    verificationMaterial: { ...bundle.verificationMaterial, certificate: { rawBytes } },
    messageSignature: { ...bundle.messageSignature, signature },
  };
}

/** A run with a lock file of what is published now, with everything that is wrong about it. */
const runLocked = (inputs: Readonly<Record<string, string>> = {}): Promise<ActionResult> => {
  const lock = lockOf(world, VERSION, { bundleOf: publishedBundle });
  return run(
    { 'lock-file': 'lock.json', ...inputs },
    { workspace: { 'lock.json': lockText(lock) } },
  );
};

function testRefusals(refusals: readonly Refusal[]): void {
  test('nothing: installed', async () => {
    expectInstalled(await run(), { version: VERSION });
  });

  test.each(refusals)('$what: $code', async ({ code, change, inputs }) => {
    change?.();
    expectRefused(await run(inputs), code);
  });

  test('nothing, in a lock file: installed', async () => {
    expectInstalled(await runLocked(), { version: VERSION });
  });

  const lockable = refusals.flatMap(({ locked, ...row }) =>
    locked === false ? [] : [{ ...row, code: locked ?? row.code }],
  );
  test.each(lockable)('$what, in a lock file: $code', async ({ code, change, inputs }) => {
    change?.();
    expectRefused(await runLocked(inputs), code);
  });
}

describe('a genuine release', () => {
  test('is installed, and what was proven is told', async () => {
    const result = await run();
    expectInstalled(result, { version: VERSION });
    const { entry, sha256 } = kubectl();
    const uuid = entry.uuid.slice(-64);
    expect(result.outputs).toMatchObject({
      'cache-hit': 'false',
      sha256,
      'certificate-identity': RELEASE_IDENTITY,
      'certificate-oidc-issuer': RELEASE_ISSUER,
      'log-index': String(entry.logIndex),
      'log-entry-uuid': uuid,
      'integrated-time': entry.integratedTime.toISOString(),
    });
    expect(result.stdout).toContain(
      `tlog entry verified with uuid: ${uuid} index: ${entry.logIndex}\nVerified OK\n`,
    );
    expect(result.summary).toContain(uuid);
    expect(result.summary).toContain(sha256);
  });

  test('is looked up in the log by its computed UUID, and not by its digest', async () => {
    await run();
    const uuid = kubectl().entry.uuid.slice(-64);
    expect(world.logServer.requestsFor(`/api/v1/log/entries/${uuid}`)).toHaveLength(1);
    expect(world.logServer.requestsFor('/api/v1/index/retrieve')).toEqual([]);
  });

  test('is looked up by its digest when the log has written the pair down in another way', async () => {
    const { signature, certificate } = kubectl().sign({ log: false });
    const certificatePem = certificate.pem.replaceAll('\n', '\r\n');
    world.log.add({
      digest: kubectl().sha256,
      signature,
      certificatePem,
      integratedTime: certificate.notBefore,
    });
    const result = await run();
    expectInstalled(result, { version: VERSION });
    expect(world.logServer.requestsFor('/api/v1/index/retrieve')).not.toEqual([]);
  });

  test('is accepted with an entry of another log of the trust root', async () => {
    world.log.tamper = forgery.fromAnotherLog(world.decoys.log);
    expectInstalled(await run(), { version: VERSION });
  });

  test('is served from the tool cache the second time, without any request', async () => {
    const first = await run();
    world.reset();
    const second = await run({}, { toolCache: first.dirs.toolCache });
    expectInstalled(second, { version: VERSION });
    expect(second.outputs).toMatchObject({ 'cache-hit': 'true', sha256: kubectl().sha256 });
    expect(second.stdout).toContain('Verified OK');
    expect(Object.values(world.servers).flatMap(({ requests }) => requests)).toEqual([]);
  });

  test.each([
    ['1.31.9', VERSION],
    ['v1.31.9', VERSION],
    ['1.31', VERSION],
    ['v1.30', 'v1.30.4'],
    ['stable', VERSION],
    ['latest', VERSION],
    ['', VERSION],
    ['1.32.0-rc.1', PRERELEASE],
    ['v1.32.0-rc.1', PRERELEASE],
  ])('version %j is %s', async (version, expected) => {
    expectInstalled(await run({ version }), { version: expected });
  });
});

/** The bytes with one bit changed. */
function flipped(bytes: Buffer, at: number): Buffer {
  const copy = Buffer.from(bytes);
  copy.writeUInt8(copy.readUInt8(at) ^ 0x01, at);
  return copy;
}

const replaceKubectl = (change: (bytes: Buffer) => Buffer): void =>
  kubectl().replace(change(kubectl().bytes));

const putBeside = (suffix: string, content: Buffer | string): void =>
  world.host.put(`${kubectl().path}${suffix}`, content);

const takeFromSbom = (suffix: string): void =>
  putBeside(suffix, world.host.get(`${sbom().path}${suffix}`));

describe('of the artifact and its signature is changed', () => {
  testRefusals([
    {
      what: 'the first byte of the binary',
      code: 'SIGNATURE_MISMATCH',
      change: () => replaceKubectl((bytes) => flipped(bytes, 0)),
    },
    {
      what: 'the last byte of the binary',
      code: 'SIGNATURE_MISMATCH',
      change: () => replaceKubectl((bytes) => flipped(bytes, bytes.length - 1)),
    },
    {
      what: 'a byte of the binary, whose digest beside it stays',
      code: 'SIGNATURE_MISMATCH',
      locked: 'LOCK_MISMATCH',
      change: () => putBeside('', flipped(kubectl().bytes, 20_000)),
    },
    {
      what: 'one byte behind the binary',
      code: 'SIGNATURE_MISMATCH',
      change: () => replaceKubectl((bytes) => Buffer.concat([bytes, Buffer.from('\n')])),
    },
    {
      what: 'one byte less of the binary',
      code: 'SIGNATURE_MISMATCH',
      change: () => replaceKubectl((bytes) => bytes.subarray(0, -1)),
    },
    {
      what: "another artifact's .sig",
      code: 'SIGNATURE_MISMATCH',
      change: () => takeFromSbom('.sig'),
    },
    {
      what: "another artifact's .cert",
      code: 'SIGNATURE_MISMATCH',
      change: () => takeFromSbom('.cert'),
    },
    {
      what: "another artifact's .sig and .cert",
      code: 'SIGNATURE_MISMATCH',
      change: () => {
        takeFromSbom('.sig');
        takeFromSbom('.cert');
      },
    },
    {
      what: 'a .sig that is no base64',
      code: 'SIGNATURE_MALFORMED',
      locked: 'LOCK_INVALID',
      change: () => putBeside('.sig', '<html>'),
    },
    {
      what: 'a .cert that is no certificate',
      code: 'SIGNATURE_MALFORMED',
      locked: 'LOCK_INVALID',
      change: () => putBeside('.cert', '<html>'),
    },
    {
      what: 'no .sig and no .cert',
      code: 'RELEASE_NOT_SIGNED',
      locked: false,
      change: () => kubectl().removeMaterial(),
    },
    {
      what: 'no .sig',
      code: 'RELEASE_NOT_SIGNED',
      locked: false,
      change: () => world.host.remove(`${kubectl().path}.sig`),
    },
    {
      what: 'no .cert',
      code: 'RELEASE_NOT_SIGNED',
      locked: false,
      change: () => world.host.remove(`${kubectl().path}.cert`),
    },
  ]);
});

/** Signed and logged in every way as it should be, but with another certificate. */
const signedWith = (certificate: IssueOptions) => (): void => {
  kubectl().sign({ certificate });
};

const signedAs = (...subjectAlternativeName: SubjectAlternativeName[]): (() => void) =>
  signedWith({ subjectAlternativeName });

const identityRefusals = (
  cases: Readonly<Record<string, () => void>>,
  inputs: Readonly<Record<string, string>> = {},
): Refusal[] =>
  Object.entries(cases).map(([what, change]) => ({
    what,
    code: 'IDENTITY_MISMATCH',
    change,
    inputs,
  }));

const asked = (name: string, value: string): Refusal => ({
  what: `input ${name}: ${JSON.stringify(value)}`,
  code: value === '' ? 'INVALID_INPUT' : 'IDENTITY_MISMATCH',
  inputs: { [name]: value },
});

describe('of the identity is changed', () => {
  const nearMisses = [
    'krel-staging@k8s-releng-prod.iam-gserviceaccount.com',
    'krel-staging@k8s-releng-prodXiam.gserviceaccount.com',
    `x${RELEASE_IDENTITY}`,
    `${RELEASE_IDENTITY}.evil.example`,
    `${RELEASE_IDENTITY}\n`,
    `${RELEASE_IDENTITY}\u0000`,
    `mallory@example.com,${RELEASE_IDENTITY}`,
    RELEASE_IDENTITY.toUpperCase(),
    'krel-trust@k8s-releng-prod.iam.gserviceaccount.com',
    '',
  ];
  testRefusals([
    ...identityRefusals({
      'somebody else': signedAs({ email: 'mallory@example.com' }),
      ...Object.fromEntries(
        nearMisses.map((email) => [JSON.stringify(email), signedAs({ email })]),
      ),
      'no name at all': signedAs(),
      'the name as a host': signedAs({ dns: RELEASE_IDENTITY }),
      'a second name': signedAs({ email: RELEASE_IDENTITY }, { email: 'mallory@example.com' }),
      'a name in front': signedAs({ email: 'mallory@example.com' }, { email: RELEASE_IDENTITY }),
      'the same name twice': signedAs({ email: RELEASE_IDENTITY }, { email: RELEASE_IDENTITY }),
    }),
    asked('certificate-identity', ''),
    asked('certificate-identity', '.*'),
    asked('certificate-identity', 'krel-staging'),
    asked('certificate-identity', `^${RELEASE_IDENTITY}$`),
    asked('certificate-identity', `${RELEASE_IDENTITY}.evil.example`),
  ]);
});

describe('of the issuer is changed', () => {
  const nearMisses = [
    'https://accounts-google.com',
    'https://accountsXgoogle.com',
    'https://accounts.google.com/',
    'https://accounts.google.com.evil.example',
    'http://accounts.google.com',
    'xhttps://accounts.google.com',
    'https://accounts.google.com\n',
    'HTTPS://ACCOUNTS.GOOGLE.COM',
    'https://token.actions.githubusercontent.com',
    '',
  ];
  const evil = 'https://accounts.evil.example';
  testRefusals([
    ...identityRefusals({
      ...Object.fromEntries(
        nearMisses.map((issuer) => [JSON.stringify(issuer), signedWith({ issuer })]),
      ),
      'none at all': signedWith({ issuerExtensions: 'none' }),
      'another one in the newer extension': signedWith({
        issuerExtensions: { v1: RELEASE_ISSUER, v2: evil },
      }),
      'another one in the older extension': signedWith({
        issuerExtensions: { v1: evil, v2: RELEASE_ISSUER },
      }),
    }),
    asked('certificate-oidc-issuer', ''),
    asked('certificate-oidc-issuer', '.*'),
    asked('certificate-oidc-issuer', 'accounts.google.com'),
    asked('certificate-oidc-issuer', `${RELEASE_ISSUER}/`),
  ]);

  test.each(['v1', 'v2'] as const)('only where it stands (%s): installed', async (extension) => {
    kubectl().sign({ certificate: { issuerExtensions: extension } });
    expectInstalled(await run(), { version: VERSION });
  });
});

const untrusted = (what: string, change: () => void): Refusal => ({
  what,
  code: 'CERTIFICATE_UNTRUSTED',
  change,
});

/** Publishes a trusted root, through TUF, that lacks something. */
const trustedRoot = (change: (root: TrustedRootJson) => void) => (): void => {
  const root = world.trustedRoot();
  change(root);
  world.publishTrustedRoot(root);
};

const MALLORY = extension.subjectAlternativeName(
  [generalName.rfc822Name('mallory@example.com')],
  false,
);
const RELEASE_NAME = generalName.rfc822Name(RELEASE_IDENTITY);
const OLDER_ISSUER = '1.3.6.1.4.1.57264.1.1';
const NEWER_ISSUER = '1.3.6.1.4.1.57264.1.8';
const UNKNOWN = '1.3.6.1.4.1.99999.1';

describe('of the certificate is changed', () => {
  test.each([
    ['an unknown extension that is not critical', extension.of(UNKNOWN, utf8String('a value'))],
    ['basic constraints of a leaf', extension.basicConstraints(false)],
  ])('only by %s: installed', async (_, one) => {
    signedWith({ moreExtensions: [one] })();
    expectInstalled(await run(), { version: VERSION });
  });

  const certificateOnly = (key: 'rsa' | 'ed25519') => (): void => {
    const { pem } = world.authority.issue({ key, notBefore: kubectl().certificate.notBefore });
    putBeside('.cert', Buffer.from(pem).toString('base64'));
  };
  testRefusals([
    untrusted('an authority that nobody knows, with the right names', () => {
      const { validFrom, ctLog } = world;
      kubectl().sign({ authority: CertificateAuthority.create({ validFrom, ctLog }) });
    }),
    untrusted('no certificate timestamp', signedWith({ sct: 'none' })),
    untrusted('a certificate timestamp by another key', signedWith({ sct: 'other-key' })),
    untrusted('a certificate timestamp of an unknown log', signedWith({ sct: 'unknown-log' })),
    untrusted('it is one of an authority', signedWith({ isCA: true })),
    untrusted(
      'it may sign certificates',
      signedWith({ keyUsage: ['digitalSignature', 'keyCertSign'] }),
    ),
    untrusted('it may not sign', signedWith({ keyUsage: ['keyEncipherment'] })),
    untrusted('it is for nothing special', signedWith({ extendedKeyUsages: [] })),
    untrusted('it is for servers', signedWith({ extendedKeyUsages: ['1.3.6.1.5.5.7.3.1'] })),
    ...(
      [
        ['a second name, of somebody else', MALLORY],
        ['a second name, the same', extension.subjectAlternativeName([RELEASE_NAME], true)],
        ['a second issuer (.1)', extension.of(OLDER_ISSUER, Buffer.from(RELEASE_ISSUER))],
        ['a second issuer (.8)', extension.of(NEWER_ISSUER, utf8String(RELEASE_ISSUER))],
        ['a second usage', extension.extendedKeyUsage([OID.serverAuthentication])],
        ['an unknown critical extension', extension.of(UNKNOWN, utf8String('a value'), true)],
      ] as const
    ).map(([what, one]) => untrusted(`it has ${what}`, signedWith({ moreExtensions: [one] }))),
    untrusted(
      'it has second basic constraints',
      signedWith({
        moreExtensions: [extension.basicConstraints(false), extension.basicConstraints(true)],
      }),
    ),
    untrusted(
      'it holds a key on another curve',
      signedWith({ key: generateKeyPairSync('ec', { namedCurve: 'secp256k1' }).privateKey }),
    ),
    untrusted('it holds an RSA key', certificateOnly('rsa')),
    untrusted('it holds an Ed25519 key', certificateOnly('ed25519')),
    {
      what: 'an RSA key, which has signed',
      code: 'SIGNATURE_MALFORMED',
      locked: 'CERTIFICATE_UNTRUSTED',
      change: signedWith({ key: 'rsa' }),
    },
    {
      what: 'an Ed25519 key, which has signed',
      code: 'SIGNATURE_MALFORMED',
      locked: 'CERTIFICATE_UNTRUSTED',
      change: signedWith({ key: 'ed25519' }),
    },
    untrusted(
      'the trust root does not hold its authority',
      trustedRoot((root) => root.certificateAuthorities.pop()),
    ),
    untrusted(
      'the trust root does not hold its certificate transparency log',
      trustedRoot((root) => root.ctlogs.pop()),
    ),
    untrusted(
      'its authority was no longer trusted when it was issued',
      trustedRoot((root) => {
        for (const authority of root.certificateAuthorities) {
          authority.validFor.end = new Date(Date.now() - 60 * DAY).toISOString();
        }
      }),
    ),
  ]);
});

/** The log lies about the binary, and about nothing else. */
const lying = (
  what: string,
  forge: () => Forgery,
  locked: Refusal['locked'] = 'LOG_ENTRY_INVALID',
): Refusal => ({
  what,
  code: 'LOG_ENTRY_INVALID',
  locked,
  change: () => {
    const { uuid } = kubectl().entry;
    const lie = forge();
    world.log.tamper = (answer, log) => (uuid in answer ? lie(answer, log) : answer);
  },
});

describe('of the log entry is changed', () => {
  testRefusals([
    {
      what: 'there is none',
      code: 'LOG_ENTRY_NOT_FOUND',
      locked: false,
      change: () => {
        kubectl().sign({ log: false });
      },
    },
    ...(['signature', 'certificate'] as const).map((other): Refusal => ({
      what: `there is none, but one of this file with another ${other}`,
      code: 'LOG_ENTRY_NOT_FOUND',
      locked: false,
      change: () => {
        const { signature, certificate } = kubectl().sign({ log: false });
        const pair = { signature, certificatePem: certificate.pem };
        const stranger = sbom();
        world.log.add({
          digest: kubectl().sha256,
          ...pair,
          ...(other === 'signature'
            ? { signature: stranger.signature }
            : { certificatePem: stranger.certificate.pem }),
          integratedTime: certificate.notBefore,
        });
      },
    })),
    {
      what: 'it is only in a log that nobody knows',
      code: 'LOG_ENTRY_NOT_FOUND',
      locked: 'LOCK_INVALID',
      change: () => {
        kubectl().sign({ log: TransparencyLog.create({ baseEntries: 5 }) });
      },
    },
    lying('it is that of a log that nobody knows', () =>
      forgery.fromAnotherLog(
        TransparencyLog.create({ baseEntries: 5, baseUrl: world.log.baseUrl }),
      ),
    ),
    {
      what: 'the trust root does not hold its log',
      code: 'LOG_ENTRY_INVALID',
      change: trustedRoot((root) => root.tlogs.pop()),
    },
    {
      what: 'its log was no longer trusted when it was made',
      code: 'LOG_ENTRY_INVALID',
      change: trustedRoot((root) => {
        for (const log of root.tlogs) {
          log.publicKey.validFor.end = new Date(Date.now() - 60 * DAY).toISOString();
        }
      }),
    },
    lying("it is another artifact's", () => forgery.anotherEntry(sbom().entry)),
    lying('it is under another id', () => forgery.underAnotherId(), false),
    lying('its timestamp is by another key', () => forgery.entryTimestampByAnotherKey()),
    lying('no timestamp', () => forgery.withoutEntryTimestamp(), 'LOCK_INVALID'),
    lying('no inclusion proof', () => forgery.withoutInclusionProof(), 'LOCK_INVALID'),
    lying(
      'neither timestamp nor inclusion proof',
      () => forgery.withoutVerification(),
      'LOCK_INVALID',
    ),
    lying('one bit of its inclusion proof', () => forgery.flippedProofHash()),
    lying('one bit at the end of its inclusion proof', () => forgery.flippedProofHash(3)),
    lying("its inclusion proof is another entry's", () => forgery.proofOfAnotherIndex()),
    lying('its checkpoint has another root', () => forgery.checkpointOfAnotherRoot()),
    lying('its checkpoint has a bad signature', () => forgery.checkpointWithBadSignature()),
    lying('its checkpoint is by another key', () => forgery.checkpointByAnotherKey()),
    lying('the root of its proof is not that of its checkpoint', () =>
      forgery.rootHashUnlikeCheckpoint(),
    ),
    lying('the size of its proof is not that of its checkpoint', () =>
      forgery.treeSizeUnlikeCheckpoint(),
    ),
    lying('timestamp and checkpoint are by an impostor', () => forgery.impostor()),
    lying('its time is before the certificate', () => forgery.shiftedTime(-2 * MINUTE)),
    lying('its time is after the certificate', () => forgery.shiftedTime(10 * MINUTE)),
    lying('its time is not what the log signed', () => forgery.unsignedTime(MINUTE)),
    lying('its index is not what the log signed', () => forgery.anotherLogIndex()),
    lying('its body names another certificate', () =>
      forgery.anotherCertificate(sbom().certificate.pem),
    ),
    lying('its body names another signature', () => forgery.anotherSignature(sbom().signature)),
    lying('its body names another digest', () => forgery.anotherDigest(sbom().sha256)),
    lying('its body is of another kind', () => forgery.anotherKind()),
    lying('its body is of another version', () => forgery.anotherKind('hashedrekord', '0.0.3')),
    lying('its body is no JSON', () => forgery.bodyOf(Buffer.from('no JSON'))),
    lying('it is no JSON', () => forgery.text('<html>'), false),
    {
      what: 'it was made before the certificate was valid',
      code: 'LOG_ENTRY_INVALID',
      change: () => {
        const at = new Date(Date.now() - 30 * DAY);
        kubectl().sign({ at, integratedTime: new Date(at.getTime() - MINUTE) });
      },
    },
    {
      what: 'it was made when the certificate had expired',
      code: 'LOG_ENTRY_INVALID',
      change: () => {
        const at = new Date(Date.now() - 30 * DAY);
        kubectl().sign({ at, integratedTime: new Date(at.getTime() + 11 * MINUTE) });
      },
    },
  ]);
});

const ofRelease = (
  what: string,
  code: ErrorCode,
  version: string,
  change?: () => void,
  locked: Refusal['locked'] = 'LOCK_MISMATCH',
): Refusal => ({ what, code, locked, inputs: { version }, ...(change && { change }) });

const pointer = (what: string, text: string, version = 'stable'): Refusal =>
  ofRelease(
    what,
    'VERSION_NOT_FOUND',
    version,
    () => world.release.point(version === 'stable' ? version : `stable-${version}`, text),
    false,
  );

describe('of the release is changed', () => {
  testRefusals([
    ofRelease('the version does not exist', 'VERSION_NOT_FOUND', '1.31.99'),
    ofRelease('the minor does not exist', 'VERSION_NOT_FOUND', '1.99'),
    ofRelease('the pre-release does not exist', 'VERSION_NOT_FOUND', '1.31.0-rc.9'),
    ofRelease(
      'there is no stable.txt',
      'VERSION_NOT_FOUND',
      'stable',
      () => world.host.remove('release/stable.txt'),
      false,
    ),
    {
      what: 'the platform is not published',
      code: 'PLATFORM_NOT_PUBLISHED',
      change: () => {
        const platforms = ['linux/amd64'];
        world.release.publish({ version: VERSION, platforms, pointers: false });
        world.host.remove(artifactPath(VERSION, NATIVE_PLATFORM, 'kubectl'));
      },
    },
    {
      what: 'the architecture is not published',
      code: 'PLATFORM_NOT_PUBLISHED',
      locked: 'LOCK_MISMATCH',
      change: () =>
        world.release.publish({
          version: VERSION,
          platforms: [NATIVE_PLATFORM],
          pointers: false,
        }),
      // Every system has both of them.
      inputs: { architecture: NATIVE_PLATFORM.endsWith('/arm64') ? 'amd64' : 'arm64' },
    },
    ofRelease('a release without signatures', 'RELEASE_NOT_SIGNED', '1.18.0', () =>
      world.release.publish({
        version: 'v1.18.0',
        platforms: [NATIVE_PLATFORM],
        signed: false,
        sbom: false,
        pointers: false,
      }),
    ),
    pointer('stable.txt holds HTML', '<!DOCTYPE html><html><body>v1.31.9</body></html>'),
    pointer('stable.txt holds nothing', ''),
    pointer('stable.txt holds a line feed', '\n'),
    pointer('stable.txt holds a path', 'v1.31.9/../../evil'),
    pointer('stable.txt holds a path without version', '../../evil'),
    pointer('stable.txt holds a URL', 'https://evil.example/v1.31.9'),
    pointer('stable.txt holds a workflow command', `${VERSION}\n::notice title=evil::done`),
    pointer('stable.txt holds a megabyte', VERSION.padEnd(1 << 20, '\n')),
    pointer('stable.txt holds a version without v', '1.31.9'),
    pointer('stable.txt holds a pre-release', PRERELEASE),
    pointer('stable-1.31.txt holds another minor', 'v1.30.4', '1.31'),
  ]);

  test('stable.txt ends in a line feed: installed', async () => {
    world.release.point('stable', `${VERSION}\n`);
    expectInstalled(await run({ version: 'stable' }), { version: VERSION });
  });
});
