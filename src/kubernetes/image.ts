import { ARCHITECTURES } from './platform.js';

/** Where Kubernetes publishes its images, and what their signatures say they are. */
export const IMAGE_DOMAIN = 'registry.k8s.io';

/** The images of the control plane, which every release has. */
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
  /** Undefined for the version that is chosen, and with a digest alone. */
  readonly tag: string | undefined;
  /** `sha256:` and 64 hex digits. It decides where a tag is given too. */
  readonly digest: string | undefined;
}

/** An image to verify. */
export interface Image extends ImageRequest {
  /** What the registry is asked for: the digest, else the tag. */
  readonly reference: string;
  /** `registry.k8s.io/kube-apiserver:v1.31.9` */
  readonly name: string;
  /**
   * Which image of the release it claims to be; undefined for one that is versioned otherwise, has
   * another version, or is given by its digest alone.
   */
  readonly releaseImage: string | undefined;
}

/**
 * Reads one word of the input `images`.
 *
 * @returns the images that it stands for; undefined for anything else than {@link ACCEPTED_IMAGES}
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

/** Whether a path in front of repositories is made of what repositories are made of. */
export function isRepositoryPath(path: string): boolean {
  return REPOSITORY_PATH.test(path);
}

function ofChosenVersion(name: string): ImageRequest {
  return { requested: name, repository: name, tag: undefined, digest: undefined };
}

/** `kube-apiserver`, or `kube-apiserver-arm64`: each architecture has a repository of its own too. */
function isReleaseImage(name: string): boolean {
  return RELEASE_IMAGES.some(
    (image) => name === image || ARCHITECTURES.some((arch) => name === `${image}-${arch}`),
  );
}

/** @param version that was chosen, with `v` */
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
  };
}
