import { mkdtemp, rm } from 'node:fs/promises';
import path from 'node:path';
import pLimit from 'p-limit';
import { SetupError } from '../errors.js';
import type { DigestedFile } from '../files/digested-file.js';
import type { LockInputs } from './inputs.js';
import { SbomBinder, type BindingContext } from '../install/binding.js';
import type { ProofContext } from '../install/context.js';
import { downloadArtifact, proveFile } from '../install/from-download.js';
import type { Logger } from '../install/logger.js';
import type { Artifact } from '../kubernetes/artifact.js';
import { Release } from '../kubernetes/release.js';
import { assertSupportedSkew } from '../kubernetes/skew.js';
import { resolveVersion } from '../kubernetes/version.js';
import { compareLocks } from '../lock/compare.js';
import { serializeLock } from '../lock/format.js';
import { Lock, type LockContent, type LockedFile } from '../lock/lock.js';
import {
  httpClient,
  keepTrustRoot,
  trustRootSource,
  withScratchFolder,
  withTransfers,
} from '../session.js';
import { toCurrentVersion } from '../sigstore/bundle.js';
import { TransparencyLog } from '../sigstore/evidence/rekor.js';
import { verifySubject } from '../sigstore/evidence/source.js';
import { loadTrustRoot, type TrustRoot } from '../sigstore/trust/trusted-root.js';
import type { Verified } from '../sigstore/verify/verify.js';
import type { BackgroundTasks } from '../transfer/background-tasks.js';
import type { HttpClient } from '../transfer/http.js';
import { lockImages } from './lock-images.js';
import { assertReadable, assertWritable, readExisting, write } from './lock-storage.js';
import { CONCURRENT_FILES, artifactsOf } from './requested-artifacts.js';

export interface LockOutcome {
  /** With `v`. */
  readonly version: string;
  /** How many files the lock has, the SBOM among them, and how many images: `2 files, 4 images`. */
  readonly contents: string;
  /** What is different from the file as it was: see {@link compareLocks}. */
  readonly changes: readonly string[];
}

/**
 * Proves every file of the lock as a run would, and then writes the lock file, unless it says the
 * same already. Evidence that it has and that still passes is kept, so that nothing changes without
 * a reason. With `check`, nothing is written.
 *
 * @throws {SetupError} LOCK_INVALID with `check`, for a lock file that cannot be read; every code of
 *   the verification
 */
export async function lockRelease(inputs: LockInputs, logger: Logger): Promise<LockOutcome> {
  assertWritable(inputs);
  const before = readExisting(inputs, logger);
  const after = await proveLock(inputs, before, logger);
  const changes = compareLocks(before, after);
  const text = serializeLock(after);
  assertReadable(text, after);
  if (changes.length > 0 && !inputs.check) {
    write(inputs, text);
  }
  const { version, files, images } = after;
  return { version, contents: describeContents(files.size, images.size), changes };
}

function describeContents(files: number, images: number): string {
  const ofImages = images === 0 ? [] : [images === 1 ? '1 image' : `${String(images)} images`];
  return [files === 1 ? '1 file' : `${String(files)} files`, ...ofImages].join(', ');
}

function proveLock(
  inputs: LockInputs,
  before: Lock | undefined,
  logger: Logger,
): Promise<LockContent> {
  return withScratchFolder(inputs.runner.temp, (scratch) =>
    withTransfers(async ({ signal, background }) => {
      const http = httpClient(inputs, signal, logger);
      const trust = background.start(loadTrustRoot(trustRootSource(inputs, scratch), http));
      const version = await resolveVersion(inputs.version, http, inputs.downloadBaseUrl);
      logger.info(`Version: ${version} (requested: ${inputs.versionSource})`);
      if (inputs.clusterVersion !== undefined) {
        assertSupportedSkew(version, inputs.files.tools, inputs.clusterVersion);
      }
      const release = new Release(version, inputs.downloadBaseUrl);
      const run = { inputs, release, before, logger, http, background, trust, scratch };
      const content = await proveRelease(run);
      await keepTrustRoot(await trust, logger);
      return content;
    }),
  );
}

interface LockRun {
  readonly inputs: LockInputs;
  readonly release: Release;
  readonly before: Lock | undefined;
  readonly logger: Logger;
  readonly http: HttpClient;
  readonly background: BackgroundTasks;
  readonly trust: Promise<TrustRoot>;
  readonly scratch: string;
}

async function proveRelease(run: LockRun): Promise<LockContent> {
  const { release, background } = run;
  const context = proofContext(run);
  const limit = pLimit(CONCURRENT_FILES);
  const arrivingImages = background.start(lockImages(run, context));
  const files = new Map(
    await Promise.all(
      artifactsOf(run).map((artifact) =>
        background.start(limit(() => lockArtifact(run, context, artifact))),
      ),
    ),
  );
  const [file, sbom] = await lockSbom(run, context);
  const requested = files.get(file);
  if (requested !== undefined && requested.sha256 !== sbom.sha256) {
    throw new SetupError(
      'RELEASE_MISMATCH',
      `${file} of ${release.version} changed during this run: its SHA-256 was ${requested.sha256} and ${sbom.sha256}`,
    );
  }
  const images = await arrivingImages;
  return { version: release.version, files: files.set(file, sbom), images };
}

function proofContext({
  inputs,
  release,
  logger,
  http,
  background,
  trust,
  scratch,
}: LockRun): ProofContext {
  const context: BindingContext = {
    http,
    background,
    log: new TransparencyLog(http, inputs.rekorUrl),
    policy: {
      trust: background.start(trust.then(({ material }) => material)),
      identity: inputs.identity,
    },
    release,
    scratch,
    logger,
    isNative: false, // A lock holds an SBOM: what a binary says of itself would not be enough.
  };
  return {
    ...context,
    lock: undefined,
    binder: new SbomBinder(context),
    secondFactors: inputs.secondFactors,
  };
}

/** Downloads and proves one file. {@link lockSbom} requires the SBOM that binds it to be signed. */
async function lockArtifact(
  run: LockRun,
  context: ProofContext,
  artifact: Artifact,
): Promise<[string, LockedFile]> {
  const folder = await mkdtemp(path.join(run.scratch, 'file-'));
  try {
    const file = path.join(folder, artifact.fileName);
    const arriving = downloadArtifact(context, artifact, file, artifact.path);
    const { verified } = await proveFile(context, artifact, file, arriving);
    const entry = await lockedFile(run, context, artifact.path, verified);
    run.logger.info(`Verified ${artifact.path}: ${verified.subject.sha256.toString('hex')}`);
    return entry;
  } finally {
    await rm(folder, { recursive: true, force: true }); // All of them together may be gigabytes.
  }
}

/** Every lock has it, even if none of the other files needs it. */
async function lockSbom(run: LockRun, context: ProofContext): Promise<[string, LockedFile]> {
  const artifact = run.release.sbom();
  const published = await context.binder.publishedSbom();
  if (published.kind !== 'signed') {
    throw new SetupError(
      'RELEASE_MISMATCH',
      `cannot lock ${run.release.version} without its signed SBOM: ${published.reason}`,
      { situation: 'no-release-proof' },
    );
  }
  const { verified } = published;
  await context.binder.bind(artifact, verified, verified.subject.path);
  return lockedFile(run, context, artifact.path, verified);
}

/** The entry of a file, with the evidence that the lock file has, if that proves the same. */
async function lockedFile(
  { before, release }: LockRun,
  context: ProofContext,
  file: string,
  verified: Verified<DigestedFile>,
): Promise<[string, LockedFile]> {
  const sha256 = verified.subject.sha256.toString('hex');
  const kept = before?.version === release.version ? before.files.get(file) : undefined;
  if (kept?.sha256 === sha256 && (await proves(context, file, kept, verified))) {
    return [file, kept];
  }
  const fresh = { sha256, bundle: toCurrentVersion(verified.bundle) };
  if (!(await proves(context, file, fresh, verified))) {
    throw new TypeError(`the evidence for ${file} does not pass in the form of the lock file`);
  }
  return [file, fresh];
}

/** Whether a run would accept the entry, by the log entry that was just verified. */
async function proves(
  { policy, release }: ProofContext,
  file: string,
  locked: LockedFile,
  { subject, uuid }: Verified<DigestedFile>,
): Promise<boolean> {
  const { version } = release;
  const files = new Map([[file, locked]]);
  const lock = new Lock('the lock file', { version, files, images: new Map() });
  const evidence = [lock.evidenceFor({ path: file, version })];
  try {
    const again = await verifySubject(policy, file, subject, evidence);
    return again.verified.uuid === uuid;
  } catch (error) {
    if (error instanceof SetupError) {
      return false;
    }
    throw error;
  }
}
