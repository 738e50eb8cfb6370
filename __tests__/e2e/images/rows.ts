import type { ErrorCode } from '../../../src/errors.js';
import {
  IMAGE_IDENTITY,
  RELEASE_IDENTITY,
  fault,
  forgery,
  imagePayload,
  putSignature,
  signAsPromoter,
  signatureAnnotations,
  signatureTag,
  type DescriptorJson,
  type ManifestJson,
} from '../../support/index.js';
import { STRANGER } from '../expectations.js';
import {
  DIGEST,
  OLDER,
  VERSION,
  email,
  layersOf,
  one,
  published,
  serveAs,
  sign,
  signature,
  signatures,
  stamped,
  unknownAuthority,
  world,
} from './stage.js';

/** What a registry can serve instead of the image that was asked for, and the verdict on it. */
type Forgery = [what: string, code: ErrorCode, forge: () => void, more?: ForgeryOptions];

interface ForgeryOptions {
  /** The input `images`; etcd's unless given. `$` stands for its digest. */
  readonly images?: string;
  /** The verdict on a lock file that holds it; absent if it is nothing that a lock file holds. */
  readonly locked?: ErrorCode;
}

export const FORGERIES: Forgery[] = [
  ['an image that is not there', 'IMAGE_NOT_FOUND', () => world.registry.clear()],
  [
    'no signature',
    'IMAGE_NOT_SIGNED',
    () =>
      world.registry.manifests.delete(`etcd ${signatureTag(published.get('etcd:3.5.15-0') ?? '')}`),
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
  [
    'a payload for another digest',
    'IMAGE_MISMATCH',
    one({}, { digest: DIGEST }),
    { locked: 'LOCK_MISMATCH' },
  ],
  [
    'for another repository',
    'IMAGE_MISMATCH',
    one({}, { reference: 'registry.k8s.io/etc' }),
    { locked: 'LOCK_MISMATCH' },
  ],
  [
    'of another type',
    'IMAGE_MISMATCH',
    one({}, { type: 'atomic container signature' }),
    { locked: 'LOCK_MISMATCH' },
  ],
  [
    'signed by krel-staging only',
    'IDENTITY_MISMATCH',
    one(email(RELEASE_IDENTITY)),
    { locked: 'IDENTITY_MISMATCH' },
  ],
  [
    'by a near miss',
    'IDENTITY_MISMATCH',
    one(email(IMAGE_IDENTITY.replace('.iam', 'xiam'))),
    { locked: 'IDENTITY_MISMATCH' },
  ],
  ['by a stranger', 'IDENTITY_MISMATCH', one(STRANGER), { locked: 'IDENTITY_MISMATCH' }],
  [
    'by an unknown authority',
    'CERTIFICATE_UNTRUSTED',
    one({ authority: unknownAuthority }),
    { locked: 'CERTIFICATE_UNTRUSTED' },
  ],
  ['never logged', 'LOG_ENTRY_NOT_FOUND', one({ log: false }), { locked: 'LOCK_INVALID' }],
  [
    'logged, with an entry timestamp but no inclusion proof',
    'LOG_ENTRY_INVALID',
    () => (world.log.tamper = forgery.withoutInclusionProof()),
    { locked: 'LOCK_INVALID' },
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
    { locked: 'LOCK_MISMATCH' },
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
    { locked: 'SIGNATURE_MISMATCH' },
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
    { locked: 'SIGNATURE_MISMATCH' },
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
    { locked: 'LOCK_MISMATCH' },
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
    { locked: 'LOCK_INVALID' },
  ],
  [
    'a manifest that is not what its digest says',
    'IMAGE_MISMATCH',
    () => {
      const stored = { bytes: Buffer.from('{}'), mediaType: 'application/json' };
      world.registry.manifests.set(`etcd ${published.get('etcd:3.5.15-0') ?? ''}`, stored);
    },
    { images: 'registry.k8s.io/etcd@$' },
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
    { locked: 'LOCK_INVALID' },
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
    { locked: 'LOCK_INVALID' },
  ],
  [
    'the older image under the tag',
    'IMAGE_MISMATCH',
    serveAs('kube-proxy', OLDER),
    { images: 'kube-proxy', locked: 'IMAGE_MISMATCH' },
  ],
  [
    'another image of the release under the name',
    'IMAGE_NOT_SIGNED',
    serveAs('kube-scheduler', VERSION),
    { images: 'kube-proxy' },
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
    { images: 'kube-proxy', locked: 'IMAGE_MISMATCH' },
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
    { images: 'kube-proxy', locked: 'IMAGE_MISMATCH' },
  ],
  [
    'an index whose image is another index',
    'IMAGE_MISMATCH',
    () => {
      const digest = published.get(`kube-proxy:${VERSION}`) ?? '';
      const platform = { os: 'linux', architecture: 'amd64' };
      sign('kube-proxy', world.registry.putIndex('kube-proxy', VERSION, [{ digest, platform }]));
    },
    { images: 'kube-proxy', locked: 'LOCK_INVALID' },
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
    { images: 'kube-proxy', locked: 'LOCK_MISMATCH' },
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
];
