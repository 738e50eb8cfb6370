import type { FilesToLock } from '../inputs/files-to-lock.js';
import type { Logger } from '../install/logger.js';
import type { Artifact } from '../kubernetes/artifact.js';
import type { Release } from '../kubernetes/release.js';

/** So many files at once. More would share the same line anyway. */
export const CONCURRENT_FILES = 4;

/** Every file that is asked for. Says which ones Kubernetes does not publish. */
export function artifactsOf({
  inputs,
  release,
  logger,
}: {
  readonly inputs: { readonly files: FilesToLock };
  readonly release: Release;
  readonly logger: Logger;
}): Artifact[] {
  const { binaries, artifacts, unpublished } = inputs.files;
  for (const what of unpublished) {
    logger.info(`Skipping ${what}: Kubernetes does not publish it`);
  }
  return [
    ...binaries.map(({ tool, platform }) => release.binary(tool, platform)),
    ...artifacts.map((request) => release.file(request)),
  ];
}
