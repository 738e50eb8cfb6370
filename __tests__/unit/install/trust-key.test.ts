import { expect, test } from '@jest/globals';
import { trustKey } from '../../../src/install/trust-key.js';
import type { TrustRootChoice } from '../../../src/sigstore/trust/trusted-root.js';

const IDENTITY = { issuer: 'https://accounts.google.com', subjectAlternativeName: 'a@k8s.io' };
const MIRROR = new URL('https://tuf.example/');
const PUBLIC: TrustRootChoice = { kind: 'tuf', mirror: MIRROR };
const tuf = (root: string, mirror = MIRROR): TrustRootChoice => ({
  kind: 'tuf',
  mirror,
  root: Buffer.from(root),
});
const file = (json: string, path = '/a.json'): TrustRootChoice => ({
  kind: 'file',
  path,
  json: Buffer.from(json),
});

test('is different for whatever is asked', () => {
  const { issuer, subjectAlternativeName } = IDENTITY;
  const labels = [
    trustKey(IDENTITY, PUBLIC, undefined),
    trustKey(IDENTITY, PUBLIC, new URL('https://dl.k8s.io/')),
    trustKey(IDENTITY, PUBLIC, new URL('https://mirror.example/')),
    trustKey({ issuer: `${issuer}/`, subjectAlternativeName }, PUBLIC, undefined),
    trustKey({ issuer, subjectAlternativeName: 'b@k8s.io' }, PUBLIC, undefined),
    trustKey({ issuer: subjectAlternativeName, subjectAlternativeName: issuer }, PUBLIC, undefined),
    trustKey({ issuer: `${issuer}a`, subjectAlternativeName: '@k8s.io' }, PUBLIC, undefined),
    trustKey(IDENTITY, tuf('{}'), undefined),
    trustKey(IDENTITY, tuf('{ }'), undefined),
    trustKey(IDENTITY, file('{}'), undefined),
    trustKey(IDENTITY, file('{ }'), undefined),
    trustKey(IDENTITY, file('public'), undefined),
  ];
  expect(new Set(labels).size).toBe(labels.length);
  for (const label of labels) {
    expect(label).toMatch(/^[0-9a-f]{16}$/);
  }
});

test.each<[string, TrustRootChoice, TrustRootChoice]>([
  ["Sigstore's own, by TUF and embedded", PUBLIC, { kind: 'embedded' }],
  ['one root, by two mirrors', tuf('{}'), tuf('{}', new URL('https://other.example/'))],
  ['one file, in two places', file('{}'), file('{}', '/b.json')],
])('is the same for %s', (_, one, other) => {
  expect(trustKey(IDENTITY, one, undefined)).toBe(trustKey(IDENTITY, other, undefined));
});
