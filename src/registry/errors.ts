import { SetupError } from '../errors.js';

/** The registry does not answer, or not as registries do. */
export function registryUnavailable(message: string, cause?: unknown): SetupError {
  return new SetupError(
    'REGISTRY_UNAVAILABLE',
    message,
    'Check that this runner reaches the registry and the hosts that it redirects to (proxy, firewall, "image-registry"), or run the job again: the registry may be down for a moment. Only registries that anybody may read can be asked.',
    cause,
  );
}

/** The registry serves other bytes than those that were asked for, or bytes that mean nothing. */
export function imageMismatch(message: string, cause?: unknown): SetupError {
  return new SetupError(
    'IMAGE_MISMATCH',
    message,
    'Do not use the image: the registry, a mirror or somebody in between serves something else than what Kubernetes published. Check "image-registry"; if it is right, report this.',
    cause,
  );
}
