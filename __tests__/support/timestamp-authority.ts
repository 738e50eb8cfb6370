import { createHash, randomBytes, sign } from 'node:crypto';
import { wholeSecond } from './certificate-authority.js';
import {
  elementsOf,
  generalizedTime,
  integer,
  nullValue,
  octetString,
  oid,
  sequence,
  setOf,
  tagged,
  time,
} from './der.js';
import {
  createCertificate,
  createIssuer,
  distinguishedName,
  extension,
  OID,
  signatureAlgorithm,
  type Issuer,
} from './x509.js';

const OID_SIGNED_DATA = '1.2.840.113549.1.7.2';
const OID_TST_INFO = '1.2.840.113549.1.9.16.1.4';
const OID_CONTENT_TYPE = '1.2.840.113549.1.9.3';
const OID_MESSAGE_DIGEST = '1.2.840.113549.1.9.4';
const OID_SIGNING_TIME = '1.2.840.113549.1.9.5';
const OID_SIGNING_CERTIFICATE_V2 = '1.2.840.113549.1.9.16.2.47';
const OID_POLICY = '1.3.6.1.4.1.57264.2';
const YEAR = 365 * 24 * 60 * 60_000;

/** What no signature covers in a response, where it is to differ; all DER. */
export interface UnsignedParts {
  /** PKIStatusInfo. */
  readonly status?: Buffer;
  /** The leaf unless given; `[]`: none. */
  readonly certificates?: readonly Buffer[];
  /** CertificateList elements. */
  readonly revocationLists?: readonly Buffer[];
  /** AlgorithmIdentifier, in the list of the signed data. */
  readonly listedDigestAlgorithm?: Buffer;
  /** AlgorithmIdentifier, both in the list and of the signer. */
  readonly digestAlgorithm?: Buffer;
  /** AlgorithmIdentifier. */
  readonly signatureAlgorithm?: Buffer;
  /** Element behind the TSTInfo. */
  readonly behindInfo?: Buffer;
  readonly signedDataVersion?: number;
  readonly signerVersion?: number;
  /** How often the signer is listed. */
  readonly signers?: number;
  /** Attribute elements. */
  readonly unsignedAttributes?: readonly Buffer[];
}

/** An RFC 3161 time-stamping authority: a CA, a leaf for time stamping alone, and tokens over whatever it is shown. */
export class TimestampAuthority {
  /** DER. */
  readonly root: Buffer;
  /** DER. */
  readonly leaf: Buffer;
  readonly #signer: Issuer;
  readonly #issuer: Issuer;

  private constructor(root: Buffer, leaf: Buffer, issuer: Issuer, signer: Issuer) {
    this.root = root;
    this.leaf = leaf;
    this.#issuer = issuer;
    this.#signer = signer;
  }

  static create(options: { readonly validFrom?: Date } = {}): TimestampAuthority {
    const notBefore = wholeSecond(options.validFrom ?? new Date(Date.now() - 2 * YEAR));
    const validity = { notBefore, notAfter: new Date(notBefore.getTime() + 10 * YEAR) };
    const name = { organization: 'sigstore.dev', commonName: 'sigstore-tsa-selfsigned' };
    const issuer = createIssuer(name);
    const root = createCertificate({
      ...validity,
      subject: name,
      issuer,
      publicKey: issuer.privateKey,
      extensions: [
        extension.keyUsage(['keyCertSign', 'crlSign']),
        extension.basicConstraints(true, 0),
        extension.subjectKeyIdentifier(issuer.privateKey),
      ],
    });
    const signer = createIssuer(
      { organization: 'sigstore.dev', commonName: 'sigstore-tsa' },
      'P-256',
    );
    const leaf = createCertificate({
      ...validity,
      subject: signer.name,
      issuer,
      publicKey: signer.privateKey,
      extensions: [
        extension.keyUsage(['digitalSignature']),
        extension.extendedKeyUsage([OID.timeStamping], true),
        extension.subjectKeyIdentifier(signer.privateKey),
        extension.authorityKeyIdentifier(issuer.privateKey),
      ],
    });
    return new TimestampAuthority(root, leaf, issuer, signer);
  }

  /** The chain as a trusted root lists it, leaf first; DER. */
  get chain(): readonly [leaf: Buffer, root: Buffer] {
    return [this.leaf, this.root];
  }

  /** A TimeStampResp (RFC 3161 §2.4.2) which says that these bytes existed at this time; DER. */
  timestamp(bytes: Buffer, at = new Date(), parts: UnsignedParts = {}): Buffer {
    const info = sequence(
      integer(1),
      oid(OID_POLICY),
      sequence(sequence(oid(OID.sha256), nullValue()), octetString(sha256(bytes))),
      integer(randomBytes(16)),
      generalizedTime(at),
    );
    const {
      certificates = [this.leaf],
      revocationLists = [],
      behindInfo = Buffer.alloc(0),
    } = parts;
    const digestAlgorithm = parts.digestAlgorithm ?? SHA256_ALGORITHM;
    const signer = this.#signerInfo(info, at, { ...parts, digestAlgorithm });
    const signedData = sequence(
      integer(parts.signedDataVersion ?? 3),
      setOf(parts.listedDigestAlgorithm ?? digestAlgorithm),
      sequence(oid(OID_TST_INFO), tagged(0, octetString(Buffer.concat([info, behindInfo])))),
      ...(certificates.length > 0 ? [tagged(0, ...certificates)] : []),
      ...(revocationLists.length > 0 ? [tagged(1, ...revocationLists)] : []),
      setOf(...Array.from({ length: parts.signers ?? 1 }, () => signer)),
    );
    const token = sequence(oid(OID_SIGNED_DATA), tagged(0, signedData));
    return sequence(parts.status ?? GRANTED, token);
  }

  /** SignerInfo (RFC 5652 §5.3) with signed attributes, among them the signer's certificate (RFC 5816). */
  #signerInfo(info: Buffer, at: Date, parts: UnsignedParts & { digestAlgorithm: Buffer }): Buffer {
    const { privateKey } = this.#signer;
    const attributes = setOf(
      attribute(OID_CONTENT_TYPE, oid(OID_TST_INFO)),
      attribute(OID_SIGNING_TIME, time(at)),
      attribute(OID_MESSAGE_DIGEST, octetString(sha256(info))),
      attribute(
        OID_SIGNING_CERTIFICATE_V2,
        sequence(sequence(sequence(octetString(sha256(this.leaf))))),
      ),
    );
    const { unsignedAttributes = [] } = parts;
    return sequence(
      integer(parts.signerVersion ?? 1),
      sequence(distinguishedName(this.#issuer.name), serialNumberOf(this.leaf)),
      parts.digestAlgorithm,
      // What is signed is a SET; what is sent carries the tag [0] instead (RFC 5652 §5.4).
      tagged(0, ...elementsOf(attributes)),
      parts.signatureAlgorithm ?? signatureAlgorithm(privateKey),
      octetString(sign('sha256', attributes, privateKey)),
      ...(unsignedAttributes.length > 0 ? [tagged(1, ...unsignedAttributes)] : []),
    );
  }
}

const GRANTED = sequence(integer(0));
const SHA256_ALGORITHM = sequence(oid(OID.sha256));

const attribute = (dotted: string, value: Buffer): Buffer => sequence(oid(dotted), setOf(value));

const sha256 = (bytes: Buffer): Buffer => createHash('sha256').update(bytes).digest();

/** The serial number, an INTEGER element, of a certificate. */
function serialNumberOf(certificate: Buffer): Buffer {
  const [tbs = Buffer.alloc(0)] = elementsOf(certificate);
  const [, serialNumber] = elementsOf(tbs);
  if (serialNumber === undefined) throw new Error('no serial number in this certificate');
  return serialNumber;
}
