import { SetupError, codeOf } from '../errors.js';
import { digestFile, type DigestedFile } from '../files/digested-file.js';
import type { Artifact } from '../kubernetes/artifact.js';
import { verifySubject } from '../sigstore/evidence/source.js';
import { StoredBundle } from '../sigstore/evidence/stored.js';
import type { Verified } from '../sigstore/verify/verify.js';
import type { InstallContext } from './context.js';
import { checkSecondFactors, expectedChecksum } from './second-factors.js';
import { RefusedCopies } from './refused-copies.js';
import { cacheEntries, type CacheEntry } from './cache-entry.js';
import { installFailed } from './install-failed.js';
import type { InstalledArtifact } from './verified-artifact.js';

/** What becomes of a copy in the tool cache. */
export type CacheVerdict =
  /** It passed every check. */
  | { readonly kind: 'verified'; readonly copy: InstalledArtifact }
  /** It is not as this action left it. It is deleted. */
  | { readonly kind: 'damaged'; readonly reason: unknown }
  /**
   * It is as it was left, but does not pass. It stays while this run only looks for copies: another
   * run, with newer keys or another mirror, may have it on its `PATH`. A run that installs the same
   * bytes replaces it.
   */
  | { readonly kind: 'rejected'; readonly reason: unknown };

/**
 * A verified copy from the tool cache. Copies that do not pass are skipped, with a warning.
 *
 * @returns undefined where there is none
 * @throws {SetupError} for a failure that a download would meet as well
 */
export async function fromCache(
  context: InstallContext,
  artifact: Artifact,
): Promise<InstalledArtifact | undefined> {
  const expected = [
    expectedChecksum(artifact, context.secondFactors),
    context.lock?.digestOf(artifact),
  ].filter((sha256) => sha256 !== undefined);
  const entries = await cacheEntries(context.toolCache, artifact);
  const refused = new RefusedCopies(context.logger);
  let firstFailure: { readonly error: unknown } | undefined;
  for (const entry of entries) {
    if (expected.every((sha256) => entry.sha256 === sha256)) {
      try {
        const copy = await verifiedCopy(context, entry, refused);
        if (copy !== undefined) {
          refused.end(artifact);
          return copy;
        }
      } catch (error) {
        if (isOfThisMachine(error)) {
          // A copy that this user can neither read nor delete does not prevent a download.
          refused.add(entry, 'was skipped', error);
        } else {
          firstFailure ??= { error }; // Another copy may pass.
        }
      }
    }
  }
  refused.end(artifact);
  if (firstFailure !== undefined) {
    throw firstFailure.error;
  }
  return undefined;
}

async function verifiedCopy(
  context: InstallContext,
  entry: CacheEntry,
  refused: RefusedCopies,
): Promise<InstalledArtifact | undefined> {
  if (!(await entry.exists())) {
    return undefined;
  }
  await entry.assertParentsPrivate(); // A copy is not to blame for the folders above it.
  const fingerprint = await entry.fingerprint();
  const verdict = await judge(context, entry, fingerprint);
  switch (verdict.kind) {
    case 'verified':
      return verdict.copy;
    case 'damaged':
      await entry.remove(fingerprint);
      refused.add(entry, 'was deleted', verdict.reason);
      return undefined;
    case 'rejected':
      refused.add(
        entry,
        'was skipped; delete it if this keeps happening and no job uses it',
        verdict.reason,
      );
      return undefined;
  }
}

/**
 * Verifies the copy in a cache entry as strictly as a download.
 *
 * @param fingerprint of the entry, taken before
 * @throws {SetupError} for a failure that says nothing about the copy
 */
export async function judge(
  context: InstallContext,
  entry: CacheEntry,
  fingerprint: string,
): Promise<CacheVerdict> {
  const started = performance.now();
  let file: DigestedFile;
  try {
    file = await inspect(entry);
  } catch (error) {
    return { kind: isDamage(error) ? 'damaged' : 'rejected', reason: error };
  }
  try {
    const copy = await verifyCopy(context, entry, file, started);
    return {
      kind: 'verified',
      copy: { ...copy, fingerprint: await fingerprintAfter(copy, fingerprint) },
    };
  } catch (error) {
    if (context.http.signal.aborted || failsTheRun(error)) {
      throw error;
    }
    return { kind: 'rejected', reason: error };
  }
}

/**
 * The fingerprint of a verified copy. A copy that was executed to be asked may have another one than
 * before, although its bytes are the same: on macOS, the first execution of a file changes its
 * ctime. Then the copy is inspected again, whole.
 *
 * @param before taken before its bytes were read
 */
async function fingerprintAfter(
  { cacheEntry, binding }: Pick<InstalledArtifact, 'cacheEntry' | 'binding'>,
  before: string,
): Promise<string> {
  if (binding.kind !== 'self-report') {
    return before;
  }
  const now = await cacheEntry.fingerprint();
  if (now !== before) {
    await inspect(cacheEntry);
  }
  return now;
}

/** What can be said of a copy without asking anybody, and is the same for every run. */
export async function inspect(entry: CacheEntry): Promise<DigestedFile> {
  await entry.assertOwned();
  // One after the other: Windows moves no folder in which a file is still open.
  await new StoredBundle(entry.files().bundle).find();
  const file = await digestFile(entry.files().file, entry.artifact.maxBytes);
  const sha256 = file.sha256.toString('hex');
  if (sha256 !== entry.sha256) {
    throw installFailed(`the file was changed: its SHA-256 is ${sha256}`);
  }
  return file;
}

/** Other errors, such as too many open files, are about this machine and not about the copy. */
function isDamage(error: unknown): boolean {
  return error instanceof SetupError || codeOf(error) === 'ENOENT';
}

async function verifyCopy(
  context: InstallContext,
  entry: CacheEntry,
  file: DigestedFile,
  started: number,
): Promise<Omit<InstalledArtifact, 'fingerprint'>> {
  const { artifact } = entry;
  const files = entry.files();
  const evidence = [new StoredBundle(files.bundle)];
  const stored = await verifySubject(context.policy, artifact.path, file, evidence);
  const verified = await verifyLocked(context, artifact, stored.verified);
  const binding = await context.binder.bindCached(artifact, verified, files);
  checkSecondFactors(artifact, verified, binding, context.secondFactors, Date.now());
  return {
    artifact,
    verified,
    binding,
    origin: 'cache',
    cacheEntry: entry,
    folder: entry.folder,
    durations: { download: undefined, verify: performance.now() - started },
  };
}

/**
 * With a lock, its evidence must prove a cached copy too, and by the same log entry as the evidence
 * beside the copy: that is what later steps find there.
 */
async function verifyLocked(
  { lock, policy }: InstallContext,
  artifact: Artifact,
  stored: Verified<DigestedFile>,
): Promise<Verified<DigestedFile>> {
  if (lock === undefined) {
    return stored;
  }
  const evidence = [lock.evidenceFor(artifact)];
  const { verified } = await verifySubject(policy, artifact.path, stored.subject, evidence);
  if (verified.uuid !== stored.uuid) {
    throw installFailed('its evidence is for a different log entry than that of the lock file');
  }
  return verified;
}

/** INSTALL_FAILED: the runner's own files did not allow something. */
function isOfThisMachine(error: unknown): boolean {
  return error instanceof SetupError && error.code === 'INSTALL_FAILED';
}

/** Codes that are about this run or the network. A download would fail in the same way. */
const FAILS_THE_RUN: ReadonlySet<string> = new Set([
  'TRUST_ROOT_UNAVAILABLE',
  'CHECKSUM_MISMATCH',
  'RELEASE_TOO_NEW',
  'RELEASE_TOO_OLD',
  'DOWNLOAD_FAILED',
  'LOG_UNAVAILABLE',
  'LOCK_MISMATCH',
]);

function failsTheRun(error: unknown): boolean {
  return error instanceof SetupError && FAILS_THE_RUN.has(error.code);
}
