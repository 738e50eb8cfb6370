import { readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from '@jest/globals';
import { RFC3161Timestamp, X509Certificate } from '@sigstore/core';
import { parseBundle } from '../../../../src/sigstore/bundle.js';
import { parseTrustedRoot } from '../../../../src/sigstore/trust/trusted-root-json.js';
import { timestampDefect } from '../../../../src/sigstore/verify/timestamp.js';
import { verify } from '../../../../src/sigstore/verify/verify.js';
import { Digester, type DigestedFile } from '../../../../src/files/digested-file.js';
import { integer, nullValue, oid, sequence, setOf, utf8String } from '../../../support/der.js';
import { TimestampAuthority, type UnsignedParts } from '../../../support/index.js';
import { OID } from '../../../support/x509.js';
import { codeOfRejection } from '../errors.js';

const authority = TimestampAuthority.create();
const other = TimestampAuthority.create();
const chainOf = ({ chain }: TimestampAuthority): X509Certificate[] =>
  chain.map((der) => X509Certificate.parse(Buffer.from(der)));
const chains = [chainOf(other), chainOf(authority)];
const signature = Buffer.from('a signature');

const defectOf = (parts: UnsignedParts): string | undefined =>
  timestampDefect(authority.timestamp(signature, new Date(), parts), chains);

const algorithm = (dotted: string, ...parameters: readonly Buffer[]): Buffer =>
  sequence(oid(dotted), ...parameters);

test.each<[string, UnsignedParts]>([
  ['as authorities write it', {}],
  ['without certificate', { certificates: [] }],
  ['with the whole chain', { certificates: authority.chain }],
  ['with the chain in another order', { certificates: [authority.root, authority.leaf] }],
  [
    'with parameters of the digest algorithm',
    { digestAlgorithm: algorithm(OID.sha256, nullValue()) },
  ],
])('accepts a response %s', (_, parts) => {
  expect(defectOf(parts)).toBeUndefined();
});

test.each<[string, string, UnsignedParts]>([
  ['granted with modifications', 'a status other than', { status: sequence(integer(1)) }],
  ['rejected', 'a status other than', { status: sequence(integer(2)) }],
  [
    'with a text',
    'a status other than',
    { status: sequence(integer(0), sequence(utf8String('a text'))) },
  ],
  ['without status', 'a status other than', { status: sequence() }],
  ['of another CMS version', 'does not contain exactly one TSTInfo', { signedDataVersion: 1 }],
  [
    'with something behind the TSTInfo',
    'does not contain exactly one TSTInfo',
    { behindInfo: sequence(integer(1)) },
  ],
  [
    'with a revocation list',
    'does not contain exactly one TSTInfo',
    { revocationLists: [sequence()] },
  ],
  ['with two signers', 'does not contain exactly one TSTInfo', { signers: 2 }],
  ['without signer', 'does not contain exactly one TSTInfo', { signers: 0 }],
  [
    'with unsigned attributes',
    'a malformed signer',
    { unsignedAttributes: [sequence(oid('1.2.3'), setOf())] },
  ],
  ['with another signer version', 'a malformed signer', { signerVersion: 3 }],
  [
    'that lists another digest algorithm',
    'different digest algorithms',
    { listedDigestAlgorithm: algorithm('2.16.840.1.101.3.4.2.3') },
  ],
  [
    'that lists other parameters',
    'different digest algorithms',
    { listedDigestAlgorithm: algorithm(OID.sha256, nullValue()) },
  ],
  ['with SHA-1', 'unknown algorithms', { digestAlgorithm: algorithm('1.3.14.3.2.26') }],
  [
    'with parameters that are not NULL',
    'unknown algorithms',
    { digestAlgorithm: algorithm(OID.sha256, integer(1)) },
  ],
  [
    'with a NULL that is not empty',
    'unknown algorithms',
    { digestAlgorithm: algorithm(OID.sha256, Buffer.of(5, 1, 0)) },
  ],
  [
    'with an unknown signature algorithm',
    'unknown algorithms',
    { signatureAlgorithm: algorithm('1.2.3') },
  ],
  [
    'with parameters of the signature algorithm',
    'unknown algorithms',
    { signatureAlgorithm: algorithm(OID.ecdsaWithSha256, nullValue()) },
  ],
  [
    'with a certificate of another authority',
    'not those of its authority',
    { certificates: [authority.leaf, other.leaf] },
  ],
  [
    'with the certificate of another authority alone',
    'not those of its authority',
    { certificates: [other.leaf] },
  ],
  [
    'without the leaf in its chain',
    'not those of its authority',
    { certificates: [authority.root] },
  ],
  [
    'with the leaf twice',
    'not those of its authority',
    { certificates: [authority.leaf, authority.leaf] },
  ],
  [
    'with a certificate that is none',
    'not those of its authority',
    { certificates: [authority.leaf, sequence()] },
  ],
])('refuses a response %s: %s', (_, reason, parts) => {
  expect(defectOf(parts)).toContain(reason);
});

test('refuses a certificate of the trust root under another signer', () => {
  const response = authority.timestamp(signature);
  expect(timestampDefect(response, chains)).toBeUndefined();
  expect(timestampDefect(response, [chainOf(other)])).toContain('not those of its authority');
  expect(timestampDefect(response, [])).toContain('not those of its authority');
});

test.each([
  ['the token', '1.2.840.113549.1.7.2', 'is not a response'],
  ['its content', '1.2.840.113549.1.9.16.1.4', 'does not contain exactly one TSTInfo'],
])('refuses another type of %s', (_, dotted, reason) => {
  const response = authority.timestamp(signature);
  const type = oid(dotted);
  response.writeUInt8(0x7f, response.indexOf(type) + type.length - 1);
  expect(timestampDefect(response, chains)).toContain(reason);
});

test('refuses a response without token', () => {
  expect(timestampDefect(sequence(sequence(integer(2))), chains)).toBe(
    'is not a response with signed data',
  );
});

describe('real bundles of which one byte was changed that nobody signed', () => {
  const FOLDER = join(import.meta.dirname, '../../../fixtures/rfc3161-unsigned-bytes');
  const workflow =
    'https://github.com/sigstore-conformance/extremely-dangerous-public-oidc-beacon/.github/workflows/extremely-dangerous-oidc-beacon.yml@refs/heads/main';
  const expected = {
    subjectAlternativeName: workflow,
    issuer: 'https://token.actions.githubusercontent.com',
  };
  const read = (name: string): Buffer => readFileSync(join(FOLDER, name));
  const trust = parseTrustedRoot(read('trusted_root.json'));

  function artifact(): DigestedFile {
    const digester = new Digester();
    digester.update(read('a.txt'));
    return digester.toFile(join(FOLDER, 'a.txt'), statSync(join(FOLDER, 'a.txt')));
  }

  // What cosign 3.1.3 and sigstore-python say is in the fixtures' README.
  test.each([
    ['none', 'offset-0', undefined],
    ['the status', 'offset-8', 'LOG_ENTRY_INVALID'],
    ['the embedded certificate', 'offset-270', 'LOG_ENTRY_INVALID'],
  ])('%s', async (_, name, code) => {
    const bundle = parseBundle(read(`${name}.sigstore.json`));
    expect(await codeOfRejection(verify(artifact(), bundle, trust, expected))).toBe(code);
    const { rfc3161Timestamps = [] } = bundle.verificationMaterial.timestampVerificationData ?? {};
    const [timestamp] = rfc3161Timestamps;
    if (timestamp === undefined) throw new Error('no timestamp');
    const parsed = RFC3161Timestamp.parse(Buffer.from(timestamp.signedTimestamp));
    expect(parsed.signingTime).toEqual(new Date('2025-06-12T12:02:20Z'));
  });
});
