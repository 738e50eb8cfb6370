import type { PublishedSbom } from '../../../src/install/binding.js';
import type { ImageSource } from '../../../src/install/image-source.js';
import { verifyImages, type VerifiedImage } from '../../../src/install/images.js';
import { imageOf, parseImageRequest } from '../../../src/kubernetes/image.js';
import { Release } from '../../../src/kubernetes/release.js';
import { BackgroundTasks } from '../../../src/transfer/background-tasks.js';

/**
 * What a run does with images, by an SBOM that is here already.
 *
 * @param names full references
 */
export function proveImages(
  images: ImageSource,
  names: readonly string[],
  version: string,
  sbom: PublishedSbom,
): Promise<VerifiedImage[]> {
  return verifyImages(
    {
      background: new BackgroundTasks(),
      binder: {
        fetchSbomFor: unexpected,
        bind: unexpected,
        bindCached: unexpected,
        publishedSbom: () => Promise.resolve(sbom),
      },
      logger: { info: noLine, notice: noLine, debug: noLine, warning: noLine, progress: noLine },
      release: new Release(version, new URL('https://dl.k8s.io')),
      secondFactors: { checksums: {}, minimumAge: undefined, maximumAge: undefined },
      images,
    },
    names.map((name) => imageOf(parseImageRequest(name)?.[0] ?? unexpected(), version)),
  );
}

const unexpected = (): never => {
  throw new Error('images are not bound like files');
};

const noLine = (): void => undefined;
