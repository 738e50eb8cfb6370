import { chmod, copyFile, writeFile } from 'node:fs/promises';
import type { Bundle } from '@sigstore/bundle';
import { SetupError, codeOf, explain } from '../errors.js';
import type { Tool } from '../kubernetes/platform.js';
import type { Artifact } from '../kubernetes/release.js';
import { serializeBundle } from '../sigstore/bundle.js';
import {
  verifyPublished,
  verifyBundle,
  type VerifiedPublication,
  type VerificationContext,
} from '../sigstore/evidence/published.js';
import type { Verified } from '../sigstore/verify/verify.js';
import { digestFile, type DigestedFile } from '../files/digested-file.js';
import { entryAt } from '../files/private-file.js';
import {
  MAX_BINARY_BYTES,
  startDownload,
  newFolder,
  type PendingDownload,
  type Sources,
} from './begin.js';
import { checkAge, checkChecksum, type SecondFactors } from './second-factors.js';
import { preinstalledCopies } from './preinstalled.js';
import { readEvidence, type ReleaseProof, type ReleaseProver } from './release-proof.js';
import { CacheEntry, filesIn, installFailed, cacheEntries } from './tool-cache.js';

/** 64 hex digits, perhaps with a newline. */
const MAX_DIGEST_BYTES = 256;
/** How often another run may get in between before this one gives up. */
const MAX_COMMITS = 5;

/** Everything that obtaining a tool needs to know and to use. */
export interface InstallContext extends Sources {
  /** Whether binaries of the platform run on this machine. */
  readonly isNative: boolean;
  readonly verification: VerificationContext;
  /** Undefined for `bind-release: false`. */
  readonly releaseProver: ReleaseProver | undefined;
  readonly secondFactors: SecondFactors;
  /** Downloads that began before all this was loaded. */
  readonly pendingDownloads: ReadonlyMap<Tool, PendingDownload>;
}

export type Origin = 'download' | 'cache' | 'preinstalled';

/** How long the parts of obtaining a tool took, in milliseconds. */
export interface ObtainDurations {
  /** Until the last byte was here; undefined where nothing was downloaded. */
  readonly download: number | undefined;
  /** From then on; checks that ran while the bytes were arriving take no time of their own. */
  readonly verify: number;
}

/** A tool that passed every check in this run, and where it is now. */
export interface VerifiedTool {
  readonly tool: Tool;
  readonly cacheEntry: CacheEntry;
  /** The slot's own folder, or one that {@link install} moves there. */
  readonly folder: string;
  readonly origin: Origin;
  readonly verified: Verified;
  /** Why the published material was not used, if so. */
  readonly recovered: string | undefined;
  readonly releaseProof: ReleaseProof;
  readonly durations: ObtainDurations;
  /** What the slot looked like before its bytes were read; undefined for a folder of this run. */
  readonly fingerprint: string | undefined;
}

/** A {@link VerifiedTool} whose folder is the slot's. */
export interface InstalledTool extends VerifiedTool {
  readonly fingerprint: string;
}

/**
 * Step by step, the cheapest way to a proven copy: the one in the tool cache, one that somebody
 * else left on this machine, or a download. Nothing is installed yet.
 *
 * @throws {SetupError}
 */
export async function obtain(context: InstallContext, tool: Tool): Promise<VerifiedTool> {
  const { toolCache, release, platform } = context;
  const expected = context.secondFactors.checksums[tool];
  const failures: unknown[] = [];
  for (const cacheEntry of await cacheEntries(toolCache, tool, release.version, platform)) {
    if (expected === undefined || cacheEntry.sha256 === expected) {
      const cached = await fromCache(context, cacheEntry, false).catch((error: unknown) => {
        failures.push(error); // Perhaps another copy passes.
      });
      if (cached !== undefined) {
        return cached;
      }
    }
  }
  if (failures.length > 0) {
    throw failures[0];
  }
  return (await fromPreinstalled(context, tool)) ?? (await fromDownload(context, tool));
}

/**
 * Puts proven tools into their slots. When a slot is taken, what is there has the same name, and
 * must have the same bytes: it is verified like any other copy, and used or replaced.
 *
 * @throws {SetupError} INSTALL_FAILED
 */
export async function install(
  context: InstallContext,
  verifiedTool: VerifiedTool,
): Promise<InstalledTool> {
  const { cacheEntry: cacheEntry } = verifiedTool;
  let current: VerifiedTool | undefined = verifiedTool;
  for (let tries = 0; tries < MAX_COMMITS; tries++) {
    if (current.fingerprint !== undefined) {
      return { ...current, fingerprint: current.fingerprint };
    }
    if (await cacheEntry.commit(current.folder)) {
      const fingerprint = await cacheEntry.fingerprint();
      try {
        await assertArrived(cacheEntry, current.verified.file);
      } catch (error) {
        await cacheEntry.remove(fingerprint);
        throw error;
      }
      return { ...current, fingerprint: fingerprint, folder: cacheEntry.folder };
    }
    current = (await fromCache(context, cacheEntry, true)) ?? verifiedTool;
  }
  throw installFailed(`other runs keep changing ${cacheEntry.folder}`);
}

/** What was proven lay in a folder of this run, and was moved by its path. */
async function assertArrived(
  cacheEntry: CacheEntry,
  { entry, sha256 }: DigestedFile,
): Promise<void> {
  await cacheEntry.assertOwned();
  const { binary } = cacheEntry.files();
  const found = await entryAt(binary);
  // Some file systems of Windows have no such numbers, or larger ones than can be compared.
  const isKnown = entry.ino !== 0 && Number.isSafeInteger(entry.ino);
  if (isKnown && found?.dev === entry.dev && found.ino === entry.ino) {
    return;
  }
  // Copied from another file system, or exchanged on the way.
  const arrived = await digestFile(binary, MAX_BINARY_BYTES);
  if (!arrived.sha256.equals(sha256)) {
    throw installFailed(`${binary} was changed on its way into the tool cache`);
  }
}

/**
 * Requires every slot to hold what was proven: while this run was busy with other tools, another
 * one may have found a copy wanting, by a newer trust root, and put its own there.
 *
 * @throws {SetupError} INSTALL_FAILED
 */
export async function assertUnchanged(installed: readonly InstalledTool[]): Promise<void> {
  for (const { cacheEntry: cacheEntry, fingerprint: fingerprint } of installed) {
    if ((await cacheEntry.fingerprint()) !== fingerprint) {
      throw installFailed(`another run has changed ${cacheEntry.folder} meanwhile`);
    }
  }
}

/**
 * Undefined when there is no copy in the slot that passes.
 *
 * A copy that is damaged is removed. One that merely does not pass stays, as another run, with
 * newer keys or told otherwise by its mirror, may have it on `PATH`; unless it is to be replaced.
 *
 * @param isReplaced whether there is a proven copy of the same bytes to put there
 */
async function fromCache(
  context: InstallContext,
  cacheEntry: CacheEntry,
  isReplaced: boolean,
): Promise<VerifiedTool | undefined> {
  if (!(await cacheEntry.exists())) {
    return undefined;
  }
  await cacheEntry.assertParentsPrivate(); // Outside of what may remove the copy.
  const started = performance.now();
  const fingerprint = await cacheEntry.fingerprint();
  let isDamaged = true;
  try {
    const copy = await inspect(cacheEntry);
    isDamaged = false;
    const cached = await proveCached(context, cacheEntry, copy, started);
    return { ...cached, fingerprint: await fingerprintAfter(cacheEntry, cached, fingerprint) };
  } catch (error) {
    // An error of this machine, such as too many open files, says nothing of the copy.
    isDamaged &&= error instanceof SetupError || codeOf(error) === 'ENOENT';
    const isRemoved = isDamaged || isReplaced;
    if (context.http.signal.aborted || (!isRemoved && !isFaultOfCopy(error))) {
      throw error;
    }
    if (isReplaced) {
      context.logger.info(`${cacheEntry.folder} is replaced: ${explain(error)}`);
    } else {
      const fate = isDamaged
        ? 'is removed and fetched anew'
        : 'is not used (remove it if this goes on, and no job needs it)';
      context.logger.warning(
        'Cached copy refused',
        `${cacheEntry.folder} ${fate}: ${explain(error)}`,
      );
    }
    if (isRemoved) {
      await cacheEntry.remove(fingerprint);
    }
    return undefined;
  }
}

/**
 * The fingerprint of a verified copy. A copy that was executed to be asked may have another one than before, though its
 * bytes are the same: on macOS, the first execution of a file changes its ctime. Then the copy is inspected again, whole.
 *
 * @param before from before its bytes were read
 */
async function fingerprintAfter(
  cacheEntry: CacheEntry,
  { releaseProof }: VerifiedTool,
  before: string,
): Promise<string> {
  if (releaseProof.kind !== 'binary') {
    return before;
  }
  const now = await cacheEntry.fingerprint();
  if (now !== before) {
    await inspect(cacheEntry);
  }
  return now;
}

interface Copy {
  readonly file: DigestedFile;
  readonly bundle: Bundle;
}

/** What can be said of a copy without asking anybody, and is the same for every run. */
async function inspect(cacheEntry: CacheEntry): Promise<Copy> {
  await cacheEntry.assertOwned();
  const files = cacheEntry.files();
  // One after the other: Windows moves no folder in which a file is still open.
  const bundle = await readEvidence(files.bundle);
  const file = await digestFile(files.binary, MAX_BINARY_BYTES);
  const sha256 = file.sha256.toString('hex');
  if (sha256 !== cacheEntry.sha256) {
    throw installFailed(`the binary has been changed, its SHA-256 is ${sha256}`);
  }
  return { file, bundle };
}

/** Codes that say something of this run or of the network, and nothing of the copy. */
const NOT_OF_THE_COPY = new Set([
  'TRUST_ROOT_UNAVAILABLE',
  'CHECKSUM_MISMATCH',
  'RELEASE_TOO_NEW',
  'DOWNLOAD_FAILED',
  'LOG_UNAVAILABLE',
]);

function isFaultOfCopy(error: unknown): boolean {
  return !(error instanceof SetupError && NOT_OF_THE_COPY.has(error.code));
}

async function proveCached(
  context: InstallContext,
  cacheEntry: CacheEntry,
  { file, bundle }: Copy,
  started: number,
): Promise<VerifiedTool> {
  const verified = await verifyBundle(context.verification, file, bundle);
  const proof: VerifiedPublication = { verified };
  const releaseProof = await bindCached(context, cacheEntry, verified);
  checkConditions(context, cacheEntry.tool, verified);
  const durations = { download: undefined, verify: performance.now() - started };
  return verifiedTool(cacheEntry, cacheEntry.folder, 'cache', proof, releaseProof, durations);
}

async function bindCached(
  context: InstallContext,
  cacheEntry: CacheEntry,
  verified: Verified,
): Promise<ReleaseProof> {
  if (context.releaseProver === undefined) {
    return { kind: 'skipped' };
  }
  const { release, platform, isNative } = context;
  const files = cacheEntry.files();
  const executable = isNative ? files.binary : undefined;
  const artifact = release.binary(cacheEntry.tool, platform);
  return context.releaseProver.bindCached(
    cacheEntry.tool,
    artifact,
    platform,
    verified,
    files,
    executable,
  );
}

/** Undefined when no copy on this machine is the published file, or the one that is fails. */
async function fromPreinstalled(
  context: InstallContext,
  tool: Tool,
): Promise<VerifiedTool | undefined> {
  const { release, platform, logger: logger } = context;
  const artifact = release.binary(tool, platform);
  const copies = await preinstalledCopies(context.searchPaths, tool, release.version, platform);
  const expected = copies.length === 0 ? undefined : await publishedDigest(context, artifact);
  for (const copy of expected === undefined ? [] : copies) {
    try {
      const file = await digestFile(copy, MAX_BINARY_BYTES);
      if (file.sha256.toString('hex') === expected) {
        return await proveCopy(context, tool, artifact, copy);
      }
    } catch (error) {
      if (context.http.signal.aborted) {
        throw error;
      }
      logger.info(`${copy} is not used: ${explain(error)}`);
    }
  }
  return undefined;
}

async function proveCopy(
  context: InstallContext,
  tool: Tool,
  artifact: Artifact,
  copy: string,
): Promise<VerifiedTool> {
  const { folder, binary } = await newFolder(context, tool);
  await copyFile(copy, binary);
  context.releaseProver?.start();
  const file = digestFile(binary, MAX_BINARY_BYTES);
  const pending = { folder, file, firstByte: Promise.resolve(undefined) };
  return finish(context, tool, artifact, pending, Promise.resolve(undefined), 'preinstalled');
}

async function fromDownload(context: InstallContext, tool: Tool): Promise<VerifiedTool> {
  const artifact = context.release.binary(tool, context.platform);
  const pending = context.pendingDownloads.get(tool) ?? (await startDownload(context, tool));
  // The large object first: all that is small is here long before its last byte.
  await pending.firstByte;
  context.releaseProver?.start();
  const claimedDigest = publishedDigest(context, artifact);
  return finish(context, tool, artifact, pending, claimedDigest, 'download');
}

/** Every check on a file in a folder of this run, and its evidence written beside it. */
async function finish(
  context: InstallContext,
  tool: Tool,
  artifact: Artifact,
  { folder, file }: PendingDownload,
  claimedDigest: Promise<string | undefined>,
  origin: Origin,
): Promise<VerifiedTool> {
  const started = performance.now();
  let arrived = started;
  const timed = file.then((arrivedFile) => {
    arrived = origin === 'download' ? performance.now() : started;
    return arrivedFile;
  });
  const proof = await verifyPublished(context.verification, artifact, timed, claimedDigest);
  const { verified, recovered } = proof;
  if (recovered !== undefined) {
    context.logger.warning('Broken publication', `${artifact.name}: ${recovered}`);
  }
  const files = filesIn(folder, tool, context.platform);
  await chmod(files.binary, 0o755);
  const releaseProof: ReleaseProof =
    context.releaseProver === undefined
      ? { kind: 'skipped' }
      : await context.releaseProver.bind(
          tool,
          artifact,
          context.platform,
          verified,
          context.isNative ? files.binary : undefined,
        );
  checkConditions(context, tool, verified);
  await writeFile(files.bundle, serializeBundle(verified.bundle), { flag: 'wx', mode: 0o644 });
  if (releaseProof.kind === 'sbom') {
    const sbom = releaseProof.sbom.verified;
    await copyFile(sbom.file.path, files.sbom);
    await chmod(files.sbom, 0o644); // As readable as the rest: another user may share the cache.
    await writeFile(files.sbomBundle, serializeBundle(sbom.bundle), { flag: 'wx', mode: 0o644 });
  }
  const durations = {
    download: origin === 'download' ? arrived - started : undefined,
    verify: performance.now() - arrived,
  };
  const sha256 = verified.file.sha256.toString('hex');
  const cacheEntry = new CacheEntry(
    await context.installIn(),
    tool,
    context.release.version,
    context.platform,
    sha256,
  );
  return verifiedTool(cacheEntry, folder, origin, proof, releaseProof, durations);
}

function verifiedTool(
  cacheEntry: CacheEntry,
  folder: string,
  origin: Origin,
  { verified, recovered }: VerifiedPublication,
  releaseProof: ReleaseProof,
  durations: ObtainDurations,
): VerifiedTool {
  const { tool } = cacheEntry;
  const fingerprint = undefined;
  return {
    tool,
    cacheEntry: cacheEntry,
    folder,
    origin,
    verified,
    recovered,
    releaseProof,
    durations,
    fingerprint: fingerprint,
  };
}

function checkConditions(context: InstallContext, tool: Tool, verified: Verified): void {
  checkChecksum(tool, verified, context.secondFactors);
  checkAge(tool, verified, context.secondFactors, Date.now());
}

/**
 * The SHA-256 (hex) that stands beside an artifact. Nobody signs it: it only lets the log be
 * asked early, and says which copy on this machine is worth a look.
 */
async function publishedDigest(
  context: InstallContext,
  artifact: Artifact,
): Promise<string | undefined> {
  try {
    const text = await context.http.readIfPresent(artifact.digestUrl, MAX_DIGEST_BYTES);
    return /^([0-9a-f]{64})\s*$/.exec(text?.toString('latin1') ?? '')?.[1];
  } catch (error) {
    context.logger.debug(`no digest to begin with: ${explain(error)}`);
    return undefined;
  }
}
