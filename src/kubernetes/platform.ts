import { SetupError } from '../errors.js';

export const OPERATING_SYSTEMS = ['linux', 'darwin', 'windows'] as const;
export type OperatingSystem = (typeof OPERATING_SYSTEMS)[number];

export const ARCHITECTURES = ['amd64', 'arm64', 'arm', '386', 'ppc64le', 's390x'] as const;
export type Architecture = (typeof ARCHITECTURES)[number];

/** An operating system and an architecture, in Go's names, as Kubernetes publishes for them. */
export interface Platform {
  readonly os: OperatingSystem;
  readonly arch: Architecture;
}

/** `linux/amd64` */
export function platformName(platform: Platform): string {
  return `${platform.os}/${platform.arch}`;
}

/** Names of Node (`x64`, `ia32`, `ppc64`), of GitHub (`X64`, `ARM64`) and of Go, lower case. */
const ARCHITECTURE_NAMES: Readonly<Record<string, Architecture>> = {
  amd64: 'amd64',
  x64: 'amd64',
  x86_64: 'amd64',
  arm64: 'arm64',
  aarch64: 'arm64',
  arm: 'arm',
  armv7l: 'arm',
  '386': '386',
  x86: '386',
  ia32: '386',
  i386: '386',
  ppc64le: 'ppc64le',
  ppc64: 'ppc64le',
  s390x: 's390x',
};

/** @returns undefined for a name that no release knows */
export function parseArchitecture(name: string): Architecture | undefined {
  const key = name.toLowerCase();
  return Object.hasOwn(ARCHITECTURE_NAMES, key) ? ARCHITECTURE_NAMES[key] : undefined;
}

/** @param nodePlatform `process.platform` */
export function parseOperatingSystem(nodePlatform: string): OperatingSystem | undefined {
  switch (nodePlatform) {
    case 'linux':
    case 'darwin':
      return nodePlatform;
    case 'win32':
      return 'windows';
    default:
      return undefined;
  }
}

/**
 * @param name `linux/amd64`
 * @returns undefined for anything else
 */
export function parsePlatform(name: string): Platform | undefined {
  const [osName = '', archName = '', ...more] = name.split('/');
  const os = OPERATING_SYSTEMS.find((one) => one === osName);
  const arch = ARCHITECTURES.find((one) => one === archName);
  return os === undefined || arch === undefined || more.length > 0 ? undefined : { os, arch };
}

const CLIENT = [
  'linux/amd64',
  'linux/386',
  'linux/arm',
  'linux/arm64',
  'linux/ppc64le',
  'linux/s390x',
  'darwin/amd64',
  'darwin/arm64',
  'windows/amd64',
  'windows/386',
  'windows/arm64',
];
const SERVER = ['linux/amd64', 'linux/arm64', 'linux/ppc64le', 'linux/s390x', 'linux/arm'];
const NODE = [...SERVER, 'windows/amd64'];
const TEST = [...SERVER, 'darwin/amd64', 'darwin/arm64', 'windows/amd64', 'windows/arm64'];

/**
 * Which platforms each binary is published for. A pair that is here need not exist in every
 * release (linux/arm servers ended with 1.26): the release host has the last word.
 */
const PUBLISHED = {
  kubectl: CLIENT,
  'kubectl-convert': CLIENT,
  kubeadm: NODE,
  kubelet: NODE,
  'kube-proxy': NODE,
  'kube-log-runner': NODE,
  'kube-apiserver': SERVER,
  'kube-controller-manager': SERVER,
  'kube-scheduler': SERVER,
  'kube-aggregator': SERVER,
  'apiextensions-apiserver': SERVER,
  mounter: SERVER,
} as const satisfies Readonly<Record<string, readonly string[]>>;

/** A binary of a Kubernetes release. */
export type Tool = keyof typeof PUBLISHED;

export const TOOLS = Object.keys(PUBLISHED) as Tool[];

export function isTool(name: string): name is Tool {
  return Object.hasOwn(PUBLISHED, name);
}

/** The platforms that a tool is published for, as `<os>/<arch>`. */
export function publishedPlatforms(tool: Tool): readonly string[] {
  return PUBLISHED[tool];
}

/**
 * Which platforms each tarball is published for, by KUBE_SUPPORTED_*_PLATFORMS in hack/lib/golang.sh
 * of Kubernetes. Again, the release host has the last word.
 */
const PUBLISHED_TARBALLS = {
  client: CLIENT,
  server: SERVER,
  node: NODE,
  test: TEST,
} as const satisfies Readonly<Record<string, readonly string[]>>;

/** A tarball that a Kubernetes release has for each of several platforms. */
export type Tarball = keyof typeof PUBLISHED_TARBALLS;

export const TARBALLS = Object.keys(PUBLISHED_TARBALLS) as Tarball[];

export function isTarball(name: string): name is Tarball {
  return Object.hasOwn(PUBLISHED_TARBALLS, name);
}

/** The platforms that a tarball is published for, as `<os>/<arch>`. */
export function tarballPlatforms(tarball: Tarball): readonly string[] {
  return PUBLISHED_TARBALLS[tarball];
}

/** @throws {SetupError} PLATFORM_NOT_PUBLISHED */
export function assertPublished(tool: Tool, platform: Platform): void {
  const name = platformName(platform);
  if (!publishedPlatforms(tool).includes(name)) {
    throw platformNotPublished(`${tool} binary`, name, publishedPlatforms(tool));
  }
}

/** @param what `kubectl binary`, `server tarball` */
export function platformNotPublished(
  what: string,
  platform: string,
  platforms: readonly string[],
  version?: string,
): SetupError {
  const release = version === undefined ? 'Kubernetes' : `Kubernetes ${version}`;
  const others = platforms.filter((other) => other !== platform);
  return new SetupError(
    'PLATFORM_NOT_PUBLISHED',
    `${release} has no ${what} for ${platform}. Available platforms: ${others.join(', ')}.`,
  );
}
