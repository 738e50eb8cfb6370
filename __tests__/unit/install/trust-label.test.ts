import { expect, test } from '@jest/globals';
import { trustLabel } from '../../../src/install/trust-label.js';
import type { TrustRootChoice } from '../../../src/sigstore/trusted-root.js';

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
    trustLabel(IDENTITY, PUBLIC, true),
    trustLabel(IDENTITY, PUBLIC, false),
    trustLabel({ issuer: `${issuer}/`, subjectAlternativeName }, PUBLIC, true),
    trustLabel({ issuer, subjectAlternativeName: 'b@k8s.io' }, PUBLIC, true),
    trustLabel({ issuer: subjectAlternativeName, subjectAlternativeName: issuer }, PUBLIC, true),
    trustLabel({ issuer: `${issuer}a`, subjectAlternativeName: '@k8s.io' }, PUBLIC, true),
    trustLabel(IDENTITY, tuf('{}'), true),
    trustLabel(IDENTITY, tuf('{ }'), true),
    trustLabel(IDENTITY, file('{}'), true),
    trustLabel(IDENTITY, file('{ }'), true),
    trustLabel(IDENTITY, file('public'), true),
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
  expect(trustLabel(IDENTITY, one, true)).toBe(trustLabel(IDENTITY, other, true));
});
