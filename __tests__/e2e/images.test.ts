import { spawnSync } from 'node:child_process';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import type { ErrorCode } from '../../src/errors.js';
import {
  CertificateAuthority,
  DAY,
  IMAGE_IDENTITY,
  LoopbackServer,
  RELEASE_IDENTITY,
  RELEASE_ISSUER,
  World,
  digestOf,
  fault,
  forgery,
  imagePayload,
  putSignature,
  putSignatures,
  registryRedirector,
  signAsPromoter,
  signatureAnnotations,
  signatureTag,
  timestampAnnotation,
  type ActionResult,
  type DescriptorJson,
  type LogEntryAnswer,
  type ManifestJson,
  type PayloadOptions,
  type SignOptions,
} from '../support/index.js';
import { MISSING, describeUnless } from '../support/skip.js';
import {
  IMPATIENT,
  NATIVE,
  STRANGER,
  errorsOf,
  reportsOf,
  expectInstalled,
  expectRefused,
  runIn,
  textOf,
  titlesOf,
} from './expectations.js';
import { runRecipe } from './recipe.js';

const VERSION = 'v1.31.9';
const OLDER = 'v1.31.8';
/** Its SBOM lists no images. */
const UNLISTED = 'v1.31.7';
const RESIGNED = 'v1.31.6';
const NO_SBOM = 'v1.31.5';
const UNPROVEN = 'Image version not proven';
const ARCHITECTURES = ['amd64', 'arm64'];
const CONTROL_PLANE = ['kube-apiserver', 'kube-controller-manager', 'kube-scheduler', 'kube-proxy'];
const ETCD = 'registry.k8s.io/etcd:3.5.15-0';
const DIGEST = `sha256:${'0a'.repeat(32)}`;

let world: World;
/** By `<repository>:<tag>`. */
let published: Map<string, string>;

/** What the layers of an image hold, base first. */
const layersOf = (repository: string, version: string, arch: string): Buffer[] => [
  Buffer.from(`base for ${arch}`),
  Buffer.from(`${repository} ${version} for ${arch}`),
];

/** An image of a release, for each architecture and for all of them, as `docker manifest` makes the latter. */
function publishImage(
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
function signature(
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

const sign = (repository: string, digest: string): void => {
  putSignatures(world.registry, repository, digest, [
    // The one of staging comes along when an image is promoted.
    signature(repository, digest, {
      certificate: { subjectAlternativeName: { email: RELEASE_IDENTITY } },
    }),
    signature(repository, digest),
  ]);
};

function publishEverything(): void {
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

const run = (
  inputs: Readonly<Record<string, string>>,
  options: Parameters<typeof runIn>[2] = {},
): Promise<ActionResult> => runIn(world, { version: VERSION, tools: 'none', ...inputs }, options);

function expectVerified(
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

const pinned = (repository: string, version = VERSION): string =>
  `registry.k8s.io/${repository}@${published.get(`${repository}:${version}`) ?? ''}`;

const proofsOf = (result: ActionResult): (string | null | undefined)[] =>
  reportsOf(result).map((report) => report['release-proof']);

const BY_LAYERS = 'proven by its signed SBOM, by the layers for linux/amd64, linux/arm64';

describe('accepted', () => {
  test('the control plane of a release, with nothing installed', async () => {
    const result = await run({ images: 'control-plane' });
    expectVerified(result, Object.fromEntries(CONTROL_PLANE.map((name) => [name, pinned(name)])));
    expect(result.paths).toEqual([]);
    expect(Object.keys(result.outputs).toSorted()).toEqual(['images', 'report', 'version']);
    expect(proofsOf(result)).toEqual(CONTROL_PLANE.map(() => BY_LAYERS));
    expect(result.stdout).toContain(`Reference: ${pinned('kube-proxy')}`);
    expect(result.stdout).toContain(`Signed by: ${IMAGE_IDENTITY}`);
    expect(result.summary).toContain('Verified Kubernetes images');
    expect(result.summary).toContain(pinned('kube-scheduler').replace(/^.*:/, ''));
    expect(result.summary).not.toContain('Verified Kubernetes tools');
  });

  test('with everything that was proven in the report, the log and the summary', async () => {
    const result = await run({ images: 'kube-proxy' });
    const digest = published.get(`kube-proxy:${VERSION}`) ?? '';
    const [report = {}] = reportsOf(result);
    const uuid = report['log-entry-uuid'] ?? '';
    const logged = await fetch(`${world.logServer.url}/api/v1/log/entries/${uuid}`);
    const [answer] = Object.values((await logged.json()) as LogEntryAnswer);
    expect(report).toEqual({
      image: 'kube-proxy',
      name: `registry.k8s.io/kube-proxy:${VERSION}`,
      reference: `registry.k8s.io/kube-proxy@${digest}`,
      'certificate-identity': IMAGE_IDENTITY,
      'certificate-oidc-issuer': RELEASE_ISSUER,
      'log-entry-uuid': expect.stringMatching(/^[0-9a-f]{64}$/),
      'log-index': String(answer?.logIndex),
      'integrated-time': new Date(Number(answer?.integratedTime) * 1000).toISOString(),
      'release-proof': BY_LAYERS,
      'proven-platforms': ['linux/amd64', 'linux/arm64'],
      'unproven-platforms': [],
      'durations-ms': { resolve: expect.any(Number), verify: expect.any(Number) },
    });
    const summary = textOf(result.summary);
    const shown = ['name', 'reference', 'certificate-identity', 'certificate-oidc-issuer'];
    const proof = ['log-entry-uuid', 'log-index', 'integrated-time', 'release-proof'];
    for (const field of [...shown, ...proof]) {
      expect(summary).toContain(report[field]);
      expect(result.stdout).toContain(report[field]);
    }
  });

  test('images beside a tool', async () => {
    const result = await run({ tools: 'kubectl', images: `kube-proxy ${ETCD}` });
    expectInstalled(result);
    expect(JSON.parse(result.outputs['images'] ?? '')).toEqual({
      'kube-proxy': pinned('kube-proxy'),
      [ETCD]: pinned('etcd', '3.5.15-0'),
    });
    expect(proofsOf(result)).toEqual([
      'proven by its signed SBOM',
      BY_LAYERS,
      `version not proven (not requested as an image of Kubernetes ${VERSION})`,
    ]);
  });

  test('a reference by digest, and one with a tag too', async () => {
    const digest = published.get('etcd:3.5.15-0') ?? '';
    const byDigest = `registry.k8s.io/etcd@${digest}`;
    const both = `${ETCD}@${digest}`;
    const result = await run({ images: `${byDigest} ${both}` });
    expectVerified(result, { [byDigest]: byDigest, [both]: byDigest });
  });

  test('the image for one architecture', async () => {
    const layers = layersOf('kube-proxy', VERSION, 'arm64');
    const image = { layers, platform: 'linux/arm64' };
    const digest = world.registry.putImage('kube-proxy-arm64', VERSION, image);
    sign('kube-proxy-arm64', digest);
    const result = await run({ images: 'kube-proxy-arm64' });
    expectVerified(result, { 'kube-proxy-arm64': `registry.k8s.io/kube-proxy-arm64@${digest}` });
    expect(proofsOf(result)).toEqual(['proven by its signed SBOM, by the layers for linux/arm64']);
  });

  test('without proof of the version, where the SBOM does not list it', async () => {
    const digest = publishImage('kube-proxy', UNLISTED);
    sign('kube-proxy', digest);
    const result = await run({ version: UNLISTED, images: 'kube-proxy' });
    expectVerified(result, { 'kube-proxy': `registry.k8s.io/kube-proxy@${digest}` }, [UNPROVEN]);
    expect(proofsOf(result)).toEqual([
      'version not proven (the SBOM of the release does not list it)',
    ]);
  });

  test('without proof of the version, if the release has no SBOM; one warning for all', async () => {
    const names = ['kube-proxy', 'kube-scheduler'];
    const images = names.map((name) => {
      const digest = publishImage(name, NO_SBOM);
      sign(name, digest);
      return [name, `registry.k8s.io/${name}@${digest}`] as const;
    });
    const result = await run({ version: NO_SBOM, images: names.join() });
    expectVerified(result, Object.fromEntries<string>(images), [UNPROVEN]);
    for (const proof of proofsOf(result)) {
      expect(proof).toContain(`version not proven (Kubernetes ${NO_SBOM} has no SBOM at `);
    }
  });

  test('without proof for one platform of several, if the SBOM does not list it', async () => {
    const digest = publishImage('kube-proxy', VERSION, [...ARCHITECTURES, 'riscv64']);
    sign('kube-proxy', digest);
    const result = await run({ images: 'kube-proxy' });
    expectVerified(result, { 'kube-proxy': `registry.k8s.io/kube-proxy@${digest}` }, [UNPROVEN]);
    expect(proofsOf(result)).toEqual([
      `${BY_LAYERS}; not for linux/riscv64 (the SBOM of the release does not list it)`,
    ]);
    expect(reportsOf(result)).toMatchObject([
      {
        'proven-platforms': ['linux/amd64', 'linux/arm64'],
        'unproven-platforms': ['linux/riscv64'],
      },
    ]);
  });

  test('without proof of the version, if the index has no image for a platform', async () => {
    const mediaType = 'application/vnd.oci.image.index.v1+json';
    const index = { schemaVersion: 2, mediaType, manifests: [] };
    const digest = world.registry.putManifest('kube-proxy', index, VERSION);
    sign('kube-proxy', digest);
    const result = await run({ images: 'kube-proxy' });
    expectVerified(result, { 'kube-proxy': `registry.k8s.io/kube-proxy@${digest}` }, [UNPROVEN]);
    expect(proofsOf(result)).toEqual(['version not proven (it has no image for any platform)']);
  });

  test('without proof of the version, where the user wants none', async () => {
    const result = await run({ images: 'kube-proxy', 'bind-release': 'false' });
    expectVerified(result, { 'kube-proxy': pinned('kube-proxy') });
    expect(proofsOf(result)).toEqual(['version not proven (bind-release: false)']);
  });

  test('behind redirects, and a registry that asks for a token', async () => {
    const redirector = await LoopbackServer.start(registryRedirector(world.registryServer.url));
    const tokenServer = await LoopbackServer.start(() => ({
      status: 200,
      body: '{"token":"open-sesame"}',
    }));
    try {
      const challenge = (): string =>
        `Bearer realm="${tokenServer.url}",scope="repository:etcd:pull"`;
      world.registry.demand = { challenge, token: 'open-sesame' };
      const result = await run({ images: ETCD, 'image-registry': redirector.url });
      expectVerified(result, { [ETCD]: pinned('etcd', '3.5.15-0') });
      expect(result.stdout).not.toContain('open-sesame');
    } finally {
      await Promise.all([redirector.stop(), tokenServer.stop()]);
    }
  });

  test('a token server at the mirror does not get the token of the mirror', async () => {
    world.host.put('token', '{"token":"open"}');
    const challenge = (): string => `Bearer realm="${world.host.url}/token",scope="a:b:pull"`;
    world.registry.demand = { challenge, token: 'open' };
    const result = await run({ images: 'kube-proxy', 'download-token': 'open-sesame' });
    world.registry.demand = undefined;
    expect(result.exitCode).toBe(0);
    const asked = world.host.server.requests.filter(({ path }) => path.startsWith('/token'));
    expect(asked.length).toBeGreaterThan(0);
    expect(asked.map(({ headers }) => headers.authorization)).toEqual(asked.map(() => undefined));
    // Its twin: the mirror's own files are asked for with it.
    const others = world.host.server.requests.filter(({ path }) => path.startsWith('/release/'));
    expect(new Set(others.map(({ headers }) => headers.authorization))).toEqual(
      new Set(['Bearer open-sesame']),
    );
  });

  test('a registry that is not the mirror never sees the token of the mirror', async () => {
    const result = await run({ images: 'kube-proxy', 'download-token': 'open-sesame' });
    expectVerified(result, { 'kube-proxy': pinned('kube-proxy') });
    const sentTo = ({ requests }: LoopbackServer): Set<string | undefined> =>
      new Set(requests.map(({ headers }) => headers.authorization));
    expect(sentTo(world.host.server)).toEqual(new Set(['Bearer open-sesame']));
    expect(sentTo(world.registryServer)).toEqual(new Set([undefined]));
  });

  test('a mirror below a path', async () => {
    const digest = world.registry.putImage('mirror/k8s/etcd', '3.5.15-0');
    putSignatures(world.registry, 'mirror/k8s/etcd', digest, [signature('etcd', digest)]);
    const mirror = `${world.registryServer.url}/mirror/k8s`;
    const result = await run({ images: ETCD, 'image-registry': mirror });
    expectVerified(result, { [ETCD]: `registry.k8s.io/etcd@${digest}` });
  });

  test('a tag that moves after it was asked for: the digest is the one that was verified', async () => {
    const moved = publishImage('kube-proxy', OLDER);
    world.registryServer.faults.push({
      match: `/manifests/${VERSION}`,
      act: async ({ answer, response }) => {
        const { body, headers } = await answer();
        response.writeHead(200, { ...headers, 'content-length': String(body.length) }).end(body);
        world.registry.putManifest(
          'kube-proxy',
          world.registry.manifest('kube-proxy', moved),
          VERSION,
        );
      },
    });
    const result = await run({ images: 'kube-proxy' });
    expectVerified(result, { 'kube-proxy': pinned('kube-proxy') });
    expect(world.registryServer.requestsFor(`/manifests/${VERSION}`)).toHaveLength(1);
  });
});

/** Puts other signatures of etcd's image there. */
const signatures = (make: (digest: string) => DescriptorJson[]) => (): void => {
  const digest = published.get('etcd:3.5.15-0') ?? '';
  putSignatures(world.registry, 'etcd', digest, make(digest));
};

const one = (options: SignOptions, payload: Partial<PayloadOptions> = {}): (() => void) =>
  signatures((digest) => [signature('etcd', digest, options, payload)]);

/** Signed as ever, with the annotation that cosign adds: the log's timestamp for the entry. */
function stamped(digest: string): DescriptorJson {
  const bytes = imagePayload({ reference: 'registry.k8s.io/etcd', digest });
  const signed = signAsPromoter(world.release, bytes);
  const uuid = signed.entry?.uuid ?? '';
  return putSignature(world.registry, bytes, {
    ...signatureAnnotations(signed),
    ...timestampAnnotation(world.log, uuid),
  });
}

const email = (address: string): SignOptions => ({
  certificate: { subjectAlternativeName: { email: address } },
});

const unknownAuthority = CertificateAuthority.create();

/** Serves a release image under a tag that it does not belong to. */
const serveAs = (from: string, version: string) => (): void => {
  const digest = published.get(`${from}:${version}`) ?? '';
  world.registry.putManifest('kube-proxy', world.registry.manifest(from, digest), VERSION);
};

describe('refused', () => {
  test.each<[what: string, code: ErrorCode, forge: () => void, images?: string]>([
    ['an image that is not there', 'IMAGE_NOT_FOUND', () => world.registry.clear()],
    [
      'no signature',
      'IMAGE_NOT_SIGNED',
      () =>
        world.registry.manifests.delete(
          `etcd ${signatureTag(published.get('etcd:3.5.15-0') ?? '')}`,
        ),
    ],
    ['a signature without layers', 'IMAGE_NOT_SIGNED', signatures(() => [])],
    [
      'an index at the signature tag',
      'IMAGE_NOT_SIGNED',
      () => {
        const digest = published.get('etcd:3.5.15-0') ?? '';
        world.registry.putIndex('etcd', signatureTag(digest), []);
      },
    ],
    ['a payload for another digest', 'IMAGE_MISMATCH', one({}, { digest: DIGEST })],
    ['for another repository', 'IMAGE_MISMATCH', one({}, { reference: 'registry.k8s.io/etc' })],
    ['of another type', 'IMAGE_MISMATCH', one({}, { type: 'atomic container signature' })],
    ['signed by krel-staging only', 'IDENTITY_MISMATCH', one(email(RELEASE_IDENTITY))],
    ['by a near miss', 'IDENTITY_MISMATCH', one(email(IMAGE_IDENTITY.replace('.iam', 'xiam')))],
    ['by a stranger', 'IDENTITY_MISMATCH', one(STRANGER)],
    ['by an unknown authority', 'CERTIFICATE_UNTRUSTED', one({ authority: unknownAuthority })],
    ['never logged', 'LOG_ENTRY_NOT_FOUND', one({ log: false })],
    [
      'logged, with an entry timestamp but no inclusion proof',
      'LOG_ENTRY_INVALID',
      () => (world.log.tamper = forgery.withoutInclusionProof()),
    ],
    [
      'logged, with a genuine entry timestamp, but no entry in the log',
      'LOG_ENTRY_NOT_FOUND',
      () => {
        signatures((digest) => [stamped(digest)])();
        world.logServer.fail(/log\/entries/, fault.status(404), Infinity);
        world.logServer.fail(/index/, fault.body(Buffer.from('[]')), Infinity);
      },
    ],
    [
      'the signature tag of another image',
      'IMAGE_MISMATCH',
      signatures(() => [signature('kube-proxy', published.get(`kube-proxy:${VERSION}`) ?? '')]),
    ],
    [
      'the certificate of another signature',
      'SIGNATURE_MISMATCH',
      signatures((digest) => {
        const first = signature('etcd', digest);
        const second = signature('etcd', digest, {}, { optional: null });
        const key = 'dev.sigstore.cosign/certificate';
        const certificate = second.annotations?.[key] ?? '';
        return [{ ...first, annotations: { ...first.annotations, [key]: certificate } }];
      }),
    ],
    [
      'a payload that is not what its digest says',
      'IMAGE_MISMATCH',
      signatures((digest) => {
        const layer = signature('etcd', digest);
        const payload = world.registry.blobs.get(layer.digest) ?? Buffer.alloc(0);
        const changed = Buffer.from(payload.toString().replace('v4.0.3', 'v4.0.4'));
        world.registry.blobs.set(layer.digest, changed);
        return [layer];
      }),
    ],
    [
      'a payload with a member twice, the right one last',
      'IMAGE_MISMATCH',
      signatures((digest) => {
        const text = imagePayload({ reference: 'registry.k8s.io/etcd', digest }).toString();
        const twice = `"image":{"docker-manifest-digest":"${DIGEST}",`;
        const bytes = Buffer.from(text.replace('"image":{', twice));
        const signed = signAsPromoter(world.release, bytes);
        return [putSignature(world.registry, bytes, signatureAnnotations(signed))];
      }),
    ],
    [
      'a manifest without an end',
      'IMAGE_MISMATCH',
      () => {
        world.registryServer.fail(`/manifests/3.5.15-0`, fault.endless(), Infinity);
      },
    ],
    [
      'a signature manifest without an end',
      'IMAGE_MISMATCH',
      () => {
        world.registryServer.fail(/\/manifests\/sha256-/, fault.endless(), Infinity);
      },
    ],
    [
      'more layers than a signature can have',
      'IMAGE_MISMATCH',
      signatures((digest) => Array<DescriptorJson>(1001).fill(signature('etcd', digest))),
    ],
    [
      'the right signature behind 32 others',
      'IDENTITY_MISMATCH',
      signatures((digest) => [
        ...Array<DescriptorJson>(32).fill(signature('etcd', digest, STRANGER)),
        signature('etcd', digest),
      ]),
    ],
    [
      'a payload without an end',
      'IMAGE_MISMATCH',
      () => {
        world.registryServer.fail(/\/blobs\//, fault.endless(), Infinity);
      },
    ],
    [
      'a payload larger than any',
      'IMAGE_MISMATCH',
      one({}, { optional: { a: 'b'.repeat(16 << 10) } }),
    ],
    [
      'a manifest that is not what its digest says',
      'IMAGE_MISMATCH',
      () => {
        const stored = { bytes: Buffer.from('{}'), mediaType: 'application/json' };
        world.registry.manifests.set(`etcd ${published.get('etcd:3.5.15-0') ?? ''}`, stored);
      },
      'registry.k8s.io/etcd@$',
    ],
    [
      'a manifest with a member twice',
      'IMAGE_MISMATCH',
      () => {
        const text = world.registry.manifest('etcd', '3.5.15-0').toString();
        const digest = world.registry.putManifest(
          'etcd',
          Buffer.from(text.replace('{', '{"layers":[],')),
          '3.5.15-0',
        );
        sign('etcd', digest);
      },
    ],
    [
      'an index with two images for a platform',
      'IMAGE_MISMATCH',
      () => {
        const platform = { os: 'linux', architecture: 'amd64' };
        const images = [1, 2].map((n) => ({
          digest: world.registry.putImage('etcd', undefined, { layers: [Buffer.from([n])] }),
          platform,
        }));
        sign('etcd', world.registry.putIndex('etcd', '3.5.15-0', images));
      },
    ],
    ['the older image under the tag', 'IMAGE_MISMATCH', serveAs('kube-proxy', OLDER), 'kube-proxy'],
    [
      'another image of the release under the name',
      'IMAGE_NOT_SIGNED',
      serveAs('kube-scheduler', VERSION),
      'kube-proxy',
    ],
    [
      'an image whose index lies about the platform',
      'IMAGE_MISMATCH',
      () => {
        const layers = layersOf('kube-proxy', VERSION, 'arm64');
        const image = { layers, platform: 'linux/arm64' };
        const digest = world.registry.putImage('kube-proxy', undefined, image);
        const platform = { os: 'linux', architecture: 'amd64' };
        sign('kube-proxy', world.registry.putIndex('kube-proxy', VERSION, [{ digest, platform }]));
      },
      'kube-proxy',
    ],
    [
      'an image whose configuration names one layer more',
      'IMAGE_MISMATCH',
      () => {
        const layers = layersOf('kube-proxy', VERSION, 'amd64');
        const more = { layers: [...layers, Buffer.from('more')], platform: 'linux/amd64' };
        const digest = world.registry.putImage('kube-proxy', undefined, more);
        const text = world.registry.manifest('kube-proxy', digest).toString();
        const manifest = JSON.parse(text) as ManifestJson;
        manifest.layers.pop();
        sign('kube-proxy', world.registry.putManifest('kube-proxy', manifest, VERSION));
      },
      'kube-proxy',
    ],
    [
      'an index whose image is another index',
      'IMAGE_MISMATCH',
      () => {
        const digest = published.get(`kube-proxy:${VERSION}`) ?? '';
        const platform = { os: 'linux', architecture: 'amd64' };
        sign('kube-proxy', world.registry.putIndex('kube-proxy', VERSION, [{ digest, platform }]));
      },
      'kube-proxy',
    ],
    [
      'an index whose image is missing',
      'IMAGE_MISMATCH',
      () => {
        const layers = layersOf('kube-proxy', VERSION, 'arm64');
        const digest = world.registry.putImage('kube-proxy', undefined, { layers });
        const platform = { os: 'linux', architecture: 'amd64' };
        sign('kube-proxy', world.registry.putIndex('kube-proxy', VERSION, [{ digest, platform }]));
        world.registry.manifests.delete(`kube-proxy ${digest}`);
      },
      'kube-proxy',
    ],
    [
      'a registry that does not answer',
      'REGISTRY_UNAVAILABLE',
      () => {
        world.registryServer.fail(/v2/, fault.status(503), Infinity);
      },
    ],
    [
      'a registry that asks for a password',
      'REGISTRY_UNAVAILABLE',
      () => {
        world.registry.demand = { challenge: () => 'Basic realm="registry"', token: 'x' };
      },
    ],
  ])('%s: %s', async (_what, code, forge, images = ETCD) => {
    forge();
    const asked = images.replace('$', published.get('etcd:3.5.15-0') ?? '');
    const result = await run({ images: asked, tools: 'none' }, { env: IMPATIENT });
    expect(expectRefused(result, code)).not.toContain('Do not use the file');
  });

  test('one image of several, and so everything: the tool too', async () => {
    one(STRANGER)();
    const result = await run({ images: `control-plane ${ETCD}`, tools: 'kubectl' });
    expectRefused(result, 'IDENTITY_MISMATCH');
  });

  test('an image that is younger than allowed', async () => {
    const result = await run({ images: ETCD, 'minimum-release-age': '31d' });
    expectRefused(result, 'RELEASE_TOO_NEW');
    expectVerified(await run({ images: ETCD, 'minimum-release-age': '29d' }), {
      [ETCD]: pinned('etcd', '3.5.15-0'),
    });
  });

  test('an image whose SBOM is younger than allowed', async () => {
    const inputs = { version: RESIGNED, images: 'kube-proxy', 'minimum-release-age': '29d' };
    sign('kube-proxy', publishImage('kube-proxy', RESIGNED));
    expect((await run(inputs)).outputs['version']).toBe(RESIGNED);
    world.release.sbom(RESIGNED).sign({ at: new Date(Date.now() - DAY) });
    expectRefused(await run(inputs), 'RELEASE_TOO_NEW');
    // Its tag is not that of the release, so no SBOM proves anything about it.
    const other = await run({ ...inputs, images: ETCD });
    expectVerified(other, { [ETCD]: pinned('etcd', '3.5.15-0') });
  });

  test('an image of the release that is older than allowed, but not another one', async () => {
    const age = { 'maximum-release-age': '29d' };
    expectRefused(await run({ images: 'kube-proxy', ...age }), 'RELEASE_TOO_OLD');
    expectVerified(await run({ images: ETCD, ...age }), { [ETCD]: pinned('etcd', '3.5.15-0') });
  });

  test('another signer than the one that is named', async () => {
    const named = { images: ETCD, 'image-certificate-identity': 'stranger@example.com' };
    const says = ['set "image-certificate-identity"'];
    expectRefused(await run(named), 'IDENTITY_MISMATCH', { says });
    one(STRANGER)();
    expectVerified(await run(named), { [ETCD]: pinned('etcd', '3.5.15-0') });
  });
});

describe('an outdated pointer', () => {
  const stable = (inputs: Readonly<Record<string, string>>): Promise<ActionResult> =>
    run({ version: 'stable', ...inputs });

  test('is not suspected because of an image that is not of the release', async () => {
    const digest = published.get('etcd:3.5.15-0') ?? '';
    const at = new Date(Date.now() - 200 * DAY);
    putSignatures(world.registry, 'etcd', digest, [signature('etcd', digest, { at })]);
    const result = await stable({ images: ETCD });
    expectVerified(result, { [ETCD]: pinned('etcd', '3.5.15-0') });
  });

  test('is suspected because of an old image of the release', async () => {
    const digest = published.get(`kube-proxy:${VERSION}`) ?? '';
    const at = new Date(Date.now() - 200 * DAY);
    putSignatures(world.registry, 'kube-proxy', digest, [signature('kube-proxy', digest, { at })]);
    const result = await stable({ images: 'kube-proxy' });
    expect(errorsOf(result)).toEqual([]);
    expect(titlesOf(result, 'warning')).toEqual(['Newest stable release is old']);
  });
});

describe('over https', () => {
  let secure: World;
  let tokenServer: LoopbackServer;

  beforeAll(async () => {
    secure = await World.start({ tls: true });
    tokenServer = await LoopbackServer.start(() => ({ status: 200, body: '{"token":"open"}' }));
    secure.release.publish({ version: VERSION, platforms: [NATIVE] });
  });

  afterAll(() => Promise.all([secure.stop(), tokenServer.stop()]));

  const etcd = (): Promise<ActionResult> =>
    runIn(secure, { version: VERSION, tools: 'none', images: ETCD }, { env: IMPATIENT });

  test('an image is verified', async () => {
    const digest = secure.registry.putImage('etcd', '3.5.15-0');
    const payload = imagePayload({ reference: 'registry.k8s.io/etcd', digest });
    const annotations = signatureAnnotations(signAsPromoter(secure.release, payload));
    const layer = putSignature(secure.registry, payload, annotations);
    putSignatures(secure.registry, 'etcd', digest, [layer]);
    expectVerified(await etcd(), { [ETCD]: `registry.k8s.io/etcd@${digest}` });
  });

  test('a registry cannot name a token server on this machine without https', async () => {
    const challenge = (): string => `Bearer realm="${tokenServer.url}/"`;
    secure.registry.demand = { challenge, token: 'open' };
    expectRefused(await etcd(), 'REGISTRY_UNAVAILABLE');
    expect(tokenServer.requests).toEqual([]);
  });
});

const hasJq = spawnSync('jq', ['--version']).status === 0;

describeUnless(
  MISSING.linux,
  MISSING.executables,
  hasJq ? undefined : 'needs jq, which GitHub-hosted runners have',
)('the recipes of the README', () => {
  beforeEach(() => {
    for (const [repository, tag] of [
      ['coredns/coredns', 'v1.11.3'],
      ['pause', '3.10'],
    ] as const) {
      const digest = world.registry.putImage(repository, tag);
      published.set(`${repository}:${tag}`, digest);
      sign(repository, digest);
    }
  });

  const PIN = 'Pin the images of the control plane';
  const KUBEADM = 'Check the images that kubeadm pulls';

  test(`${PIN}: docker pulls each by its digest`, async () => {
    const { runs, docker } = await runRecipe(world, PIN);
    expect(runs).toHaveLength(1);
    for (const run of runs) {
      expectVerified(run, Object.fromEntries(CONTROL_PLANE.map((name) => [name, pinned(name)])));
    }
    expect(docker).toEqual(CONTROL_PLANE.map((name) => `pull ${pinned(name)}`));
  });

  test(`${PIN}: with one of them forged, docker pulls nothing`, async () => {
    serveAs('kube-proxy', OLDER)();
    const { runs, docker } = await runRecipe(world, PIN);
    expect(runs.map((run) => expectRefused(run, 'IMAGE_MISMATCH'))).toHaveLength(1);
    expect(docker).toEqual([]);
  });

  test(`${KUBEADM}: all that it lists are verified`, async () => {
    const { runs } = await runRecipe(world, KUBEADM);
    const [kubeadm, images] = runs;
    if (kubeadm === undefined || images === undefined) throw new Error('two runs, please');
    expectInstalled(kubeadm, { tools: ['kubeadm'] });
    const others = [
      ['coredns/coredns', 'v1.11.3'],
      ['pause', '3.10'],
      ['etcd', '3.5.15-0'],
    ] as const;
    expectVerified(images, {
      ...Object.fromEntries(
        CONTROL_PLANE.map((name) => [`registry.k8s.io/${name}:${VERSION}`, pinned(name)]),
      ),
      ...Object.fromEntries(
        others.map(([name, tag]) => [`registry.k8s.io/${name}:${tag}`, pinned(name, tag)]),
      ),
    });
    expect(proofsOf(images).filter((proof) => proof === BY_LAYERS)).toHaveLength(4);
  });

  test(`${KUBEADM}: with one of them forged, the job fails`, async () => {
    one(STRANGER)();
    const { runs } = await runRecipe(world, KUBEADM);
    const [, images] = runs;
    if (images === undefined) throw new Error('two runs, please');
    expectRefused(images, 'IDENTITY_MISMATCH');
  });
});

test('a digest of the test world is that of the bytes', () => {
  const bytes = world.registry.manifest('etcd', '3.5.15-0');
  expect(digestOf(bytes)).toBe(published.get('etcd:3.5.15-0'));
});
