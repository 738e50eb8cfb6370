import pLimit from 'p-limit';
import { IMAGE_DOMAIN, type Image } from '../kubernetes/image.js';
import type { Release } from '../kubernetes/release.js';
import { checkReleaseImage, type ImageLayer, type ReleaseSbom } from '../kubernetes/sbom.js';
import type { ImageContents, PlatformImage } from '../registry/contents.js';
import { imageMismatch } from '../registry/errors.js';
import { parseConfig } from '../registry/manifest.js';
import type { PublishedSbom } from './binding.js';
import type { InstallContext } from './context.js';
import type { ImageSource, SignedImage } from './image-source.js';
import type { Logger } from './logger.js';
import { checkAge, type SecondFactors } from './second-factors.js';

/** This many images at once. The client opens few connections per host anyway. */
const CONCURRENT_IMAGES = 4;

/** What verifying images needs. */
export interface ImageContext extends Pick<
  InstallContext,
  'background' | 'binder' | 'logger' | 'release' | 'secondFactors'
> {
  readonly images: ImageSource;
}

/** For which platforms of an image the release's SBOM proves the version. */
export interface VersionProof {
  readonly proven: readonly string[];
  readonly unproven: readonly string[];
  /** Why the others, or all of them, are not proven. */
  readonly reason: string | undefined;
  /**
   * Whether a proof was expected: for an image of the release, unless `bind-release` is `false`; and
   * for a tag that names another release.
   */
  readonly isExpected: boolean;
  /** When the log saw the SBOM signed; undefined if it proves nothing here. */
  readonly sbomSignedAt: Date | undefined;
}

/** An image that passed every check. Nothing of it was pulled. */
export interface VerifiedImage {
  readonly image: Image;
  /** What was read of it: at least its manifest. */
  readonly contents: ImageContents;
  /** `registry.k8s.io/kube-apiserver@sha256:…` */
  readonly pinned: string;
  readonly verified: SignedImage['verified'];
  readonly version: VersionProof;
  /** How long it took, in milliseconds. */
  readonly duration: number;
}

/** Whether the image was requested as one of the release. */
export function isOfRelease({ image }: VerifiedImage): boolean {
  return image.releaseImage !== undefined;
}

/**
 * Verifies every image.
 *
 * @throws {SetupError} for the first one that fails
 */
export async function verifyImages(
  context: ImageContext,
  images: readonly Image[],
): Promise<VerifiedImage[]> {
  if (images.some(({ releaseImage }) => releaseImage !== undefined)) {
    void context.binder.publishedSbom();
  }
  const limit = pLimit(CONCURRENT_IMAGES);
  const verified = await Promise.all(
    images.map((image) => context.background.start(limit(() => verifyImage(context, image)))),
  );
  warnOfUnproven(verified, context.logger);
  return verified;
}

/** One warning for all images: a missing SBOM concerns every one of them. */
function warnOfUnproven(images: readonly VerifiedImage[], logger: Logger): void {
  const unproven = images.filter(
    ({ version }) => version.isExpected && version.reason !== undefined,
  );
  const byProof = Map.groupBy(unproven, ({ version }) => describeVersionProof(version));
  if (byProof.size > 0) {
    const reasons = [...byProof].map(
      ([proof, group]) => `${group.map(({ image }) => image.name).join(', ')}: ${proof}.`,
    );
    logger.warning(
      'Image version not proven',
      `Signatures do not cover tags, so the registry could have served another signed version under the same tag. ${reasons.join(' ')}`,
    );
  }
}

async function verifyImage(context: ImageContext, image: Image): Promise<VerifiedImage> {
  const started = performance.now();
  const signed = await context.images.find(image);
  const { manifest, verified } = signed;
  const sbom = image.releaseImage === undefined ? undefined : await context.binder.publishedSbom();
  const contents = sbom?.kind === 'signed' ? await signed.contents() : { manifest, images: [] };
  const version = proveVersion(context.release, image, contents, sbom);
  const signedAt = { file: verified.signedAt, sbom: version.sbomSignedAt };
  checkAge(image.name, signedAt, agesFor(image, context.secondFactors), Date.now());
  const pinned = `${IMAGE_DOMAIN}/${image.repository}@${manifest.digest}`;
  const duration = performance.now() - started;
  return { image, contents, pinned, verified, version, duration };
}

/**
 * The maximum age is for releases, whose pointers can be held back. Other images, such as pause and
 * etcd, are named by tag or digest, and stay the same for years.
 */
function agesFor(
  { releaseImage }: Image,
  { minimumAge, maximumAge }: SecondFactors,
): Pick<SecondFactors, 'minimumAge' | 'maximumAge'> {
  return { minimumAge, maximumAge: releaseImage === undefined ? undefined : maximumAge };
}

/**
 * A signature does not cover tags. Which version an image is, is proven by the release's signed
 * SBOM, if it lists the layers.
 *
 * @throws {SetupError} IMAGE_MISMATCH for an image with other layers
 */
function proveVersion(
  { version }: Release,
  image: Image,
  contents: ImageContents,
  published: PublishedSbom | undefined,
): VersionProof {
  const name = image.releaseImage;
  if (name === undefined || published === undefined) {
    // A tag of another release claims a version that this release's SBOM cannot prove.
    const isExpected = image.otherRelease !== undefined;
    return unproven(`not requested as an image of Kubernetes ${version}`, isExpected);
  }
  if (published.kind !== 'signed') {
    return unproven(published.reason, published.kind === 'missing');
  }
  const { sbom } = published;
  const checked = contents.images.map((one) => {
    const { platform, layers } = layersOf(image, one);
    return { platform, isProven: isListed(sbom, version, name, platform, layers) };
  });
  const platforms = (isProven: boolean): string[] =>
    checked.filter((one) => one.isProven === isProven).map(({ platform }) => platform);
  const [proven, others] = [platforms(true), platforms(false)];
  return {
    proven,
    unproven: others,
    reason: whyUnproven(proven, others),
    isExpected: true,
    sbomSignedAt: proven.length === 0 ? undefined : published.verified.signedAt,
  };
}

function whyUnproven(proven: readonly string[], others: readonly string[]): string | undefined {
  if (others.length > 0) {
    return 'the SBOM of the release does not list it';
  }
  return proven.length > 0 ? undefined : 'it has no image for any platform';
}

function unproven(reason: string, isExpected: boolean): VersionProof {
  return { proven: [], unproven: [], reason, isExpected, sbomSignedAt: undefined };
}

function isListed(
  sbom: ReleaseSbom,
  version: string,
  name: string,
  platform: string,
  layers: readonly ImageLayer[],
): boolean {
  const [os, arch = ''] = platform.split('/');
  return os === 'linux' && checkReleaseImage(sbom, version, name, arch, layers);
}

function layersOf(
  { name }: Image,
  { manifest, platform, config: bytes }: PlatformImage,
): { readonly platform: string; readonly layers: readonly ImageLayer[] } {
  const config = parseConfig(bytes, name);
  // The index may add a variant: linux/arm64/v8.
  if (platform !== undefined && !`${platform}/`.startsWith(`${config.platform}/`)) {
    throw imageMismatch(
      `${name} lists an image for ${platform}, but that image is for ${config.platform}`,
    );
  }
  if (config.diffIds.length !== manifest.layers.length) {
    throw imageMismatch(
      `${name} for ${config.platform}: its manifest has ${String(manifest.layers.length)} layers, its configuration ${String(config.diffIds.length)}`,
    );
  }
  const layers = manifest.layers.map(({ digest }, i) => ({
    compressed: hexOf(digest),
    uncompressed: hexOf(config.diffIds[i] ?? ''),
  }));
  return { platform: config.platform, layers };
}

function hexOf(digest: string): string {
  return digest.slice('sha256:'.length);
}

/** For the report. */
export function describeVersionProof({ proven, unproven: others, reason }: VersionProof): string {
  if (proven.length === 0) {
    return `version not proven (${reason ?? ''})`;
  }
  const rest = others.length === 0 ? '' : `; not for ${others.join(', ')} (${reason ?? ''})`;
  return `proven by its signed SBOM, by the layers for ${proven.join(', ')}${rest}`;
}
