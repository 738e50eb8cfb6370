import { createHash, verify as verifySignature } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import type { TrustMaterial } from '@sigstore/verify';
import type { ErrorCode } from '../../../../src/errors.js';
import { MAX_PAYLOAD_BYTES } from '../../../../src/sigstore/image-payload.js';
import {
  verifyImageSignature,
  type SignatureLayer,
} from '../../../../src/sigstore/evidence/image-signatures.js';
import { TransparencyLog } from '../../../../src/sigstore/evidence/rekor.js';
import { loadTrustRoot } from '../../../../src/sigstore/trust/trusted-root.js';
import { parseTrustedRoot } from '../../../../src/sigstore/trust/trusted-root-json.js';
import {
  CertificateAuthority,
  CtLog,
  DAY,
  IMAGE_IDENTITY,
  LoopbackServer,
  PAYLOAD_TYPE,
  RELEASE_IDENTITY,
  RELEASE_ISSUER,
  TimestampAuthority,
  TransparencyLog as WorldLog,
  World,
  fault,
  forgery,
  imagePayload,
  json,
  signAsPromoter,
  signatureAnnotations,
  transparencyLogApi,
  trustedRootJson,
  type PayloadOptions,
  type SignOptions,
} from '../../../support/index.js';
import { canonicalJson } from '../../../support/canonical-json.js';
import { codeOfRejection } from '../errors.js';
import { httpClient } from '../http-client.js';

const DIGEST = `sha256:${'0a'.repeat(32)}`;
const OTHER_DIGEST = `sha256:${'0b'.repeat(32)}`;
const IMAGE = { repository: 'registry.k8s.io/kube-apiserver', digest: DIGEST };
const NAME = 'registry.k8s.io/kube-apiserver:v1.31.9';
const IDENTITY = { subjectAlternativeName: IMAGE_IDENTITY, issuer: RELEASE_ISSUER };
const email = (address: string): SignOptions => ({
  certificate: { subjectAlternativeName: { email: address } },
});

let world: World;
let trust: TrustMaterial;

beforeAll(async () => {
  world = await World.start();
  trust = parseTrustedRoot(Buffer.from(JSON.stringify(world.trustedRoot())));
});

afterAll(() => world.stop());

beforeEach(() => {
  world.reset();
});

const logClient = (url = world.logServer.url): TransparencyLog =>
  new TransparencyLog(httpClient(), new URL(`${url}/`));

const verifyLayers = (layers: readonly SignatureLayer[]): ReturnType<typeof verifyImageSignature> =>
  verifyImageSignature(
    { trust: Promise.resolve(trust), identity: IDENTITY },
    logClient(),
    NAME,
    IMAGE,
    layers,
  );

interface Layer extends SignatureLayer {
  readonly annotations: Map<string, string>;
  /** How often the payload was read. */
  reads: number;
}

function layerOf(payload: Buffer, annotations: Readonly<Record<string, string>>): Layer {
  return {
    mediaType: PAYLOAD_TYPE,
    annotations: new Map(Object.entries(annotations)),
    reads: 0,
    async payload() {
      this.reads += 1;
      return payload;
    },
  };
}

const genuine = { reference: IMAGE.repository, digest: DIGEST };

/** Signed and logged by the promoter unless something is said otherwise. */
function signed(payload: Partial<PayloadOptions> | Buffer = {}, options: SignOptions = {}): Layer {
  const bytes = Buffer.isBuffer(payload) ? payload : imagePayload({ ...genuine, ...payload });
  return layerOf(bytes, signatureAnnotations(signAsPromoter(world.release, bytes, options)));
}

describe('accepted', () => {
  test('what the promoter signed', async () => {
    const { identity, logIndex, subject } = await verifyLayers([signed()]);
    expect(identity.subjectAlternativeName).toBe(IMAGE_IDENTITY);
    expect(logIndex).toMatch(/^\d+$/);
    expect(JSON.parse(subject.bytes.toString())).toMatchObject({ critical: {} });
  });

  test('and beside it what others signed, each for itself', async () => {
    const stranger = signed({}, email('stranger@example.com'));
    await verifyLayers([signed({}, email(RELEASE_IDENTITY)), stranger, signed()]);
    expect(stranger.reads).toBe(0);
  });

  test('and beside it one that is broken', async () => {
    await verifyLayers([
      layerOf(Buffer.alloc(0), {}),
      signed({ digest: OTHER_DIGEST }),
      signed({}, { log: false }),
      signed(),
    ]);
  });

  test('without annotations of the signer, and with others', async () => {
    await verifyLayers([signed({ optional: null })]);
    await verifyLayers([signed({ optional: { a: 'b' } })]);
  });

  test('the 32nd signature, but not the 33rd', async () => {
    const others = Array.from({ length: 31 }, () => layerOf(Buffer.alloc(0), {}));
    await verifyLayers([...others, signed()]);
    const code = await codeOfRejection(verifyLayers([...others, ...others.slice(0, 1), signed()]));
    expect(code).toBe('SIGNATURE_MALFORMED');
  });

  test('the promoter’s eighth signature, but not the ninth', async () => {
    const others = Array.from({ length: 7 }, () => signed({ digest: OTHER_DIGEST }));
    await verifyLayers([...others, signed()]);
    const last = signed();
    const layers = [...others, ...others.slice(0, 1), last];
    expect(await codeOfRejection(verifyLayers(layers))).toBe('IMAGE_MISMATCH');
    expect(last.reads).toBe(0);
  });
});

describe('refused', () => {
  const unknownAuthority = CertificateAuthority.create();
  const twice = (): Buffer => {
    const text = imagePayload(genuine).toString();
    return Buffer.from(text.replace('"image":{', `"image":{"docker-manifest-digest":"${DIGEST}",`));
  };

  test.each<[string, ErrorCode, () => Layer[]]>([
    ['nothing', 'IMAGE_NOT_SIGNED', () => []],
    [
      'a layer of another kind',
      'IMAGE_NOT_SIGNED',
      () => [{ ...signed(), mediaType: 'application/vnd.dsse.envelope.v1+json' }],
    ],
    ['a payload for another digest', 'IMAGE_MISMATCH', () => [signed({ digest: OTHER_DIGEST })]],
    [
      'for another repository',
      'IMAGE_MISMATCH',
      () => [signed({ reference: 'registry.k8s.io/kube-scheduler' })],
    ],
    [
      'for the repository of another registry',
      'IMAGE_MISMATCH',
      () => [signed({ reference: 'registry.example/kube-apiserver' })],
    ],
    [
      'for the repository without its registry',
      'IMAGE_MISMATCH',
      () => [signed({ reference: 'kube-apiserver' })],
    ],
    ['of another type', 'IMAGE_MISMATCH', () => [signed({ type: 'atomic container signature' })]],
    ['that says its digest twice', 'IMAGE_MISMATCH', () => [signed(twice())]],
    ['that is no JSON', 'IMAGE_MISMATCH', () => [signed(Buffer.from('{'))]],
    ['that says nothing', 'IMAGE_MISMATCH', () => [signed(Buffer.from('{"critical":{}}'))]],
    ['by krel-staging only', 'IDENTITY_MISMATCH', () => [signed({}, email(RELEASE_IDENTITY))]],
    ['by a near miss', 'IDENTITY_MISMATCH', () => [signed({}, email(`x${IMAGE_IDENTITY}`))]],
    [
      'by a near miss whose dots are other characters',
      'IDENTITY_MISMATCH',
      () => [signed({}, email(IMAGE_IDENTITY.replace('.iam', '-iam')))],
    ],
    [
      'by the right name of another issuer',
      'IDENTITY_MISMATCH',
      () => [signed({}, { certificate: { issuer: 'https://accounts.example.com' } })],
    ],
    [
      'by an unknown authority',
      'CERTIFICATE_UNTRUSTED',
      () => [signed({}, { authority: unknownAuthority })],
    ],
    ['never logged', 'LOG_ENTRY_NOT_FOUND', () => [signed({}, { log: false })]],
    [
      'other bytes than those that were signed',
      'SIGNATURE_MISMATCH',
      () => {
        const { annotations } = signed();
        return [
          layerOf(imagePayload({ ...genuine, optional: null }), Object.fromEntries(annotations)),
        ];
      },
    ],
    [
      'a certificate of another signature by the same signer',
      'SIGNATURE_MISMATCH',
      () => {
        const layer = signed();
        const key = 'dev.sigstore.cosign/certificate';
        layer.annotations.set(key, signed().annotations.get(key) ?? '');
        return [layer];
      },
    ],
    [
      'no certificate',
      'SIGNATURE_MALFORMED',
      () => {
        const layer = signed();
        layer.annotations.delete('dev.sigstore.cosign/certificate');
        return [layer];
      },
    ],
    [
      'no signature',
      'SIGNATURE_MALFORMED',
      () => {
        const layer = signed();
        layer.annotations.set('dev.cosignproject.cosign/signature', '');
        return [layer];
      },
    ],
    [
      'the most telling: what the promoter signed, not what others did',
      'IMAGE_MISMATCH',
      () => [
        layerOf(Buffer.alloc(0), {}),
        signed({ digest: OTHER_DIGEST }),
        signed({}, email(RELEASE_IDENTITY)),
        signed({}, { log: false }),
      ],
    ],
  ])('%s: %s', async (_what, code, layers) => {
    expect(await codeOfRejection(verifyLayers(layers()))).toBe(code);
  });

  test.each<[string, () => Parameters<typeof setTamper>[0]]>([
    ['without inclusion proof', () => forgery.withoutInclusionProof()],
    ['by another log', () => forgery.checkpointByAnotherKey()],
  ])('a log entry %s', async (_what, tamper) => {
    const layer = signed();
    setTamper(tamper());
    expect(await codeOfRejection(verifyLayers([layer]))).toBe('LOG_ENTRY_INVALID');
  });

  // cosign keeps the log's signed timestamp beside the signature, and is content with that.
  test('an entry timestamp that is genuine, of an entry that the log does not hold', async () => {
    const payload = imagePayload(genuine);
    const signature = signAsPromoter(world.release, payload);
    const answer = Object.values(world.log.answer(signature.entry?.uuid ?? '') ?? {})[0];
    const layer = layerOf(payload, signatureAnnotations(signature));
    layer.annotations.set(
      'dev.sigstore.cosign/bundle',
      JSON.stringify({
        SignedEntryTimestamp: answer?.verification?.signedEntryTimestamp,
        Payload: {
          body: answer?.body,
          integratedTime: answer?.integratedTime,
          logIndex: answer?.logIndex,
          logID: answer?.logID,
        },
      }),
    );
    await verifyLayers([layer]);
    world.logServer.fail(/entries/, fault.status(404), Infinity);
    world.logServer.fail(/index/, fault.body(Buffer.from('[]')), Infinity);
    expect(await codeOfRejection(verifyLayers([layer]))).toBe('LOG_ENTRY_NOT_FOUND');
  });

  test('a log that does not answer, whatever else there is', async () => {
    world.logServer.fail(/api/, fault.status(503), Infinity);
    expect(await codeOfRejection(verifyLayers([signed(), signed()]))).toBe('LOG_UNAVAILABLE');
  });
});

function setTamper(tamper: NonNullable<typeof world.log.tamper>): void {
  world.log.tamper = tamper;
}

/**
 * What Kubernetes published with an image, and Sigstore's own trust root. The inclusion proof of the entry was not
 * published there. So the entry, byte for byte, is put into a log of our own, at the time that was published.
 */
describe('the signature of cluster-api-controller v1.5.0', () => {
  const folder = join(import.meta.dirname, '../../../fixtures/krel-trust-cluster-api-v1.5.0');
  const read = (name: string): Buffer => readFileSync(join(folder, name));
  const payload = read('payload.json');
  const published = JSON.parse(read('rekor.json').toString()) as {
    uuid: string;
    body: string;
    integratedTime: number;
    logID: string;
    logIndex: number;
    signedEntryTimestamp: string;
  };
  const signedAt = new Date(published.integratedTime * 1000);
  const annotations = {
    'dev.cosignproject.cosign/signature': read('payload.json.sig').toString().trim(),
    'dev.sigstore.cosign/certificate': Buffer.from(
      read('payload.json.cert').toString(),
      'base64',
    ).toString(),
  };
  const image = {
    repository: 'registry.k8s.io/cluster-api/cluster-api-controller',
    digest: 'sha256:f34016d3a494f9544a16137c9bba49d8756c574a0a1baf96257903409ef82f77',
  };
  const log = WorldLog.create({ baseEntries: 10 });
  let server: LoopbackServer;
  let embedded: TrustMaterial;
  let material: TrustMaterial;

  beforeAll(async () => {
    log.addBody(Buffer.from(published.body, 'base64'), signedAt);
    server = await LoopbackServer.start(transparencyLogApi(log));
    log.baseUrl = server.url;
    const validFrom = new Date(signedAt.getTime() - DAY);
    const ours = trustedRootJson({
      validFrom,
      logs: [log],
      certificateAuthorities: [CertificateAuthority.create({ validFrom })],
      ctLogs: [CtLog.create()],
      timestampAuthorities: [TimestampAuthority.create({ validFrom })],
    });
    const { tlogs } = parseTrustedRoot(Buffer.from(JSON.stringify(ours)));
    embedded = (await loadTrustRoot({ kind: 'embedded' }, httpClient())).material;
    material = { ...embedded, tlogs: [...embedded.tlogs, ...tlogs] };
  });

  afterAll(() => server.stop());

  const verifyReal = (
    bytes = payload,
    expected = image,
    identity = IDENTITY,
  ): ReturnType<typeof verifyImageSignature> =>
    verifyImageSignature(
      { trust: Promise.resolve(material), identity },
      logClient(server.url),
      'cluster-api-controller',
      expected,
      [layerOf(bytes, annotations)],
    );

  test('proves that image', async () => {
    const verified = await verifyReal();
    expect(verified.signedAt).toEqual(signedAt);
    expect(verified.uuid).toBe('2d8a2beecdbf90cb739026d2288c62756433e035412855b551db779317f899ad');
    expect(createHash('sha256').update(payload).digest()).toEqual(verified.subject.sha256);
  });

  test('and no other', async () => {
    const other = { ...image, digest: OTHER_DIGEST };
    expect(await codeOfRejection(verifyReal(payload, other))).toBe('IMAGE_MISMATCH');
    const elsewhere = { ...image, repository: 'registry.k8s.io/etcd' };
    expect(await codeOfRejection(verifyReal(payload, elsewhere))).toBe('IMAGE_MISMATCH');
  });

  test('nor with one byte changed, nor of another signer', async () => {
    const changed = Buffer.from(payload.toString().replace('v4.0.3', 'v4.0.4'));
    expect(await codeOfRejection(verifyReal(changed))).toBe('SIGNATURE_MISMATCH');
    const staging = { ...IDENTITY, subjectAlternativeName: RELEASE_IDENTITY };
    expect(await codeOfRejection(verifyReal(payload, image, staging))).toBe('IDENTITY_MISMATCH');
  });

  // What cosign keeps in the annotation `dev.sigstore.cosign/bundle`, and accepts.
  test('has a genuine entry timestamp, which is not enough without an inclusion proof', async () => {
    const { uuid, signedEntryTimestamp, ...signed } = published;
    const key = embedded.tlogs.find(({ logID }) => logID.toString('hex') === signed.logID);
    const timestamp = Buffer.from(signedEntryTimestamp, 'base64');
    const bytes = Buffer.from(canonicalJson(signed));
    if (key === undefined) throw new Error('the embedded trusted root has no such log');
    expect(verifySignature('sha256', bytes, key.publicKey, timestamp)).toBe(true);

    const answer = { ...signed, verification: { signedEntryTimestamp } };
    const real = await LoopbackServer.start(() => json(200, { [uuid]: answer }));
    const verifying = verifyImageSignature(
      { trust: Promise.resolve(embedded), identity: IDENTITY },
      logClient(real.url),
      'cluster-api-controller',
      image,
      [layerOf(payload, annotations)],
    );
    expect(await codeOfRejection(verifying)).toBe('LOG_ENTRY_INVALID');
    await real.stop();
  });

  test('is as small as the bound expects', () => {
    expect(payload.length * 10).toBeLessThan(MAX_PAYLOAD_BYTES);
  });
});
