import { describe, expect, test } from '@jest/globals';
import {
  ARCHITECTURES,
  OPERATING_SYSTEMS,
  TOOLS,
  publishedPlatforms,
} from '../../../src/kubernetes/platform.js';
import { Release, pointerUrl } from '../../../src/kubernetes/release.js';

const BASE = new URL('https://dl.k8s.io/');

const PAIRS = OPERATING_SYSTEMS.flatMap((os) => ARCHITECTURES.map((arch) => ({ os, arch })));
const PUBLISHED = TOOLS.flatMap((tool) =>
  PAIRS.filter(({ os, arch }) => publishedPlatforms(tool).includes(`${os}/${arch}`)).map(
    (pair) => ({ tool, ...pair }),
  ),
);

test.each(PUBLISHED)('$tool for $os/$arch has its place', ({ tool, os, arch }) => {
  const artifact = new Release('v1.31.9', BASE).binary(tool, { os, arch });
  const file = os === 'windows' ? `${tool}.exe` : tool;
  const url = `https://dl.k8s.io/release/v1.31.9/bin/${os}/${arch}/${file}`;
  expect(artifact.name).toBe(tool);
  expect(artifact.fileName).toBe(file);
  expect(artifact.path).toBe(`bin/${os}/${arch}/${file}`);
  expect(artifact.url.href).toBe(url);
  expect(artifact.evidence.signature.href).toBe(`${url}.sig`);
  expect(artifact.evidence.certificate.href).toBe(`${url}.cert`);
  expect(artifact.evidence.bundle.href).toBe(`${url}.sigstore.json`);
  expect(artifact.digestUrl.href).toBe(`${url}.sha256`);
});

test('the SBOM stands at the top of the release', () => {
  expect(new Release('v1.36.0-rc.1', BASE).sbom().url.href).toBe(
    'https://dl.k8s.io/release/v1.36.0-rc.1/kubernetes-release.spdx',
  );
});

describe('below a mirror with a path', () => {
  const base = new URL('https://mirror.example/k8s/');

  test('an artifact', () => {
    const { url } = new Release('v1.31.9', base).binary('kubectl', { os: 'linux', arch: 'amd64' });
    expect(url.href).toBe('https://mirror.example/k8s/release/v1.31.9/bin/linux/amd64/kubectl');
  });

  test.each([
    ['stable', undefined, 'stable.txt'],
    ['stable', '1.31', 'stable-1.31.txt'],
    ['latest', undefined, 'latest.txt'],
    ['latest', '1.36', 'latest-1.36.txt'],
  ] as const)('the pointer %s %s', (channel, minor, name) => {
    expect(pointerUrl(base, channel, minor).href).toBe(
      `https://mirror.example/k8s/release/${name}`,
    );
  });
});
