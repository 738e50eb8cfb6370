import { explain } from '../errors.js';
import { digestFile } from '../files/digested-file.js';
import { entryAt } from '../files/private-file.js';
import type { InstallContext } from './context.js';
import { judge, type CacheVerdict } from './from-cache.js';
import { CacheEntry } from './cache-entry.js';
import { changedByAnotherRun } from './install-failed.js';
import type { InstalledArtifact, VerifiedArtifact } from './verified-artifact.js';

/** How often another run may get in between before this one gives up. */
const MAX_COMMITS = 5;

/**
 * Moves verified files into the tool cache. All of them were verified before the first is moved.
 *
 * @throws {SetupError} INSTALL_FAILED
 */
export async function commitAll(
  context: InstallContext,
  verified: readonly VerifiedArtifact[],
): Promise<InstalledArtifact[]> {
  const installed: InstalledArtifact[] = [];
  for (const file of verified) {
    installed.push(await commit(context, file));
  }
  return installed;
}

/**
 * When the entry exists already, it has the same name and must have the same bytes: it is verified
 * like any other copy, and used or replaced.
 */
async function commit(
  context: InstallContext,
  verified: VerifiedArtifact,
): Promise<InstalledArtifact> {
  const { fingerprint } = verified;
  if (fingerprint !== undefined) {
    return { ...verified, fingerprint };
  }
  try {
    return await commitTo(context, verified);
  } catch (error) {
    const elsewhere = await context.cacheAccess.fallBackAfter(error);
    if (elsewhere === undefined) {
      throw error;
    }
    const { artifact, cacheEntry } = verified;
    const target = new CacheEntry(elsewhere, artifact, cacheEntry.sha256);
    return commitTo(context, { ...verified, cacheEntry: target });
  }
}

async function commitTo(
  context: InstallContext,
  verified: VerifiedArtifact,
): Promise<InstalledArtifact> {
  const { cacheEntry } = verified;
  for (let tries = 0; tries < MAX_COMMITS; tries++) {
    if (await cacheEntry.commit(verified.folder)) {
      return arrived(verified);
    }
    const existing = await existingCopy(context, verified);
    if (existing !== undefined) {
      return existing;
    }
  }
  throw changedByAnotherRun(`other runs keep changing ${cacheEntry.folder}`);
}

async function arrived(verified: VerifiedArtifact): Promise<InstalledArtifact> {
  const { cacheEntry } = verified;
  const fingerprint = await cacheEntry.fingerprint();
  try {
    await assertArrived(verified);
  } catch (error) {
    await cacheEntry.remove(fingerprint);
    throw error;
  }
  return { ...verified, fingerprint, folder: cacheEntry.folder };
}

/** Requires the moved file to be the verified one: the same inode, else the same digest. */
async function assertArrived({ cacheEntry, verified }: VerifiedArtifact): Promise<void> {
  const { entry, sha256 } = verified.subject;
  await cacheEntry.assertOwned();
  const { file } = cacheEntry.files();
  const found = await entryAt(file);
  // Some file systems of Windows have no such numbers, or larger ones than can be compared.
  const isKnown = entry.ino !== 0 && Number.isSafeInteger(entry.ino);
  if (isKnown && found?.dev === entry.dev && found.ino === entry.ino) {
    return;
  }
  // Copied from another file system, or exchanged on the way.
  const digested = await digestFile(file, cacheEntry.artifact.maxBytes);
  if (!digested.sha256.equals(sha256)) {
    throw changedByAnotherRun(`${file} was changed while it was moved into the tool cache`);
  }
}

/** The copy that another run committed, if it passes. Otherwise it is removed: undefined. */
async function existingCopy(
  context: InstallContext,
  { cacheEntry }: VerifiedArtifact,
): Promise<InstalledArtifact | undefined> {
  if (!(await cacheEntry.exists())) {
    return undefined;
  }
  const fingerprint = await cacheEntry.fingerprint();
  const verdict = await judge(context, cacheEntry, fingerprint).catch(
    (error: unknown): CacheVerdict => {
      if (context.http.signal.aborted) {
        throw error;
      }
      return { kind: 'rejected', reason: error };
    },
  );
  if (verdict.kind === 'verified') {
    return verdict.copy;
  }
  context.logger.info(`Replacing ${cacheEntry.folder}: ${explain(verdict.reason)}`);
  await cacheEntry.remove(fingerprint);
  return undefined;
}

/**
 * Requires every cache entry to hold what was verified. While this run was busy with other files,
 * another run, with a newer trust root, may have rejected a copy and put its own there.
 *
 * @throws {SetupError} INSTALL_FAILED
 */
export async function assertUnchanged(installed: readonly InstalledArtifact[]): Promise<void> {
  for (const { cacheEntry, fingerprint } of installed) {
    if ((await cacheEntry.fingerprint()) !== fingerprint) {
      throw changedByAnotherRun(`another run changed ${cacheEntry.folder} during this run`);
    }
  }
}
