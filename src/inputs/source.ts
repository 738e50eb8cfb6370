import type { SecondFactors } from '../install/second-factors.js';
import type { TrustRootChoice } from '../sigstore/trust/trusted-root.js';
import type { ExpectedIdentity } from '../sigstore/verify/identity.js';
import type { ProxyEnvironment } from '../transfer/http.js';
import { TRANSFER_LIMITS, scaled, type TransferLimits } from '../transfer/limits.js';
import { readChecksums, type FileNames } from './checksums.js';
import type { Environment } from './environment.js';
import { readRequired, type RawInputs } from './raw-inputs.js';
import { readAges } from './release-age.js';
import { readRunner, type Runner } from './runner.js';
import { readTrustRoot } from './trust-root.js';
import { readToken, readUrl } from './urls.js';

const DEFAULT_BASE_URL = 'https://dl.k8s.io';
const DEFAULT_REKOR_URL = 'https://rekor.sigstore.dev';

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

/** For tests of slow and dead servers: every limit of a transfer is multiplied by it. Values of 1 or more are ignored. */
function readLimits(variables: Environment['variables']): TransferLimits {
  const factor = Number(variables['SETUP_VERIFIED_KUBECTL_TIME_SCALE'] ?? '1');
  return factor > 0 && factor < 1 ? scaled(TRANSFER_LIMITS, factor) : TRANSFER_LIMITS;
}
