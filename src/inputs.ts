import path from 'node:path';
import type { SearchPaths } from './install/preinstalled.js';
import { readArtifacts } from './inputs/artifacts.js';
import type { Environment } from './inputs/environment.js';
import {
  readClaim,
  readEvidence,
  readFile,
  readSbomInput,
  type Claim,
  type FileToVerify,
  type GivenEvidence,
  type GivenSbom,
} from './inputs/file-to-verify.js';
import { assertAnyFile, readTargetFolder } from './inputs/install.js';
import { readImageRegistry, readImages } from './inputs/images.js';
import { filesOfLock, readFilesToLock, type FilesToLock } from './inputs/files-to-lock.js';
import {
  assertLocked,
  lockedVersion,
  readLockFile,
  readLockFilePath,
  type LockFilePath,
} from './inputs/lock-file.js';
import {
  assertNoFilter,
  assertResolvableOffline,
  readMirrorFolder,
  withoutNetwork,
} from './inputs/mirror.js';
import { readPlatform } from './inputs/platform.js';
import { RawInputs, invalidInput, readBoolean, readRequired } from './inputs/raw-inputs.js';
import { readSource, type SourceInputs } from './inputs/source.js';
import { readTools } from './inputs/tools.js';
import { readClusterVersion, readVersion, type VersionChoice } from './inputs/version.js';
import type { ClusterVersion } from './kubernetes/cluster-version.js';
import { imageOf, type ImageRequest } from './kubernetes/image.js';
import { assertPublished } from './kubernetes/platform.js';
import { Release, type RequestedFiles } from './kubernetes/release.js';
import type { Lock } from './lock/lock.js';
import type { ExpectedIdentity } from './sigstore/verify/identity.js';

export type { Environment };

/** Which images to verify, where they come from, and what they must prove. */
export interface ImageInputs {
  readonly images: readonly ImageRequest[];
  /** Ends in a slash; https, or http on loopback. A path is put in front of every repository. */
  readonly imageRegistry: URL;
  /** Who must have signed the images. */
  readonly imageIdentity: ExpectedIdentity;
}

/** Everything that a run depends on, validated. */
export interface Inputs extends VersionChoice, RequestedFiles, SourceInputs, ImageInputs {
  /** It has every requested file and image, of the version. */
  readonly lock: Lock | undefined;
  /** The cluster that the tools are for. */
  readonly clusterVersion: ClusterVersion | undefined;
  /** Whether binaries for that platform run on this machine. */
  readonly isNative: boolean;
  /** Where to look for copies that somebody else installed. */
  readonly searchPaths: SearchPaths;
  readonly bindRelease: boolean;
  readonly checkLatest: boolean;
}

/** The only place in src/ where the environment of the process is read. */
export function currentEnvironment(): Environment {
  return { variables: process.env, platform: process.platform, arch: process.arch };
}

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
 * Reads and validates every input.
 *
 * @throws {SetupError} INVALID_INPUT, naming the input, what was given and what is accepted;
 *   PLATFORM_NOT_PUBLISHED; LOCK_INVALID; LOCK_MISMATCH for a lock that does not have what is asked
 */
export async function loadInputs(environment: Environment): Promise<Inputs> {
  const inputs = new RawInputs(environment);
  const { platform, isNative } = readPlatform(inputs, environment);
  const artifacts = readArtifacts(inputs, platform);
  const images = readImages(inputs);
  const tools = readTools(inputs, artifacts.length + images.length > 0);
  for (const tool of tools) {
    assertPublished(tool, platform);
  }
  const files = { tools, artifacts, platform };
  const source = readSource(inputs, environment, files);
  const clusterVersion = readClusterVersion(inputs);
  const requested = await readVersion(inputs, clusterVersion);
  const lock = readLockFile(inputs);
  const choice = lock === undefined ? requested : await lockedVersion(lock, inputs, requested);
  if (lock !== undefined) {
    const release = new Release(lock.version, source.downloadBaseUrl);
    const locked = images.map((request) => imageOf(request, lock.version));
    assertLocked(lock, release.requested(files), locked);
  }
  return {
    ...choice,
    ...source,
    ...files,
    lock,
    clusterVersion,
    ...readImageInputs(inputs, images, source.identity),
    isNative,
    searchPaths: source.runner,
    bindRelease: readBoolean(inputs, 'bind-release', true),
    checkLatest: readBoolean(inputs, 'check-latest', false),
  };
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

/** @param identity of files: one issuer is expected for both */
function readImageInputs(
  inputs: RawInputs,
  images: readonly ImageRequest[],
  { issuer }: ExpectedIdentity,
): ImageInputs {
  const subjectAlternativeName = readRequired(inputs, 'image-certificate-identity');
  return {
    images,
    imageRegistry: readImageRegistry(inputs),
    imageIdentity: { subjectAlternativeName, issuer },
  };
}
