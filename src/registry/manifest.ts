import { createHash } from 'node:crypto';
import { explain } from '../errors.js';
import { parseStrictJson } from '../strict-json.js';
import { imageMismatch } from './errors.js';

/** `sha256:` and 64 hex digits. Kubernetes' images use no other algorithm. */
export type Digest = `sha256:${string}`;

const DIGEST = /^sha256:[0-9a-f]{64}$/;

/** An index lists about five manifests, and an image has at most about forty layers. */
const MAX_MANIFESTS = 100;
const MAX_LAYERS = 1000;
/** Of one blob, in bytes: 1 TiB. */
const MAX_SIZE = 2 ** 40;

const INDEX_TYPES = [
  'application/vnd.oci.image.index.v1+json',
  'application/vnd.docker.distribution.manifest.list.v2+json',
];
const IMAGE_TYPES = [
  'application/vnd.oci.image.manifest.v1+json',
  'application/vnd.docker.distribution.manifest.v2+json',
];

/** For the header `Accept`. */
export const MANIFEST_TYPES = [...INDEX_TYPES, ...IMAGE_TYPES];

/** OCI image-spec, descriptor.md. */
export interface Descriptor {
  readonly mediaType: string;
  readonly digest: Digest;
  /** In bytes. */
  readonly size: number;
}

/** A layer. Signatures are in the annotations of layers. */
export interface Layer extends Descriptor {
  readonly annotations: ReadonlyMap<string, string>;
}

/** A manifest of an index, and the platform that it is for. */
export interface PlatformDescriptor extends Descriptor {
  /** `linux/amd64`, `linux/arm/v7`; undefined if it is not an image, for example a build attestation. */
  readonly platform: string | undefined;
}

/** One image for one platform. */
export interface ImageManifest {
  readonly kind: 'image';
  /** As they were served. */
  readonly bytes: Buffer;
  readonly digest: Digest;
  readonly config: Descriptor;
  readonly layers: readonly Layer[];
}

/** One image for several platforms: an OCI index, or a Docker manifest list. */
export interface ImageIndex {
  readonly kind: 'index';
  /** As they were served. */
  readonly bytes: Buffer;
  readonly digest: Digest;
  readonly manifests: readonly PlatformDescriptor[];
}

export type Manifest = ImageManifest | ImageIndex;

/** @returns undefined unless the text is `sha256:` and 64 lower-case hex digits */
export function parseDigest(text: string): Digest | undefined {
  return DIGEST.test(text) ? (text as Digest) : undefined;
}

export function digestOf(bytes: Buffer): Digest {
  return `sha256:${createHash('sha256').update(bytes).digest('hex')}`;
}

/**
 * Parses a manifest. Its members decide whether it is an index or an image, and a media type must
 * agree: otherwise two readers could read the same bytes, with the same digest, as different things
 * (CVE-2021-41190).
 *
 * @param name of the image, for messages
 * @throws {SetupError} IMAGE_MISMATCH
 */
export function parseManifest(bytes: Buffer, name: string): Manifest {
  try {
    const manifest = record(parseStrictJson(bytes));
    const identified = { bytes, digest: digestOf(bytes) };
    if ('manifests' in manifest) {
      return { ...parseIndex(manifest), ...identified };
    }
    if ('layers' in manifest) {
      return { ...parseImage(manifest), ...identified };
    }
    throw new TypeError('it is neither an image nor an index');
  } catch (error) {
    throw imageMismatch(`cannot parse the manifest of ${name}: ${explain(error)}`, error);
  }
}

type Content<M extends Manifest> = Omit<M, 'bytes' | 'digest'>;

function parseIndex(index: Record<string, unknown>): Content<ImageIndex> {
  assertMediaType(index, INDEX_TYPES, ['config', 'layers', 'fsLayers']);
  const manifests = list(index['manifests'], MAX_MANIFESTS).map(parsePlatformDescriptor);
  const platforms = manifests.flatMap(({ platform }) => platform ?? []);
  const twice = platforms.find((platform, i) => platforms.indexOf(platform) !== i);
  if (twice !== undefined) {
    throw new TypeError(`it lists two images for ${twice}`);
  }
  return { kind: 'index', manifests };
}

function parseImage(image: Record<string, unknown>): Content<ImageManifest> {
  assertMediaType(image, IMAGE_TYPES, ['manifests', 'fsLayers']);
  return {
    kind: 'image',
    config: parseDescriptor(image['config']),
    layers: list(image['layers'], MAX_LAYERS).map(parseLayer),
  };
}

/** `mediaType` is optional in OCI's manifests (image-spec, manifest.md), and always in Docker's. */
function assertMediaType(
  manifest: Record<string, unknown>,
  accepted: readonly string[],
  absent: readonly string[],
): void {
  const { schemaVersion, mediaType } = manifest;
  if (schemaVersion !== 2) {
    throw new TypeError('its schema version is not 2');
  }
  if (mediaType !== undefined && !accepted.includes(string(mediaType))) {
    throw new TypeError('its media type does not fit its members');
  }
  if (absent.some((name) => name in manifest)) {
    throw new TypeError('it has members of an image and of an index, or of an old format');
  }
}

function parsePlatformDescriptor(value: unknown): PlatformDescriptor {
  const { platform } = record(value);
  return {
    ...parseDescriptor(value),
    platform: platform === undefined ? undefined : platformName(record(platform)),
  };
}

/** BuildKit's attestations are manifests for `unknown/unknown`. An index can have several of them. */
function platformName(platform: Record<string, unknown>): string | undefined {
  const parts = ['os', 'architecture', 'variant', 'os.version'].flatMap((key) =>
    platform[key] === undefined ? [] : string(platform[key]),
  );
  return parts.every((part) => part === 'unknown') ? undefined : parts.join('/');
}

function parseDescriptor(value: unknown): Descriptor {
  const { mediaType, digest, size, annotations = {} } = record(value);
  const parsed = parseDigest(string(digest));
  if (parsed === undefined) {
    throw new TypeError('a digest is not a SHA-256');
  }
  if (typeof size !== 'number' || !Number.isSafeInteger(size) || size < 0 || size > MAX_SIZE) {
    throw new TypeError('a size is not a number of bytes');
  }
  Object.values(record(annotations)).forEach(string);
  return { mediaType: string(mediaType), digest: parsed, size };
}

function parseLayer(value: unknown): Layer {
  const { annotations = {} } = record(value);
  const texts = Object.entries(record(annotations)).map(
    ([key, text]) => [key, string(text)] as const,
  );
  return { ...parseDescriptor(value), annotations: new Map(texts) };
}

/** The parts of an image's configuration that are used here. */
export interface ImageConfig {
  /** `linux/amd64` */
  readonly platform: string;
  /** The digest of each uncompressed layer, base first. */
  readonly diffIds: readonly Digest[];
}

/**
 * Parses the configuration of an image (OCI image-spec, config.md).
 *
 * @param name of the image, for messages
 * @throws {SetupError} IMAGE_MISMATCH
 */
export function parseConfig(bytes: Buffer, name: string): ImageConfig {
  try {
    const config = record(parseStrictJson(bytes));
    const { diff_ids: diffIds } = record(config['rootfs']);
    return {
      platform: `${string(config['os'])}/${string(config['architecture'])}`,
      diffIds: list(diffIds, MAX_LAYERS).map((id) => {
        const digest = parseDigest(string(id));
        if (digest === undefined) {
          throw new TypeError('the digest of a layer is not a SHA-256');
        }
        return digest;
      }),
    };
  } catch (error) {
    throw imageMismatch(`cannot parse the configuration of ${name}: ${explain(error)}`, error);
  }
}

function record(value: unknown): Record<string, unknown> {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw new TypeError('a value is not an object');
  }
  return value as Record<string, unknown>;
}

function list(value: unknown, longest: number): unknown[] {
  if (!Array.isArray(value) || value.length > longest) {
    throw new TypeError(`a value is not a list of at most ${String(longest)} items`);
  }
  return value;
}

function string(value: unknown): string {
  if (typeof value !== 'string') {
    throw new TypeError('a value is not a string');
  }
  return value;
}
