import { generateKeyPairSync } from 'node:crypto';
import { type IssueOptions, type PublishedFile } from '../../support/index.js';
import { boolean, nullValue, octetString, oid, sequence, utf8String } from '../../support/der.js';
import { OID, extension, generalName } from '../../support/x509.js';
import { NO_SCT, OF_BUNDLE } from './claims.js';
import { world, type Publication } from './stage.js';

export const NAMES_MALLORY = extension.subjectAlternativeName(
  [generalName.rfc822Name('mallory@example.com')],
  false,
);

/** [what it is, a second one of it] */
export const DUPLICATES: readonly [string, Buffer][] = [
  ['subject alternative name, which names somebody else', NAMES_MALLORY],
  ['older issuer', extension.of('1.3.6.1.4.1.57264.1.1', Buffer.from('https://other.test'))],
  ['newer issuer', extension.of('1.3.6.1.4.1.57264.1.8', utf8String('https://other.test'))],
  ['extended key usage', extension.extendedKeyUsage([OID.serverAuthentication])],
  ['key usage', extension.keyUsage(['keyCertSign'])],
];

export const unknownExtension = (critical: boolean): IssueOptions => ({
  moreExtensions: [extension.of('1.3.6.1.4.1.99999.1', utf8String('a value'), critical)],
});

/** An extension that Go's crypto/x509 or cosign cannot parse, and what cosign says of it. */
export interface Malformed {
  readonly what: string;
  readonly malformed: Buffer;
  readonly pair: 'accepts' | RegExp;
  readonly bundle: RegExp;
}

export const MALFORMED: readonly Malformed[] = [
  ...[
    ['authority information access', '1.3.6.1.5.5.7.1.1'],
    ['name constraints', '2.5.29.30'],
    ['CRL distribution points', '2.5.29.31'],
    ['certificate policies', '2.5.29.32'],
    ['policy mappings', '2.5.29.33'],
    ['policy constraints', '2.5.29.36'],
    ['inhibit any-policy', '2.5.29.54'],
  ].map(([what = '', dotted = '']) => ({
    what,
    malformed: extension.of(dotted, nullValue()),
    pair: /loading cert: x509: invalid/,
    bundle: OF_BUNDLE.UNREADABLE,
  })),
  {
    what: 'build signer URI',
    malformed: extension.of('1.3.6.1.4.1.57264.1.9', Buffer.of(0xff, 0xff)),
    pair: 'accepts',
    bundle: /failed to summarize certificate/,
  },
  {
    what: 'source repository URI',
    malformed: extension.of('1.3.6.1.4.1.57264.1.12', nullValue()),
    pair: 'accepts',
    bundle: /failed to summarize certificate/,
  },
  {
    what: 'criticality that DER omits',
    malformed: sequence(oid('1.3.6.1.4.1.99999.1'), boolean(false), octetString(nullValue())),
    pair: NO_SCT,
    bundle: OF_BUNDLE.NO_SCT,
  },
];

/** [what it is, an extension that is well-formed, and that Fulcio does not write] */
export const UNUSED: readonly [string, Buffer][] = [
  ['certificate policies', extension.of('2.5.29.32', sequence(sequence(oid('1.3.6.1.4.1.99999'))))],
  ['CRL distribution points', extension.of('2.5.29.31', sequence(sequence()))],
];

/** As in the certificates of Fulcio's first authority, which Google's CA Service issued. */
export const AUTHORITY_INFORMATION = extension.of(
  '1.3.6.1.5.5.7.1.1',
  sequence(sequence(oid('1.3.6.1.5.5.7.48.2'), generalName.uri('http://authority.test/ca.crt'))),
);

export const onAnotherCurve = (): IssueOptions => ({
  key: generateKeyPairSync('ec', { namedCurve: 'secp256k1' }).privateKey,
});

/** The same key signs the same bytes once more: valid, but not the one that was published. */
export const anotherSignature = ({ certificate, bytes }: PublishedFile): Buffer =>
  certificate.sign(bytes);

/** The same key and name once more, in a certificate that is not the published one. */
export const anotherCertificate = ({
  certificate: { notBefore, privateKey },
}: PublishedFile): string => world.authority.issue({ notBefore, key: privateKey }).pem;

/**
 * Lets the log grow until the proof of an entry looks the same in a tree with one entry more (RFC 6962 §2.1.1): then
 * nothing but the checkpoint tells the sizes apart.
 */
export function growUntilSizeIsAmbiguous(index: number): void {
  const { log } = world;
  const sameShape = (): boolean =>
    Math.clz32(index ^ (log.tree.size - 1)) === Math.clz32(index ^ log.tree.size);
  while (!sameShape()) log.addBody(Buffer.from(`{"n":${log.tree.size}}`));
}

export const flipped = (bytes: Buffer, at: number): Buffer => {
  const copy = Buffer.from(bytes);
  const index = at < 0 ? copy.length + at : at;
  copy.writeUInt8(copy.readUInt8(index) ^ 0x01, index);
  return copy;
};

export const flippedBase64 = (text: string, at: number): string =>
  flipped(Buffer.from(text, 'base64'), at).toString('base64');

/** Serves `suffix` of the release's SBOM in the place of the binary's. */
export const ofTheSbom = (...suffixes: string[]) => {
  return ({ version, kubectl }: Publication): void => {
    const sbom = world.release.sbom(version);
    for (const suffix of suffixes) {
      world.host.put(`${kubectl.path}${suffix}`, world.host.get(`${sbom.path}${suffix}`));
    }
  };
};
