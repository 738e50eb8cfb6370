import { describe, expect, test } from '@jest/globals';
import {
  ARCHITECTURES,
  OPERATING_SYSTEMS,
  TOOLS,
  assertPublished,
  isTool,
  parseArchitecture,
  parseOperatingSystem,
  platformName,
  publishedPlatforms,
  type Tool,
} from '../../../src/kubernetes/platform.js';
import { errorOf } from '../expect-error.js';

const CLIENT =
  'linux/amd64 linux/386 linux/arm linux/arm64 linux/ppc64le linux/s390x darwin/amd64 darwin/arm64 windows/amd64 windows/386 windows/arm64';
const SERVER = 'linux/amd64 linux/arm linux/arm64 linux/ppc64le linux/s390x';
const NODE = `${SERVER} windows/amd64`;

/** Written down again from the release pages, so that a slip in the source shows. */
const PUBLISHED: Record<Tool, string> = {
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
};

const PAIRS = OPERATING_SYSTEMS.flatMap((os) => ARCHITECTURES.map((arch) => ({ os, arch })));

describe.each(TOOLS)('%s', (tool) => {
  const published = PUBLISHED[tool].split(' ');

  test.each(PAIRS.filter((pair) => published.includes(platformName(pair))))(
    'is published for $os/$arch',
    (platform) => {
      expect(() => assertPublished(tool, platform)).not.toThrow();
    },
  );

  test.each(PAIRS.filter((pair) => !published.includes(platformName(pair))))(
    'is not published for $os/$arch, and the error lists where it is',
    (platform) => {
      const error = errorOf(() => assertPublished(tool, platform));
      expect(error.code).toBe('PLATFORM_NOT_PUBLISHED');
      expect(error.message).toContain(tool);
      expect(error.message).toContain(platformName(platform));
      for (const other of published) {
        expect(error.message).toContain(other);
      }
    },
  );

  test('lists each platform once', () => {
    expect([...publishedPlatforms(tool)].sort()).toEqual([...published].sort());
  });
});

describe('architecture names', () => {
  test.each([
    ['amd64', 'amd64'],
    ['x64', 'amd64'],
    ['X64', 'amd64'],
    ['x86_64', 'amd64'],
    ['arm64', 'arm64'],
    ['ARM64', 'arm64'],
    ['aarch64', 'arm64'],
    ['arm', 'arm'],
    ['ARM', 'arm'],
    ['armv7l', 'arm'],
    ['386', '386'],
    ['x86', '386'],
    ['X86', '386'],
    ['ia32', '386'],
    ['i386', '386'],
    ['ppc64le', 'ppc64le'],
    ['ppc64', 'ppc64le'],
    ['s390x', 's390x'],
  ])('%s is %s', (name, expected) => {
    expect(parseArchitecture(name)).toBe(expected);
  });

  test.each(['', 'riscv64', 'loong64', 'mips', 'amd', 'amd64 ', 'toString', '__proto__'])(
    '%j is none',
    (name) => {
      expect(parseArchitecture(name)).toBeUndefined();
    },
  );
});

test.each([
  ['linux', 'linux'],
  ['darwin', 'darwin'],
  ['win32', 'windows'],
  ['freebsd', undefined],
  ['android', undefined],
  ['', undefined],
])('Node calls it %j, Kubernetes %j', (node, expected) => {
  expect(parseOperatingSystem(node)).toBe(expected);
});

test.each([
  ['kubectl', true],
  ['mounter', true],
  ['Kubectl', false],
  ['kubectl.exe', false],
  ['helm', false],
  ['toString', false],
  ['', false],
])('%j is a tool: %j', (name, expected) => {
  expect(isTool(name)).toBe(expected);
});
