import type { ASN1Obj, X509Certificate } from '@sigstore/core';
import { explain } from '../../errors.js';
import { TAG, hasParts, isEncoded } from './asn1.js';

/** Extensions that are evaluated here or by `@sigstore/verify`; any other critical one is refused. */
const PROCESSED = new Set([
  '2.5.29.15', // key usage
  '2.5.29.17', // subject alternative name
  '2.5.29.19', // basic constraints
  '2.5.29.37', // extended key usage
]);

/** RFC 5280 §4.1.2, without the unique identifiers, which §4.1.2.8 tells authorities not to use. */
const TBS_CERTIFICATE = [
  TAG.context0, // version
  TAG.integer, // serial number
  TAG.sequence, // signature
  TAG.sequence, // issuer
  TAG.sequence, // validity
  TAG.sequence, // subject
  TAG.sequence, // subject public key info
  TAG.context3, // extensions
];

/**
 * What makes Go's crypto/x509 refuse a certificate (`parseCertificate` in parser.go, `isValid` in
 * verify.go) that `@sigstore/core` accepts: it returns the first of several extensions with the
 * same OID, and never asks whether an extension is critical.
 *
 * @returns the reason, to follow "the certificate"; undefined where there is none
 */
export function certificateDefect(certificate: X509Certificate): string | undefined {
  try {
    return structureDefect(certificate) ?? extensionsDefect(certificate.extensions);
  } catch (error) {
    return `cannot be parsed: ${explain(error)}`;
  }
}

function structureDefect(certificate: X509Certificate): string | undefined {
  const { root, tbsCertificate } = certificate;
  if (
    !hasParts(root, TAG.sequence, TAG.sequence, TAG.bitString) ||
    !hasParts(tbsCertificate, ...TBS_CERTIFICATE) ||
    !hasParts(tbsCertificate.subs[7], TAG.sequence)
  ) {
    return 'does not have exactly the fields of an X.509 v3 certificate';
  }
  if (certificate.version !== 'v3') {
    return `is of version ${certificate.version}, not v3`;
  }
  if ((certificate.serialNumber[0] ?? 0x80) >= 0x80) {
    return 'has a negative serial number';
  }
  // The algorithm beside the signature is not signed; the one inside is.
  if (!isEncoded(root.subs[1], tbsCertificate.subs[2]?.toDER())) {
    return 'names two different signature algorithms';
  }
  // Nor are the bits of the signature that its encoding (X.690 §8.6.2) declares unused.
  return root.subs[2]?.value[0] === 0
    ? undefined
    : 'has a signature that is not a whole number of bytes';
}

function extensionsDefect(extensions: readonly ASN1Obj[]): string | undefined {
  const seen = new Set<string>();
  for (const extension of extensions) {
    const saysWhetherCritical = hasParts(
      extension,
      TAG.objectIdentifier,
      TAG.boolean,
      TAG.octetString,
    );
    if (!saysWhetherCritical && !hasParts(extension, TAG.objectIdentifier, TAG.octetString)) {
      return 'has a malformed extension';
    }
    const oid = extension.subs[0]?.toOID() ?? '';
    if (seen.has(oid)) {
      return `has extension ${oid} more than once`;
    }
    seen.add(oid);
    if (PROCESSED.has(oid)) {
      // Readers of a value look at its first element, and never at what follows.
      if (extension.subs.at(-1)?.subs.length !== 1) {
        return `has a malformed extension ${oid}`;
      }
    } else if (saysWhetherCritical && extension.subs[1]?.toBoolean() === true) {
      return `has an unknown critical extension ${oid}`;
    }
  }
  return undefined;
}
