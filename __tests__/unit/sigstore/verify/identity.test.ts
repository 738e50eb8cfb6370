import { describe, expect, test } from '@jest/globals';
import { X509Certificate } from '@sigstore/core';
import { checkIdentity } from '../../../../src/sigstore/verify/identity.js';
import {
  CertificateAuthority,
  RELEASE_IDENTITY,
  RELEASE_ISSUER,
  type IssueOptions,
} from '../../../support/index.js';
import { codeOf } from '../errors.js';

const authority = CertificateAuthority.create();
const expected = { subjectAlternativeName: RELEASE_IDENTITY, issuer: RELEASE_ISSUER };

const check = (options: IssueOptions, of = expected): string | undefined =>
  codeOf(() => checkIdentity(X509Certificate.parse(Buffer.from(authority.issue(options).der)), of));

describe('checkIdentity', () => {
  test.each<[string, IssueOptions]>([
    ['as Kubernetes has it', {}],
    ['of 2022, with the older extension alone', { issuerExtensions: 'v1' }],
    ['with the newer extension alone', { issuerExtensions: 'v2' }],
  ])('accepts a certificate %s', (_, options) => {
    expect(check(options)).toBeUndefined();
  });

  test('accepts a URI, when that is the expected name', () => {
    const uri = 'https://github.com/some/repository/.github/workflows/release.yml@refs/tags/v1';
    const of = { ...expected, subjectAlternativeName: uri };
    expect(check({ subjectAlternativeName: { uri } }, of)).toBeUndefined();
    expect(check({ subjectAlternativeName: { uri: `${uri}.0` } }, of)).toBe('IDENTITY_MISMATCH');
  });

  const email = RELEASE_IDENTITY;
  const mallory = { email: 'mallory@example.com' };
  test.each<[string, IssueOptions]>([
    ['another name', { subjectAlternativeName: mallory }],
    ['a longer name', { subjectAlternativeName: { email: `${email}.evil.example` } }],
    ['a name with something in front', { subjectAlternativeName: { email: `x${email}` } }],
    ['another letter for a dot', { subjectAlternativeName: { email: email.replace('.', 'x') } }],
    ['capital letters', { subjectAlternativeName: { email: email.toUpperCase() } }],
    ['an empty name', { subjectAlternativeName: { email: '' } }],
    ['no name', { subjectAlternativeName: [] }],
    ['a host of that name', { subjectAlternativeName: { dns: email } }],
    ['a second name', { subjectAlternativeName: [{ email }, mallory] }],
    ['a name in front', { subjectAlternativeName: [mallory, { email }] }],
    ['the name twice', { subjectAlternativeName: [{ email }, { email }] }],
    ['another issuer', { issuer: 'https://accounts.evil.example' }],
    ['a longer issuer', { issuer: `${RELEASE_ISSUER}.evil.example` }],
    ['another letter for a dot of the issuer', { issuer: 'https://accounts-google.com' }],
    ['an empty issuer', { issuer: '' }],
    ['no issuer', { issuerExtensions: 'none' }],
    ['issuers that differ', { issuerExtensions: { v1: RELEASE_ISSUER, v2: 'https://x.example' } }],
    ['issuers that differ (2)', { issuerExtensions: { v1: 'https://x', v2: RELEASE_ISSUER } }],
  ])('refuses %s', (_, options) => {
    expect(check(options)).toBe('IDENTITY_MISMATCH');
  });

  test.each([
    ['name', { ...expected, subjectAlternativeName: '' }],
    ['name', { ...expected, subjectAlternativeName: '.*' }],
    ['issuer', { ...expected, issuer: '' }],
    ['issuer', { ...expected, issuer: '.*' }],
  ])('takes the expected %s for nothing but a whole string: %j', (_, of) => {
    expect(check({}, of)).toBe('IDENTITY_MISMATCH');
  });

  test('refuses a newer issuer extension that is no UTF8String', () => {
    // The tag is changed in place: the signature of the certificate no longer fits, and is not asked.
    const der = Buffer.from(authority.issue({ issuerExtensions: 'v2' }).der);
    const at = der.indexOf(Buffer.concat([Buffer.of(0x0c, 27), Buffer.from(RELEASE_ISSUER)]));
    der.writeUInt8(0x16, at);
    expect(codeOf(() => checkIdentity(X509Certificate.parse(der), expected))).toBe(
      'IDENTITY_MISMATCH',
    );
  });
});
