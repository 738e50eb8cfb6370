import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { loadInputs, type Environment, type Inputs } from '../../src/inputs.js';
import { TRANSFER_LIMITS } from '../../src/transfer/limits.js';
import { rejectionOf } from './expect-error.js';

const HEX = 'ab'.repeat(32);
const ROOT = Buffer.from('{}');
let workspace: string;

beforeAll(() => {
  workspace = mkdtempSync(join(tmpdir(), 'inputs-'));
  mkdirSync(join(workspace, 'folder'));
  writeFileSync(join(workspace, 'root.json'), ROOT);
  writeFileSync(join(workspace, '.tool-versions'), 'kubectl 1.31.9\n');
  writeFileSync(join(workspace, 'bad.txt'), '# version\nnewest\n');
});

afterAll(() => {
  rmSync(workspace, { recursive: true });
});

const REQUIRED = {
  'certificate-identity': 'krel-staging@k8s-releng-prod.iam.gserviceaccount.com',
  'certificate-oidc-issuer': 'https://accounts.google.com',
  'image-certificate-identity': 'krel-trust@k8s-releng-prod.iam.gserviceaccount.com',
};

function environment(
  inputs: Readonly<Record<string, string>>,
  machine: Partial<Environment> = {},
): Environment {
  const variables = Object.fromEntries(
    Object.entries({ ...REQUIRED, ...inputs }).map(([name, value]) => [
      `INPUT_${name.toUpperCase()}`,
      value,
    ]),
  );
  return {
    platform: 'linux',
    arch: 'x64',
    ...machine,
    variables: {
      GITHUB_WORKSPACE: workspace,
      RUNNER_TEMP: '/temp',
      RUNNER_TOOL_CACHE: '/cache',
      ...machine.variables,
      ...variables,
    },
  };
}

const load = (
  inputs: Readonly<Record<string, string>>,
  machine: Partial<Environment> = {},
): Promise<Inputs> => loadInputs(environment(inputs, machine));

test('nothing has to be given', async () => {
  expect(await load({})).toMatchObject({
    version: { kind: 'stable' },
    versionSource: 'stable',
    ignoredVersionFile: undefined,
    tools: ['kubectl'],
    images: [],
    imageIdentity: {
      subjectAlternativeName: 'krel-trust@k8s-releng-prod.iam.gserviceaccount.com',
      issuer: 'https://accounts.google.com',
    },
    platform: { os: 'linux', arch: 'amd64' },
    isNative: true,
    downloadToken: undefined,
    secondFactors: { checksums: {}, minimumAge: undefined },
    identity: {
      subjectAlternativeName: 'krel-staging@k8s-releng-prod.iam.gserviceaccount.com',
      issuer: 'https://accounts.google.com',
    },
    trustRoot: { kind: 'tuf' },
    bindRelease: true,
    checkLatest: false,
    runner: { temp: '/temp', toolCache: '/cache' },
  });
});

test('the hosts are the public ones', async () => {
  const { downloadBaseUrl, imageRegistry, rekorUrl, trustRoot } = await load({});
  expect(imageRegistry.href).toBe('https://registry.k8s.io/');
  expect(downloadBaseUrl.href).toBe('https://dl.k8s.io/');
  expect(rekorUrl.href).toBe('https://rekor.sigstore.dev/');
  expect(trustRoot.kind === 'tuf' && trustRoot.mirror.href).toBe(
    'https://tuf-repo-cdn.sigstore.dev/',
  );
});

/** [input, what was given, the field, what it becomes] */
const ACCEPTED: [input: string, given: string, field: keyof Inputs, value: unknown][] = [
  ['version', ' 1.31.9 ', 'version', { kind: 'exact', version: 'v1.31.9' }],
  ['version', '~1.31.2', 'version', { kind: 'range', range: '>=1.31.2 <1.32.0-0' }],
  ['version-file', '.tool-versions', 'version', { kind: 'exact', version: 'v1.31.9' }],
  ['version-file', '.tool-versions', 'versionSource', '1.31.9 (.tool-versions, line 1)'],
  ['tools', 'kubectl, kubeadm\nkubelet  kubectl', 'tools', ['kubectl', 'kubeadm', 'kubelet']],
  ['tools', '', 'tools', ['kubectl']],
  ['architecture', 'arm64', 'platform', { os: 'linux', arch: 'arm64' }],
  ['architecture', 'arm64', 'isNative', false],
  ['architecture', 'X64', 'isNative', true],
  ['checksum', HEX, 'secondFactors', { checksums: { kubectl: HEX }, minimumAge: undefined }],
  [
    'checksum',
    `sha256:${HEX.toUpperCase()}`,
    'secondFactors',
    { checksums: { kubectl: HEX }, minimumAge: undefined },
  ],
  [
    'checksum',
    `kubectl=${HEX}`,
    'secondFactors',
    { checksums: { kubectl: HEX }, minimumAge: undefined },
  ],
  ['minimum-release-age', '90m', 'secondFactors', { checksums: {}, minimumAge: 5_400_000 }],
  ['minimum-release-age', '12h', 'secondFactors', { checksums: {}, minimumAge: 43_200_000 }],
  ['minimum-release-age', '3d', 'secondFactors', { checksums: {}, minimumAge: 259_200_000 }],
  ['minimum-release-age', '1w', 'secondFactors', { checksums: {}, minimumAge: 604_800_000 }],
  ['download-token', 'abc.DEF-123', 'downloadToken', 'abc.DEF-123'],
  ['trusted-root', 'embedded', 'trustRoot', { kind: 'embedded' }],
  ['bind-release', 'false', 'bindRelease', false],
  ['bind-release', 'TRUE', 'bindRelease', true],
  ['check-latest', 'True', 'checkLatest', true],
];

test('images, each once', async () => {
  const images = 'kube-proxy control-plane,registry.k8s.io/etcd:3.5.15-0\nkube-proxy';
  const inputs = await load({ images, tools: 'none' });
  expect(inputs.tools).toEqual([]);
  expect(inputs.images.map(({ requested }) => requested)).toEqual([
    'kube-proxy',
    'kube-apiserver',
    'kube-controller-manager',
    'kube-scheduler',
    'registry.k8s.io/etcd:3.5.15-0',
  ]);
});

test.each([
  ['https://mirror.example', 'https://mirror.example/'],
  ['https://mirror.example:5000/k8s/proxy', 'https://mirror.example:5000/k8s/proxy/'],
  ['http://127.0.0.1:5000/', 'http://127.0.0.1:5000/'],
])('image-registry: %s', async (given, href) => {
  expect((await load({ 'image-registry': given })).imageRegistry.href).toBe(href);
});

test.each(ACCEPTED)('%s: %j', async (input, given, field, value) => {
  expect((await load({ [input]: given }))[field]).toEqual(value);
});

test.each([
  ['https://mirror.example', 'https://mirror.example/'],
  ['https://mirror.example/k8s', 'https://mirror.example/k8s/'],
  ['https://mirror.example/k8s//', 'https://mirror.example/k8s/'],
  ['https://mirror.example:8443/a/b/', 'https://mirror.example:8443/a/b/'],
  ['http://127.0.0.1:8080', 'http://127.0.0.1:8080/'],
  ['http://localhost:8080', 'http://localhost:8080/'],
  ['http://[::1]:8080', 'http://[::1]:8080/'],
])('download-base-url and rekor-url: %s', async (given, href) => {
  const inputs = await load({ 'download-base-url': given, 'rekor-url': given });
  expect(inputs.downloadBaseUrl.href).toBe(href);
  expect(inputs.rekorUrl.href).toBe(href);
});

test('download-base-url: a folder', async () => {
  const given = pathToFileURL(workspace).href;
  expect((await load({ 'download-base-url': given })).downloadBaseUrl.href).toBe(`${given}/`);
});

test('tuf-mirror-url and tuf-root', async () => {
  const { trustRoot } = await load({
    'tuf-mirror-url': 'https://tuf.example/repo',
    'tuf-root': 'root.json',
  });
  expect(trustRoot).toEqual({
    kind: 'tuf',
    mirror: new URL('https://tuf.example/repo/'),
    root: ROOT,
  });
});

test('trusted-root: a file, by a path below the workspace', async () => {
  const { trustRoot } = await load({ 'trusted-root': './root.json' });
  expect(trustRoot).toEqual({ kind: 'file', path: join(workspace, 'root.json'), json: ROOT });
});

test.each(['trusted-root', 'tuf-root'])(
  '%s: of a megabyte, and not one byte more',
  async (name) => {
    const given = { [name]: 'large.json' };
    writeFileSync(join(workspace, 'large.json'), Buffer.alloc(1 << 20));
    await load(given);
    writeFileSync(join(workspace, 'large.json'), Buffer.alloc((1 << 20) + 1));
    expect(await rejectionOf(load(given))).toMatchObject({ code: 'INVALID_INPUT' });
  },
);

test('version and version-file: the file is not even read', async () => {
  const inputs = await load({ version: '1.30', 'version-file': 'absent.txt' });
  expect(inputs.version).toEqual({ kind: 'stable', minor: '1.30' });
  expect(inputs.ignoredVersionFile).toBe('absent.txt');
});

/** [input, what was given, words that must be in the message, other inputs] */
const REFUSED: [input: string, given: string, shown: string, others?: Record<string, string>][] = [
  ['version', 'newest', '"newest"'],
  ['version', '1.31.9; curl evil', '"1.31.9; curl evil"'],
  ['version', '1.31.9-gke.1', '"1.31.9-gke.1"'],
  ['version-file', 'absent.txt', '"absent.txt"'],
  ['version-file', 'folder', '"folder"'],
  ['version-file', 'bad.txt', '"newest"'],
  ['tools', 'helm', '"helm"'],
  ['tools', 'kubectl, kubectl.exe', '"kubectl.exe"'],
  ['tools', '../kubectl', '"../kubectl"'],
  ['architecture', 'riscv64', '"riscv64"'],
  ['architecture', 'toString', '"toString"'],
  ...['download-base-url', 'image-registry', 'rekor-url', 'tuf-mirror-url'].flatMap(
    (input): typeof REFUSED => [
      [input, 'mirror.example', '"mirror.example"'],
      [input, 'http://mirror.example', '"http://mirror.example"'],
      [input, 'http://127.0.0.1.example', '"http://127.0.0.1.example"'],
      [input, 'ftp://mirror.example', '"ftp://mirror.example"'],
      [input, 'https://mirror.example/?sig=1', '?sig=1'],
      [input, 'https://mirror.example/#a', '#a'],
      [input, 'https://user:hunter2@mirror.example', '(a URL with credentials)'],
    ],
  ),
  ['download-base-url', 'file://server/share', '"file://server/share"'],
  ['rekor-url', 'file:///tmp', '"file:///tmp"'],
  ['image-registry', 'file:///tmp', '"file:///tmp"'],
  ['image-registry', 'https://mirror.example/K8s', 'K8s'],
  ['image-registry', 'https://mirror.example/a//b', 'a//b'],
  ['images', 'etcd', '"etcd"'],
  ['images', 'kube-apiserver, docker.io/library/etcd:1', '"docker.io/library/etcd:1"'],
  ['images', 'none', '"none"'],
  [
    'images',
    Array.from({ length: 101 }, (_, i) => `registry.k8s.io/a:${String(i)}`).join(','),
    '101 images',
  ],
  ['image-certificate-identity', '', 'nothing'],
  ['tools', 'none', '"none"'],
  ['tools', 'none', '"none"', { images: ' , ' }],
  ['tools', 'none kubectl', '"none"', { images: 'kube-proxy' }],
  ['checksum', HEX, HEX, { tools: 'none', images: 'kube-proxy' }],
  ['tuf-mirror-url', 'file:///tmp', '"file:///tmp"'],
  ['tuf-mirror-url', 'https://tuf.example', 'https://tuf.example'],
  ['download-token', 'with blank', '(not shown)'],
  ['download-token', 'line\nfeed', '(not shown)'],
  ['download-token', 'secret', '(not shown)', { 'download-base-url': 'file:///mirror' }],
  ['checksum', 'abcd', '"abcd"'],
  ['checksum', 'z'.repeat(64), 'z'.repeat(64)],
  ['checksum', `${HEX}0`, `${HEX}0`],
  ['checksum', `kubeadm=${HEX}`, 'kubeadm='],
  ['checksum', HEX, HEX, { tools: 'kubectl kubeadm' }],
  ['checksum', `${HEX} ${HEX}`, HEX],
  ['minimum-release-age', '3', '"3"'],
  ['minimum-release-age', '-3d', '"-3d"'],
  ['minimum-release-age', '3 days', '"3 days"'],
  ['minimum-release-age', '1.5d', '"1.5d"'],
  ['minimum-release-age', '99999d', '"99999d"'],
  ['certificate-identity', '', 'nothing'],
  ['certificate-identity', ' ', 'nothing'],
  ['certificate-oidc-issuer', '', 'nothing'],
  ['tuf-root', 'absent.json', '"absent.json"'],
  ['tuf-root', 'folder', '"folder"'],
  ['trusted-root', 'absent.json', '"absent.json"'],
  ['trusted-root', 'folder', '"folder"'],
  ['trusted-root', 'embedded', '"embedded"', { 'tuf-root': 'root.json' }],
  ['bind-release', 'no', '"no"'],
  ['bind-release', '0', '"0"'],
  ['check-latest', 'yes', '"yes"'],
  ['check-latest', 'tRuE', '"tRuE"'],
];

test.each(REFUSED)('%s: %j is refused', async (input, given, shown, others = {}) => {
  const error = await rejectionOf(load({ ...others, [input]: given }));
  expect(error.code).toBe('INVALID_INPUT');
  expect(error.message).toContain(`input "${input}"`);
  expect(error.message).toContain(shown);
  expect(error.hint).toContain('Accepted');
  expect(`${error.message}${error.hint}`).not.toMatch(/hunter2|with blank|secret/);
});

describe('the machine', () => {
  test.each([
    ['linux', 'x64', 'linux/amd64'],
    ['linux', 'ia32', 'linux/386'],
    ['linux', 'arm', 'linux/arm'],
    ['linux', 'arm64', 'linux/arm64'],
    ['linux', 'ppc64', 'linux/ppc64le'],
    ['linux', 's390x', 'linux/s390x'],
    ['darwin', 'x64', 'darwin/amd64'],
    ['darwin', 'arm64', 'darwin/arm64'],
    ['win32', 'x64', 'windows/amd64'],
    ['win32', 'ia32', 'windows/386'],
    ['win32', 'arm64', 'windows/arm64'],
  ])('%s on %s is %s', async (platform, arch, expected) => {
    const inputs = await load({}, { platform, arch });
    expect(`${inputs.platform.os}/${inputs.platform.arch}`).toBe(expected);
    expect(inputs.isNative).toBe(true);
  });

  test.each([
    ['freebsd', 'x64', {}, 'freebsd'],
    ['linux', 'riscv64', {}, 'linux/riscv64'],
    ['darwin', 'arm64', { architecture: '386' }, 'darwin/386'],
    ['win32', 'x64', { tools: 'kube-apiserver' }, 'windows/amd64'],
    ['darwin', 'arm64', { tools: 'kubectl kubeadm' }, 'darwin/arm64'],
  ])('%s on %s with %j has nothing published', async (platform, arch, inputs, named) => {
    const error = await rejectionOf(load(inputs, { platform, arch }));
    expect(error.code).toBe('PLATFORM_NOT_PUBLISHED');
    expect(error.message).toContain(named);
  });

  test('a machine that Kubernetes does not know can fetch for another one', async () => {
    const inputs = await load({ architecture: 'amd64' }, { arch: 'riscv64' });
    expect(inputs.platform).toEqual({ os: 'linux', arch: 'amd64' });
    expect(inputs.isNative).toBe(false);
  });

  test.each([['RUNNER_TEMP'], ['RUNNER_TOOL_CACHE']])('without %s', async (name) => {
    const error = await rejectionOf(load({}, { variables: { [name]: '' } }));
    expect(error.code).toBe('INSTALL_FAILED');
  });

  test.each([
    ['linux', { PATH: '/a:/b::/c' }, ['/a', '/b', '/c']],
    ['win32', { Path: 'C:\\a;C:\\b' }, ['C:\\a', 'C:\\b']],
    ['linux', {}, []],
  ])('PATH on %s', async (platform, variables, expected) => {
    const { runner } = await load({}, { platform, variables });
    expect(runner.path).toEqual(expected);
  });

  test('functions exported to bash', async () => {
    const variables = { 'BASH_FUNC_kubectl%%': '() { :; }', BASH_FUNC_x: '', kubectl: '' };
    expect((await load({}, { variables })).runner.shellFunctions).toEqual(['kubectl']);
  });

  test.each([
    ['0.01', TRANSFER_LIMITS.responseTimeout * 0.01],
    ['5', TRANSFER_LIMITS.responseTimeout],
    ['0', TRANSFER_LIMITS.responseTimeout],
    ['x', TRANSFER_LIMITS.responseTimeout],
  ])('waiting times %s: never longer than usual', async (factor, expected) => {
    const variables = { SETUP_VERIFIED_KUBECTL_TIME_SCALE: factor };
    expect((await load({}, { variables })).limits.responseTimeout).toBe(expected);
  });
});
