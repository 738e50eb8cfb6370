import { createHash, sign } from 'node:crypto';
import {
  DAY,
  RELEASE_IDENTITY,
  bundledEntries,
  foreignSignatures,
  type BundleJson,
  type BundledLogEntry,
  type Forgery,
  type IssuedCertificate,
  type PublishedFile,
  type SignOptions,
  type UnsignedParts,
} from '../../support/index.js';
import { canonicalJson } from '../../support/canonical-json.js';
import { world, type Publication } from './stage.js';

/** The older forms: the certificate stands in a chain, and 0.1 needs no inclusion proof. */
export function olderBundle(version: '0.1' | '0.2', bundle: BundleJson): unknown {
  const { certificate, ...material } = bundle.verificationMaterial;
  return {
    mediaType: `application/vnd.dev.sigstore.bundle+json;version=${version}`,
    verificationMaterial: { x509CertificateChain: { certificates: [certificate] }, ...material },
    messageSignature: bundle.messageSignature,
  };
}

/** The one log entry of a bundle. */
export function entryOf({ verificationMaterial }: BundleJson): BundledLogEntry {
  const [entry] = verificationMaterial.tlogEntries;
  if (entry === undefined) throw new Error('no log entry in this bundle');
  return entry;
}

export type Proof = NonNullable<BundledLogEntry['inclusionProof']>;

export function proofOf(bundle: BundleJson): Proof {
  const { inclusionProof } = entryOf(bundle);
  if (inclusionProof === undefined) throw new Error('no inclusion proof in this bundle');
  return inclusionProof;
}

export const changingEntry =
  (change: (entry: BundledLogEntry) => void) =>
  (bundle: BundleJson): void =>
    change(entryOf(bundle));

export const changingProof =
  (change: (proof: Proof) => void) =>
  (bundle: BundleJson): void =>
    change(proofOf(bundle));

/** The genuine bundle with another answer of the log in it. */
export const withAnswer =
  (tamper: (kubectl: PublishedFile) => Forgery) =>
  (_: BundleJson, { kubectl }: Publication): BundleJson =>
    kubectl.bundle(tamper(kubectl));

export const signedAnew =
  (options: SignOptions) =>
  (_: BundleJson, { kubectl }: Publication): BundleJson => {
    kubectl.sign(options);
    return kubectl.bundle();
  };

export const withTimestamp = (bundle: BundleJson, timestamp: Buffer): BundleJson => {
  bundle.verificationMaterial.timestampVerificationData = {
    rfc3161Timestamps: [{ signedTimestamp: timestamp.toString('base64') }],
  };
  return bundle;
};

export const signatureOf = ({ messageSignature }: BundleJson): Buffer =>
  Buffer.from(messageSignature.signature, 'base64');

/** A bundle of version 0.2 with certificates behind the leaf. */
export function withChain(bundle: BundleJson, ...behind: readonly Buffer[]): unknown {
  const { certificate, ...material } = bundle.verificationMaterial;
  const certificates = behind.map((der) => ({ rawBytes: der.toString('base64') }));
  return {
    mediaType: 'application/vnd.dev.sigstore.bundle+json;version=0.2',
    verificationMaterial: {
      x509CertificateChain: { certificates: [certificate, ...certificates] },
      ...material,
    },
    messageSignature: bundle.messageSignature,
  };
}

export function cosigned(bundle: BundleJson, count: number): BundleJson {
  proofOf(bundle).checkpoint.envelope += foreignSignatures(count);
  return bundle;
}

export function timed(bundle: BundleJson): BundleJson {
  entryOf(bundle).integratedTime = '1600000000';
  return bundle;
}

/** A bundle of Rekor v2 whose RFC 3161 response differs in what nobody signed. */
export const withUnsigned =
  (parts: UnsignedParts) =>
  (_: BundleJson, { kubectl }: Publication): BundleJson => {
    const at = new Date(Date.now() - 30 * DAY);
    const bundle = kubectl.bundleV2({ at });
    const { timestampAuthority } = world;
    return withTimestamp(bundle, timestampAuthority.timestamp(signatureOf(bundle), at, parts));
  };

/** A certificate, and the log's entry (Rekor v1) of whatever kind for a signature with its key. */
export function loggedAs(
  kind: 'hashedrekord' | 'dsse',
  key: 'p256' | 'p384',
  specOf: (certificate: IssuedCertificate) => unknown,
): { rawBytes: string; entry: BundledLogEntry } {
  const certificate = world.authority.issue({ key, notBefore: new Date(Date.now() - 30 * DAY) });
  const body = { apiVersion: '0.0.1', kind, spec: specOf(certificate) };
  const at = new Date(certificate.notBefore.getTime() + 1000);
  const { uuid } = world.log.addBody(Buffer.from(canonicalJson(body)), at);
  const [entry] = bundledEntries(world.log.answer(uuid) ?? {});
  if (entry === undefined) throw new Error('the signature was not logged');
  const rawBytes = certificate.der.toString('base64');
  return { rawBytes, entry: { ...entry, kindVersion: { kind, version: '0.0.1' } } };
}

export const base64Of = (bytes: string | Buffer): string => Buffer.from(bytes).toString('base64');

export const BUNDLE_V03 = 'application/vnd.dev.sigstore.bundle.v0.3+json';

/** What cosign writes with a key on P-384: digest and signature with SHA-384. */
export function sha384Bundle({ bytes }: PublishedFile): unknown {
  const digest = createHash('sha384').update(bytes).digest();
  let signature = '';
  const { rawBytes, entry } = loggedAs('hashedrekord', 'p384', ({ pem, privateKey }) => {
    signature = sign('sha384', bytes, privateKey).toString('base64');
    return {
      data: { hash: { algorithm: 'sha384', value: digest.toString('hex') } },
      signature: { content: signature, publicKey: { content: base64Of(pem) } },
    };
  });
  return {
    mediaType: BUNDLE_V03,
    verificationMaterial: { certificate: { rawBytes }, tlogEntries: [entry] },
    messageSignature: {
      messageDigest: { algorithm: 'SHA2_384', digest: digest.toString('base64') },
      signature,
    },
  };
}

/** A DSSE envelope with an in-toto statement, as `cosign attest-blob` writes it; Rekor's dsse 0.0.1 (pkg/types/dsse/v0.0.1). */
export function attestation({ sha256 }: PublishedFile): unknown {
  const payloadType = 'application/vnd.in-toto+json';
  const payload = JSON.stringify({
    _type: 'https://in-toto.io/Statement/v1',
    subject: [{ name: 'kubectl', digest: { sha256 } }],
    predicateType: 'https://slsa.dev/provenance/v1',
    predicate: {},
  });
  const signed = `DSSEv1 ${payloadType.length} ${payloadType} ${payload.length} ${payload}`;
  const hashOf = (text: string): unknown => ({
    algorithm: 'sha256',
    value: createHash('sha256').update(text).digest('hex'),
  });
  let sig = '';
  const { rawBytes, entry } = loggedAs('dsse', 'p256', (certificate) => {
    sig = certificate.sign(Buffer.from(signed)).toString('base64');
    return {
      envelopeHash: hashOf(JSON.stringify({ payload: base64Of(payload), payloadType })),
      payloadHash: hashOf(payload),
      signatures: [{ signature: sig, verifier: base64Of(certificate.pem) }],
    };
  });
  return {
    mediaType: BUNDLE_V03,
    verificationMaterial: { certificate: { rawBytes }, tlogEntries: [entry] },
    dsseEnvelope: { payload: base64Of(payload), payloadType, signatures: [{ sig }] },
  };
}

export const OTHER_NAMES = [{ email: RELEASE_IDENTITY }, { email: 'mallory@example.com' }] as const;
