import type { CertificateAuthority } from './certificate-authority.js';
import type { CtLog } from './ct-log.js';
import type { TimestampAuthority } from './timestamp-authority.js';
import type { TransparencyLog } from './transparency-log.js';
import type { TransparencyLogV2 } from './transparency-log-v2.js';

/** Start and end of trust, ISO 8601. */
export interface ValidityJson {
  start: string;
  end?: string;
}

/** `dev.sigstore.trustroot.v1.TransparencyLogInstance` as JSON; bytes are base64. */
export interface LogJson {
  baseUrl: string;
  hashAlgorithm: 'SHA2_256';
  publicKey: { rawBytes: string; keyDetails: string; validFor: ValidityJson };
  logId: { keyId: string };
}

/** `dev.sigstore.trustroot.v1.CertificateAuthority` as JSON. */
export interface AuthorityJson {
  subject: { organization: string; commonName: string };
  uri: string;
  certChain: { certificates: { rawBytes: string }[] };
  validFor: ValidityJson;
}

/** `dev.sigstore.trustroot.v1.TrustedRoot` as JSON: what `trusted_root.json` holds. */
export interface TrustedRootJson {
  mediaType: 'application/vnd.dev.sigstore.trustedroot+json;version=0.1';
  tlogs: LogJson[];
  certificateAuthorities: AuthorityJson[];
  ctlogs: LogJson[];
  timestampAuthorities: AuthorityJson[];
}

/** Whom a trusted root trusts, in order. */
export interface TrustedParties {
  readonly logs: readonly (TransparencyLog | TransparencyLogV2)[];
  readonly certificateAuthorities: readonly CertificateAuthority[];
  readonly ctLogs: readonly CtLog[];
  readonly timestampAuthorities: readonly TimestampAuthority[];
  readonly validFrom: Date;
}

export function trustedRootJson(parties: TrustedParties): TrustedRootJson {
  const validFor = { start: parties.validFrom.toISOString() };
  return {
    mediaType: 'application/vnd.dev.sigstore.trustedroot+json;version=0.1',
    tlogs: parties.logs.map((log) => logJson(log, log.baseUrl, validFor)),
    certificateAuthorities: parties.certificateAuthorities.map((authority) => ({
      subject: { organization: 'sigstore.dev', commonName: 'sigstore' },
      uri: 'https://fulcio.test',
      certChain: chainJson(authority.chain),
      validFor,
    })),
    ctlogs: parties.ctLogs.map((log) => logJson(log, 'https://ctfe.test/2022', validFor)),
    timestampAuthorities: parties.timestampAuthorities.map((authority) => ({
      subject: { organization: 'sigstore.dev', commonName: 'sigstore-tsa' },
      uri: 'https://timestamp.test',
      certChain: chainJson(authority.chain),
      validFor,
    })),
  };
}

function logJson(
  log: { readonly spki: Buffer; readonly logId: Buffer; readonly keyDetails?: string },
  baseUrl: string,
  validFor: ValidityJson,
): LogJson {
  return {
    baseUrl,
    hashAlgorithm: 'SHA2_256',
    publicKey: {
      rawBytes: log.spki.toString('base64'),
      keyDetails: log.keyDetails ?? 'PKIX_ECDSA_P256_SHA_256',
      validFor: { ...validFor },
    },
    logId: { keyId: log.logId.toString('base64') },
  };
}

const chainJson = (chain: readonly Buffer[]): AuthorityJson['certChain'] => ({
  certificates: chain.map((certificate) => ({ rawBytes: certificate.toString('base64') })),
});
