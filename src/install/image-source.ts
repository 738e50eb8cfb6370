import { SetupError, explain } from '../errors.js';
import { IMAGE_DOMAIN, type Image } from '../kubernetes/image.js';
import { lockMismatch, type Lock } from '../lock/lock.js';
import type { RegistryClient } from '../registry/client.js';
import { fetchContents, type ImageContents } from '../registry/contents.js';
import type { Digest, Manifest } from '../registry/manifest.js';
import {
  notSigned,
  verifyImageSignature,
  verifyStoredSignature,
  type SignatureLayer,
} from '../sigstore/evidence/image-signatures.js';
import type { TransparencyLog } from '../sigstore/evidence/rekor.js';
import type { Policy } from '../sigstore/evidence/source.js';
import {
  ImagePayload,
  MAX_PAYLOAD_BYTES,
  checkImagePayload,
  type ExpectedImage,
} from '../sigstore/image-payload.js';
import type { Verified } from '../sigstore/verify/verify.js';

/** An image whose signature was verified. */
export interface SignedImage {
  readonly manifest: Manifest;
  readonly verified: Verified<ImagePayload>;
  /**
   * What an image of the release consists of.
   *
   * @throws {SetupError} REGISTRY_UNAVAILABLE, IMAGE_MISMATCH
   */
  contents(): Promise<ImageContents>;
}

/** Where images and the evidence for them come from. */
export interface ImageSource {
  /**
   * Finds the manifest of an image, and verifies its signature.
   *
   * @throws {SetupError} every code of the verification
   */
  find(image: Image): Promise<SignedImage>;
}

/** Images and signatures from a registry, log entries from the log. */
export class RegistryImages implements ImageSource {
  readonly #registry: RegistryClient;
  readonly #log: TransparencyLog;
  readonly #policy: Policy;

  /** @param policy with the identity that signs images */
  constructor(registry: RegistryClient, log: TransparencyLog, policy: Policy) {
    this.#registry = registry;
    this.#log = log;
    this.#policy = policy;
  }

  /** The tag is resolved once. From then on, everything is requested by digest. */
  async find(image: Image): Promise<SignedImage> {
    const { repository, reference, name } = image;
    const manifest = await this.#registry.manifest(repository, reference);
    if (manifest === undefined) {
      throw new SetupError('IMAGE_NOT_FOUND', `${name} does not exist at ${this.#registry.host}`);
    }
    const { digest } = manifest;
    const layers = await this.#signatureLayers(image, digest);
    const expected = expectedImage(image, digest);
    const verified = await verifyImageSignature(this.#policy, this.#log, name, expected, layers);
    const contents = (): Promise<ImageContents> =>
      fetchContents(this.#registry, repository, manifest, name);
    return { manifest, verified, contents };
  }

  /** What is at cosign's tag for the signatures of a manifest (sigstore/cosign, specs/SIGNATURE_SPEC.md). */
  async #signatureLayers({ repository, name }: Image, digest: Digest): Promise<SignatureLayer[]> {
    const registry = this.#registry;
    const tag = `${digest.replace(':', '-')}.sig`;
    const signatures = await registry.manifest(repository, tag);
    if (signatures === undefined) {
      throw notSigned(`${name} has no signature at ${registry.host} (tag ${tag})`);
    }
    if (signatures.kind !== 'image') {
      throw notSigned(`the tag ${tag} of ${name} is not a signature`);
    }
    return signatures.layers.map((layer) => ({
      mediaType: layer.mediaType,
      annotations: layer.annotations,
      payload: () => registry.blob(repository, layer, MAX_PAYLOAD_BYTES),
    }));
  }
}

/** Images, signatures and log entries from a lock file. No registry is asked. */
export class LockedImages implements ImageSource {
  readonly #lock: Lock;
  readonly #policy: Policy;

  /** @param policy with the identity that signs images */
  constructor(lock: Lock, policy: Policy) {
    this.#lock = lock;
    this.#policy = policy;
  }

  /**
   * @throws {SetupError} LOCK_MISMATCH if the lock does not have the image, or has evidence for
   *   something else
   */
  async find(image: Image): Promise<SignedImage> {
    const { digest, payload, bundle, contents } = this.#lock.image(image);
    const subject = new ImagePayload(payload);
    const verified = await verifyStoredSignature(this.#policy, image.name, subject, bundle);
    try {
      checkImagePayload(verified, expectedImage(image, digest));
    } catch (error) {
      throw lockMismatch(
        `${this.#lock.name} has ${image.name} with the digest ${digest}, but ${explain(error)}`,
        error,
      );
    }
    return {
      manifest: contents.manifest,
      verified,
      contents: () => Promise.resolve(contents),
    };
  }
}

function expectedImage({ repository }: Image, digest: Digest): ExpectedImage {
  return { repository: `${IMAGE_DOMAIN}/${repository}`, digest };
}
