import {
  createHash,
  createPublicKey,
  generateKeyPairSync,
  randomBytes,
  sign,
  type KeyObject,
} from 'node:crypto';
import {
  bitString,
  boolean,
  contentOf,
  elementsOf,
  integer,
  octetString,
  oid,
  printableString,
  sequence,
  setOf,
  tagged,
  taggedPrimitive,
  time,
} from './der.js';

/** X.509 v3 certificates (RFC 5280). */

export const OID = {
  codeSigning: '1.3.6.1.5.5.7.3.3',
  serverAuthentication: '1.3.6.1.5.5.7.3.1',
  timeStamping: '1.3.6.1.5.5.7.3.8',
  ecdsaWithSha256: '1.2.840.10045.4.3.2',
  ecdsaWithSha384: '1.2.840.10045.4.3.3',
  sha256: '2.16.840.1.101.3.4.2.1',
} as const;

/** Distinguished name: organization and common name; either may be absent. */
export interface DistinguishedName {
  readonly organization?: string;
  readonly commonName?: string;
}

/** Who issues: a name, and an EC key that signs (SHA-384 with P-384, else SHA-256). */
export interface Issuer {
  readonly name: DistinguishedName;
  readonly privateKey: KeyObject;
}

export interface CertificateTemplate {
  readonly subject?: DistinguishedName;
  readonly issuer: Issuer;
  readonly publicKey: KeyObject;
  readonly notBefore: Date;
  readonly notAfter: Date;
  /** 20 random bytes unless given. */
  readonly serialNumber?: Buffer;
  /** DER Extension, in order. */
  readonly extensions: readonly Buffer[];
}

/** Signs a certificate. Returns DER. */
export function createCertificate(template: CertificateTemplate): Buffer {
  return signTbs(tbsCertificate(template), template.issuer);
}

/** The part of a certificate that is signed (RFC 5280 §4.1.2), DER. */
export function tbsCertificate(template: CertificateTemplate): Buffer {
  return sequence(
    tagged(0, integer(2)),
    integer(template.serialNumber ?? randomSerialNumber()),
    signatureAlgorithm(template.issuer.privateKey),
    distinguishedName(template.issuer.name),
    sequence(time(template.notBefore), time(template.notAfter)),
    distinguishedName(template.subject ?? {}),
    spki(template.publicKey),
    tagged(3, sequence(...template.extensions)),
  );
}

/** A TBSCertificate with its issuer's signature, DER. */
export function signTbs(tbs: Buffer, issuer: Issuer): Buffer {
  const hash = isP384(issuer.privateKey) ? 'sha384' : 'sha256';
  const signature = sign(hash, tbs, issuer.privateKey);
  return sequence(tbs, signatureAlgorithm(issuer.privateKey), bitString(signature));
}

/** A fresh issuer. */
export function createIssuer(
  name: DistinguishedName,
  namedCurve: 'P-256' | 'P-384' = 'P-384',
): Issuer {
  return { name, privateKey: generateKeyPairSync('ec', { namedCurve }).privateKey };
}

/** 20 random bytes, positive, and never shorter once encoded. */
export function randomSerialNumber(): Buffer {
  const bytes = randomBytes(20);
  bytes.writeUInt8((bytes.readUInt8(0) & 0x3f) | 0x40, 0);
  return bytes;
}

/** SubjectPublicKeyInfo, DER, of a public key or of a private key's public half. */
export function spki(key: KeyObject): Buffer {
  const publicKey = key.type === 'private' ? createPublicKey(key) : key;
  return publicKey.export({ format: 'der', type: 'spki' });
}

/** DER to PEM, 64 characters a line, ending in a line feed, as Fulcio and cosign write it. */
export function toPem(der: Buffer, label = 'CERTIFICATE'): string {
  const lines = der.toString('base64').match(/.{1,64}/g) ?? [];
  return [`-----BEGIN ${label}-----`, ...lines, `-----END ${label}-----`, ''].join('\n');
}

/** Key usages by their bit (RFC 5280 §4.2.1.3). */
export const KEY_USAGE = {
  digitalSignature: 0,
  keyEncipherment: 2,
  keyCertSign: 5,
  crlSign: 6,
} as const;

export type KeyUsage = keyof typeof KEY_USAGE;

export const extension = {
  /** Any extension; `value` is what its OCTET STRING contains. */
  of: (dotted: string, value: Uint8Array, critical = false): Buffer =>
    sequence(oid(dotted), ...(critical ? [boolean(true)] : []), octetString(value)),

  keyUsage(usages: readonly KeyUsage[]): Buffer {
    const highest = Math.max(...usages.map((usage) => KEY_USAGE[usage]));
    const bits = usages.reduce((octet, usage) => octet | (0x80 >> KEY_USAGE[usage]), 0);
    return extension.of('2.5.29.15', bitString(Buffer.from([bits]), 7 - highest), true);
  },

  extendedKeyUsage: (usages: readonly string[], critical = false): Buffer =>
    extension.of('2.5.29.37', sequence(...usages.map(oid)), critical),

  basicConstraints: (isCA: boolean, pathLength?: number): Buffer =>
    extension.of(
      '2.5.29.19',
      sequence(
        ...(isCA ? [boolean(true)] : []),
        ...(pathLength === undefined ? [] : [integer(pathLength)]),
      ),
      true,
    ),

  subjectKeyIdentifier: (key: KeyObject): Buffer =>
    extension.of('2.5.29.14', octetString(keyIdentifier(key))),

  authorityKeyIdentifier: (key: KeyObject): Buffer =>
    extension.of('2.5.29.35', sequence(taggedPrimitive(0, keyIdentifier(key)))),

  subjectAlternativeName: (names: readonly Buffer[], critical: boolean): Buffer =>
    extension.of('2.5.29.17', sequence(...names), critical),
};

/** GeneralName (RFC 5280 §4.2.1.6). */
export const generalName = {
  rfc822Name: (email: string): Buffer => taggedPrimitive(1, Buffer.from(email)),
  dnsName: (host: string): Buffer => taggedPrimitive(2, Buffer.from(host)),
  uri: (uri: string): Buffer => taggedPrimitive(6, Buffer.from(uri)),
  ipAddress: (octets: readonly number[]): Buffer => taggedPrimitive(7, Buffer.from(octets)),
};

export function distinguishedName({ organization, commonName }: DistinguishedName): Buffer {
  const attribute = (dotted: string, text: string | undefined): Buffer[] =>
    text === undefined ? [] : [setOf(sequence(oid(dotted), printableString(text)))];
  return sequence(...attribute('2.5.4.10', organization), ...attribute('2.5.4.3', commonName));
}

export const signatureAlgorithm = (key: KeyObject): Buffer =>
  sequence(oid(isP384(key) ? OID.ecdsaWithSha384 : OID.ecdsaWithSha256));

/** RFC 5280 §4.2.1.2, method 1: SHA-1 of the subjectPublicKey bits. */
function keyIdentifier(key: KeyObject): Buffer {
  const [, bits] = elementsOf(spki(key));
  if (bits === undefined) throw new Error('no subjectPublicKey in this key');
  return createHash('sha1').update(contentOf(bits).subarray(1)).digest();
}

const isP384 = (key: KeyObject): boolean => key.asymmetricKeyDetails?.namedCurve === 'secp384r1';
