import type { KubernetesRelease, Signed, SignOptions } from './kubernetes-release.js';
import type { TransparencyLog } from './transparency-log.js';
import { MEDIA_TYPES, type DescriptorJson, type Registry } from './registry.js';

/** Who signs Kubernetes' images when they are promoted to registry.k8s.io. */
export const IMAGE_IDENTITY = 'krel-trust@k8s-releng-prod.iam.gserviceaccount.com';

export const PAYLOAD_TYPE = 'application/vnd.dev.cosign.simplesigning.v1+json';

export interface PayloadOptions {
  /** `registry.k8s.io/kube-apiserver` */
  readonly reference: string;
  /** `sha256:<hex>` */
  readonly digest: string;
  readonly type?: string;
  readonly optional?: Readonly<Record<string, string>> | null;
}

const PROMOTED = { 'org.kubernetes.kpromo.version': 'kpromo-v4.0.3-5-ge99897c' };

/** The bytes that cosign signs: fields in the order of Go's structs (sigstore/sigstore, pkg/signature/payload). */
export function imagePayload(options: PayloadOptions): Buffer {
  const { reference, digest, type, optional = PROMOTED } = options;
  const critical = {
    identity: { 'docker-reference': reference },
    image: { 'docker-manifest-digest': digest },
    type: type ?? 'cosign container image signature',
  };
  return Buffer.from(JSON.stringify({ critical, optional }));
}

/** As the promoter signs: certificate of {@link IMAGE_IDENTITY}, logged. */
export function signAsPromoter(
  release: KubernetesRelease,
  payload: Buffer,
  options: SignOptions = {},
): Signed {
  return release.signAndLog(payload, {
    ...options,
    certificate: { subjectAlternativeName: { email: IMAGE_IDENTITY }, ...options.certificate },
  });
}

/** The annotations that cosign gives a signature (sigstore/cosign, pkg/oci/static/signature.go). */
export function signatureAnnotations({ signature, certificate }: Signed): Record<string, string> {
  return {
    'dev.cosignproject.cosign/signature': signature.toString('base64'),
    'dev.sigstore.cosign/certificate': certificate.pem,
  };
}

/**
 * The annotation that cosign keeps beside a signature: the log's timestamp, without a proof (sigstore/cosign,
 * pkg/cosign/bundle/rekor.go).
 */
export function timestampAnnotation(log: TransparencyLog, uuid: string): Record<string, string> {
  const answer = Object.values(log.answer(uuid) ?? {})[0];
  const Payload = {
    body: answer?.body,
    integratedTime: answer?.integratedTime,
    logIndex: answer?.logIndex,
    logID: answer?.logID,
  };
  const SignedEntryTimestamp = answer?.verification?.signedEntryTimestamp;
  const value = JSON.stringify({ SignedEntryTimestamp, Payload });
  return { 'dev.sigstore.cosign/bundle': value };
}

/** Puts a payload there; returns its layer. */
export function putSignature(
  registry: Registry,
  payload: Buffer,
  annotations: Record<string, string>,
): DescriptorJson {
  return { ...registry.putBlob(payload, PAYLOAD_TYPE), annotations };
}

/** cosign's tag for the signatures of a manifest. */
export const signatureTag = (digest: string): string => `${digest.replace(':', '-')}.sig`;

/** Puts signatures at the tag of a manifest, in place of those that were there. */
export function putSignatures(
  registry: Registry,
  repository: string,
  digest: string,
  layers: readonly DescriptorJson[],
): void {
  const config = {
    architecture: '',
    created: '0001-01-01T00:00:00Z',
    history: layers.map(() => ({ created: '0001-01-01T00:00:00Z' })),
    os: '',
    rootfs: { type: 'layers', diff_ids: layers.map((layer) => layer.digest) },
    config: {},
  };
  const manifest = {
    schemaVersion: 2,
    mediaType: MEDIA_TYPES.oci.manifest,
    config: registry.putBlob(Buffer.from(JSON.stringify(config)), MEDIA_TYPES.oci.config),
    layers,
  };
  registry.putManifest(repository, manifest, signatureTag(digest));
}

/** An image's repository as its payload names it. */
export const referenceOf = (repository: string): string => `registry.k8s.io/${repository}`;
