import { afterAll, beforeAll, beforeEach, expect } from '@jest/globals';
import {
  CertificateAuthority,
  RELEASE_IDENTITY,
  World,
  imagePayload,
  putSignature,
  putSignatures,
  signAsPromoter,
  signatureAnnotations,
  timestampAnnotation,
  type ActionResult,
  type DescriptorJson,
  type PayloadOptions,
  type SignOptions,
} from '../../support/index.js';
import { NATIVE, errorsOf, reportsOf, runIn, titlesOf } from '../expectations.js';

// A registry with the images of two releases, and what an attacker can put there instead.

export const VERSION = 'v1.31.9';
export const OLDER = 'v1.31.8';
/** Its SBOM lists no images. */
export const UNLISTED = 'v1.31.7';
export const RESIGNED = 'v1.31.6';
export const NO_SBOM = 'v1.31.5';
export const UNPROVEN = 'Image version not proven';
export const ARCHITECTURES = ['amd64', 'arm64'];
export const CONTROL_PLANE = [
  'kube-apiserver',
  'kube-controller-manager',
  'kube-scheduler',
  'kube-proxy',
];
export const ETCD = 'registry.k8s.io/etcd:3.5.15-0';
export const DIGEST = `sha256:${'0a'.repeat(32)}`;

export let world: World;
/** By `<repository>:<tag>`. */
export let published: Map<string, string>;

/** What the layers of an image hold, base first. */
export const layersOf = (repository: string, version: string, arch: string): Buffer[] => [
  Buffer.from(`base for ${arch}`),
  Buffer.from(`${repository} ${version} for ${arch}`),
];

/** An image of a release, for each architecture and for all of them, as `docker manifest` makes the latter. */
export function publishImage(
  repository: string,
  version: string,
  architectures: readonly string[] = ARCHITECTURES,
): string {
  const images = architectures.map((arch) => {
    const layers = layersOf(repository, version, arch);
    const platform = `linux/${arch}`;
    const digest = world.registry.putImage(repository, undefined, {
      layers,
      platform,
      format: 'docker',
    });
    return { digest, platform: { os: 'linux', architecture: arch } };
  });
  return world.registry.putIndex(repository, version, images, 'docker');
}

/** Signs a payload and puts it there. */
export function signature(
  repository: string,
  digest: string,
  options: SignOptions = {},
  payload: Partial<PayloadOptions> = {},
): DescriptorJson {
  const reference = `registry.k8s.io/${repository}`;
  const bytes = imagePayload({ reference, digest, ...payload });
  const signed = signAsPromoter(world.release, bytes, options);
  return putSignature(world.registry, bytes, signatureAnnotations(signed));
}

export const sign = (repository: string, digest: string): void => {
  putSignatures(world.registry, repository, digest, [
    // The one of staging comes along when an image is promoted.
    signature(repository, digest, {
      certificate: { subjectAlternativeName: { email: RELEASE_IDENTITY } },
    }),
    signature(repository, digest),
  ]);
};

export function publishEverything(): void {
  world.registry.clear();
  published = new Map();
  for (const version of [VERSION, OLDER]) {
    for (const repository of CONTROL_PLANE) {
      const digest = publishImage(repository, version);
      published.set(`${repository}:${version}`, digest);
      sign(repository, digest);
    }
  }
  const etcd = world.registry.putImage('etcd', '3.5.15-0');
  published.set('etcd:3.5.15-0', etcd);
  sign('etcd', etcd);
}

beforeAll(async () => {
  world = await World.start();
  for (const version of [VERSION, OLDER, RESIGNED]) {
    const releaseImages = CONTROL_PLANE.flatMap((repository) =>
      ARCHITECTURES.map((arch) => ({
        name: repository,
        arch,
        layers: layersOf(repository, version, arch),
      })),
    );
    const tools = ['kubectl', 'kubeadm'];
    world.release.publish({ version, platforms: [NATIVE], tools, sbom: { releaseImages } });
  }
  world.release.publish({ version: NO_SBOM, platforms: [NATIVE], sbom: false });
  world.release.publish({ version: UNLISTED, platforms: [NATIVE], sbom: { images: 0 } });
});

afterAll(() => world.stop());

beforeEach(() => {
  world.reset();
  publishEverything();
});

export const run = (
  inputs: Readonly<Record<string, string>>,
  options: Parameters<typeof runIn>[2] = {},
): Promise<ActionResult> => runIn(world, { version: VERSION, tools: 'none', ...inputs }, options);

export function expectVerified(
  result: ActionResult,
  images: Readonly<Record<string, string>>,
  warnings: readonly string[] = [],
): void {
  expect(errorsOf(result)).toEqual([]);
  expect(titlesOf(result, 'warning')).toEqual(warnings);
  expect(result.exitCode).toBe(0);
  expect(JSON.parse(result.outputs['images'] ?? '')).toEqual(images);
  expect(result.tempFiles()).toEqual([]);
}

export const pinned = (repository: string, version = VERSION): string =>
  `registry.k8s.io/${repository}@${published.get(`${repository}:${version}`) ?? ''}`;

export const proofsOf = (result: ActionResult): (string | null | undefined)[] =>
  reportsOf(result).map((report) => report['release-proof']);

export const BY_LAYERS = 'proven by its signed SBOM, by the layers for linux/amd64, linux/arm64';

/** Puts other signatures of etcd's image there. */
export const signatures = (make: (digest: string) => DescriptorJson[]) => (): void => {
  const digest = published.get('etcd:3.5.15-0') ?? '';
  putSignatures(world.registry, 'etcd', digest, make(digest));
};

export const one = (options: SignOptions, payload: Partial<PayloadOptions> = {}): (() => void) =>
  signatures((digest) => [signature('etcd', digest, options, payload)]);

/** Signed as ever, with the annotation that cosign adds: the log's timestamp for the entry. */
export function stamped(digest: string): DescriptorJson {
  const bytes = imagePayload({ reference: 'registry.k8s.io/etcd', digest });
  const signed = signAsPromoter(world.release, bytes);
  const uuid = signed.entry?.uuid ?? '';
  return putSignature(world.registry, bytes, {
    ...signatureAnnotations(signed),
    ...timestampAnnotation(world.log, uuid),
  });
}

export const email = (address: string): SignOptions => ({
  certificate: { subjectAlternativeName: { email: address } },
});

export const unknownAuthority = CertificateAuthority.create();

/** Serves a release image under a tag that it does not belong to. */
export const serveAs = (from: string, version: string) => (): void => {
  const digest = published.get(`${from}:${version}`) ?? '';
  world.registry.putManifest('kube-proxy', world.registry.manifest(from, digest), VERSION);
};
