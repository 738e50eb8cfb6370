import type { RegistryClient } from './client.js';
import { imageMismatch } from './errors.js';
import {
  parseManifest,
  type Digest,
  type ImageManifest,
  type Manifest,
  type PlatformDescriptor,
} from './manifest.js';

/** The configuration of an image is a few KiB. */
const MAX_CONFIG_BYTES = 1 << 20;

/** The image for one platform. */
export interface PlatformImage {
  /** As the index says; undefined for an image that is not in an index. */
  readonly platform: string | undefined;
  readonly manifest: ImageManifest;
  /** The bytes of its configuration: see `parseConfig`. */
  readonly config: Buffer;
}

/** An image for one platform or for several, without the layers. */
export interface ImageContents {
  readonly manifest: Manifest;
  readonly images: readonly PlatformImage[];
}

/**
 * Reads what a manifest refers to, by digest.
 *
 * @param name of the image, for messages
 * @throws {SetupError} REGISTRY_UNAVAILABLE, IMAGE_MISMATCH
 */
export async function fetchContents(
  registry: RegistryClient,
  repository: string,
  manifest: Manifest,
  name: string,
): Promise<ImageContents> {
  const withConfig = async (
    image: ImageManifest,
    platform: string | undefined,
  ): Promise<PlatformImage> => {
    const config = await registry.blob(repository, image.config, MAX_CONFIG_BYTES);
    return { platform, manifest: image, config };
  };
  if (manifest.kind === 'image') {
    return { manifest, images: [await withConfig(manifest, undefined)] };
  }
  const images = await Promise.all(
    forPlatforms(manifest.manifests).map(async ({ digest, platform }) => {
      const image = await registry.manifest(repository, digest);
      return withConfig(
        assertImage(image, `${name} for ${platform} at ${registry.host}`),
        platform,
      );
    }),
  );
  return { manifest, images };
}

/**
 * The same from bytes that were stored.
 *
 * @param digest of the manifest
 * @param find the bytes with a digest
 * @throws {SetupError} IMAGE_MISMATCH; what `find` throws
 */
export function parseContents(
  digest: Digest,
  find: (digest: Digest) => Buffer,
  name: string,
): ImageContents {
  const manifest = parseManifest(find(digest), name);
  const withConfig = memoized((image: ImageManifest): Omit<PlatformImage, 'platform'> => {
    const { digest: configDigest, size } = image.config;
    const config = find(configDigest);
    if (config.length !== size || size > MAX_CONFIG_BYTES) {
      throw imageMismatch(`${name} has a configuration of another size than its manifest says`);
    }
    return { manifest: image, config };
  });
  if (manifest.kind === 'image') {
    return { manifest, images: [{ platform: undefined, ...withConfig(manifest) }] };
  }
  // An index can list the same manifest for each platform.
  const parse = memoized((listed: Digest) => parseManifest(find(listed), name));
  const images = forPlatforms(manifest.manifests).map((listed) => {
    const image = assertImage(parse(listed.digest), `${name} for ${listed.platform}`);
    return { platform: listed.platform, ...withConfig(image) };
  });
  return { manifest, images };
}

/** A function that computes each result once. */
function memoized<K, V>(compute: (key: K) => V): (key: K) => V {
  const results = new Map<K, V>();
  return (key) => {
    const known = results.get(key);
    if (known !== undefined) {
      return known;
    }
    const result = compute(key);
    results.set(key, result);
    return result;
  };
}

/**
 * The bytes for {@link parseContents}, each once: the manifest, and for each platform manifest and
 * configuration.
 */
export function blobsOf({ manifest, images }: ImageContents): Buffer[] {
  const blobs = new Map<Digest, Buffer>([[manifest.digest, manifest.bytes]]);
  for (const image of images) {
    blobs.set(image.manifest.digest, image.manifest.bytes);
    blobs.set(image.manifest.config.digest, image.config);
  }
  return [...blobs.values()];
}

/** Without attestations. */
function forPlatforms(
  manifests: readonly PlatformDescriptor[],
): { readonly digest: Digest; readonly platform: string }[] {
  return manifests.flatMap(({ digest, platform }) =>
    platform === undefined ? [] : [{ digest, platform }],
  );
}

function assertImage(manifest: Manifest | undefined, name: string): ImageManifest {
  if (manifest?.kind !== 'image') {
    throw imageMismatch(`there is no image ${name}`);
  }
  return manifest;
}
