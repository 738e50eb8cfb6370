import path from 'node:path';
import {
  loadInputs,
  readImageInputs,
  readSource,
  type Environment,
  type ImageInputs,
  type Inputs,
  type SourceInputs,
} from '../inputs.js';
import {
  readClaim,
  readEvidence,
  readFile,
  readSbomInput,
  type Claim,
  type FileToVerify,
  type GivenEvidence,
  type GivenSbom,
} from '../inputs/file-to-verify.js';
import { filesOfLock, readFilesToLock, type FilesToLock } from '../inputs/files-to-lock.js';
import { readImages } from '../inputs/images.js';
import { assertAnyFile, readTargetFolder } from '../inputs/install.js';
import {
  lockedVersion,
  readLockFile,
  readLockFilePath,
  type LockFilePath,
} from '../inputs/lock-file.js';
import {
  assertNoFilter,
  assertResolvableOffline,
  readMirrorFolder,
  withoutNetwork,
} from '../inputs/mirror.js';
import { RawInputs, invalidInput, readBoolean } from '../inputs/raw-inputs.js';
import { readClusterVersion, readVersion, type VersionChoice } from '../inputs/version.js';
import type { ClusterVersion } from '../kubernetes/cluster-version.js';
import type { Lock } from '../lock/lock.js';

// What each command takes: the inputs of the action, and its own.

/** What to lock, and where, validated. */
export interface LockInputs extends VersionChoice, SourceInputs, ImageInputs {
  /** The cluster that the tools are for. */
  readonly clusterVersion: ClusterVersion | undefined;
  readonly files: FilesToLock;
  readonly lockFile: LockFilePath;
  /** Compare, and write nothing. */
  readonly check: boolean;
}

/** What to mirror, and where, validated. */
export interface MirrorInputs extends VersionChoice, SourceInputs {
  /** The cluster that the tools are for. */
  readonly clusterVersion: ClusterVersion | undefined;
  readonly files: FilesToLock;
  /** It has every file. */
  readonly lock: Lock | undefined;
  /** An absolute path. */
  readonly folder: string;
  /** Prove what is in the folder; write nothing, and ask nobody. */
  readonly check: boolean;
}

/** What to verify, and by what, validated. */
export interface VerifyInputs extends SourceInputs {
  readonly file: FileToVerify;
  readonly evidence: GivenEvidence;
  readonly claim: Claim;
  /** In place of the published one. */
  readonly sbom: GivenSbom | undefined;
  readonly bindRelease: boolean;
}

/** What to install, and where, validated. */
export interface InstallInputs extends Inputs {
  /** An absolute path; need not exist. */
  readonly folder: string;
  /** Whether to use, and to keep, copies in the tool cache. */
  readonly useCache: boolean;
}

/**
 * Reads and validates what the command `lock` takes.
 *
 * @throws {SetupError} INVALID_INPUT, PLATFORM_NOT_PUBLISHED
 */
export async function loadLockInputs(environment: Environment): Promise<LockInputs> {
  const inputs = new RawInputs(environment);
  const images = readImages(inputs);
  const files = readFilesToLock(inputs, environment, images.length > 0);
  if (!readBoolean(inputs, 'bind-release', true)) {
    throw invalidInput('bind-release', 'false', 'true: a lock file holds nothing unproven');
  }
  const clusterVersion = readClusterVersion(inputs);
  const source = readSource(inputs, environment, files);
  return {
    ...(await readVersion(inputs, clusterVersion)),
    ...source,
    ...readImageInputs(inputs, images, source.identity),
    clusterVersion,
    files,
    lockFile: readLockFilePath(inputs),
    check: readBoolean(inputs, 'check', false),
  };
}

/**
 * Reads and validates what the command `mirror` takes.
 *
 * @throws {SetupError} INVALID_INPUT, PLATFORM_NOT_PUBLISHED, LOCK_INVALID, LOCK_MISMATCH
 */
export async function loadMirrorInputs(environment: Environment): Promise<MirrorInputs> {
  const inputs = new RawInputs(environment);
  const folder = readMirrorFolder(inputs);
  const check = readBoolean(inputs, 'check', false);
  const lock = readLockFile(inputs);
  if (lock !== undefined) {
    assertNoFilter(inputs);
  }
  const files =
    lock === undefined ? readFilesToLock(inputs, environment, false) : filesOfLock(lock);
  const source = readSource(inputs, environment, files);
  const clusterVersion = readClusterVersion(inputs);
  const requested = await readVersion(inputs, clusterVersion);
  const choice = lock === undefined ? requested : await lockedVersion(lock, inputs, requested);
  if (check) {
    assertResolvableOffline(choice);
  }
  return {
    ...choice,
    ...source,
    trustRoot: check ? withoutNetwork(source.trustRoot) : source.trustRoot,
    clusterVersion,
    files,
    lock,
    folder,
    check,
  };
}

/**
 * Reads and validates what the command `verify` takes.
 *
 * @throws {SetupError} INVALID_INPUT, PLATFORM_NOT_PUBLISHED, LOCK_INVALID, LOCK_MISMATCH
 */
export async function loadVerifyInputs(environment: Environment): Promise<VerifyInputs> {
  const inputs = new RawInputs(environment);
  const file = readFile(environment, inputs);
  const name = path.basename(file.name);
  const source = readSource(inputs, environment, {
    tools: [],
    artifacts: [{ requested: name, name }],
  });
  const bindRelease = readBoolean(inputs, 'bind-release', true);
  const evidence = readEvidence(inputs);
  const context = { file, evidence, bindRelease };
  return {
    ...source,
    ...context,
    claim: await readClaim(inputs, environment, context),
    sbom: readSbomInput(inputs, context),
  };
}

/**
 * Reads and validates what the command `install` takes.
 *
 * @throws {SetupError} as {@link loadInputs}
 */
export async function loadInstallInputs(environment: Environment): Promise<InstallInputs> {
  const inputs = new RawInputs(environment);
  const folder = readTargetFolder(inputs);
  const asked = await loadInputs(environment);
  assertAnyFile(asked);
  return { ...asked, folder, useCache: !readBoolean(inputs, 'no-cache', false) };
}
