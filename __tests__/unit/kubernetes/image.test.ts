import { describe, expect, test } from '@jest/globals';
import { imageOf, isRepositoryPath, parseImageRequest } from '../../../src/kubernetes/image.js';

const DIGEST = `sha256:${'0a'.repeat(32)}`;
const VERSION = 'v1.31.9';
const ETCD = 'registry.k8s.io/etcd';

describe('of the version that is chosen', () => {
  test.each([
    'kube-apiserver',
    'kube-controller-manager',
    'kube-scheduler',
    'kube-proxy',
    'kubectl',
    'conformance',
    'kube-apiserver-arm64',
  ])('%s', (name) => {
    const [request, ...more] = parseImageRequest(name) ?? [];
    if (request === undefined) throw new Error('it was not accepted');
    expect(more).toEqual([]);
    expect(imageOf(request, VERSION)).toEqual({
      requested: name,
      repository: name,
      reference: VERSION,
      name: `registry.k8s.io/${name}:${VERSION}`,
      releaseImage: name,
    });
  });

  test('control-plane', () => {
    expect(parseImageRequest('control-plane')?.map(({ requested }) => requested)).toEqual([
      'kube-apiserver',
      'kube-controller-manager',
      'kube-scheduler',
      'kube-proxy',
    ]);
  });
});

describe('a full reference', () => {
  const tag128 = 'a'.repeat(128);
  const path239 = 'a'.repeat(239);

  test.each([
    [`${ETCD}:3.5.15-0`, 'etcd', '3.5.15-0', undefined],
    [`${ETCD}@${DIGEST}`, 'etcd', undefined, DIGEST],
    [`${ETCD}:3.5.15-0@${DIGEST}`, 'etcd', '3.5.15-0', DIGEST],
    ['registry.k8s.io/coredns/coredns:v1.11.1', 'coredns/coredns', 'v1.11.1', undefined],
    ['registry.k8s.io/a.b_c__d---e/f0:_x.Y-z', 'a.b_c__d---e/f0', '_x.Y-z', undefined],
    [`${ETCD}:${tag128}`, 'etcd', tag128, undefined],
    [`registry.k8s.io/${path239}:1`, path239, '1', undefined],
  ])('%s', (requested, repository, tag, digest) => {
    expect(parseImageRequest(requested)).toEqual([{ requested, repository, tag, digest }]);
    expect(imageOf({ requested, repository, tag, digest }, VERSION)).toEqual({
      requested,
      repository,
      tag,
      digest,
      reference: digest ?? tag,
      name: requested,
    });
  });

  test.each([
    [`registry.k8s.io/kube-apiserver:${VERSION}`, 'kube-apiserver'],
    [`registry.k8s.io/kube-apiserver:${VERSION}@${DIGEST}`, 'kube-apiserver'],
    ['registry.k8s.io/kube-apiserver:v1.31.8', undefined],
    [`registry.k8s.io/kube-apiserver@${DIGEST}`, undefined],
    [`registry.k8s.io/etcd:${VERSION}`, undefined],
    [`registry.k8s.io/other/kube-apiserver:${VERSION}`, undefined],
  ])('%s: an image of the release', (requested, releaseImage) => {
    const [request] = parseImageRequest(requested) ?? [];
    if (request === undefined) throw new Error('it was not accepted');
    expect(imageOf(request, VERSION).releaseImage).toBe(releaseImage);
  });

  test.each([
    ['registry.k8s.io/kube-apiserver:v1.31.8', 'v1.31.8'],
    [`registry.k8s.io/kube-apiserver-arm64:v1.32.0-rc.1@${DIGEST}`, 'v1.32.0-rc.1'],
    [`registry.k8s.io/kube-apiserver:${VERSION}`, undefined],
    ['registry.k8s.io/kube-apiserver:1.31.8', undefined],
    ['registry.k8s.io/kube-apiserver:v1.31', undefined],
    ['registry.k8s.io/kube-apiserver:latest', undefined],
    [`registry.k8s.io/kube-apiserver@${DIGEST}`, undefined],
    ['registry.k8s.io/coredns/coredns:v1.11.1', undefined],
  ])('%s: an image of another release: %s', (requested, otherRelease) => {
    const [request] = parseImageRequest(requested) ?? [];
    if (request === undefined) throw new Error('it was not accepted');
    expect(imageOf(request, VERSION).otherRelease).toBe(otherRelease);
  });

  test.each([
    '',
    'etcd',
    'etcd:3.5.15-0',
    'kubelet',
    'kube-apiserver:v1.31.9',
    'kube-apiserver-sparc',
    'Control-Plane',
    ETCD,
    `${ETCD}:`,
    `${ETCD}:-a`,
    `${ETCD}:a/b`,
    `${ETCD}:a b`,
    `${ETCD}:${tag128}a`,
    `${ETCD}:a\n`,
    `${ETCD}:é`,
    `${ETCD}@sha256:${'0A'.repeat(32)}`,
    `${ETCD}@sha256:${'0a'.repeat(31)}`,
    `${ETCD}@sha512:${'0a'.repeat(64)}`,
    `${ETCD}@${DIGEST}:a`,
    `${ETCD}@${DIGEST}@${DIGEST}`,
    'registry.k8s.io/:a',
    'registry.k8s.io//etcd:a',
    'registry.k8s.io/etcd/:a',
    'registry.k8s.io/../etcd:a',
    'registry.k8s.io/./etcd:a',
    'registry.k8s.io/Etcd:a',
    'registry.k8s.io/a___b:a',
    'registry.k8s.io/a..b:a',
    'registry.k8s.io/-a:a',
    'registry.k8s.io/a%2fb:a',
    `registry.k8s.io/${path239}a:1`,
    'registry.k8s.io.evil.test/etcd:a',
    'registryxk8s.io/etcd:a',
    'registry.k8s.io:443/etcd:a',
    'https://registry.k8s.io/etcd:a',
    'docker.io/library/etcd:a',
    'localhost:5000/etcd:a',
    '__proto__',
  ])('refused: %j', (requested) => {
    expect(parseImageRequest(requested)).toBeUndefined();
  });

  test('refused in time, however long', () => {
    const long = `registry.k8s.io/${'a-'.repeat(50_000)}:1`;
    expect(parseImageRequest(long)).toBeUndefined();
  });
});

test.each([
  ['a', true],
  ['mirror/k8s.io', true],
  ['', false],
  ['/a', false],
  ['a/', false],
  ['a//b', false],
  ['a/../b', false],
  ['A', false],
])('the path of a mirror: %j', (path, accepted) => {
  expect(isRepositoryPath(path)).toBe(accepted);
});
