import { createHash } from 'node:crypto';
import { describe, expect, test } from '@jest/globals';
import {
  hashedRekordBody,
  leafHash,
  parseHashedRekord,
} from '../../../src/sigstore/hashedrekord.js';
import {
  CertificateAuthority,
  TransparencyLog,
  TransparencyLogV2,
  leafHash as treeLeafHash,
} from '../../support/index.js';

const artifact = Buffer.from('an artifact');
const digest = createHash('sha256').update(artifact).digest('hex');
const { pem, der, sign } = CertificateAuthority.create().issue();
const signature = sign(artifact);
const expected = { digest, signature, certificate: der };

const logged = TransparencyLog.create({ baseEntries: 3 }).add({
  digest,
  signature,
  certificatePem: pem,
});
const loggedV2 = TransparencyLogV2.create({ baseEntries: 3 }).add({
  digest,
  signature,
  certificatePem: pem,
});

describe('hashedRekordBody', () => {
  test('is the body that the log makes of the same signature, and leafHash its id', () => {
    const body = hashedRekordBody(digest, { signature, certificate: der });
    expect(body.toString()).toBe(logged.body.toString());
    expect(leafHash(body)).toBe(logged.uuid.slice(-64));
  });

  test('is another one for another digest', () => {
    const body = hashedRekordBody('0'.repeat(64), { signature, certificate: der });
    expect(leafHash(body)).not.toBe(logged.uuid.slice(-64));
  });
});

test('leafHash is that of RFC 6962', () => {
  expect(leafHash(Buffer.alloc(0))).toBe(
    '6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d',
  );
  expect(leafHash(artifact)).toBe(treeLeafHash(artifact).toString('hex'));
});

/** The body as JSON, with another value at a path of names; `undefined` takes it away. */
function changed(body: Buffer, path: string, value: unknown): Buffer {
  const entry: unknown = JSON.parse(body.toString());
  const names = path.split('.');
  const last = names.pop() ?? '';
  const parent = names.reduce<unknown>((at, name) => Reflect.get(at as object, name), entry);
  Reflect.set(parent as object, last, value);
  return Buffer.from(JSON.stringify(entry));
}

describe('parseHashedRekord', () => {
  test('reads an entry of Rekor v1', () => {
    expect(parseHashedRekord(logged.body)).toEqual(expected);
  });

  test('reads an entry of Rekor v2', () => {
    expect(parseHashedRekord(loggedV2.body)).toEqual(expected);
  });

  test.each<[string, unknown]>([
    ['kind', 'rekord'],
    ['kind', undefined],
    ['apiVersion', '0.0.2'],
    ['apiVersion', '0.0.3'],
    ['apiVersion', undefined],
    ['spec', null],
    ['spec', 'text'],
    ['spec.data.hash.algorithm', 'sha512'],
    ['spec.data.hash.value', 7],
    ['spec.data.hash', undefined],
    ['spec.signature', undefined],
    ['spec.signature.content', undefined],
    ['spec.signature.content', ''],
    ['spec.signature.content', '*'],
    ['spec.signature.publicKey.content', 'AAAA'],
    ['spec.signature.publicKey.content', der.toString('base64')],
  ])('refuses one of Rekor v1 whose %s is %j', (path, value) => {
    expect(parseHashedRekord(changed(logged.body, path, value))).toBeUndefined();
  });

  const v2 = 'spec.hashedRekordV002';
  test.each<[string, unknown]>([
    ['kind', 'dsse'],
    ['apiVersion', '0.0.1'],
    [v2, undefined],
    [`${v2}.data.digest`, '*'],
    [`${v2}.signature.content`, 7],
    [`${v2}.signature.verifier.x509Certificate`, undefined],
    [`${v2}.signature.verifier.x509Certificate.rawBytes`, '*'],
  ])('refuses one of Rekor v2 whose %s is %j', (path, value) => {
    expect(parseHashedRekord(changed(loggedV2.body, path, value))).toBeUndefined();
  });

  test.each(['', 'no JSON', 'null', '[]', '"text"', '7'])('refuses %j', (text) => {
    expect(parseHashedRekord(Buffer.from(text))).toBeUndefined();
  });
});
