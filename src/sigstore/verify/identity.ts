import { ASN1Obj, X509Certificate } from '@sigstore/core';
import { SetupError } from '../../errors.js';

/** Who must have signed. Both are whole strings, both always required. */
export interface ExpectedIdentity {
  /** The certificate's one subject alternative name: an e-mail address or a URI. */
  readonly subjectAlternativeName: string;
  /** The OIDC issuer that vouched for it. */
  readonly issuer: string;
}

/** Fulcio's extensions for the OIDC issuer: a raw string, and a DER UTF8String. */
const OID_ISSUER_V1 = '1.3.6.1.4.1.57264.1.1';
const OID_ISSUER_V2 = '1.3.6.1.4.1.57264.1.8';
const OID_SUBJECT_ALTERNATIVE_NAME = '2.5.29.17';
const TAG_UTF8_STRING = 0x0c;
/** RFC 5280 §4.2.1.6: rfc822Name [1] and uniformResourceIdentifier [6]. */
const TAG_RFC822_NAME = 1;
const TAG_URI = 6;

/**
 * Requires the certificate's subject alternative name and issuer to equal the expected ones.
 *
 * `@sigstore/verify` can compare them too, but takes a string for an unanchored regular
 * expression, skips an empty one, and looks at the first of several names.
 *
 * @throws {SetupError} IDENTITY_MISMATCH
 */
export function checkIdentity(certificate: X509Certificate, expected: ExpectedIdentity): void {
  const names = subjectAlternativeNames(certificate);
  const issuers = oidcIssuers(certificate);
  if (names.length !== 1 || names[0] !== expected.subjectAlternativeName) {
    throw mismatch('certificate identity', expected.subjectAlternativeName, names);
  }
  if (issuers.length === 0 || !issuers.every((issuer) => issuer === expected.issuer)) {
    throw mismatch('certificate OIDC issuer', expected.issuer, issuers);
  }
}

/** Every name, of any kind; those that are neither e-mail address nor URI without their value. */
function subjectAlternativeNames(certificate: X509Certificate): string[] {
  const extension = certificate.extension(OID_SUBJECT_ALTERNATIVE_NAME);
  return (extension?.valueObj.subs[0]?.subs ?? []).map((name) =>
    name.tag.isContextSpecific(TAG_RFC822_NAME) || name.tag.isContextSpecific(TAG_URI)
      ? name.value.toString('utf8')
      : `(a name of type ${String(name.tag.number)})`,
  );
}

function oidcIssuers(certificate: X509Certificate): string[] {
  const v1 = certificate.extension(OID_ISSUER_V1);
  const v2 = certificate.extension(OID_ISSUER_V2);
  return [
    ...(v1 === undefined ? [] : [v1.value.toString('utf8')]),
    ...(v2 === undefined ? [] : [utf8String(v2.value)]),
  ];
}

function utf8String(der: Buffer): string {
  const parsed = ASN1Obj.parseBuffer(Buffer.from(der));
  return parsed.tag.number === TAG_UTF8_STRING ? parsed.value.toString('utf8') : '(no UTF8String)';
}

function mismatch(what: string, expected: string, found: readonly string[]): SetupError {
  const shown = found.length === 0 ? 'none' : found.map((name) => JSON.stringify(name)).join(', ');
  return new SetupError(
    'IDENTITY_MISMATCH',
    `${what}: expected ${JSON.stringify(expected)}, found ${shown}`,
  );
}
