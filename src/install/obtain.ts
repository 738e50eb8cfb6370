import pLimit from 'p-limit';
import type { Artifact } from '../kubernetes/artifact.js';
import { isBinary } from '../kubernetes/binary.js';
import type { InstallContext } from './context.js';
import { fromCache } from './from-cache.js';
import { fromDownload } from './from-download.js';
import { fromPreinstalled } from './from-preinstalled.js';
import type { InstalledArtifact, VerifiedArtifact } from './verified-artifact.js';

/** This many files at once. More would share the same line anyway. */
const CONCURRENT_ARTIFACTS = 4;

/**
 * Verifies every artifact. Nothing is installed yet.
 *
 * @throws {SetupError} for the first one that fails
 */
export async function obtainAll(
  context: InstallContext,
  artifacts: readonly Artifact[],
): Promise<VerifiedArtifact[]> {
  const limit = pLimit(CONCURRENT_ARTIFACTS);
  return Promise.all(
    artifacts.map((artifact) => context.background.start(limit(() => obtain(context, artifact)))),
  );
}

/**
 * Verified copies of all artifacts from the tool cache, without a download of any.
 *
 * @returns undefined unless every artifact has one
 * @throws {SetupError}
 */
export async function allFromCache(
  context: InstallContext,
  artifacts: readonly Artifact[],
): Promise<InstalledArtifact[] | undefined> {
  const copies = await Promise.all(
    artifacts.map((artifact) => context.background.start(fromCache(context, artifact))),
  );
  const found = copies.filter((copy) => copy !== undefined);
  return found.length === artifacts.length ? found : undefined;
}

/** The cheapest way first: a copy in the tool cache, a program elsewhere on this machine, a download. */
async function obtain(context: InstallContext, artifact: Artifact): Promise<VerifiedArtifact> {
  return (
    (await fromCache(context, artifact)) ??
    (isBinary(artifact) ? await fromPreinstalled(context, artifact) : undefined) ??
    (await fromDownload(context, artifact))
  );
}
