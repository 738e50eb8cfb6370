import { createHash } from 'node:crypto';
import { SetupError, explain } from '../errors.js';
import { parseStrictJson } from '../strict-json.js';
import { nonEmptyString, object } from './json.js';
import type { Subject } from './verify/subject.js';
import type { Verified } from './verify/verify.js';

/** A payload has about 350 bytes; signers can add annotations. */
export const MAX_PAYLOAD_BYTES = 16 << 10;

/** The media type of a payload, as the layer of an image's signature. */
export const PAYLOAD_TYPE = 'application/vnd.dev.cosign.simplesigning.v1+json';

/** `critical.type` of cosign's payloads (sigstore/sigstore, pkg/signature/payload). */
const IMAGE_SIGNATURE = 'cosign container image signature';

/** What the signature of an image covers: a JSON document that names the image. */
export class ImagePayload implements Subject {
  readonly bytes: Buffer;
  readonly sha256: Buffer;

  constructor(bytes: Buffer) {
    this.bytes = bytes;
    this.sha256 = createHash('sha256').update(bytes).digest();
  }
}

/** The image that a payload must name. */
export interface ExpectedImage {
  /** `registry.k8s.io/kube-apiserver` */
  readonly repository: string;
  /** Of its manifest: `sha256:` and 64 hex digits. */
  readonly digest: string;
}

/**
 * Requires a verified payload to name this image: its digest, its repository, and cosign's type.
 *
 * @see https://github.com/containers/image/blob/main/docs/containers-signature.5.md
 * @throws {SetupError} IMAGE_MISMATCH
 */
export function checkImagePayload(
  { subject }: Verified<ImagePayload>,
  expected: ExpectedImage,
): void {
  const { digest, repository, type } = parsePayload(subject.bytes);
  if (type !== IMAGE_SIGNATURE) {
    throw mismatch(`its type is ${shown(type)}, not that of a container image signature`);
  }
  if (digest !== expected.digest) {
    throw mismatch(`it names the manifest ${shown(digest)}`);
  }
  if (repository !== expected.repository) {
    throw mismatch(`it names the repository ${shown(repository)}`);
  }
}

interface PayloadContent {
  readonly digest: string;
  readonly repository: string;
  readonly type: string;
}

function parsePayload(bytes: Buffer): PayloadContent {
  try {
    const critical = object(object(parseStrictJson(bytes))['critical']);
    return {
      digest: nonEmptyString(object(critical['image'])['docker-manifest-digest']),
      repository: nonEmptyString(object(critical['identity'])['docker-reference']),
      type: nonEmptyString(critical['type']),
    };
  } catch (error) {
    throw mismatch(`it cannot be parsed: ${explain(error)}`, error);
  }
}

function shown(text: string): string {
  return JSON.stringify(text.slice(0, 200));
}

function mismatch(reason: string, cause?: unknown): SetupError {
  return new SetupError('IMAGE_MISMATCH', `the signed payload is not for this image: ${reason}`, {
    situation: 'signature-of-another-image',
    cause,
  });
}
