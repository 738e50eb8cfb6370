import { ASN1Obj, type X509Certificate } from '@sigstore/core';
import { TAG, hasParts, isEncoded } from './asn1.js';

const bytes = (hex: string): Buffer => Buffer.from(hex, 'hex');

/** PKIStatusInfo (RFC 3161 §2.4.2) with status granted, 0, and nothing else. */
const GRANTED = bytes('3003020100');
/** CMSVersion (RFC 5652 §5.1 and §5.3) where the content is no plain data, and the signer is named by issuer and serial number. */
const SIGNED_DATA_VERSION = bytes('020103');
const SIGNER_INFO_VERSION = bytes('020101');
/** 1.2.840.113549.1.7.2 */
const SIGNED_DATA = bytes('06092a864886f70d010702');
/** 1.2.840.113549.1.9.16.1.4 */
const TST_INFO = bytes('060b2a864886f70d0109100104');
/** 2.16.840.1.101.3.4.2.1 to .3: SHA-256, SHA-384, SHA-512. */
const DIGESTS = ['01', '02', '03'].map((last) => bytes(`06096086480165030402${last}`));
/** 1.2.840.10045.4.3.2 to .4: ECDSA with SHA-256, SHA-384, SHA-512; RFC 5758 §3.2: no parameters. */
const SIGNATURES = ['02', '03', '04'].map((last) => bytes(`300a06082a8648ce3d0403${last}`));
const NULL = bytes('0500');

/**
 * Why an RFC 3161 response has bytes that anybody could have changed; undefined if it has none.
 *
 * `@sigstore/core` reads the parts of a response that it needs, wherever they are, and no others.
 * The signature covers the signed attributes, and by them the TSTInfo. Everything else could be
 * changed by anybody, and another reader might refuse the result: it must have the one form that
 * authorities write.
 *
 * @param response DER TimeStampResp, whose signature `@sigstore/verify` has verified
 * @param chains of the authorities of the trust root, leaf first
 * @returns the reason, to follow "its timestamp"
 */
export function timestampDefect(
  response: Buffer,
  chains: readonly (readonly X509Certificate[])[],
): string | undefined {
  const root = ASN1Obj.parseBuffer(Buffer.from(response));
  const [status, token] = root.subs;
  const signedData = token?.subs[1]?.subs[0];
  if (
    root.tag.toDER() !== TAG.sequence ||
    !hasParts(root, TAG.sequence, TAG.sequence) ||
    !hasParts(token, TAG.objectIdentifier, TAG.context0) ||
    !isEncoded(token?.subs[0], SIGNED_DATA) ||
    !hasParts(token?.subs[1], TAG.sequence) ||
    signedData === undefined
  ) {
    return 'is not a response with signed data';
  }
  return isEncoded(status, GRANTED)
    ? signedDataDefect(signedData, chains)
    : 'has a status other than "granted"';
}

/** RFC 5652 §5.1; without revocation lists. */
function signedDataDefect(
  signedData: ASN1Obj,
  chains: readonly (readonly X509Certificate[])[],
): string | undefined {
  const [version, digests, content, ...more] = signedData.subs;
  const [certificates, signers] = more.length === 2 ? more : [undefined, more[0]];
  const signer = signers?.subs[0];
  const beginning = [TAG.integer, TAG.set, TAG.sequence];
  if (
    !(
      hasParts(signedData, ...beginning, TAG.set) ||
      hasParts(signedData, ...beginning, TAG.context0, TAG.set)
    ) ||
    !isEncoded(version, SIGNED_DATA_VERSION) ||
    !hasParts(content, TAG.objectIdentifier, TAG.context0) ||
    !isEncoded(content?.subs[0], TST_INFO) ||
    !hasParts(content?.subs[1], TAG.octetString) ||
    // A second element would not be part of what is signed.
    !hasParts(content?.subs[1]?.subs[0], TAG.sequence) ||
    !hasParts(signers, TAG.sequence) ||
    signer === undefined
  ) {
    return 'does not contain exactly one TSTInfo signed by one signer';
  }
  const digest = signer.subs[2]?.toDER();
  if (!hasParts(digests, TAG.sequence) || !isEncoded(digests?.subs[0], digest)) {
    return 'names different digest algorithms than its signer';
  }
  return signerDefect(signer) ?? certificatesDefect(certificates, signer, chains);
}

/** RFC 5652 §5.3; without unsigned attributes. */
function signerDefect(signer: ASN1Obj): string | undefined {
  const [version, id, digest, , signature] = signer.subs;
  if (
    !hasParts(
      signer,
      TAG.integer,
      TAG.sequence,
      TAG.sequence,
      TAG.context0,
      TAG.sequence,
      TAG.octetString,
    ) ||
    !isEncoded(version, SIGNER_INFO_VERSION) ||
    !hasParts(id, TAG.sequence, TAG.integer)
  ) {
    return 'has a malformed signer';
  }
  const hasDigestAlgorithm =
    (hasParts(digest, TAG.objectIdentifier) ||
      (hasParts(digest, TAG.objectIdentifier, TAG.null) && isEncoded(digest?.subs[1], NULL))) &&
    DIGESTS.some((known) => isEncoded(digest?.subs[0], known));
  const hasSignatureAlgorithm = SIGNATURES.some((known) => isEncoded(signature, known));
  return hasDigestAlgorithm && hasSignatureAlgorithm ? undefined : 'uses unknown algorithms';
}

/** None, or the signer's, and with it none but those of its chain, each once. */
function certificatesDefect(
  certificates: ASN1Obj | undefined,
  signer: ASN1Obj,
  chains: readonly (readonly X509Certificate[])[],
): string | undefined {
  if (certificates === undefined) {
    return undefined;
  }
  const [issuer, serialNumber] = signer.subs[1]?.subs ?? [];
  const embedded = certificates.subs.map((certificate) => certificate.toDER().toString('hex'));
  const isKnown = chains.some((chain) => {
    const [leaf] = chain;
    const known = chain.map(({ root }) => root.toDER().toString('hex'));
    return (
      leaf !== undefined &&
      issuer?.value.equals(leaf.issuer) === true &&
      serialNumber?.value.equals(leaf.serialNumber) === true &&
      embedded.includes(known[0] ?? '') &&
      embedded.every((certificate) => known.includes(certificate))
    );
  });
  return isKnown && new Set(embedded).size === embedded.length
    ? undefined
    : 'contains certificates that are not those of its authority in the trust root';
}
