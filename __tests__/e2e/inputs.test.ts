import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { World } from '../support/index.js';
import {
  NATIVE,
  expectRefused,
  expectInstalled,
  reportsOf,
  requestedPaths,
  runIn,
  titlesOf,
} from './expectations.js';

const HEX = 'ab'.repeat(32);
const RELEASE_TEAM = 'krel-staging@k8s-releng-prod.iam.gserviceaccount.com';

let world: World;

beforeAll(async () => {
  world = await World.start({ publish: [{ version: 'v1.31.9', platforms: [NATIVE] }] });
});

afterAll(async () => {
  await world.stop();
});

beforeEach(() => {
  world.reset();
});

/** [input, what is given, words that say what is accepted, other inputs] */
const BAD: [input: string, given: string, accepted: string, others?: Record<string, string>][] = [
  ['version', 'newest', 'a semver range'],
  ['version', '1.31.9.1', 'an exact version'],
  ['version-file', 'absent', 'a file in the repository'],
  ['tools', 'kubectl, helm', 'kubeadm'],
  ['architecture', 'sparc', 'amd64 (x64), arm64, arm, 386 (x86), ppc64le or s390x'],
  ['download-base-url', 'dl.k8s.io', 'an https URL'],
  ['download-base-url', 'http://dl.k8s.io', 'http on loopback'],
  ['download-base-url', 'https://user:word@dl.k8s.io', 'without credentials'],
  ['download-base-url', 'https://dl.k8s.io/?a=b', 'without credentials, query or fragment'],
  ['download-base-url', 'file://server/share', 'a file URL'],
  ['download-token', 'two words', 'a bearer token of printable ASCII characters'],
  ['checksum', 'abc', '64 hex digits'],
  ['checksum', `kubeadm=${HEX}`, 'for each of kubectl'],
  ['checksum', HEX, '<name>=<SHA-256>', { tools: 'kubectl kubectl-convert' }],
  ['minimum-release-age', 'three days', '90m, 12h, 3d, 1w'],
  ['certificate-identity', '', 'cannot be empty'],
  ['certificate-oidc-issuer', '', 'cannot be empty'],
  ['rekor-url', 'rekor.sigstore.dev', 'an https URL'],
  ['rekor-url', 'file:///log', 'an https URL, or http on loopback'],
  ['tuf-mirror-url', 'ftp://tuf', 'an https URL'],
  ['tuf-mirror-url', 'https://tuf.example', '"tuf-root"', { 'tuf-root': '' }],
  ['tuf-root', 'absent.json', 'the path of a file of at most 1 MiB'],
  ['trusted-root', 'absent.json', 'or "embedded"', { 'tuf-root': '' }],
  ['trusted-root', 'embedded', 'not both'],
  ['bind-release', 'maybe', 'true or false'],
  ['check-latest', '1', 'true or false'],
];

test.each(BAD)(
  '%s: %j is refused before any request',
  async (input, given, accepted, others = {}) => {
    const run = await runIn(world, { ...others, [input]: given });
    expectRefused(run, 'INVALID_INPUT', { says: [`"${input}"`, accepted] });
    expect(requestedPaths(world)).toEqual([]);
  },
);

test.each(['GITHUB_PATH', 'GITHUB_OUTPUT'])(
  '%s names a file that does not exist: refused before any request',
  async (name) => {
    const run = await runIn(world, {}, { env: { [name]: '/absent/file' } });
    expectRefused(run, 'INSTALL_FAILED', { says: [`${name} names a file that does not exist`] });
    expect(requestedPaths(world)).toEqual([]);
  },
);

test('RUNNER_TOOL_CACHE is a relative path: what is added to PATH is absolute', async () => {
  const run = await runIn(world, {}, { env: { RUNNER_TOOL_CACHE: 'cache' } });
  expectInstalled(run, { version: 'v1.31.9' });
  expect(run.paths.map((path) => path.startsWith(join(run.dirs.workspace, 'cache')))).toEqual([
    true,
  ]);
});

test.each([
  `http://oauth2:github_pat_${'A'.repeat(82)}@mirror.example`,
  'ftp://user:AAAAAAAA@mirror.example/',
  'https://user:AAAAAAAA@mirror.example:99999/',
  'https://mirror.example/?sig=AAAAAAAA',
])('download-base-url: %s is refused, and nothing says what its secret is', async (url) => {
  for (const input of ['download-base-url', 'rekor-url']) {
    const run = await runIn(world, { [input]: url });
    expectRefused(run, 'INVALID_INPUT', { says: [`"${input}"`] });
    expect(run.stdout + run.stderr + run.summary).not.toContain('AAAA');
  }
});

describe('each input does what it says', () => {
  const sha256 = (): string => world.release.artifact('v1.31.9', NATIVE, 'kubectl').sha256;

  test.each([
    ['hex', (hex: string) => hex],
    ['upper case', (hex: string) => hex.toUpperCase()],
    ['by tool', (hex: string) => `kubectl=${hex}`],
  ])('checksum, %s: the right one', async (_, text) => {
    expectInstalled(await runIn(world, { checksum: text(sha256()) }), { version: 'v1.31.9' });
  });

  test('checksum: the wrong one', async () => {
    const run = await runIn(world, { checksum: HEX });
    expectRefused(run, 'CHECKSUM_MISMATCH', { says: [HEX, sha256()] });
  });

  test('minimum-release-age: old enough', async () => {
    expectInstalled(await runIn(world, { 'minimum-release-age': '29d' }), { version: 'v1.31.9' });
  });

  test('minimum-release-age: too young', async () => {
    const run = await runIn(world, { 'minimum-release-age': '31d' });
    expectRefused(run, 'RELEASE_TOO_NEW', { says: ['minimum-release-age'] });
  });

  test.each(['certificate-identity', 'certificate-oidc-issuer'])('%s: another', async (input) => {
    const run = await runIn(world, { [input]: 'somebody@example.com' });
    expectRefused(run, 'IDENTITY_MISMATCH', { says: ['somebody@example.com'] });
  });

  test('certificate-identity and certificate-oidc-issuer: those of another signer', async () => {
    world.release.publish({
      version: 'v1.30.0',
      platforms: [NATIVE],
      pointers: false,
      signing: {
        certificate: {
          subjectAlternativeName: { email: 'team@example.com' },
          issuer: 'https://issuer.example',
        },
      },
    });
    const inputs = {
      version: '1.30.0',
      'certificate-identity': 'team@example.com',
      'certificate-oidc-issuer': 'https://issuer.example',
    };
    expectInstalled(await runIn(world, inputs), { version: 'v1.30.0' });
    const run = await runIn(world, { version: '1.30.0' });
    expectRefused(run, 'IDENTITY_MISMATCH', { says: [RELEASE_TEAM, 'team@example.com'] });
  });

  test('trusted-root: a file, and TUF is not asked', async () => {
    const inputs = { 'trusted-root': world.writeTrustedRoot(), 'tuf-root': '' };
    expectInstalled(await runIn(world, inputs), { version: 'v1.31.9' });
    expect(world.tufServer.requests).toEqual([]);
  });

  test('trusted-root: the embedded copy is the public one', async () => {
    const run = await runIn(world, { 'trusted-root': 'embedded', 'tuf-root': '' });
    expectRefused(run, 'CERTIFICATE_UNTRUSTED');
    expect(world.tufServer.requests).toEqual([]);
  });

  test('bind-release: without it nothing is asked about the release, and the report says so', async () => {
    const run = await runIn(world, { 'bind-release': 'false' });
    expectInstalled(run, { version: 'v1.31.9' });
    expect(requestedPaths(world).filter((path) => path.includes('.spdx'))).toEqual([]);
    expect(reportsOf(run)[0]?.['release-proof']).toBe('not proven (bind-release: false)');
    expect(run.summary).toContain('not proven');
  });

  test('bind-release: with it, a signed binary of another release is refused', async () => {
    const older = world.release.artifact('v1.31.9', NATIVE, 'kubectl');
    world.release.publish({ version: 'v1.31.10', platforms: [NATIVE], pointers: false });
    const newer = world.release.artifact('v1.31.10', NATIVE, 'kubectl');
    newer.replace(older.bytes);
    newer.putMaterial({ signature: older.signature, certificate: older.certificate });
    const run = await runIn(world, { version: '1.31.10' });
    expectRefused(run, 'RELEASE_MISMATCH');
    const unbound = await runIn(world, { version: '1.31.10', 'bind-release': 'false' });
    expect(unbound.exitCode).toBe(0);
    expect(titlesOf(unbound, 'warning')).toEqual([]);
  });
});
