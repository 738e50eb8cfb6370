import type { SearchPaths } from './install/preinstalled.js';
import type { SecondFactors } from './install/second-factors.js';
import { readArtifacts } from './inputs/artifacts.js';
import { readChecksums, type FileNames } from './inputs/checksums.js';
import type { Environment } from './inputs/environment.js';
import { readImageRegistry, readImages } from './inputs/images.js';
import { assertLocked, lockedVersion, readLockFile } from './inputs/lock-file.js';
import { readPlatform } from './inputs/platform.js';
import { RawInputs, readBoolean, readRequired } from './inputs/raw-inputs.js';
import { readAges } from './inputs/release-age.js';
import { readRunner, type Runner } from './inputs/runner.js';
import { readTools } from './inputs/tools.js';
import { readTrustRoot } from './inputs/trust-root.js';
import { readToken, readUrl } from './inputs/urls.js';
import { readClusterVersion, readVersion, type VersionChoice } from './inputs/version.js';
import type { ClusterVersion } from './kubernetes/cluster-version.js';
import { imageOf, type ImageRequest } from './kubernetes/image.js';
import { assertPublished } from './kubernetes/platform.js';
import { Release, type RequestedFiles } from './kubernetes/release.js';
import type { Lock } from './lock/lock.js';
import type { TrustRootChoice } from './sigstore/trust/trusted-root.js';
import type { ExpectedIdentity } from './sigstore/verify/identity.js';
import type { ProxyEnvironment } from './transfer/http.js';
import { TRANSFER_LIMITS, scaled, type TransferLimits } from './transfer/limits.js';

export type { Environment };

/** Where files come from, and what they must prove. */
export interface SourceInputs {
  /** Ends in a slash; https, http on loopback, or file. */
  readonly downloadBaseUrl: URL;
  readonly downloadToken: string | undefined;
  readonly secondFactors: SecondFactors;
  readonly identity: ExpectedIdentity;
  /** Ends in a slash. */
  readonly rekorUrl: URL;
  readonly trustRoot: TrustRootChoice;
  readonly runner: Runner;
  readonly proxyEnvironment: ProxyEnvironment;
  readonly limits: TransferLimits;
}

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

const DEFAULT_BASE_URL = 'https://dl.k8s.io';
const DEFAULT_REKOR_URL = 'https://rekor.sigstore.dev';

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

/** What every command has in common with a run. */
export function readSource(
  inputs: RawInputs,
  environment: Environment,
  files: FileNames,
): SourceInputs {
  const downloadBaseUrl = readUrl(inputs, 'download-base-url', DEFAULT_BASE_URL, true);
  return {
    downloadBaseUrl,
    downloadToken: readToken(inputs, downloadBaseUrl),
    secondFactors: {
      checksums: readChecksums(inputs, files),
      ...readAges(inputs),
    },
    identity: {
      subjectAlternativeName: readRequired(inputs, 'certificate-identity'),
      issuer: readRequired(inputs, 'certificate-oidc-issuer'),
    },
    rekorUrl: readUrl(inputs, 'rekor-url', DEFAULT_REKOR_URL),
    trustRoot: readTrustRoot(inputs),
    runner: readRunner(environment),
    proxyEnvironment: environment.variables,
    limits: readLimits(environment.variables),
  };
}

/** @param identity of files: one issuer is expected for both */
export function readImageInputs(
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

/** For tests of slow and dead servers: every limit of a transfer is multiplied by it. Values of 1 or more are ignored. */
function readLimits(variables: Environment['variables']): TransferLimits {
  const factor = Number(variables['SETUP_VERIFIED_KUBECTL_TIME_SCALE'] ?? '1');
  return factor > 0 && factor < 1 ? scaled(TRANSFER_LIMITS, factor) : TRANSFER_LIMITS;
}
