import { createHash } from 'node:crypto';
import { imageOf, parseImageRequest, type Image } from '../kubernetes/image.js';
import { parseContents, type ImageContents } from '../registry/contents.js';
import { digestOf, parseDigest, parseManifest, type Digest } from '../registry/manifest.js';
import { MAX_PAYLOAD_BYTES } from '../sigstore/image-payload.js';
import { object } from '../sigstore/json.js';
import { lockMismatch, type LockedImage } from './lock.js';
import { readBundle, readEntry } from './read-entry.js';

/** The input `images` takes as many. */
const MAX_IMAGES = 100;

/** In bytes. Manifests of Kubernetes' images have a few KiB, configurations less than 64 KiB. */
export const MAX_BLOB_BYTES = 256 << 10;

/**
 * Reads the member `images` of a lock file.
 *
 * @param version of the lock
 * @param name of the lock, for messages
 * @throws {SetupError} LOCK_MISMATCH
 * @throws {Error}
 */
export function readImages(
  entries: Record<string, unknown>,
  version: string,
  name: string,
): Map<string, LockedImage> {
  const references = Object.keys(entries);
  if (references.length > MAX_IMAGES) {
    throw new Error(`it has more than ${String(MAX_IMAGES)} images`);
  }
  return new Map(
    references.map((reference) => [
      reference,
      readEntry(reference, () =>
        readImage(parseName(reference, version), entries[reference], name),
      ),
    ]),
  );
}

/** The image that a full reference names. */
function parseName(reference: string, version: string): Image {
  const [request] = parseImageRequest(reference) ?? [];
  const image = request === undefined ? undefined : imageOf(request, version);
  if (image?.name !== reference) {
    throw new Error('the name of an image is not a full reference');
  }
  return image;
}

function readImage(image: Image, value: unknown, name: string): LockedImage {
  const entry = object(value);
  const digest = parseDigest(asText(entry['digest'], 'digest'));
  if (digest === undefined) {
    throw new Error('"digest" is not "sha256:" and 64 lowercase hex digits');
  }
  if (image.digest !== undefined && image.digest !== digest) {
    throw lockMismatch(`${name} has ${image.name} with another digest: ${digest}`);
  }
  const payload = Buffer.from(asText(entry['payload'], 'payload'), 'base64');
  if (payload.length > MAX_PAYLOAD_BYTES) {
    throw new Error(`"payload" is larger than ${String(MAX_PAYLOAD_BYTES)} bytes`);
  }
  const { bundle, signed } = readBundle(entry['bundle']);
  const sha256 = createHash('sha256').update(payload).digest('hex');
  if (signed !== sha256) {
    throw lockMismatch(
      `${name} has ${image.name} with a payload whose SHA-256 is ${sha256}, but its evidence is for one with SHA-256 ${signed}`,
    );
  }
  return { digest, payload, bundle, contents: readContents(image, digest, entry['blobs'], name) };
}

/** That there are no other blobs, and that they are in order, is checked with the whole text. */
function readContents(image: Image, digest: Digest, value: unknown, name: string): ImageContents {
  if (!Array.isArray(value)) {
    throw new Error('"blobs" is not a list');
  }
  const blobs = value.map((one: unknown) => Buffer.from(asText(one, 'blobs'), 'base64'));
  if (blobs.some(({ length }) => length > MAX_BLOB_BYTES)) {
    throw new Error(`a blob is larger than ${String(MAX_BLOB_BYTES)} bytes`);
  }
  const byDigest = new Map(blobs.map((bytes) => [digestOf(bytes), bytes]));
  const find = (wanted: Digest): Buffer => {
    const found = byDigest.get(wanted);
    if (found === undefined) {
      throw lockMismatch(
        `${name} has ${image.name} with the digest ${digest}, but without the manifest or configuration ${wanted}`,
      );
    }
    return found;
  };
  return image.releaseImage === undefined
    ? { manifest: parseManifest(find(digest), image.name), images: [] }
    : parseContents(digest, find, image.name);
}

function asText(value: unknown, member: string): string {
  if (typeof value !== 'string') {
    throw new Error(`"${member}" is not text`);
  }
  return value;
}
