import {
  ACCEPTED_IMAGES,
  isRepositoryPath,
  parseImageRequest,
  type ImageRequest,
} from '../kubernetes/image.js';
import { invalidInput, type RawInputs } from './raw-inputs.js';
import { readUrl } from './urls.js';

const DEFAULT_REGISTRY = 'https://registry.k8s.io';
/** kubeadm lists seven. */
const MAX_IMAGES = 100;

/** `images`, without duplicates. */
export function readImages(inputs: RawInputs): ImageRequest[] {
  const images = new Map<string, ImageRequest>();
  for (const word of inputs.words('images')) {
    const requests = parseImageRequest(word);
    if (requests === undefined) {
      throw invalidInput('images', word, ACCEPTED_IMAGES);
    }
    for (const request of requests) {
      images.set(request.requested, request);
    }
  }
  if (images.size > MAX_IMAGES) {
    throw invalidInput('images', `${String(images.size)} images`, `at most ${String(MAX_IMAGES)}`);
  }
  return [...images.values()];
}

/** `image-registry`. Its path ends in a slash, and goes in front of every repository. */
export function readImageRegistry(inputs: RawInputs): URL {
  const url = readUrl(inputs, 'image-registry', DEFAULT_REGISTRY);
  const path = url.pathname.slice(1, -1);
  if (path !== '' && !isRepositoryPath(path)) {
    throw invalidInput(
      'image-registry',
      url.href,
      'the URL of a registry, whose path (if any) consists of lower-case names',
    );
  }
  return url;
}
