import { existsSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import path from 'node:path';
import pLimit from 'p-limit';
import { SetupError, explain } from '../errors.js';
import { assertFolderInside, writeWorkspaceFile } from '../files/atomic-write.js';
import type { DigestedFile } from '../files/digested-file.js';
import { OutsideWorkspaceError, readWorkspaceFile } from '../files/workspace-file.js';
import type { LockInputs } from '../inputs.js';
import { SbomBinder, type BindingContext } from '../install/binding.js';
import type { ProofContext } from '../install/context.js';
import { downloadArtifact, proveFile } from '../install/from-download.js';
import { installFailed } from '../install/install-failed.js';
import type { Logger } from '../install/logger.js';
import type { PlatformArtifact } from '../kubernetes/artifact.js';
import { isPublishedFor, platformName } from '../kubernetes/platform.js';
import { Release } from '../kubernetes/release.js';
import { assertSupportedSkew } from '../kubernetes/skew.js';
import { resolveVersion } from '../kubernetes/version.js';
import { compareLocks } from '../lock/compare.js';
import { serializeLock } from '../lock/format.js';
import { Lock, type LockContent, type LockedFile } from '../lock/lock.js';
import { MAX_LOCK_BYTES, lockInvalid, parseLock } from '../lock/read.js';
import { httpClient, keepTrustRoot, trustRootSource, withScratchFolder } from '../session.js';
import { toCurrentVersion } from '../sigstore/bundle.js';
import { TransparencyLog } from '../sigstore/evidence/rekor.js';
import { verifySubject } from '../sigstore/evidence/source.js';
import { loadTrustRoot, type TrustRoot } from '../sigstore/trust/trusted-root.js';
import type { Verified } from '../sigstore/verify/verify.js';
import { BackgroundTasks } from '../transfer/background-tasks.js';
import type { HttpClient } from '../transfer/http.js';

/** So many files at once. More would share the same line anyway. */
const CONCURRENT_FILES = 4;

export interface LockOutcome {
  /** With `v`. */
  readonly version: string;
  /** How many files the lock has, the SBOM among them. */
  readonly files: number;
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
  // What would not let it be written is said before anything is downloaded.
  inFolder(inputs, () => {
    assertFolderInside(inputs.lockFile.path, inputs.lockFile.workspace);
  });
  const before = readExisting(inputs, logger);
  const after = await proveLock(inputs, before, logger);
  const changes = compareLocks(before, after);
  if (changes.length > 0 && !inputs.check) {
    write(inputs, serializeLock(after));
  }
  return { version: after.version, files: after.files.size, changes };
}

/** A lock file that cannot be read is written again: it may hold the marks of a merge. */
function readExisting({ lockFile, check }: LockInputs, logger: Logger): Lock | undefined {
  const { name, path: file, workspace } = lockFile;
  if (!existsSync(file)) {
    return undefined;
  }
  try {
    return parseLock(readText(name, file, workspace), name);
  } catch (error) {
    if (check || !(error instanceof SetupError) || !error.code.startsWith('LOCK_')) {
      throw error;
    }
    logger.warning('Lock file not readable', `${error.message}. It is written again.`);
    return undefined;
  }
}

function readText(name: string, file: string, workspace: string): Buffer {
  try {
    return readWorkspaceFile(file, workspace, MAX_LOCK_BYTES);
  } catch (error) {
    throw error instanceof OutsideWorkspaceError
      ? outside(name, error)
      : lockInvalid(name, explain(error), error);
  }
}

function write(inputs: LockInputs, text: string): void {
  inFolder(inputs, () => {
    writeWorkspaceFile(inputs.lockFile.path, inputs.lockFile.workspace, text);
  });
}

function inFolder({ lockFile: { name } }: LockInputs, act: () => void): void {
  try {
    act();
  } catch (error) {
    throw error instanceof OutsideWorkspaceError
      ? outside(name, error)
      : installFailed(`cannot write the lock file ${name}`, error);
  }
}

function outside(name: string, error: OutsideWorkspaceError): SetupError {
  return new SetupError('INVALID_INPUT', `Input "lock-file": ${name} ${error.message}.`);
}

async function proveLock(
  inputs: LockInputs,
  before: Lock | undefined,
  logger: Logger,
): Promise<LockContent> {
  let content: LockContent | undefined;
  await withScratchFolder(inputs.runner.temp, async (scratch) => {
    const abort = new AbortController();
    const background = new BackgroundTasks();
    try {
      const http = httpClient(inputs, abort.signal, logger);
      const trust = background.start(loadTrustRoot(trustRootSource(inputs, scratch), http));
      const version = await resolveVersion(inputs.version, http, inputs.downloadBaseUrl);
      logger.info(`Version: ${version} (requested: ${inputs.versionSource})`);
      if (inputs.clusterVersion !== undefined) {
        assertSupportedSkew(version, inputs.tools, inputs.clusterVersion);
      }
      const release = new Release(version, inputs.downloadBaseUrl);
      const run = { inputs, release, before, logger, http, background, trust, scratch };
      content = await proveRelease(run);
      await keepTrustRoot(await trust, logger);
    } finally {
      // Nothing may still write to the scratch folder when it is removed.
      abort.abort();
      await background.ended();
    }
  });
  if (content === undefined) {
    throw new TypeError('the lock was not made');
  }
  return content;
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
  const files = await Promise.all(
    artifactsOf(run).map((artifact) =>
      background.start(limit(() => lockArtifact(run, context, artifact))),
    ),
  );
  return { version: release.version, files: new Map(files.flat()) };
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

/** Tools × platforms, without the pairs that Kubernetes does not publish. */
function artifactsOf({ inputs, release, logger }: LockRun): PlatformArtifact[] {
  return inputs.platforms.flatMap((platform) =>
    inputs.tools.flatMap((tool) => {
      if (isPublishedFor(tool, platform)) {
        return [release.binary(tool, platform)];
      }
      logger.info(`Skipping ${tool} for ${platformName(platform)}: Kubernetes does not publish it`);
      return [];
    }),
  );
}

/** Downloads and proves one file. @returns its entry, and that of the SBOM which binds it */
async function lockArtifact(
  run: LockRun,
  context: ProofContext,
  artifact: PlatformArtifact,
): Promise<[string, LockedFile][]> {
  const folder = await mkdtemp(path.join(run.scratch, 'file-'));
  try {
    const file = path.join(folder, artifact.fileName);
    const arriving = downloadArtifact(context, artifact, file, artifact.path);
    const { verified, binding } = await proveFile(context, artifact, file, arriving);
    if (binding.kind !== 'sbom') {
      throw new SetupError(
        'RELEASE_MISMATCH',
        `cannot lock ${artifact.path}: no signed SBOM proves which release it belongs to`,
        { situation: 'no-release-proof' },
      );
    }
    const entries = [
      await lockedFile(run, context, artifact.path, verified),
      await lockedFile(run, context, run.release.sbom().path, binding.sbom),
    ];
    run.logger.info(`Verified ${artifact.path}: ${verified.subject.sha256.toString('hex')}`);
    return entries;
  } finally {
    await rm(folder, { recursive: true, force: true }); // All of them together may be gigabytes.
  }
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
  const lock = new Lock('the lock file', { version, files: new Map([[file, locked]]) });
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
