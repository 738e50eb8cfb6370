import { createHash, createPublicKey, generateKeyPairSync, sign, verify } from 'node:crypto';
import { describe, expect, test } from '@jest/globals';
import { p256, p384, p521 } from '@noble/curves/nist.js';
import fc from 'fast-check';
import { ecdsaKey, isSignatureOver } from '../../../../src/sigstore/verify/ecdsa.js';

const BYTES = Buffer.from('an artifact');
const DIGEST = createHash('sha256').update(BYTES).digest();

/** What a SubjectPublicKeyInfo has before its point. */
const CURVES = [
  { name: 'P-256', curve: p256, header: '3059301306072a8648ce3d020106082a8648ce3d030107034200' },
  { name: 'P-384', curve: p384, header: '3076301006072a8648ce3d020106052b81040022036200' },
  { name: 'P-521', curve: p521, header: '30819b301006072a8648ce3d020106052b8104002303818600' },
] as const;

interface EncodablePoint {
  toBytes(isCompressed: boolean): Uint8Array;
}

/** Our verdict over a digest. */
async function isSigned(digest: Buffer, spki: Buffer, signature: Buffer): Promise<boolean> {
  const key = ecdsaKey(spki);
  return key !== undefined && (await isSignatureOver(digest, signature, key));
}

/** OpenSSL's verdict over the bytes, and ours over their digest, which must agree. */
async function verdict(spki: Buffer, signature: Buffer): Promise<boolean> {
  const key = createPublicKey({ key: spki, format: 'der', type: 'spki' });
  const judgement = verify('sha256', BYTES, key, signature);
  expect(await isSigned(DIGEST, spki, signature)).toBe(judgement);
  return judgement;
}

function der(tag: number, content: Buffer): Buffer {
  const length = content.length < 128 ? Buffer.of(content.length) : Buffer.of(0x81, content.length);
  return Buffer.concat([Buffer.of(tag), length, content]);
}

/** Two's complement, as short as it can be. */
function integer(value: bigint): Buffer {
  const hex = value.toString(16);
  const magnitude = Buffer.from(hex.padStart(hex.length + (hex.length % 2), '0'), 'hex');
  return (magnitude[0] ?? 0) < 0x80 ? magnitude : Buffer.concat([Buffer.of(0), magnitude]);
}

function signatureOf(r: bigint, s: bigint): Buffer {
  return der(0x30, Buffer.concat([der(2, integer(r)), der(2, integer(s))]));
}

describe.each(CURVES)('$name', ({ name, curve, header }) => {
  const { Point } = curve;
  const { Fn, Fp } = Point;
  const { n } = Point.CURVE();
  const e = Fn.create(BigInt(`0x${DIGEST.toString('hex')}`));
  const spkiOf = (point: EncodablePoint): Buffer =>
    Buffer.concat([Buffer.from(header, 'hex'), point.toBytes(false)]);
  const publicKey = (d: bigint): Buffer => spkiOf(Point.BASE.multiply(d));
  const xOf = (k: bigint): bigint => Fn.create(Point.BASE.multiply(k).toAffine().x);
  const divide = (a: bigint, b: bigint): bigint => Fn.mul(Fn.create(a), Fn.inv(Fn.create(b)));

  const { privateKey, publicKey: key } = generateKeyPairSync('ec', { namedCurve: name });
  const spki = key.export({ format: 'der', type: 'spki' });
  const signature = sign('sha256', BYTES, privateKey);
  const { r, s } = curve.Signature.fromBytes(signature, 'der');

  test('the signature of OpenSSL, and with s negated, which is one as well', async () => {
    expect(await verdict(spki, signature)).toBe(true);
    expect(await verdict(spki, signatureOf(r, n - s))).toBe(true);
  });

  test('another digest, another key', async () => {
    const other = createHash('sha256').update('another artifact').digest();
    expect(await isSigned(other, spki, signature)).toBe(false);
    expect(await verdict(publicKey(2n), signature)).toBe(false);
  });

  test('a digest of another length', async () => {
    for (const other of [
      Buffer.of(),
      DIGEST.subarray(0, -1),
      Buffer.concat([DIGEST, Buffer.of(0)]),
      Buffer.concat([DIGEST, DIGEST]),
      Buffer.concat([Buffer.alloc(32), DIGEST]),
    ]) {
      expect(await isSigned(other, spki, signature)).toBe(false);
    }
  });

  test('a point that is not on the curve, and one with a byte too many', async () => {
    const offCurve = Buffer.from(spki);
    offCurve[offCurve.length - 1] = (offCurve.at(-1) ?? 0) ^ 1;
    expect(await isSigned(DIGEST, offCurve, signature)).toBe(false);
    const longer = Buffer.concat([spki, Buffer.of(0)]);
    expect(await isSigned(DIGEST, longer, signature)).toBe(false);
  });

  test('numbers out of range', async () => {
    for (const [first, second] of [
      [0n, s],
      [r, 0n],
      [0n, 0n],
      [n, s],
      [r, n],
      [r + n, s],
      [r, s + n],
      [n - r, s],
      [r, 1n],
      [1n, s],
      [n - 1n, n - 1n],
    ] as const) {
      expect(await verdict(spki, signatureOf(first, second))).toBe(false);
    }
  });

  test('encodings other than DER', async () => {
    const [R, S] = [der(2, integer(r)), der(2, integer(s))];
    const content = Buffer.concat([R, S]);
    const unpadded = (value: bigint): Buffer => Buffer.concat([Buffer.of(0), integer(value)]);
    const longLength = (part: Buffer): Buffer =>
      Buffer.concat([
        part.subarray(0, 1),
        Buffer.of(0x82, 0),
        part.subarray(part.length - content.length - 1),
      ]);
    const negative = integer(r + (1n << BigInt(8 * integer(r).length)) - 2n * r).subarray(
      -integer(r).length,
    );
    for (const [what, bytes] of Object.entries({
      nothing: Buffer.of(),
      'raw numbers': Buffer.from(curve.Signature.fromBytes(signature, 'der').toBytes('compact')),
      'a byte behind': Buffer.concat([signature, Buffer.of(0)]),
      'a byte behind the numbers': der(0x30, Buffer.concat([content, Buffer.of(0)])),
      'a third number': der(0x30, Buffer.concat([content, S])),
      'one number': der(0x30, R),
      'cut off': signature.subarray(0, -1),
      'a set': der(0x31, content),
      'r with a leading zero': der(0x30, Buffer.concat([der(2, unpadded(r)), S])),
      's with a leading zero': der(0x30, Buffer.concat([R, der(2, unpadded(s))])),
      'an octet string': der(0x30, Buffer.concat([der(4, integer(r)), S])),
      'an empty number': der(0x30, Buffer.concat([der(2, Buffer.of()), S])),
      'a longer length': longLength(der(0x30, content)),
      'an indefinite length': Buffer.concat([Buffer.of(0x30, 0x80), content, Buffer.of(0, 0)]),
      'a negative r': der(0x30, Buffer.concat([der(2, negative), S])),
    })) {
      expect([what, await verdict(spki, bytes)]).toEqual([what, false]);
    }
  });

  // For any nonce k and any s there is a key with d = (sk − e) ÷ r (SEC 1 §4.1.3, solved for d).
  const small = [1n, 2n, 3n, n - 1n, n - 2n, n >> 1n, (n >> 1n) + 1n, 1n << 128n];
  test('unusual nonces and values of s', async () => {
    for (const k of small) {
      for (const chosen of small) {
        const d = divide(chosen * k - e, xOf(k));
        expect(await verdict(publicKey(d), signatureOf(xOf(k), chosen))).toBe(true);
        expect(await verdict(publicKey(d), signatureOf(xOf(k), Fn.create(chosen + 5n)))).toBe(
          false,
        );
      }
    }
  });

  test('unusual keys: the base point, its negation, its double', async () => {
    for (const d of [1n, 2n, n - 1n, n - 2n]) {
      const k = 12_345n;
      const chosen = divide(e + xOf(k) * d, k);
      expect(await verdict(publicKey(d), signatureOf(xOf(k), chosen))).toBe(true);
      expect(await verdict(publicKey(d), signatureOf(xOf(k + 1n), chosen))).toBe(false);
    }
  });

  test('a sum of two equal points, and of two that cancel each other out', async () => {
    // u1·G = u2·Q where e = rd; the sum is 2e ÷ s times G.
    const k = 54_321n;
    const d = divide(e, xOf(k));
    expect(await verdict(publicKey(d), signatureOf(xOf(k), divide(2n * e, k)))).toBe(true);
    expect(await verdict(publicKey(n - d), signatureOf(xOf(k), divide(2n * e, k)))).toBe(false);
  });

  test('a point whose x is larger than the order', async () => {
    // There is one within reach only where the field is larger than the group: x in n … p.
    for (let x = n; x < Fp.ORDER; x += 1n) {
      const encoded = Buffer.concat([Buffer.of(2), Fp.toBytes(x)]);
      let sum: InstanceType<typeof Point>;
      try {
        sum = Point.fromBytes(encoded);
      } catch {
        continue; // No point has this x.
      }
      const remainder = Fn.create(x);
      if (remainder === 0n) {
        continue;
      }
      const chosen = 7n;
      // Q = (sR − eG) ÷ r
      const q = sum.multiply(chosen).subtract(Point.BASE.multiply(e)).multiply(Fn.inv(remainder));
      expect(await verdict(spkiOf(q), signatureOf(remainder, chosen))).toBe(true);
      expect(await verdict(spkiOf(q), signatureOf(x, chosen))).toBe(false);
      return;
    }
  });

  test('any change of a signature', async () => {
    const change = fc.record({
      at: fc.nat(signature.length - 1),
      to: fc.nat(255),
      cut: fc.option(fc.nat(signature.length)),
    });
    await fc.assert(
      fc.asyncProperty(change, async ({ at, to, cut }) => {
        const changed = Buffer.from(signature);
        changed[at] = to;
        const bytes = cut === null ? changed : changed.subarray(0, cut);
        expect(await verdict(spki, bytes)).toBe(bytes.equals(signature));
      }),
      { numRuns: 200 },
    );
  });

  test('any bytes', async () => {
    await fc.assert(
      fc.asyncProperty(fc.uint8Array({ maxLength: 150 }), async (bytes) => {
        expect(await verdict(spki, Buffer.from(bytes))).toBe(false);
      }),
    );
  });
});
