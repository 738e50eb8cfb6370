import { ARCHITECTURES } from './platform.js';
import { isExactVersion } from './version.js';

/** Where Kubernetes publishes its images. Their signatures name it, too. */
export const IMAGE_DOMAIN = 'registry.k8s.io';

/** `control-plane`: every release has these. */
const CONTROL_PLANE = [
  'kube-apiserver',
  'kube-controller-manager',
  'kube-scheduler',
  'kube-proxy',
] as const;

/** Every image of a release. */
const RELEASE_IMAGES = [...CONTROL_PLANE, 'kubectl', 'conformance'] as const;

/** For messages. */
export const ACCEPTED_IMAGES = `${RELEASE_IMAGES.join(', ')}; control-plane for the first four; or a full reference with a tag or a digest, such as ${IMAGE_DOMAIN}/etcd:3.5.15-0`;

/** The grammar of github.com/distribution/reference, reference.go. */
const COMPONENT = '[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*';
const REPOSITORY = `${COMPONENT}(?:/${COMPONENT})*`;
const TAG = '[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}';
const REFERENCE = new RegExp(
  `^${IMAGE_DOMAIN.replaceAll('.', '\\.')}/(${REPOSITORY})(?::(${TAG}))?(?:@(sha256:[0-9a-f]{64}))?$`,
);
const REPOSITORY_PATH = new RegExp(`^${REPOSITORY}$`);
/** Of domain and repository together. */
const MAX_NAME_LENGTH = 255;

/** An image as a user asked for it. */
export interface ImageRequest {
  /** `kube-apiserver`, `registry.k8s.io/etcd:3.5.15-0` */
  readonly requested: string;
  /** `kube-apiserver`, `cluster-api/cluster-api-controller` */
  readonly repository: string;
  /** Undefined for an image of the release, and for a reference with only a digest. */
  readonly tag: string | undefined;
  /** `sha256:` and 64 hex digits. If there is a tag too, the digest decides. */
  readonly digest: string | undefined;
}

/** An image to verify. */
export interface Image extends ImageRequest {
  /** What is requested from the registry: the digest, or else the tag. */
  readonly reference: string;
  /** `registry.k8s.io/kube-apiserver:v1.31.9` */
  readonly name: string;
  /**
   * The name of an image of the release, if the reference claims to be one. Undefined for other
   * images, other versions, and references with only a digest.
   */
  readonly releaseImage: string | undefined;
  /**
   * The Kubernetes release that the tag names, if it is another one: `v1.31.8` of
   * `registry.k8s.io/kube-apiserver:v1.31.8`.
   */
  readonly otherRelease: string | undefined;
}

/**
 * Parses one word of the input `images`.
 *
 * @returns the images that it means; undefined unless it is one of {@link ACCEPTED_IMAGES}
 */
export function parseImageRequest(word: string): ImageRequest[] | undefined {
  if (word === 'control-plane') {
    return CONTROL_PLANE.map(ofChosenVersion);
  }
  if (isReleaseImage(word)) {
    return [ofChosenVersion(word)];
  }
  const [, repository, tag, digest] = REFERENCE.exec(word) ?? [];
  const isComplete = tag !== undefined || digest !== undefined;
  if (
    repository === undefined ||
    !isComplete ||
    `${IMAGE_DOMAIN}/${repository}`.length > MAX_NAME_LENGTH
  ) {
    return undefined;
  }
  return [{ requested: word, repository, tag, digest }];
}

/** Whether a path can go in front of repositories. */
export function isRepositoryPath(path: string): boolean {
  return REPOSITORY_PATH.test(path);
}

function ofChosenVersion(name: string): ImageRequest {
  return { requested: name, repository: name, tag: undefined, digest: undefined };
}

/** `kube-apiserver`, or `kube-apiserver-arm64`: each architecture also has its own repository. */
function isReleaseImage(name: string): boolean {
  return RELEASE_IMAGES.some(
    (image) => name === image || ARCHITECTURES.some((arch) => name === `${image}-${arch}`),
  );
}

function isVersionTag(tag: string | undefined): boolean {
  return tag?.startsWith('v') === true && isExactVersion(tag.slice(1));
}

/** @param version of the release, with `v` */
export function imageOf(request: ImageRequest, version: string): Image {
  const { repository, digest } = request;
  const tag = request.tag ?? (digest === undefined ? version : undefined);
  const tagged = tag === undefined ? '' : `:${tag}`;
  const digested = digest === undefined ? '' : `@${digest}`;
  return {
    ...request,
    reference: digest ?? tag ?? version,
    name: `${IMAGE_DOMAIN}/${repository}${tagged}${digested}`,
    releaseImage: tag === version && isReleaseImage(repository) ? repository : undefined,
    otherRelease:
      tag !== version && isVersionTag(tag) && isReleaseImage(repository) ? tag : undefined,
  };
}
