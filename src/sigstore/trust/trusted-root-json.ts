import { HashAlgorithm, PublicKeyDetails, TrustedRoot } from '@sigstore/protobuf-specs';
import { toTrustMaterial, type TrustMaterial } from '@sigstore/verify';
import { parseStrictJson } from '../../strict-json.js';

/** The public one is 7 KiB. */
export const MAX_TRUSTED_ROOT_BYTES = 1 << 20;

/** The only one that sigstore-go accepts. */
const MEDIA_TYPE = 'application/vnd.dev.sigstore.trustedroot+json;version=0.1';

/**
 * The type of a log's key (as `KeyObject.asymmetricKeyType`), by its `keyDetails`: what sigstore-go accepts
 * and `@sigstore/verify` can read. The latter reads RSA keys as PKCS #1 only.
 */
const KEY_TYPES: ReadonlyMap<string, string> = new Map([
  ['PKIX_ECDSA_P256_SHA_256', 'ec'],
  ['PKIX_ECDSA_P384_SHA_384', 'ec'],
  ['PKIX_ECDSA_P521_SHA_512', 'ec'],
  ['PKIX_ED25519', 'ed25519'],
  // A former log of Sigstore's staging instance.
  ['PKCS1_RSA_PKCS1V5', 'rsa'],
]);

/** RFC 3339, as protobuf's JSON has it. The first group is the date. */
const TIME =
  /^(\d{4}-\d{2}-\d{2})T(?:[01]\d|2[0-3]):\d{2}:\d{2}(?:\.\d{1,9})?(?:Z|[+-]\d{2}:\d{2})$/;

/**
 * Reads a `trusted_root.json`: `dev.sigstore.trustroot.v1.TrustedRoot` as JSON.
 *
 * The library's reader takes whatever is missing or unknown for a default. What cosign refuses is
 * refused here too (sigstore-go, pkg/root/trusted_root.go).
 *
 * @throws {Error} if it is malformed or ambiguous, a log lacks what its key is for, or an authority or
 *   log is missing
 */
export function parseTrustedRoot(json: Buffer): TrustMaterial {
  if (json.length > MAX_TRUSTED_ROOT_BYTES) {
    throw new Error(`the trusted root is larger than ${String(MAX_TRUSTED_ROOT_BYTES)} bytes`);
  }
  parseStrictJson(json);
  const root = TrustedRoot.fromJSON(JSON.parse(json.toString('utf8'), checkedMember));
  if (root.mediaType !== MEDIA_TYPE) {
    throw new Error(`the mediaType of the trusted root is not ${MEDIA_TYPE}`);
  }
  assertLogs('tlogs', root.tlogs);
  assertLogs('ctlogs', root.ctlogs);
  const material = toTrustMaterial(root);
  assertKeys('tlogs', root.tlogs, material.tlogs);
  assertKeys('ctlogs', root.ctlogs, material.ctlogs);
  // Without these keys, every file would be refused.
  if (material.certificateAuthorities.length === 0 || material.tlogs.length === 0) {
    throw new Error('the trusted root has no certificate authority or no transparency log');
  }
  return material;
}

/**
 * A reviver for `JSON.parse`. The library's reader would take `{}`, `0` or `true` as the year 1970, and
 * "1" as 2001. It would ignore `valid_for`, which protobuf's JSON allows in place of `validFor`.
 */
function checkedMember(name: string, value: unknown): unknown {
  if (name.includes('_')) {
    throw new Error('a field of the trusted root is not in camel case');
  }
  if ((name === 'start' || name === 'end') && value !== null && !isTime(value)) {
    throw new Error(`a validFor.${name} in the trusted root is not a time`);
  }
  return value;
}

function isTime(value: unknown): boolean {
  if (typeof value !== 'string') {
    return false;
  }
  const [, date = ''] = TIME.exec(value) ?? [];
  // JavaScript takes February 30 as March 2.
  const isDay = new Date(`${date}T00:00:00Z`).getUTCDate() === Number(date.slice(8));
  return isDay && !Number.isNaN(Date.parse(value));
}

/**
 * Every log says what its key is for. Without a start, `@sigstore/verify` would accept the key for any
 * time in the past. (For authorities, cosign leaves the start to the certificates.)
 */
function assertLogs(list: string, logs: TrustedRoot['tlogs']): void {
  for (const [index, { publicKey, hashAlgorithm, logId }] of logs.entries()) {
    const log = `${list}[${String(index)}]`;
    if (publicKey?.validFor?.start === undefined) {
      throw new Error(`${log}.publicKey.validFor.start is missing in the trusted root`);
    }
    if (hashAlgorithm !== HashAlgorithm.SHA2_256) {
      throw new Error(`${log}.hashAlgorithm in the trusted root is not SHA2_256`);
    }
    if (logId === undefined || logId.keyId.length === 0) {
      throw new Error(`${log}.logId is missing in the trusted root`);
    }
  }
}

/** Every key is of the type that the trusted root says, and the only one under its ID. */
function assertKeys(list: string, logs: TrustedRoot['tlogs'], keys: TrustMaterial['tlogs']): void {
  for (const [index, { publicKey }] of keys.entries()) {
    const details = PublicKeyDetails[logs[index]?.publicKey?.keyDetails ?? 0] ?? '';
    if (KEY_TYPES.get(details) !== publicKey.asymmetricKeyType) {
      const field = `${list}[${String(index)}].publicKey.keyDetails`;
      throw new Error(`${field} in the trusted root is not supported, or not that of the key`);
    }
  }
  // `@sigstore/verify` uses checkpointKeyId, if there is one; cosign uses logId.
  if (
    hasDuplicates(keys.map(({ logID }) => logID)) ||
    hasDuplicates(logs.map(({ logId }) => logId?.keyId))
  ) {
    throw new Error(`two ${list} in the trusted root have the same ID`);
  }
}

function hasDuplicates(ids: readonly (Buffer | undefined)[]): boolean {
  return new Set(ids.map((id) => id?.toString('hex'))).size < ids.length;
}
