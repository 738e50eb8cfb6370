import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from '@jest/globals';
import type { ErrorCode } from '../../src/errors.js';
import {
  Archeio,
  CertificateAuthority,
  Cosign,
  CraneRegistry,
  IMAGE_IDENTITY,
  LoopbackServer,
  RELEASE_IDENTITY,
  RELEASE_ISSUER,
  Registry,
  World,
  certificateAuthorityApi,
  cosignEnvironment,
  fault,
  findArcheio,
  findCosign,
  findCrane,
  identityToken,
  imagePayload,
  putSignature,
  putSignatures,
  signAsPromoter,
  signatureAnnotations,
  signatureTag,
  timestampAnnotation,
  type ActionResult,
  type CosignResult,
  type DescriptorJson,
  type ExecutableFound,
  type ManifestJson,
  type PayloadOptions,
  type SignOptions,
} from '../support/index.js';
import { describeUnless } from '../support/skip.js';
import { IMPATIENT, NATIVE, STRANGER, errorsOf, expectRefused, runIn } from './expectations.js';

/**
 * Judges that are not ours: cosign 3, the registry of go-containerregistry, and the redirector of registry.k8s.io,
 * before the same world as the action.
 * `shows` is the line of the comparison in docs/verification.md, "Images".
 */
const cosignFound = findCosign();
const craneFound = findCrane();
const archeioFound = findArcheio();
const absences = (...found: readonly ExecutableFound[]): (string | undefined)[] =>
  found.map((one) => ('absent' in one ? one.absent : undefined));
const suite = describeUnless(...absences(cosignFound, craneFound));

const VERSION = 'v1.31.9';
const REPOSITORY = 'kube-apiserver';
const REFERENCE = `registry.k8s.io/${REPOSITORY}`;
const DIGEST = `sha256:${'0a'.repeat(32)}`;
const LAYERS = [Buffer.from('base'), Buffer.from('kube-apiserver')];

let world: World;
let authorityServer: LoopbackServer;
let home: string;
let cosign: Cosign;

beforeAll(async () => {
  const releaseImages = [{ name: REPOSITORY, arch: 'amd64', layers: LAYERS }];
  world = await World.start({
    publish: [{ version: VERSION, platforms: [NATIVE], sbom: { releaseImages } }],
  });
  authorityServer = await LoopbackServer.start(certificateAuthorityApi(world.authority));
  home = mkdtempSync(join(tmpdir(), 'image-judges-'));
  if ('executable' in cosignFound) cosign = new Cosign(cosignFound.executable, world, home);
});

afterAll(async () => {
  await Promise.all([world.stop(), authorityServer.stop()]);
  rmSync(home, { recursive: true });
});

beforeEach(() => {
  world.reset();
  world.registry.clear();
});

const hostOf = (url: string): string => new URL(url).host;

/** As images are signed when they are promoted: at cosign's tag, under the name of production. */
function cosignSign(
  host: string,
  digest: string,
  email = IMAGE_IDENTITY,
  repository = REPOSITORY,
): Promise<CosignResult> {
  const token = identityToken({ email, issuer: RELEASE_ISSUER });
  return cosign.run(
    [
      ...['sign', `${host}/${repository}@${digest}`, '--sign-container-identity', REFERENCE],
      ...['--new-bundle-format=false', '--registry-referrers-mode', 'legacy'],
      ...['--use-signing-config=false', '--fulcio-url', authorityServer.url],
      ...['--rekor-url', world.logServer.url, '--identity-token', token, '--yes'],
      ...['-a', 'org.kubernetes.kpromo.version=kpromo-v4.0.3'],
    ],
    cosignEnvironment(world),
  );
}

const cosignVerify = (host: string, digest: string): Promise<CosignResult> =>
  cosign.run(
    [
      ...['verify', `${host}/${REPOSITORY}@${digest}`, '--new-bundle-format=false'],
      ...['--rekor-url', world.logServer.url, '--certificate-identity', IMAGE_IDENTITY],
      ...['--certificate-oidc-issuer', RELEASE_ISSUER],
    ],
    cosignEnvironment(world),
  );

function runAction(registry: string): Promise<ActionResult> {
  const inputs = {
    version: VERSION,
    tools: 'none',
    images: REPOSITORY,
    'image-registry': registry,
  };
  return runIn(world, inputs, { env: IMPATIENT });
}

function expectAction(result: ActionResult, digest: string, code: ErrorCode | undefined): void {
  if (code === undefined) {
    expect(errorsOf(result)).toEqual([]);
    expect(JSON.parse(result.outputs['images'] ?? '')).toEqual({
      [REPOSITORY]: `${REFERENCE}@${digest}`,
    });
  } else {
    expectRefused(result, code);
  }
}

suite('a real registry, and what cosign signs', () => {
  let crane: CraneRegistry;
  let digest: string;

  beforeEach(async () => {
    if ('absent' in craneFound) throw new Error(craneFound.absent);
    crane = await CraneRegistry.start(craneFound.executable);
    const registry = new Registry();
    const platform = { os: 'linux', architecture: 'amd64' };
    const image = registry.putImage(REPOSITORY, undefined, { format: 'docker', layers: LAYERS });
    digest = registry.putIndex(REPOSITORY, VERSION, [{ digest: image, platform }], 'docker');
    await crane.push(registry);
  });

  afterEach(() => crane.stop());

  test('as the promoter: both accept', async () => {
    expect((await cosignSign(crane.host, digest)).output).toContain('Pushing signature');
    expect((await cosignVerify(crane.host, digest)).accepted).toBe(true);
    expectAction(await runAction(crane.url), digest, undefined);
  });

  test('as staging and then as the promoter: both accept', async () => {
    await cosignSign(crane.host, digest, RELEASE_IDENTITY);
    await cosignSign(crane.host, digest);
    const signatures = await fetch(
      `${crane.url}/v2/${REPOSITORY}/manifests/${signatureTag(digest)}`,
    );
    expect(await signatures.json()).toMatchObject({ layers: [{}, {}] });
    expect((await cosignVerify(crane.host, digest)).accepted).toBe(true);
    expectAction(await runAction(crane.url), digest, undefined);
  });

  test.each([RELEASE_IDENTITY, 'stranger@example.com', `x${IMAGE_IDENTITY}`])(
    'as %s: both refuse',
    async (email) => {
      expect((await cosignSign(crane.host, digest, email)).accepted).toBe(true);
      const { accepted, output } = await cosignVerify(crane.host, digest);
      expect(accepted).toBe(false);
      expect(output).toMatch(/none of the expected identities matched/);
      expectAction(await runAction(crane.url), digest, 'IDENTITY_MISMATCH');
    },
  );

  test('nothing: both refuse', async () => {
    const { accepted, output } = await cosignVerify(crane.host, digest);
    expect(accepted).toBe(false);
    expect(output).toMatch(/no signatures found/);
    expectAction(await runAction(crane.url), digest, 'IMAGE_NOT_SIGNED');
  });
});

/** Where Kubernetes' images are behind registry.k8s.io (kubernetes/registry.k8s.io, cmd/archeio/main.go). */
const UPSTREAM_PATH = 'k8s-artifacts-prod/images';

describeUnless(...absences(cosignFound, craneFound, archeioFound))(
  "registry.k8s.io's own redirector, in front of a real registry",
  () => {
    let crane: CraneRegistry;
    let archeio: Archeio;
    let bucket: LoopbackServer;
    let digest: string;
    /** What the bucket has, by digest. */
    const blobs = new Map<string, Buffer>();

    beforeEach(async () => {
      if ('absent' in craneFound) throw new Error(craneFound.absent);
      if ('absent' in archeioFound) throw new Error(archeioFound.absent);
      blobs.clear();
      bucket = await LoopbackServer.start(({ path }) => {
        const body = blobs.get(path.replace('/containers/images/', ''));
        return body === undefined ? { status: 404 } : { status: 200, body };
      });
      crane = await CraneRegistry.start(craneFound.executable);
      archeio = await Archeio.start(archeioFound.executable, {
        upstream: crane.url,
        upstreamPath: UPSTREAM_PATH,
        signatureUpstream: crane.url,
        bucket: bucket.url,
      });
      const registry = new Registry();
      const repository = `${UPSTREAM_PATH}/${REPOSITORY}`;
      digest = registry.putImage(repository, VERSION, { layers: LAYERS });
      await crane.push(registry);
      await cosignSign(crane.host, digest, IMAGE_IDENTITY, repository);
    });

    afterEach(() => Promise.all([archeio.stop(), crane.stop(), bucket.stop()]));

    /** Puts what the image and its signature consist of into the bucket. */
    async function fillBucket(change = (bytes: Buffer): Buffer => bytes): Promise<void> {
      const base = `${crane.url}/v2/${UPSTREAM_PATH}/${REPOSITORY}`;
      const signature = await fetch(`${base}/manifests/${signatureTag(digest)}`);
      const image = await fetch(`${base}/manifests/${digest}`);
      for (const response of [signature, image]) {
        const { config, layers } = (await response.json()) as ManifestJson;
        for (const blob of [config, ...layers]) {
          const bytes = await (await fetch(`${base}/blobs/${blob.digest}`)).arrayBuffer();
          blobs.set(blob.digest, change(Buffer.from(bytes)));
        }
      }
    }

    test('with blobs at the registry: both accept', async () => {
      expect((await cosignVerify(archeio.host, digest)).accepted).toBe(true);
      expectAction(await runAction(archeio.url), digest, undefined);
    });

    test('with blobs in the bucket: both accept', async () => {
      await fillBucket();
      expect((await cosignVerify(archeio.host, digest)).accepted).toBe(true);
      expectAction(await runAction(archeio.url), digest, undefined);
      expect(bucket.requests.filter(({ method }) => method === 'GET')).not.toEqual([]);
    });

    test('with other bytes in the bucket: both refuse', async () => {
      await fillBucket((bytes) => Buffer.concat([bytes.subarray(1), bytes.subarray(0, 1)]));
      const { accepted, output } = await cosignVerify(archeio.host, digest);
      expect(accepted).toBe(false);
      expect(output).toMatch(/error verifying sha256 checksum/);
      expectAction(await runAction(archeio.url), digest, 'IMAGE_MISMATCH');
    });
  },
);

interface Row {
  readonly shows: string;
  readonly what: string;
  /** `accepts`, or what cosign complains of. */
  readonly cosign: 'accepts' | RegExp;
  readonly action: ErrorCode | undefined;
  readonly layers: (digest: string) => DescriptorJson[];
  /** What is wrong apart from the layers. */
  readonly also?: () => void;
  /** What the layers of the image hold, if they are not those that the SBOM lists. */
  readonly contents?: readonly Buffer[];
}

/** Signed, logged, and with every annotation that cosign writes. */
function layer(
  digest: string,
  payload: Partial<PayloadOptions> | Buffer = {},
  options: SignOptions = {},
): DescriptorJson {
  const bytes = Buffer.isBuffer(payload)
    ? payload
    : imagePayload({ reference: REFERENCE, digest, ...payload });
  const signed = signAsPromoter(world.release, bytes, options);
  return putSignature(world.registry, bytes, {
    ...signatureAnnotations(signed),
    ...(signed.entry === undefined ? {} : timestampAnnotation(world.log, signed.entry.uuid)),
  });
}

const unknownAuthority = CertificateAuthority.create();
const email = (address: string): SignOptions => ({
  certificate: { subjectAlternativeName: { email: address } },
});

const GENUINE = 'signature of the image';
const PAYLOAD_DIGEST = 'digest in the payload';
const PAYLOAD_REPOSITORY = 'repository in the payload';
const PAYLOAD_TYPE = 'type of the payload';
const PAYLOAD_TWICE = 'payload with a member twice';
const IMAGE_SIGNER = 'identity compared as a whole';
const IMAGE_CHAIN = 'certificate chain at the time of signing';
const ENTRY = 'log entry with its inclusion proof and checkpoint';
const BYTES = 'digest of the payload’s bytes';
const CERTIFICATE = 'signature by the key in the certificate';
const TAG = 'version of an image of the release';

const ROWS: readonly Row[] = [
  {
    shows: GENUINE,
    what: 'the promoter’s',
    cosign: 'accepts',
    action: undefined,
    layers: (digest) => [layer(digest)],
  },
  {
    shows: GENUINE,
    what: 'the promoter’s among others',
    cosign: 'accepts',
    action: undefined,
    layers: (digest) => [
      layer(digest, {}, STRANGER),
      layer(digest, { digest: DIGEST }),
      layer(digest),
    ],
  },
  {
    shows: PAYLOAD_DIGEST,
    what: 'another digest',
    cosign: /invalid or missing digest in claim/,
    action: 'IMAGE_MISMATCH',
    layers: (digest) => [layer(digest, { digest: DIGEST })],
  },
  {
    shows: PAYLOAD_REPOSITORY,
    what: 'another repository',
    cosign: 'accepts',
    action: 'IMAGE_MISMATCH',
    layers: (digest) => [layer(digest, { reference: 'registry.k8s.io/kube-scheduler' })],
  },
  {
    shows: PAYLOAD_REPOSITORY,
    what: 'another registry',
    cosign: 'accepts',
    action: 'IMAGE_MISMATCH',
    layers: (digest) => [layer(digest, { reference: `registry.example/${REPOSITORY}` })],
  },
  {
    shows: PAYLOAD_TYPE,
    what: 'another type',
    cosign: 'accepts',
    action: 'IMAGE_MISMATCH',
    layers: (digest) => [layer(digest, { type: 'atomic container signature' })],
  },
  {
    shows: PAYLOAD_TWICE,
    what: 'the digest twice, the right one last',
    cosign: 'accepts',
    action: 'IMAGE_MISMATCH',
    layers: (digest) => {
      const text = imagePayload({ reference: REFERENCE, digest }).toString();
      const twice = `"image":{"docker-manifest-digest":"${DIGEST}",`;
      return [layer(digest, Buffer.from(text.replace('"image":{', twice)))];
    },
  },
  {
    shows: IMAGE_SIGNER,
    what: 'krel-staging’s',
    cosign: /none of the expected identities matched/,
    action: 'IDENTITY_MISMATCH',
    layers: (digest) => [layer(digest, {}, email(RELEASE_IDENTITY))],
  },
  {
    shows: IMAGE_SIGNER,
    what: 'a near miss',
    cosign: /none of the expected identities matched/,
    action: 'IDENTITY_MISMATCH',
    layers: (digest) => [layer(digest, {}, email(IMAGE_IDENTITY.replace('.iam', 'xiam')))],
  },
  {
    shows: IMAGE_CHAIN,
    what: 'an unknown authority',
    cosign: /signed by unknown authority/,
    action: 'CERTIFICATE_UNTRUSTED',
    layers: (digest) => [layer(digest, {}, { authority: unknownAuthority })],
  },
  {
    shows: ENTRY,
    what: 'never logged',
    cosign: /signature not found in transparency log/,
    action: 'LOG_ENTRY_NOT_FOUND',
    layers: (digest) => [layer(digest, {}, { log: false })],
  },
  {
    shows: ENTRY,
    what: 'a genuine timestamp of an entry that the log does not hold',
    cosign: 'accepts',
    action: 'LOG_ENTRY_NOT_FOUND',
    layers: (digest) => [layer(digest)],
    also: () => {
      world.logServer.fail(/log\/entries/, fault.status(404), Infinity);
      world.logServer.fail(/index/, fault.body(Buffer.from('[]')), Infinity);
    },
  },
  {
    shows: CERTIFICATE,
    what: 'the certificate of another signature by the same signer',
    cosign: /error verifying bundle: comparing public key PEMs/,
    action: 'SIGNATURE_MISMATCH',
    layers: (digest) => {
      const first = layer(digest);
      const key = 'dev.sigstore.cosign/certificate';
      const certificate = layer(digest, { optional: null }).annotations?.[key] ?? '';
      return [{ ...first, annotations: { ...first.annotations, [key]: certificate } }];
    },
  },
  {
    shows: PAYLOAD_DIGEST,
    what: 'the signature of another image',
    cosign: /invalid or missing digest in claim/,
    action: 'IMAGE_MISMATCH',
    layers: () => [layer(world.registry.putImage('kube-scheduler', VERSION))],
  },
  {
    shows: TAG,
    what: 'a signed image with other layers under the tag',
    cosign: 'accepts',
    action: 'IMAGE_MISMATCH',
    layers: (digest) => [layer(digest)],
    contents: [...LAYERS.slice(0, 1), Buffer.from('kube-apiserver v1.26.0')],
  },
  {
    shows: BYTES,
    what: 'a payload that is not what its digest says',
    cosign: /error verifying sha256 checksum/,
    action: 'IMAGE_MISMATCH',
    layers: (digest) => {
      const made = layer(digest);
      const bytes = world.registry.blobs.get(made.digest) ?? Buffer.alloc(0);
      const changed = bytes.toString().replace('v4.0.3', 'v4.0.4');
      world.registry.blobs.set(made.digest, Buffer.from(changed));
      return [made];
    },
  },
];

suite('forgeries, before cosign and the action', () => {
  test.each(ROWS)('$shows: $what', async (row) => {
    const { contents = LAYERS } = row;
    const digest = world.registry.putImage(REPOSITORY, VERSION, { layers: contents });
    putSignatures(world.registry, REPOSITORY, digest, row.layers(digest));
    row.also?.();
    const { accepted, output } = await cosignVerify(hostOf(world.registryServer.url), digest);
    if (row.cosign !== 'accepts') expect(output).toMatch(row.cosign);
    expect([accepted, output]).toEqual([row.cosign === 'accepts', output]);
    expectAction(await runAction(world.registryServer.url), digest, row.action);
  });
});

test('every line of the comparison in docs/verification.md is shown here, and no other', () => {
  const text = readFileSync(new URL('../../docs/verification.md', import.meta.url), 'utf8');
  const [, section = ''] = text.split('\n### Compared with `cosign verify`\n');
  const [table = ''] = section.split('\n## ');
  const lines = [...table.matchAll(/^\| ([^|]*[^|\s-][^|]*)\|/gm)].map(([, line]) => line?.trim());
  expect(new Set(lines)).toEqual(new Set(ROWS.map(({ shows }) => shows)));
});
