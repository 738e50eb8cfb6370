import { createPublicKey } from 'node:crypto';
import { X509Certificate, type ASN1Obj } from '@sigstore/core';
import { SetupError, explain } from '../../errors.js';
import { TAG, hasParts, isEncoded } from './asn1.js';
import { leafExtensionDefect } from './leaf-extensions.js';

/** RFC 5280 §4.2.1.12: id-kp-codeSigning. */
const CODE_SIGNING = '1.3.6.1.5.5.7.3.3';
/** Extensions that this action or `@sigstore/verify` evaluates. No other may be critical. */
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
 * Reads a signing certificate.
 *
 * @param certificate X.509, DER
 * @throws {SetupError} CERTIFICATE_UNTRUSTED
 */
export function parseLeaf(certificate: Buffer): X509Certificate {
  let leaf: X509Certificate;
  try {
    leaf = X509Certificate.parse(Buffer.from(certificate));
    createPublicKey({ key: leaf.publicKey, format: 'der', type: 'spki' });
  } catch (error) {
    throw untrusted(`cannot parse it: ${explain(error)}`, error);
  }
  const defect = certificateDefect(leaf) ?? leafDefect(leaf);
  if (defect !== undefined) {
    throw untrusted(`it ${defect}`);
  }
  return leaf;
}

/**
 * Runs checks on a certificate. `@sigstore/core` parses a field only when it is read, so any check can
 * find a damaged one.
 *
 * @throws {SetupError} what the check throws, or CERTIFICATE_UNTRUSTED for a field that cannot be read
 */
export function inspectCertificate(check: () => void): void {
  try {
    check();
  } catch (error) {
    throw error instanceof SetupError
      ? error
      : untrusted(`cannot parse it: ${explain(error)}`, error);
  }
}

/** The certificate is for code signing, and not that of an authority (RFC 5280 §4.2.1). */
export function checkCodeSigningLeaf(leaf: X509Certificate): void {
  if (leaf.extBasicConstraints?.isCA === true || leaf.extKeyUsage?.keyCertSign === true) {
    throw untrusted('it is a CA certificate');
  }
  if (leaf.extKeyUsage?.digitalSignature !== true) {
    throw untrusted('its key usage does not include digital signatures');
  }
  if (!extendedKeyUsages(leaf).includes(CODE_SIGNING)) {
    throw untrusted('its extended key usage does not include code signing');
  }
}

function extendedKeyUsages(leaf: X509Certificate): string[] {
  const extension = leaf.extension('2.5.29.37');
  return (extension?.valueObj.subs[0]?.subs ?? []).map((usage) => usage.toOID());
}

/**
 * Why Go's crypto/x509 would refuse a certificate (`parseCertificate` in parser.go, `isValid` in
 * verify.go) that `@sigstore/core` accepts. That library returns the first of several extensions
 * with the same OID, and ignores whether an extension is critical.
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
  // Only the algorithm inside the signed part is signed, not the one next to the signature.
  if (!isEncoded(root.subs[1], tbsCertificate.subs[2]?.toDER())) {
    return 'names two different signature algorithms';
  }
  // Bits that the encoding of the signature (X.690 §8.6.2) declares unused are not signed either.
  return root.subs[2]?.value[0] === 0
    ? undefined
    : 'has a signature that is not a whole number of bytes';
}

function leafDefect(leaf: X509Certificate): string | undefined {
  try {
    return leaf.extensions.map(leafExtensionDefect).find((defect) => defect !== undefined);
  } catch (error) {
    return `cannot be parsed: ${explain(error)}`;
  }
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
    const isCritical = saysWhetherCritical && extension.subs[1]?.toBoolean() === true;
    if (saysWhetherCritical && !isCritical) {
      // X.690 §11.5. cosign encodes the certificate again to check its timestamp, without the FALSE.
      return `encodes that extension ${oid} is not critical, which DER omits`;
    }
    if (PROCESSED.has(oid)) {
      // Readers take the first element of the value, and ignore any that follow.
      if (extension.subs.at(-1)?.subs.length !== 1) {
        return `has a malformed extension ${oid}`;
      }
    } else if (isCritical) {
      return `has an unknown critical extension ${oid}`;
    }
  }
  return undefined;
}

/**
 * Encodes a certificate once and for all. `@sigstore/verify` encodes each one about ten times, node by
 * node. This saves a warm run 10 ms and 5 MiB. Nothing may change the certificate afterwards.
 */
export function rememberEncoding({ root, tbsCertificate }: X509Certificate): void {
  for (const part of [tbsCertificate, root]) {
    const der = Buffer.from(part.toDER());
    part.toDER = () => der;
  }
}

export function untrusted(reason: string, cause?: unknown): SetupError {
  return new SetupError(
    'CERTIFICATE_UNTRUSTED',
    `the signing certificate is not trusted: ${reason}`,
    { cause },
  );
}
