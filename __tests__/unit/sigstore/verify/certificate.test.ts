import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from '@jest/globals';
import { X509Certificate } from '@sigstore/core';
import seeds from '@sigstore/tuf/seeds.json' with { type: 'json' };
import { parseCertificate } from '../../../../src/sigstore/detached.js';
import { PUBLIC_MIRROR } from '../../../../src/sigstore/trust/public-instance.js';
import { parseTrustedRoot } from '../../../../src/sigstore/trust/trusted-root-json.js';
import {
  certificateDefect,
  checkCodeSigningLeaf,
  parseLeaf,
  rememberEncoding,
} from '../../../../src/sigstore/verify/certificate.js';
import {
  bitString,
  boolean,
  contentOf,
  elementsOf,
  integer,
  nullValue,
  octetString,
  oid,
  sequence,
  setOf,
  tagged,
  taggedPrimitive,
  utf8String,
} from '../../../support/der.js';
import { CertificateAuthority, RELEASE_ISSUER, type IssueOptions } from '../../../support/index.js';
import { extension, generalName, OID } from '../../../support/x509.js';
import { codeOf } from '../errors.js';

const FIXTURES = join(import.meta.dirname, '../../../fixtures');
const STAGING = join(FIXTURES, 'rfc3161-unsigned-bytes/trusted_root.json');
const KUBECTL = join(FIXTURES, 'v1.26.0-rc.1-linux-amd64-kubectl/kubectl.cert');

const authority = CertificateAuthority.create();
const genuine = authority.issue().der;

const defectOf = (der: Buffer): string | undefined =>
  certificateDefect(X509Certificate.parse(Buffer.from(der)));

const withExtensions = (...moreExtensions: readonly Buffer[]): Buffer =>
  authority.issue({ moreExtensions }).der;

const OID_CODE_SIGNING = '1.3.6.1.5.5.7.3.3';
const UNKNOWN = '1.3.6.1.4.1.99999.1';
const value = utf8String('a value');
const mallory = generalName.rfc822Name('mallory@example.com');

test.each([
  ['a leaf as Fulcio issues it', genuine],
  ['an intermediate', authority.intermediate],
  ['a root', authority.root],
  ['one with an unknown extension', withExtensions(extension.of(UNKNOWN, value))],
])('accepts %s', (_, der) => {
  expect(defectOf(der)).toBeUndefined();
});

test.each([
  ['public', Buffer.from(seeds[PUBLIC_MIRROR].targets['trusted_root.json'], 'base64')],
  ['staging', readFileSync(STAGING)],
])('accepts every certificate of Sigstore’s %s instance', (_, json) => {
  const { certificateAuthorities, timestampAuthorities } = parseTrustedRoot(json);
  const certificates = [...certificateAuthorities, ...timestampAuthorities].flatMap(
    ({ certChain }) => certChain,
  );
  expect(certificates.length).toBeGreaterThan(3);
  expect(certificates.map(certificateDefect).filter((defect) => defect !== undefined)).toEqual([]);
});

test('accepts the certificate of kubectl v1.26.0-rc.1', () => {
  expect(defectOf(parseCertificate(readFileSync(KUBECTL)))).toBeUndefined();
});

test.each([
  ['a leaf', genuine],
  ['an intermediate', authority.intermediate],
  ['a root', authority.root],
])('a remembered encoding of %s has the bytes of the certificate', (_, der) => {
  const certificate = X509Certificate.parse(Buffer.from(der));
  rememberEncoding(certificate);
  expect(certificate.root.toDER()).toEqual(der);
  expect(certificate.root.toDER()).toBe(certificate.root.toDER());
  expect(certificate.tbsCertificate.toDER()).toEqual(
    X509Certificate.parse(Buffer.from(der)).tbsCertificate.toDER(),
  );
});

// Go: "x509: certificate contains duplicate extension with OID" (parser.go, parseCertificate).
test.each([
  ['subject alternative name', extension.subjectAlternativeName([mallory], true), '2.5.29.17'],
  ['… that is not critical', extension.subjectAlternativeName([mallory], false), '2.5.29.17'],
  ['older issuer', extension.of('1.3.6.1.4.1.57264.1.1', Buffer.from(RELEASE_ISSUER)), '57264.1.1'],
  ['newer issuer', extension.of('1.3.6.1.4.1.57264.1.8', utf8String(RELEASE_ISSUER)), '57264.1.8'],
  ['extended key usage', extension.extendedKeyUsage([OID.codeSigning]), '2.5.29.37'],
  ['key usage', extension.keyUsage(['digitalSignature']), '2.5.29.15'],
  ['certificate timestamp', extension.of('1.3.6.1.4.1.11129.2.4.2', octetString(value)), '11129'],
])('refuses a second %s', (_, second, name) => {
  expect(defectOf(withExtensions(second))).toMatch(
    new RegExp(`^has extension [\\d.]*${name}[\\d.]* more than once`),
  );
});

test('refuses second basic constraints', () => {
  const constraints = extension.basicConstraints(false);
  expect(defectOf(withExtensions(constraints))).toBeUndefined();
  expect(defectOf(withExtensions(constraints, constraints))).toContain('2.5.29.19');
});

test('refuses an unknown extension that is there twice', () => {
  const unknown = extension.of(UNKNOWN, value);
  expect(defectOf(withExtensions(unknown, unknown))).toContain(UNKNOWN);
});

// Go: UnhandledCriticalExtensions. It also knows name and policy constraints; nobody here does.
test.each([UNKNOWN, '2.5.29.30', '2.5.29.36', '1.3.6.1.4.1.57264.1.9'])(
  'refuses a critical extension %s',
  (dotted) => {
    expect(defectOf(withExtensions(extension.of(dotted, value)))).toBeUndefined();
    expect(defectOf(withExtensions(extension.of(dotted, value, true)))).toBe(
      `has an unknown critical extension ${dotted}`,
    );
  },
);

test.each([
  ['no value', sequence(oid(UNKNOWN))],
  ['two values', sequence(oid(UNKNOWN), octetString(value), octetString(value))],
  ['a value that is no OCTET STRING', sequence(oid(UNKNOWN), value)],
  ['no OID', sequence(octetString(value), octetString(value))],
  ['something behind the value', sequence(oid(UNKNOWN), boolean(true), octetString(value), value)],
  [
    'criticality that is neither true nor false',
    sequence(oid(UNKNOWN), Buffer.of(1, 1, 7), octetString(value)),
  ],
  ['nothing', sequence()],
])('refuses an extension with %s', (_, malformed) => {
  expect(defectOf(withExtensions(malformed))).toMatch(/malformed extension|cannot be parsed/);
});

test('refuses a name behind the list of names', () => {
  const names = sequence(generalName.rfc822Name('release@example.com'));
  const withNames = (...lists: readonly Buffer[]): string | undefined =>
    defectOf(
      authority.issue({
        subjectAlternativeName: [],
        moreExtensions: [extension.of('2.5.29.17', Buffer.concat(lists), true)],
      }).der,
    );
  expect(withNames(names)).toBeUndefined();
  expect(withNames(names, sequence(mallory))).toBe('has a malformed extension 2.5.29.17');
  expect(withNames()).toBe('has a malformed extension 2.5.29.17');
});

/** The genuine certificate with other parts; its signature no longer fits, and is not looked at. */
function changed(change: (parts: Parts) => Partial<Parts>): string | undefined {
  const [tbs = Buffer.alloc(0), algorithm = Buffer.alloc(0), signature = Buffer.alloc(0)] =
    elementsOf(genuine);
  const parts: Parts = { tbs: elementsOf(tbs), algorithm, signature, more: [] };
  const all = { ...parts, ...change(parts) };
  return defectOf(sequence(sequence(...all.tbs), all.algorithm, all.signature, ...all.more));
}

interface Parts {
  readonly tbs: readonly Buffer[];
  readonly algorithm: Buffer;
  readonly signature: Buffer;
  readonly more: readonly Buffer[];
}

test.each<[string, RegExp, (parts: Parts) => Partial<Parts>]>([
  [
    'another algorithm beside the signature',
    /two different signature algorithms/,
    () => ({ algorithm: sequence(oid(OID.ecdsaWithSha256)) }),
  ],
  [
    'parameters beside the signature',
    /two different signature algorithms/,
    () => ({ algorithm: sequence(oid(OID.ecdsaWithSha384), nullValue()) }),
  ],
  [
    'a part of a byte',
    /whole number of bytes/,
    ({ signature }) => ({ signature: bitString(contentOf(signature).subarray(1), 1) }),
  ],
  ['something behind the signature', /exactly the fields/, () => ({ more: [value] })],
  ['no version', /exactly the fields/, ({ tbs }) => ({ tbs: tbs.slice(1) })],
  ['version 1', /version v1/, ({ tbs }) => ({ tbs: tbs.with(0, tagged(0, integer(0))) })],
  ['version 4', /version v4/, ({ tbs }) => ({ tbs: tbs.with(0, tagged(0, integer(3))) })],
  [
    'a negative serial number',
    /negative/,
    ({ tbs }) => ({ tbs: tbs.with(1, Buffer.of(2, 1, 0x80)) }),
  ],
  [
    'a unique identifier',
    /exactly the fields/,
    ({ tbs }) => ({ tbs: tbs.toSpliced(7, 0, taggedPrimitive(1, Buffer.of(0, 1))) }),
  ],
  [
    'two lists of extensions',
    /exactly the fields/,
    ({ tbs }) => ({ tbs: [...tbs, ...tbs.slice(-1)] }),
  ],
  [
    'something behind the extensions',
    /exactly the fields/,
    ({ tbs }) => ({ tbs: tbs.with(7, tagged(3, sequence(), sequence())) }),
  ],
  ['no extensions', /exactly the fields/, ({ tbs }) => ({ tbs: tbs.slice(0, -1) })],
])('refuses %s', (_, reason, change) => {
  expect(changed(() => ({}))).toBeUndefined();
  expect(changed(change)).toMatch(reason);
});

test('refuses an encoded default', () => {
  const withCritical = (...critical: readonly Buffer[]): Buffer =>
    withExtensions(sequence(oid(UNKNOWN), ...critical, octetString(value)));
  expect(defectOf(withCritical())).toBeUndefined();
  expect(defectOf(withCritical(boolean(false)))).toBe(
    `encodes that extension ${UNKNOWN} is not critical, which DER omits`,
  );
});

describe('parseLeaf', () => {
  const AUTHORITY_INFORMATION = '1.3.6.1.5.5.7.1.1';
  const KEY_IDENTIFIER = '2.5.29.14';
  const AUTHORITY_KEY_IDENTIFIER = '2.5.29.35';
  const FULCIO = '1.3.6.1.4.1.57264.1';
  const bundle = join(FIXTURES, 'rfc3161-unsigned-bytes/offset-0.sigstore.json');
  const { verificationMaterial } = JSON.parse(readFileSync(bundle, 'utf8')) as {
    verificationMaterial: { certificate: { rawBytes: string } };
  };

  test.each([
    ['of kubectl v1.26.0-rc.1', parseCertificate(readFileSync(KUBECTL))],
    [
      'of cluster-api v1.5.0',
      parseCertificate(
        readFileSync(join(FIXTURES, 'krel-trust-cluster-api-v1.5.0/payload.json.cert')),
      ),
    ],
    [
      'of a GitHub workflow, with every extension of Fulcio’s',
      Buffer.from(verificationMaterial.certificate.rawBytes, 'base64'),
    ],
    ['as Fulcio issues it', genuine],
  ])('accepts the certificate %s', (_, der) => {
    expect(parseLeaf(der).extensions.length).toBeGreaterThan(6);
  });

  /** A leaf with one more extension, in place of the one that it has. */
  const parsed = (dotted: string, content: Buffer): unknown => {
    const [tbs = Buffer.alloc(0), algorithm = Buffer.alloc(0), signature = Buffer.alloc(0)] =
      elementsOf(genuine);
    const fields = elementsOf(tbs);
    const [list = Buffer.alloc(0)] = elementsOf(fields.at(-1) ?? Buffer.alloc(0));
    const others = elementsOf(list).filter((one) => !elementsOf(one)[0]?.equals(oid(dotted)));
    const extensions = sequence(...others, extension.of(dotted, content));
    const changed = sequence(...fields.with(-1, tagged(3, extensions)));
    return codeOf(() => parseLeaf(sequence(changed, algorithm, signature)));
  };

  const uri = generalName.uri('http://ca.test/ca.crt');
  const access = sequence(oid('1.3.6.1.5.5.7.48.2'), uri);
  // The certificates of Fulcio's first authority, in Google's CA Service, have this extension.
  test.each<[string, string, Buffer]>([
    ['where to find its authority', AUTHORITY_INFORMATION, sequence(access)],
    ['the identifier of its key', KEY_IDENTIFIER, octetString(Buffer.alloc(20))],
    [
      'the identifier of its authority’s key',
      AUTHORITY_KEY_IDENTIFIER,
      sequence(taggedPrimitive(0, Buffer.alloc(20))),
    ],
    ['an empty string', `${FULCIO}.9`, utf8String('')],
    ['a string', `${FULCIO}.24`, utf8String('é')],
    ['raw bytes, as in Fulcio’s first extensions', `${FULCIO}.6`, Buffer.of(0xff, 0xff)],
    ['anything in an extension that Fulcio may add', `${FULCIO}.25`, Buffer.of(0xff, 0xff)],
    ['anything in the extension of somebody else', '1.3.6.1.4.1.57264.2.9', Buffer.of(0xff)],
  ])('accepts %s', (_, dotted, content) => {
    expect(parsed(dotted, content)).toBeUndefined();
  });

  // Go's crypto/x509 parses each of these (parser.go, processExtensions), and cosign Fulcio's own (sigstore-go,
  // pkg/fulcio/certificate/extensions.go, ParseExtensions). The types of Fulcio's: its docs/oid-info.md.
  test.each<[string, string, Buffer]>([
    ['where to find its authority: null', AUTHORITY_INFORMATION, nullValue()],
    [
      'where to find its authority: of two lists',
      AUTHORITY_INFORMATION,
      Buffer.concat([sequence(access), sequence(access)]),
    ],
    [
      'where to find its authority: without a method',
      AUTHORITY_INFORMATION,
      sequence(sequence(uri)),
    ],
    [
      'where to find its authority: without a place',
      AUTHORITY_INFORMATION,
      sequence(sequence(oid('1.3.6.1.5.5.7.48.2'))),
    ],
    ['a null identifier of its key', KEY_IDENTIFIER, nullValue()],
    [
      'an identifier of its key that is too many',
      KEY_IDENTIFIER,
      Buffer.concat([octetString(value), nullValue()]),
    ],
    ['a null identifier of its authority’s key', AUTHORITY_KEY_IDENTIFIER, nullValue()],
    [
      'an identifier of its authority’s key that is a set',
      AUTHORITY_KEY_IDENTIFIER,
      setOf(taggedPrimitive(0, Buffer.alloc(20))),
    ],
    [
      'an identifier of its authority’s key with the wrong tag',
      AUTHORITY_KEY_IDENTIFIER,
      sequence(tagged(0, value)),
    ],
    ['a string that is bytes', `${FULCIO}.9`, Buffer.of(0xff, 0xff)],
    ['a string that is nothing', `${FULCIO}.10`, Buffer.alloc(0)],
    ['a string that is null', `${FULCIO}.12`, nullValue()],
    [
      'a string with something behind it',
      `${FULCIO}.8`,
      Buffer.concat([utf8String(RELEASE_ISSUER), nullValue()]),
    ],
    [
      'a string whose tag is another [12]',
      `${FULCIO}.8`,
      taggedPrimitive(12, Buffer.from(RELEASE_ISSUER)),
    ],
    ['a string that is not UTF-8', `${FULCIO}.22`, Buffer.of(0x0c, 1, 0xff)],
    ['a string with a length that is not minimal', `${FULCIO}.22`, Buffer.of(0x0c, 0x81, 1, 0x61)],
    ['a string of another kind', `${FULCIO}.24`, Buffer.of(0x13, 1, 0x61)],
    ['name constraints', '2.5.29.30', sequence()],
    ['places of revocation lists', '2.5.29.31', sequence()],
    ['policies', '2.5.29.32', sequence()],
    ['policy mappings', '2.5.29.33', sequence()],
    ['policy constraints', '2.5.29.36', sequence()],
    ['a limit to any policy', '2.5.29.54', integer(0)],
  ])('refuses %s', (_, dotted, content) => {
    expect(parsed(dotted, content)).toBe('CERTIFICATE_UNTRUSTED');
  });
});

describe('checkCodeSigningLeaf', () => {
  const check = (options: IssueOptions): unknown =>
    codeOf(() =>
      checkCodeSigningLeaf(X509Certificate.parse(Buffer.from(authority.issue(options).der))),
    );

  test.each<[string, IssueOptions]>([
    ['as Fulcio issues it', {}],
    ['for more than code signing', { extendedKeyUsages: ['1.3.6.1.5.5.7.3.1', OID_CODE_SIGNING] }],
    ['for more than signatures', { keyUsage: ['digitalSignature', 'keyEncipherment'] }],
  ])('accepts a certificate %s', (_, options) => {
    expect(check(options)).toBeUndefined();
  });

  test.each<[string, IssueOptions]>([
    ['of an authority', { isCA: true }],
    ['that may sign certificates', { keyUsage: ['digitalSignature', 'keyCertSign'] }],
    ['that may not make signatures', { keyUsage: ['keyEncipherment'] }],
    ['for servers', { extendedKeyUsages: ['1.3.6.1.5.5.7.3.1'] }],
    ['for nothing special', { extendedKeyUsages: [] }],
    ['for any purpose', { extendedKeyUsages: ['2.5.29.37.0'] }],
  ])('refuses a certificate %s', (_, options) => {
    expect(check(options)).toBe('CERTIFICATE_UNTRUSTED');
  });

  test('refuses an intermediate authority', () => {
    const leaf = X509Certificate.parse(Buffer.from(authority.intermediate));
    expect(codeOf(() => checkCodeSigningLeaf(leaf))).toBe('CERTIFICATE_UNTRUSTED');
  });
});
