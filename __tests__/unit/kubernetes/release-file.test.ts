import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from '@jest/globals';
import { parseReleaseFile, releaseFileOf } from '../../../src/kubernetes/release-file.js';
import type { Platform } from '../../../src/kubernetes/platform.js';
import { errorOf } from '../expect-error.js';

const BASE = new URL('https://dl.k8s.io/');
const LINUX = { os: 'linux', arch: 'amd64' } as const;

/** Written by krel over placeholder binaries. */
const GENUINE = readFileSync(
  join(import.meta.dirname, '../../fixtures/sbom/kubernetes-release-v1.35.3.bom-v0.7.1.spdx'),
  'utf8',
);
const TARBALLS = [...GENUINE.matchAll(/^FileName: ([^/\n]+)$/gm)].map(([, name = '']) => name);

test('the genuine SBOM lists tarballs', () => {
  expect(TARBALLS.length).toBeGreaterThan(20);
});

test.each(TARBALLS)('%s can be asked for, and is bound by the name in the SBOM', (name) => {
  const request = parseReleaseFile(name, LINUX);
  expect(request).toMatchObject({ requested: name, name });
  if (request === undefined) throw new Error(name);
  const artifact = releaseFileOf('v1.35.3', BASE, request);
  expect(artifact).toMatchObject({
    path: name,
    fileName: name,
    boundBy: { kind: 'sbom' },
    delivery: 'in-tool-cache',
    maxBytes: 2 ** 31,
  });
  expect(artifact.url.href).toBe(`https://dl.k8s.io/release/v1.35.3/${name}`);
  expect(artifact.evidence.signature.href).toBe(`https://dl.k8s.io/release/v1.35.3/${name}.sig`);
});

describe('the tarball for the platform', () => {
  test.each<[string, Platform, string]>([
    ['client', LINUX, 'kubernetes-client-linux-amd64.tar.gz'],
    ['client', { os: 'windows', arch: '386' }, 'kubernetes-client-windows-386.tar.gz'],
    ['client', { os: 'darwin', arch: 'arm64' }, 'kubernetes-client-darwin-arm64.tar.gz'],
    ['server', { os: 'linux', arch: 's390x' }, 'kubernetes-server-linux-s390x.tar.gz'],
    ['node', { os: 'windows', arch: 'amd64' }, 'kubernetes-node-windows-amd64.tar.gz'],
    ['test', { os: 'windows', arch: 'arm64' }, 'kubernetes-test-windows-arm64.tar.gz'],
    ['test', { os: 'darwin', arch: 'amd64' }, 'kubernetes-test-darwin-amd64.tar.gz'],
  ])('%s for %j', (kind, platform, name) => {
    expect(parseReleaseFile(kind, platform)).toMatchObject({ requested: kind, name, platform });
    // The name alone says the platform.
    expect(parseReleaseFile(name, LINUX)).toMatchObject({ requested: name, name, platform });
  });

  test.each<[string, Platform]>([
    ['server', { os: 'windows', arch: 'amd64' }],
    ['server', { os: 'darwin', arch: 'arm64' }],
    ['server', { os: 'linux', arch: '386' }],
    ['node', { os: 'windows', arch: 'arm64' }],
    ['test', { os: 'linux', arch: '386' }],
    ['client', { os: 'darwin', arch: '386' }],
  ])('%s for %j is not published', (kind, platform) => {
    for (const name of [kind, `kubernetes-${kind}-${platform.os}-${platform.arch}.tar.gz`]) {
      const error = errorOf(() => parseReleaseFile(name, platform));
      expect(error.code).toBe('PLATFORM_NOT_PUBLISHED');
      expect(error.message).toContain(`no ${kind} tarball for ${platform.os}/${platform.arch}`);
    }
  });
});

test.each([
  '',
  'clients',
  'Client',
  'kubernetes-client.tar.gz',
  'kubernetes-client-linux-amd64.tar',
  'kubernetes-client-linux-amd64.tar.gz.sig',
  'kubernetes-client-linux-amd64.tar.gz\n',
  '../kubernetes-client-linux-amd64.tar.gz',
  'my-kubernetes-client-linux-amd64.tar.gz',
  'kubernetes-client-linux-x64.tar.gz',
  'kubernetes-src-linux-amd64.tar.gz',
  'kubernetes-test-portable-linux-amd64.tar.gz',
  'kubernetes-toString-linux-amd64.tar.gz',
  './kubernetes-src.tar.gz',
  'v1.31.8/kubernetes-src.tar.gz',
  'kubernetes-src.tar.gz\n',
  'kubernetes-src.tar.gz%2f..',
  'kubernetes-release.spdx.sig',
  'release-notes.json',
  'SHA256SUMS',
  'bin',
  '__proto__',
  'toString',
])('%j is no file that can be asked for', (name) => {
  expect(parseReleaseFile(name, LINUX)).toBeUndefined();
});

test.each([
  [
    'kubernetes-release.spdx',
    { kind: 'namespace', namespace: 'https://sbom.k8s.io/v1.31.9/release' },
  ],
  [
    'kubernetes-source.spdx',
    { kind: 'namespace', namespace: 'https://sbom.k8s.io/v1.31.9/source' },
  ],
  ['provenance.json', { kind: 'subjects' }],
])('%s says itself which release it belongs to, and is small', (name, boundBy) => {
  const artifact = releaseFileOf('v1.31.9', BASE, { name, platform: undefined, platforms: [] });
  expect(artifact.boundBy).toEqual(boundBy);
  expect(artifact.maxBytes).toBeLessThanOrEqual(64 << 20);
});
