import { createPublicKey, generateKeyPairSync, sign as signBytes } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { X509Certificate } from '@sigstore/core';
import type { ErrorCode } from '../../../../src/errors.js';
import type { DigestedFile } from '../../../../src/files/digested-file.js';
import { parseLeaf } from '../../../../src/sigstore/verify/certificate.js';
import { checkDigest, checkSignature } from '../../../../src/sigstore/verify/signature.js';
import { World, type IssuedCertificate } from '../../../support/index.js';
import { bitString, elementsOf, sequence } from '../../../support/der.js';
import { spki } from '../../../support/x509.js';
import { codeOf, codeOfRejection } from '../errors.js';
import { Signer, flip } from '../signed-file.js';

const artifact = Buffer.from('an artifact');
const other = Buffer.from('another artifact');

let world: World;
let signer: Signer;

beforeAll(async () => {
  world = await World.start();
  signer = new Signer(world);
});

afterAll(async () => {
  signer.cleanup();
  await world.stop();
});

describe('checkDigest', () => {
  test('accepts the digest of the file, and refuses another', () => {
    const file = signer.file(artifact);
    expect(codeOf(() => checkDigest(file, signer.file(artifact).sha256))).toBeUndefined();
    expect(codeOf(() => checkDigest(file, signer.file(other).sha256))).toBe('SIGNATURE_MISMATCH');
    expect(codeOf(() => checkDigest(file, Buffer.alloc(0)))).toBe('SIGNATURE_MISMATCH');
  });
});

describe('checkSignature', () => {
  const check = (
    file: DigestedFile,
    signature: Buffer,
    by: IssuedCertificate,
  ): Promise<ErrorCode | undefined> =>
    codeOfRejection(checkSignature(file, signature, parseLeaf(by.der)));

  test('accepts a signature with the key of the certificate', async () => {
    const { file, signed } = signer.sign(artifact);
    expect(await check(file, signed.signature, signed.certificate)).toBeUndefined();
  });

  test('refuses another file, another signature, another certificate', async () => {
    const { file, signed } = signer.sign(artifact);
    const { signature, certificate } = signed;
    const stranger = signer.sign(artifact).signed;
    expect(await check(signer.file(other), signature, certificate)).toBe('SIGNATURE_MISMATCH');
    expect(await check(file, flip(signature), certificate)).toBe('SIGNATURE_MISMATCH');
    expect(await check(file, stranger.signature, certificate)).toBe('SIGNATURE_MISMATCH');
    expect(await check(file, signature, stranger.certificate)).toBe('SIGNATURE_MISMATCH');
    expect(await check(file, Buffer.alloc(0), certificate)).toBe('SIGNATURE_MISMATCH');
    expect(await check(file, signature, certificate)).toBeUndefined();
  });

  test.each([
    ['P-256', undefined],
    ['P-384', undefined],
    ['P-521', undefined],
    ['secp224r1', 'CERTIFICATE_UNTRUSTED'],
    ['secp256k1', 'CERTIFICATE_UNTRUSTED'],
    ['brainpoolP256r1', 'CERTIFICATE_UNTRUSTED'],
  ])('a key on %s: %s', async (namedCurve, code) => {
    const { privateKey } = generateKeyPairSync('ec', { namedCurve });
    const certificate = world.authority.issue({ key: privateKey });
    const file = signer.file(artifact);
    expect(await check(file, certificate.sign(artifact), certificate)).toBe(code);
  });

  // X9.62: 02 and 03 begin a compressed point, 06 and 07 a hybrid one. OpenSSL reads both.
  test.each([
    ['compressed', 2, 33],
    ['hybrid', 6, 65],
  ])('refuses a %s point', async (_, first, length) => {
    const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
    const [algorithm = Buffer.alloc(0)] = elementsOf(spki(privateKey));
    const point = spki(privateKey).subarray(-65);
    const encoded = Buffer.concat([
      Buffer.of(first + (point.readUInt8(64) & 1)),
      point.subarray(1, length),
    ]);
    const key = createPublicKey({
      key: sequence(algorithm, bitString(encoded)),
      format: 'der',
      type: 'spki',
    });
    const sign = (bytes: Buffer): Buffer => signBytes('sha256', bytes, privateKey);
    const certificate = { ...world.authority.certify(key), privateKey, sign };
    expect(X509Certificate.parse(certificate.pem).publicKey).toHaveLength(26 + length);
    const file = signer.file(artifact);
    expect(await check(file, certificate.sign(artifact), certificate)).toBe(
      'CERTIFICATE_UNTRUSTED',
    );
  });

  test('refuses a curve that is written out', async () => {
    const { privateKey } = generateKeyPairSync('ec', {
      namedCurve: 'P-256',
      paramEncoding: 'explicit',
    });
    const certificate = world.authority.issue({ key: privateKey });
    const file = signer.file(artifact);
    expect(await check(file, certificate.sign(artifact), certificate)).toBe(
      'CERTIFICATE_UNTRUSTED',
    );
  });

  test.each(['rsa', 'ed25519'] as const)('refuses a key of type %s', async (key) => {
    const certificate = world.authority.issue({ key });
    const file = signer.file(artifact);
    expect(await check(file, certificate.sign(artifact), certificate)).toBe(
      'CERTIFICATE_UNTRUSTED',
    );
  });
});
