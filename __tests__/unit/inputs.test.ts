import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { loadInputs, type Environment, type Inputs } from '../../src/inputs.js';
import { TRANSFER_LIMITS } from '../../src/transfer/limits.js';
import { rejectionOf } from './expect-error.js';

const HEX = 'ab'.repeat(32);
const ROOT = Buffer.from('{}');
let parent: string;
let workspace: string;

beforeAll(() => {
  parent = mkdtempSync(join(tmpdir(), 'inputs-'));
  workspace = join(parent, 'workspace');
  mkdirSync(join(workspace, 'folder'), { recursive: true });
  writeFileSync(join(workspace, 'root.json'), ROOT);
  writeFileSync(join(workspace, '.tool-versions'), 'kubectl 1.31.9\n');
  writeFileSync(join(workspace, 'bad.txt'), '# version\nsecret\n');
  writeFileSync(join(workspace, 'digits.txt'), '31415926\n');
  writeFileSync(join(parent, 'outside.txt'), '1.31.9\n');
});

afterAll(() => {
  rmSync(parent, { recursive: true });
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
    clusterVersion: undefined,
    tools: ['kubectl'],
    images: [],
    imageIdentity: {
      subjectAlternativeName: 'krel-trust@k8s-releng-prod.iam.gserviceaccount.com',
      issuer: 'https://accounts.google.com',
    },
    artifacts: [],
    platform: { os: 'linux', arch: 'amd64' },
    isNative: true,
    downloadToken: undefined,
    secondFactors: { checksums: {}, minimumAge: undefined, maximumAge: undefined },
    identity: {
      subjectAlternativeName: 'krel-staging@k8s-releng-prod.iam.gserviceaccount.com',
      issuer: 'https://accounts.google.com',
    },
    trustRoot: { kind: 'tuf' },
    bindRelease: true,
    checkLatest: false,
    runner: { temp: resolve('/temp'), toolCache: resolve('/cache') },
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
  ['cluster-version', 'v1.31.4-eks-1', 'version', { kind: 'stable', minor: '1.31' }],
  [
    'cluster-version',
    'v1.31.4-eks-1',
    'versionSource',
    '1.31 (the minor of cluster-version v1.31.4-eks-1)',
  ],
  ['cluster-version', ' v1.31.4-eks-1 ', 'clusterVersion', { text: 'v1.31.4-eks-1', minor: 31 }],
  [
    'cluster-version',
    '{ "serverVersion": { "gitVersion": "v1.31.1+k3s1" } }',
    'clusterVersion',
    { text: 'v1.31.1+k3s1', minor: 31 },
  ],
  ['tools', 'kubectl, kubeadm\nkubelet  kubectl', 'tools', ['kubectl', 'kubeadm', 'kubelet']],
  ['tools', '', 'tools', ['kubectl']],
  ['artifacts', '', 'artifacts', []],
  ['architecture', 'arm64', 'platform', { os: 'linux', arch: 'arm64' }],
  ['architecture', 'arm64', 'isNative', false],
  ['architecture', 'X64', 'isNative', true],
  [
    'checksum',
    HEX,
    'secondFactors',
    { checksums: { kubectl: HEX }, minimumAge: undefined, maximumAge: undefined },
  ],
  [
    'checksum',
    `sha256:${HEX.toUpperCase()}`,
    'secondFactors',
    { checksums: { kubectl: HEX }, minimumAge: undefined, maximumAge: undefined },
  ],
  [
    'checksum',
    `kubectl=${HEX}`,
    'secondFactors',
    { checksums: { kubectl: HEX }, minimumAge: undefined, maximumAge: undefined },
  ],
  [
    'minimum-release-age',
    '90m',
    'secondFactors',
    { checksums: {}, minimumAge: 5_400_000, maximumAge: undefined },
  ],
  [
    'minimum-release-age',
    '12h',
    'secondFactors',
    { checksums: {}, minimumAge: 43_200_000, maximumAge: undefined },
  ],
  [
    'minimum-release-age',
    '3d',
    'secondFactors',
    { checksums: {}, minimumAge: 259_200_000, maximumAge: undefined },
  ],
  [
    'minimum-release-age',
    '1w',
    'secondFactors',
    { checksums: {}, minimumAge: 604_800_000, maximumAge: undefined },
  ],
  [
    'maximum-release-age',
    '17w',
    'secondFactors',
    { checksums: {}, minimumAge: undefined, maximumAge: 10_281_600_000 },
  ],
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

test('a maximum-release-age above the minimum', async () => {
  const ages = { 'minimum-release-age': '3d', 'maximum-release-age': '73h' };
  expect((await load(ages)).secondFactors).toEqual({
    checksums: {},
    minimumAge: 259_200_000,
    maximumAge: 262_800_000,
  });
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

describe('download-base-url: a file URL', () => {
  test.each([
    ['linux', 'file:///srv/mirror', 'file:///srv/mirror/'],
    ['darwin', 'file:///srv/mirror//', 'file:///srv/mirror/'],
    ['win32', 'file:///C:/mirror', 'file:///C:/mirror/'],
    ['win32', 'file:///C:/', 'file:///C:/'],
    ['win32', 'file:///d:/a%20b', 'file:///d:/a%20b/'],
    ['win32', 'file://localhost/C:/mirror', 'file:///C:/mirror/'],
  ])('on %s, %s is accepted', async (platform, given, href) => {
    const { downloadBaseUrl } = await load({ 'download-base-url': given }, { platform });
    expect(downloadBaseUrl.href).toBe(href);
  });

  test.each([
    ['linux', 'file://server/share', 'file:///srv/mirror'],
    ['win32', 'file://server/share', 'file:///C:/mirror'],
    ['win32', 'file:\\\\server\\share', 'file:///C:/mirror'],
    ['win32', 'file:////server/share', 'file:///C:/mirror'],
    ['win32', 'file://./pipe/mirror', 'file:///C:/mirror'],
    ['win32', 'file:////?/C:/mirror', 'file:///C:/mirror'],
    ['win32', 'file:///srv/mirror', 'file:///C:/mirror'],
    ['win32', 'file:///C:/a%5Cb', 'file:///C:/mirror'],
    ['linux', 'file:///srv%2Fmirror', 'file:///srv/mirror'],
  ])('on %s, %s is refused', async (platform, given, example) => {
    const error = await rejectionOf(load({ 'download-base-url': given }, { platform }));
    expect(error.code).toBe('INVALID_INPUT');
    expect(error.message).toContain(`a file URL such as ${example}`);
  });
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

test('version-file: without a workspace, the current directory counts', async () => {
  const variables = { GITHUB_WORKSPACE: undefined };
  const given = { 'version-file': 'package.json' };
  const inside = await rejectionOf(load(given, { variables }));
  expect(inside.message).toContain('line 1 of "package.json"');
  const outside = await rejectionOf(
    load({ 'version-file': join(parent, 'outside.txt') }, { variables }),
  );
  expect(outside.message).toContain('is outside the workspace');
});

describe('what chooses the version', () => {
  const CLUSTER = { 'cluster-version': '1.33' };

  test('version comes before everything', async () => {
    const inputs = await load({ ...CLUSTER, version: '1.32', 'version-file': 'absent.txt' });
    expect(inputs.version).toEqual({ kind: 'stable', minor: '1.32' });
    expect(inputs.clusterVersion).toEqual({ text: '1.33', minor: 33 });
  });

  test('version-file comes before cluster-version', async () => {
    const inputs = await load({ ...CLUSTER, 'version-file': '.tool-versions' });
    expect(inputs.version).toEqual({ kind: 'exact', version: 'v1.31.9' });
    expect(inputs.clusterVersion).toEqual({ text: '1.33', minor: 33 });
  });

  test('cluster-version comes before stable', async () => {
    expect((await load(CLUSTER)).version).toEqual({ kind: 'stable', minor: '1.33' });
  });
});

describe('artifacts', () => {
  const NAME = 'kubernetes-client-linux-amd64.tar.gz';
  const platform = { os: 'linux', arch: 'amd64' };

  test('several, each name once', async () => {
    const { tools, artifacts } = await load({
      artifacts: `client, kubernetes-src.tar.gz\n${NAME} client`,
    });
    expect(tools).toEqual(['kubectl']);
    expect(artifacts).toMatchObject([
      { requested: 'client', name: NAME, platform },
      { requested: 'kubernetes-src.tar.gz', name: 'kubernetes-src.tar.gz', platform: undefined },
      { requested: NAME, name: NAME, platform },
    ]);
  });

  test('alone', async () => {
    const { tools, artifacts } = await load({ tools: 'none', artifacts: 'client' });
    expect(tools).toEqual([]);
    expect(artifacts).toMatchObject([{ requested: 'client' }]);
  });

  test.each([
    [HEX, { tools: 'none', artifacts: 'client' }],
    [HEX, { tools: 'none', artifacts: `client ${NAME}` }],
    [`client=${HEX}`, { artifacts: 'client' }],
    [`${NAME}=${HEX}`, { artifacts: 'client' }],
  ])('checksum %s with %j', async (checksum, inputs) => {
    const { secondFactors } = await load({ ...inputs, checksum });
    expect(secondFactors.checksums).toEqual({ [NAME]: HEX });
  });
});

/** [input, what was given, words that must be in the message, other inputs] */
const REFUSED: [input: string, given: string, shown: string, others?: Record<string, string>][] = [
  ['version', 'newest', '"newest"'],
  ['version', '1.31.9; curl evil', '"1.31.9; curl evil"'],
  ['version', '1.31.9-gke.1', '"1.31.9-gke.1"'],
  ['version-file', 'absent.txt', '"absent.txt"'],
  ['version-file', 'folder', '"folder"'],
  ['version-file', 'bad.txt', 'line 2 of "bad.txt"'],
  ['version-file', 'digits.txt', 'line 1 of "digits.txt"'],
  ['version-file', '../outside.txt', 'is outside the workspace'],
  ['version', '12345678', '"12345678"'],
  ['version', '>=1.30.0-12345', '">=1.30.0-12345"'],
  ['cluster-version', 'stable', '"stable"'],
  ['cluster-version', '4.14.8', '"4.14.8"'],
  ['cluster-version', '{"clientVersion":{"gitVersion":"v1.31.0"}}', 'clientVersion'],
  ['tools', 'helm', '"helm"'],
  ['tools', 'kubectl, kubectl.exe', '"kubectl.exe"'],
  ['tools', '../kubectl', '"../kubectl"'],
  ['tools', 'none', '"artifacts"'],
  ['tools', 'none kubectl', '"none"', { artifacts: 'client' }],
  ['tools', 'None', '"None"', { artifacts: 'client' }],
  ['artifacts', 'kubectl', '"kubectl"'],
  ['artifacts', 'client, clients', '"clients"'],
  ['artifacts', '../kubernetes-src.tar.gz', '"../kubernetes-src.tar.gz"'],
  ['artifacts', '.kubernetes-src.tar.gz', '".kubernetes-src.tar.gz"'],
  ['artifacts', 'none', '"none"'],
  ['artifacts', 'toString', '"toString"'],
  ['architecture', 'riscv64', '"riscv64"'],
  ['architecture', 'toString', '"toString"'],
  ...['download-base-url', 'image-registry', 'rekor-url', 'tuf-mirror-url'].flatMap(
    (input): typeof REFUSED => [
      [input, 'mirror.example', '"mirror.example"'],
      [input, 'http://mirror.example', '"http://mirror.example"'],
      [input, 'http://127.0.0.1.example', '"http://127.0.0.1.example"'],
      [input, 'ftp://mirror.example', '"ftp://mirror.example"'],
      ...[
        'https://mirror.example/?sig=hunter2',
        'https://mirror.example/#hunter2',
        'https://user:hunter2@mirror.example',
        'http://user:hunter2@mirror.example',
        'ftp://user:hunter2@mirror.example/',
        'https://user:hunter2@mirror.example:99999/',
        'user:hunter2@mirror.example',
      ].map((given): (typeof REFUSED)[number] => [
        input,
        given,
        '(a URL with credentials, query or fragment)',
      ]),
    ],
  ),
  ['download-base-url', 'file://server/share', '"file://server/share"'],
  ['download-base-url', 'file://user:hunter2@server/share', '(a URL with credentials'],
  ['download-base-url', 'https://user:word@mirror.example', 'see "download-token"'],
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
  ['image-certificate-identity', '', 'an empty value'],
  ['tools', 'none', '"none"'],
  ['tools', 'none', '"none"', { images: ' , ' }],
  ['tools', 'none kubectl', '"none"', { images: 'kube-proxy' }],
  ['checksum', HEX, 'Expected none', { tools: 'none', images: 'kube-proxy' }],
  ['tuf-mirror-url', 'file:///tmp', '"file:///tmp"'],
  ['tuf-mirror-url', 'https://tuf.example', 'https://tuf.example'],
  ['download-token', 'with blank', '(not shown)'],
  ['download-token', 'line\nfeed', '(not shown)'],
  ['download-token', 'secret', '(not shown)', { 'download-base-url': 'file:///srv/mirror' }],
  ['checksum', 'abcd', '"abcd"'],
  ['checksum', 'z'.repeat(64), 'z'.repeat(64)],
  ['checksum', `${HEX}0`, `${HEX}0`],
  ['checksum', `kubeadm=${HEX}`, 'kubeadm='],
  ['checksum', HEX, HEX, { tools: 'kubectl kubeadm' }],
  ['checksum', `${HEX} ${HEX}`, HEX],
  ['checksum', HEX, HEX, { artifacts: 'client' }],
  ['checksum', `server=${HEX}`, 'server=', { artifacts: 'client' }],
  ['checksum', `kubectl=${HEX}`, 'kubectl=', { artifacts: 'client', tools: 'none' }],
  [
    'checksum',
    `client=${HEX} kubernetes-client-linux-amd64.tar.gz=${HEX}`,
    'one SHA-256 for kubernetes-client-linux-amd64.tar.gz',
    { artifacts: 'client' },
  ],
  ...['minimum-release-age', 'maximum-release-age'].flatMap((input): typeof REFUSED => [
    [input, '3', '"3"'],
    [input, '-3d', '"-3d"'],
    [input, '3 days', '"3 days"'],
    [input, '1.5d', '"1.5d"'],
    [input, '99999d', '"99999d"'],
  ]),
  ['maximum-release-age', '3d', '"3d"', { 'minimum-release-age': '72h' }],
  ['certificate-identity', '', 'an empty value'],
  ['certificate-identity', ' ', 'an empty value'],
  ['certificate-oidc-issuer', '', 'an empty value'],
  ['tuf-root', 'absent.json', '"absent.json"'],
  ['tuf-root', 'folder', '"folder"'],
  ['trusted-root', 'absent.json', '"absent.json"'],
  ['trusted-root', 'folder', '"folder"'],
  ['trusted-root', 'embedded', '"tuf-root"', { 'tuf-root': 'root.json' }],
  ['bind-release', 'no', '"no"'],
  ['bind-release', '0', '"0"'],
  ['check-latest', 'yes', '"yes"'],
  ['check-latest', 'tRuE', '"tRuE"'],
];

test.each(REFUSED)('%s: %j is refused', async (input, given, shown, others = {}) => {
  const error = await rejectionOf(load({ ...others, [input]: given }));
  expect(error.code).toBe('INVALID_INPUT');
  expect(error.message).toContain(`"${input}"`);
  expect(error.message).toContain(shown);
  expect(error.message).toMatch(/Expected|not both/);
  expect(error.message).not.toMatch(/hunter2|with blank|secret|31415926/);
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
    ['win32', 'x64', { artifacts: 'server' }, 'windows/amd64'],
    ['linux', 'x64', { artifacts: 'kubernetes-server-windows-amd64.tar.gz' }, 'windows/amd64'],
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

  test.each([
    ['RUNNER_TEMP is not set', ['RUNNER_TEMP']],
    ['RUNNER_TOOL_CACHE is not set', ['RUNNER_TOOL_CACHE']],
    ['RUNNER_TEMP and RUNNER_TOOL_CACHE are not set', ['RUNNER_TEMP', 'RUNNER_TOOL_CACHE']],
  ])('%s', async (message, names) => {
    for (const value of ['', undefined]) {
      const variables = Object.fromEntries(names.map((name) => [name, value]));
      const error = await rejectionOf(load({}, { variables }));
      expect(error.code).toBe('INSTALL_FAILED');
      expect(error.message).toBe(message);
    }
  });

  test('folders of the runner are absolute', async () => {
    const { runner } = await load({}, { variables: { RUNNER_TEMP: 'a', RUNNER_TOOL_CACHE: 'b' } });
    expect(runner).toMatchObject({ temp: resolve('a'), toolCache: resolve('b') });
  });

  test.each(['GITHUB_OUTPUT', 'GITHUB_PATH'])('%s', async (name) => {
    const missing = join(workspace, 'absent');
    const error = await rejectionOf(load({}, { variables: { [name]: missing } }));
    expect(error.code).toBe('INSTALL_FAILED');
    expect(error.message).toBe(`${name} names a file that does not exist: ${missing}`);
    for (const file of [join(workspace, 'root.json'), '', undefined]) {
      await load({}, { variables: { [name]: file } });
    }
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
