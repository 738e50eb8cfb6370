import { isUtf8 } from 'node:buffer';
import { ASN1Obj } from '@sigstore/core';
import { TAG, hasParts } from './asn1.js';

/**
 * Extensions that Fulcio does not write and that Go's crypto/x509 parses, so that a malformed one makes
 * cosign refuse the evidence that this action keeps.
 */
const FOREIGN: ReadonlySet<string> = new Set([
  '2.5.29.30', // name constraints
  '2.5.29.31', // CRL distribution points
  '2.5.29.32', // certificate policies
  '2.5.29.33', // policy mappings
  '2.5.29.36', // policy constraints
  '2.5.29.54', // inhibit any-policy
]);

/** Fulcio's docs/oid-info.md: .1 to .6 are raw strings, .8 to .24 are UTF8Strings. */
const FULCIO_STRING = /^1\.3\.6\.1\.4\.1\.57264\.1\.(?:[89]|1\d|2[0-4])$/;

/** What the value of an extension must look like, as Fulcio and Google's CA Service write it. */
const FORMS: ReadonlyMap<string, (value: ASN1Obj | undefined) => boolean> = new Map([
  // Subject key identifier, RFC 5280 §4.2.1.2.
  ['2.5.29.14', (value) => hasParts(value, TAG.octetString)],
  // Authority key identifier, §4.2.1.1, without issuer and serial number.
  [
    '2.5.29.35',
    (value) => hasParts(value, TAG.sequence) && hasParts(value?.subs[0], TAG.primitive0),
  ],
  // Authority information access, §4.2.2.1, by URI.
  [
    '1.3.6.1.5.5.7.1.1',
    (value) =>
      hasParts(value, TAG.sequence) &&
      (value?.subs[0]?.subs ?? []).every((access) =>
        hasParts(access, TAG.objectIdentifier, TAG.primitive6),
      ),
  ],
]);

/**
 * Why an extension of a signing certificate cannot come from Fulcio, or would make cosign refuse it.
 *
 * @param extension well-formed (RFC 5280 §4.1)
 * @returns the reason, to follow "the certificate"; undefined if there is none
 * @throws {Error} if the value cannot be parsed
 */
export function leafExtensionDefect(extension: ASN1Obj): string | undefined {
  const oid = extension.subs[0]?.toOID() ?? '';
  const value = extension.subs.at(-1);
  if (FOREIGN.has(oid)) {
    return `has extension ${oid}, which Fulcio does not write`;
  }
  const isOfForm = FULCIO_STRING.test(oid) ? isUtf8String(value) : FORMS.get(oid)?.(value);
  return isOfForm === false ? `has a malformed extension ${oid}` : undefined;
}

/** Whether an OCTET STRING consists of one UTF8String. */
function isUtf8String(octets: ASN1Obj | undefined): boolean {
  // The parser accepts DER only, and nothing after the one element.
  const { tag, value } = ASN1Obj.parseBuffer(Buffer.from(octets?.value ?? []));
  return tag.toDER() === TAG.utf8String && isUtf8(value);
}
