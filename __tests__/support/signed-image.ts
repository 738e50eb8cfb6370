import {
  imagePayload,
  putSignature,
  putSignatures,
  referenceOf,
  signAsPromoter,
  signatureAnnotations,
} from './image-signature.js';
import type { World } from './world.js';

/** What the layers of an image hold, base first. */
export const imageLayers = (repository: string, tag: string, arch: string): Buffer[] => [
  Buffer.from(`base for ${arch}`),
  Buffer.from(`${repository} ${tag} for ${arch}`),
];

/**
 * Puts an image there, signed by the promoter, and returns its digest.
 *
 * @param architectures for an index of images for Linux; none for one image without an index
 */
export function putSignedImage(
  { registry, release }: World,
  repository: string,
  tag: string,
  architectures: readonly string[] = [],
): string {
  const images = architectures.map((architecture) => {
    const layers = imageLayers(repository, tag, architecture);
    const platform = `linux/${architecture}`;
    const digest = registry.putImage(repository, undefined, { layers, platform });
    return { digest, platform: { os: 'linux', architecture } };
  });
  const digest =
    images.length === 0
      ? registry.putImage(repository, tag)
      : registry.putIndex(repository, tag, images);
  const payload = imagePayload({ reference: referenceOf(repository), digest });
  const annotations = signatureAnnotations(signAsPromoter(release, payload));
  putSignatures(registry, repository, digest, [putSignature(registry, payload, annotations)]);
  return digest;
}
