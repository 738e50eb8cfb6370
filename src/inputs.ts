import type { SecondFactors } from './install/second-factors.js';
import { readArtifacts } from './inputs/artifacts.js';
import { readChecksums } from './inputs/checksums.js';
import type { Environment } from './inputs/environment.js';
import { readImageRegistry, readImages } from './inputs/images.js';
import { readPlatform } from './inputs/platform.js';
import { RawInputs, readBoolean, readRequired } from './inputs/raw-inputs.js';
import { readAges } from './inputs/release-age.js';
import { readRunner, type Runner } from './inputs/runner.js';
import { readTools } from './inputs/tools.js';
import { readTrustRoot } from './inputs/trust-root.js';
import { readToken, readUrl } from './inputs/urls.js';
import { readClusterVersion, readVersion, type VersionChoice } from './inputs/version.js';
import type { ClusterVersion } from './kubernetes/cluster-version.js';
import type { ImageRequest } from './kubernetes/image.js';
import { assertPublished } from './kubernetes/platform.js';
import type { RequestedFiles } from './kubernetes/release.js';
import type { TrustRootChoice } from './sigstore/trust/trusted-root.js';
import type { ExpectedIdentity } from './sigstore/verify/identity.js';
import type { ProxyEnvironment } from './transfer/http.js';
import { TRANSFER_LIMITS, scaled, type TransferLimits } from './transfer/limits.js';

export type { Environment };

/** Everything that a run depends on, validated. */
export interface Inputs extends VersionChoice, RequestedFiles {
  /** The cluster that the tools are for. */
  readonly clusterVersion: ClusterVersion | undefined;
  readonly images: readonly ImageRequest[];
  /** Ends in a slash; https, or http on loopback. A path is put in front of every repository. */
  readonly imageRegistry: URL;
  /** Who must have signed the images. */
  readonly imageIdentity: ExpectedIdentity;
  /** Whether binaries for that platform run on this machine. */
  readonly isNative: boolean;
  /** Ends in a slash; https, http on loopback, or file. */
  readonly downloadBaseUrl: URL;
  readonly downloadToken: string | undefined;
  readonly secondFactors: SecondFactors;
  readonly identity: ExpectedIdentity;
  /** Ends in a slash. */
  readonly rekorUrl: URL;
  readonly trustRoot: TrustRootChoice;
  readonly bindRelease: boolean;
  readonly checkLatest: boolean;
  readonly runner: Runner;
  readonly proxyEnvironment: ProxyEnvironment;
  readonly limits: TransferLimits;
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
 *   PLATFORM_NOT_PUBLISHED
 */
export async function loadInputs(environment: Environment): Promise<Inputs> {
  const inputs = new RawInputs(environment);
  const { platform, isNative } = readPlatform(inputs, environment);
  const artifacts = readArtifacts(inputs, platform);
  const tools = readTools(inputs);
  for (const tool of tools) {
    assertPublished(tool, platform);
  }
  const downloadBaseUrl = readUrl(inputs, 'download-base-url', DEFAULT_BASE_URL, true);
  const clusterVersion = readClusterVersion(inputs);
  const issuer = readRequired(inputs, 'certificate-oidc-issuer');
  return {
    ...(await readVersion(inputs, clusterVersion)),
    clusterVersion,
    tools,
    artifacts,
    images: readImages(inputs),
    imageRegistry: readImageRegistry(inputs),
    imageIdentity: {
      subjectAlternativeName: readRequired(inputs, 'image-certificate-identity'),
      issuer,
    },
    platform,
    isNative,
    downloadBaseUrl,
    downloadToken: readToken(inputs, downloadBaseUrl),
    secondFactors: {
      checksums: readChecksums(inputs, { tools, artifacts, platform }),
      ...readAges(inputs),
    },
    identity: {
      subjectAlternativeName: readRequired(inputs, 'certificate-identity'),
      issuer,
    },
    rekorUrl: readUrl(inputs, 'rekor-url', DEFAULT_REKOR_URL),
    trustRoot: readTrustRoot(inputs),
    bindRelease: readBoolean(inputs, 'bind-release', true),
    checkLatest: readBoolean(inputs, 'check-latest', false),
    runner: readRunner(environment),
    proxyEnvironment: environment.variables,
    limits: readLimits(environment.variables),
  };
}

/** For tests of slow and dead servers: every limit of a transfer is multiplied by it. Values of 1 or more are ignored. */
function readLimits(variables: Environment['variables']): TransferLimits {
  const factor = Number(variables['SETUP_VERIFIED_KUBECTL_TIME_SCALE'] ?? '1');
  return factor > 0 && factor < 1 ? scaled(TRANSFER_LIMITS, factor) : TRANSFER_LIMITS;
}
