import { createPublicKey, generateKeyPairSync, sign, type KeyObject } from 'node:crypto';
import { CtLog, timestampList } from './ct-log.js';
import { octetString, utf8String } from './der.js';
import {
  createCertificate,
  createIssuer,
  extension,
  generalName,
  OID,
  randomSerialNumber,
  signTbs,
  spki,
  tbsCertificate,
  toPem,
  type Issuer,
  type KeyUsage,
} from './x509.js';

/** Who signs Kubernetes' releases. */
export const RELEASE_IDENTITY = 'krel-staging@k8s-releng-prod.iam.gserviceaccount.com';
export const RELEASE_ISSUER = 'https://accounts.google.com';

const OID_ISSUER_V1 = '1.3.6.1.4.1.57264.1.1';
const OID_ISSUER_V2 = '1.3.6.1.4.1.57264.1.8';
const OID_TIMESTAMP_LIST = '1.3.6.1.4.1.11129.2.4.2';

export const MINUTE = 60_000;
export const DAY = 24 * 60 * MINUTE;
const YEAR = 365 * DAY;

export type SubjectAlternativeName =
  { readonly email: string } | { readonly uri: string } | { readonly dns: string };

export type LeafKey = 'p256' | 'p384' | 'rsa' | 'ed25519';

/** How the embedded certificate timestamp is: right, absent, signed by another key under the log's id, or from a log nobody knows. */
export type CertificateTimestamp = 'valid' | 'none' | 'other-key' | 'unknown-log';

export interface IssueOptions {
  /** One name, several, or none (`[]`: no such extension). */
  readonly subjectAlternativeName?: SubjectAlternativeName | readonly SubjectAlternativeName[];
  /** OIDC issuer, `https://accounts.google.com` unless given; may be empty. */
  readonly issuer?: string;
  /** In which extensions the issuer stands, or one value for each: .1.1 holds raw bytes, .1.8 a DER UTF8String. */
  readonly issuerExtensions?:
    'v1' | 'v2' | 'both' | 'none' | { readonly v1?: string; readonly v2?: string };
  /** Start of validity, cut to the second; now unless given. */
  readonly notBefore?: Date;
  /** End of validity; ten minutes after its start unless given. */
  readonly notAfter?: Date;
  /** Dotted OIDs; code signing unless given; `[]`: no such extension. */
  readonly extendedKeyUsages?: readonly string[];
  /** digitalSignature unless given. */
  readonly keyUsage?: readonly KeyUsage[];
  readonly isCA?: boolean;
  /** DER Extension, behind the others. */
  readonly moreExtensions?: readonly Buffer[];
  /** A kind of key to make, or the private key to certify. */
  readonly key?: LeafKey | KeyObject;
  readonly sct?: CertificateTimestamp;
}

export interface Certified {
  readonly pem: string;
  readonly der: Buffer;
  readonly notBefore: Date;
  readonly notAfter: Date;
}

export interface IssuedCertificate extends Certified {
  readonly privateKey: KeyObject;
  /** Signs bytes as cosign does: ECDSA with SHA-256, DER (PKCS #1 for RSA, plain for Ed25519). */
  sign(bytes: Buffer): Buffer;
}

/** Fulcio's shape: a P-384 root, a P-384 intermediate for code signing, and leaves that the intermediate issues. */
export class CertificateAuthority {
  readonly validFrom: Date;
  readonly ctLog: CtLog;
  /** DER. */
  readonly root: Buffer;
  /** DER. */
  readonly intermediate: Buffer;
  readonly #issuer: Issuer;

  private constructor(
    validFrom: Date,
    ctLog: CtLog,
    root: Buffer,
    intermediate: Buffer,
    issuer: Issuer,
  ) {
    this.validFrom = validFrom;
    this.ctLog = ctLog;
    this.root = root;
    this.intermediate = intermediate;
    this.#issuer = issuer;
  }

  /** `validFrom` is two years ago unless given, so that releases can lie in the past, where their certificates have expired. */
  static create(
    options: {
      readonly validFrom?: Date;
      readonly ctLog?: CtLog;
      /** DER Extension, of the intermediate, behind the others. */
      readonly moreExtensions?: readonly Buffer[];
    } = {},
  ): CertificateAuthority {
    const notBefore = wholeSecond(options.validFrom ?? new Date(Date.now() - 2 * YEAR));
    const validity = { notBefore, notAfter: new Date(notBefore.getTime() + 10 * YEAR) };
    const rootIssuer = createIssuer({ organization: 'sigstore.dev', commonName: 'sigstore' });
    const root = createCertificate({
      ...validity,
      subject: rootIssuer.name,
      issuer: rootIssuer,
      publicKey: rootIssuer.privateKey,
      extensions: [
        extension.keyUsage(['keyCertSign', 'crlSign']),
        extension.basicConstraints(true),
        extension.subjectKeyIdentifier(rootIssuer.privateKey),
      ],
    });
    const issuer = createIssuer({
      organization: 'sigstore.dev',
      commonName: 'sigstore-intermediate',
    });
    const intermediate = createCertificate({
      ...validity,
      subject: issuer.name,
      issuer: rootIssuer,
      publicKey: issuer.privateKey,
      extensions: [
        extension.keyUsage(['keyCertSign', 'crlSign']),
        extension.extendedKeyUsage([OID.codeSigning]),
        extension.basicConstraints(true, 0),
        extension.subjectKeyIdentifier(issuer.privateKey),
        extension.authorityKeyIdentifier(rootIssuer.privateKey),
        ...(options.moreExtensions ?? []),
      ],
    });
    const ctLog = options.ctLog ?? CtLog.create();
    return new CertificateAuthority(notBefore, ctLog, root, intermediate, issuer);
  }

  /** The chain as a trusted root lists it, intermediate first; DER. */
  get chain(): readonly [intermediate: Buffer, root: Buffer] {
    return [this.intermediate, this.root];
  }

  /** Issues a leaf, with a key of its own or the given one. */
  issue(options: IssueOptions = {}): IssuedCertificate {
    const privateKey = leafKey(options.key ?? 'p256');
    const certified = this.certify(createPublicKey(privateKey), options);
    const hash = privateKey.asymmetricKeyType === 'ed25519' ? null : 'sha256';
    return { ...certified, privateKey, sign: (bytes) => sign(hash, bytes, privateKey) };
  }

  /**
   * Certifies a public key as Fulcio does (RFC 6962 §3.1): the log's timestamp is taken over the certificate without the
   * timestamp extension, then the certificate is signed with it.
   */
  certify(publicKey: KeyObject, options: Omit<IssueOptions, 'key'> = {}): Certified {
    const notBefore = wholeSecond(options.notBefore ?? new Date());
    const notAfter = wholeSecond(options.notAfter ?? new Date(notBefore.getTime() + 10 * MINUTE));
    const template = {
      issuer: this.#issuer,
      publicKey,
      notBefore,
      notAfter,
      serialNumber: randomSerialNumber(),
      extensions: this.#leafExtensions(options, publicKey),
    };
    const timestamp = this.#timestamp(tbsCertificate(template), notBefore, options.sct ?? 'valid');
    const tbs = tbsCertificate({ ...template, extensions: [...template.extensions, ...timestamp] });
    const der = signTbs(tbs, this.#issuer);
    return { pem: toPem(der), der, notBefore, notAfter };
  }

  #leafExtensions(options: IssueOptions, key: KeyObject): Buffer[] {
    const usages = options.extendedKeyUsages ?? [OID.codeSigning];
    return [
      extension.keyUsage(options.keyUsage ?? ['digitalSignature']),
      ...(usages.length > 0 ? [extension.extendedKeyUsage(usages)] : []),
      ...(options.isCA === true ? [extension.basicConstraints(true)] : []),
      extension.subjectKeyIdentifier(key),
      extension.authorityKeyIdentifier(this.#issuer.privateKey),
      ...subjectAlternativeNames(options.subjectAlternativeName ?? { email: RELEASE_IDENTITY }),
      ...issuerExtensions(options),
      ...(options.moreExtensions ?? []),
    ];
  }

  #timestamp(tbs: Buffer, at: Date, kind: CertificateTimestamp): Buffer[] {
    if (kind === 'none') return [];
    const signer = kind === 'valid' ? this.ctLog : CtLog.create();
    const claimed = kind === 'unknown-log' ? signer : this.ctLog;
    const issuerPublicKey = spki(this.#issuer.privateKey);
    const list = timestampList([signer.timestamp({ tbs, issuerPublicKey }, at, claimed)]);
    return [extension.of(OID_TIMESTAMP_LIST, octetString(list))];
  }
}

/** A date without its milliseconds: certificates count in seconds. */
export const wholeSecond = (date: Date): Date => new Date(Math.floor(date.getTime() / 1000) * 1000);

function subjectAlternativeNames(
  names: SubjectAlternativeName | readonly SubjectAlternativeName[],
): Buffer[] {
  const list = 'length' in names ? names : [names];
  if (list.length === 0) return [];
  const generalNames = list.map((name) => {
    if ('email' in name) return generalName.rfc822Name(name.email);
    return 'uri' in name ? generalName.uri(name.uri) : generalName.dnsName(name.dns);
  });
  // Critical, because the subject is empty (RFC 5280 §4.2.1.6).
  return [extension.subjectAlternativeName(generalNames, true)];
}

function issuerExtensions(options: IssueOptions): Buffer[] {
  const issuer = options.issuer ?? RELEASE_ISSUER;
  const where = options.issuerExtensions ?? 'both';
  const { v1, v2 }: { v1?: string; v2?: string } =
    typeof where === 'object'
      ? where
      : {
          ...(where === 'v1' || where === 'both' ? { v1: issuer } : {}),
          ...(where === 'v2' || where === 'both' ? { v2: issuer } : {}),
        };
  return [
    ...(v1 === undefined ? [] : [extension.of(OID_ISSUER_V1, Buffer.from(v1))]),
    ...(v2 === undefined ? [] : [extension.of(OID_ISSUER_V2, utf8String(v2))]),
  ];
}

function leafKey(kind: LeafKey | KeyObject): KeyObject {
  switch (kind) {
    case 'p256':
      return generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey;
    case 'p384':
      return generateKeyPairSync('ec', { namedCurve: 'P-384' }).privateKey;
    case 'rsa':
      return generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey;
    case 'ed25519':
      return generateKeyPairSync('ed25519').privateKey;
    default:
      return kind;
  }
}
