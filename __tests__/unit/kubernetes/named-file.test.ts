import { describe, expect, test } from '@jest/globals';
import {
  artifactOf,
  parseNamedFile,
  parseReleasePath,
  readFileName,
  type NamedFile,
} from '../../../src/kubernetes/named-file.js';
import { TOOLS, publishedPlatforms, type Platform } from '../../../src/kubernetes/platform.js';
import { Release } from '../../../src/kubernetes/release.js';

const MAC: Platform = { os: 'darwin', arch: 'arm64' };
const onMac = (): Platform => MAC;
const never = (): Platform => {
  throw new Error('asked for the platform');
};
const release = new Release('v1.31.9', new URL('https://dl.k8s.io/'));

const pathOf = (named: NamedFile | undefined): string | undefined =>
  named === undefined ? undefined : artifactOf(release, named).path;

describe('readFileName', () => {
  const CLAIMS: readonly [name: string, path: string, version?: string][] = [
    ['kubectl', 'bin/darwin/arm64/kubectl'],
    ['kubectl-convert', 'bin/darwin/arm64/kubectl-convert'],
    ['kubectl.exe', 'bin/windows/arm64/kubectl.exe'],
    ['kubectl-v1.31.9', 'bin/darwin/arm64/kubectl', 'v1.31.9'],
    ['kubectl_1.36.0-rc.1', 'bin/darwin/arm64/kubectl', 'v1.36.0-rc.1'],
    ['kubectl-linux-s390x', 'bin/linux/s390x/kubectl'],
    ['kubectl.windows.386.exe', 'bin/windows/386/kubectl.exe'],
    ['kubectl-windows-amd64', 'bin/windows/amd64/kubectl.exe'],
    ['kubeadm-linux-arm64-v1.31.9', 'bin/linux/arm64/kubeadm', 'v1.31.9'],
    ['kubeadm-v1.31.9-linux-arm64', 'bin/linux/arm64/kubeadm', 'v1.31.9'],
    ['kubernetes-server-linux-amd64.tar.gz', 'kubernetes-server-linux-amd64.tar.gz'],
    ['kubernetes-src.tar.gz', 'kubernetes-src.tar.gz'],
    ['kubernetes-release.spdx', 'kubernetes-release.spdx'],
    ['provenance.json', 'provenance.json'],
  ];

  test.each(CLAIMS.map(([name, path, version]) => ({ name, path, version })))(
    '$name',
    ({ name, path, version }) => {
      const claim = readFileName(name, onMac);
      expect([pathOf(claim?.file), claim?.version]).toEqual([path, version]);
    },
  );

  test('asks for the platform only if the name does not say it', () => {
    expect(readFileName('kubectl-linux-amd64', never)).toBeDefined();
    expect(readFileName('kubernetes-src.tar.gz', never)).toBeDefined();
    expect(() => readFileName('kubectl', never)).toThrow('asked');
  });

  test.each([
    '',
    'server',
    'client',
    'kubectl-',
    'kubectl (1)',
    'kubectl.bak',
    'kubectlx',
    'xkubectl',
    'kubectl-plan9-amd64',
    'kubectl-linux',
    'kubectl-v1.31',
    'kubectl-v1.31.9-v1.31.9.exe.exe',
    'bin/linux/amd64/kubectl',
    'kubernetes-other-linux-amd64.tar.gz',
    'KUBECTL',
    'kubectl\n',
  ])('%j says nothing', (name) => {
    expect(readFileName(name, onMac)).toBeUndefined();
  });

  test.each(['kubelet', 'kube-apiserver-windows-amd64.exe'])('%s is not published', (name) => {
    expect(() => readFileName(name, onMac)).toThrow(/has no kube/);
  });
});

describe('parseNamedFile', () => {
  test.each([
    ['kubectl', 'bin/darwin/arm64/kubectl'],
    ['client', 'kubernetes-client-darwin-arm64.tar.gz'],
    ['bin/linux/amd64/kubectl', 'bin/linux/amd64/kubectl'],
    ['bin/windows/amd64/kubectl.exe', 'bin/windows/amd64/kubectl.exe'],
    ['kubernetes-src.tar.gz', 'kubernetes-src.tar.gz'],
  ])('%s', (text, path) => {
    expect(pathOf(parseNamedFile(text, onMac))).toBe(path);
  });

  test.each([
    'kubectl.exe',
    'kubectx',
    'bin/windows/amd64/kubectl',
    'bin/linux/amd64/kubectl.exe',
    'bin/linux/amd64/toString',
    'bin/linux/kubectl',
    'bin/linux/amd64/../kubectl',
    '/bin/linux/amd64/kubectl',
    '',
  ])('%j is none', (text) => {
    expect(parseNamedFile(text, onMac)).toBeUndefined();
  });
});

describe('parseReleasePath', () => {
  test('reads every path of a binary back', () => {
    for (const tool of TOOLS) {
      for (const platform of publishedPlatforms(tool)) {
        const path = `bin/${platform}/${tool}${platform.startsWith('windows/') ? '.exe' : ''}`;
        expect(pathOf(parseReleasePath(path))).toBe(path);
      }
    }
  });

  test.each(['client', 'kubectl', ''])('%j is no path', (path) => {
    expect(parseReleasePath(path)).toBeUndefined();
  });
});
