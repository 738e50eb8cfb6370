import { type KeyObject } from 'node:crypto';
import { contentOf, elementsOf } from './der.js';

/**
 * ECDSA verification over a digest (FIPS 186-5 §6.4.2), which `node:crypto` does not offer: it always hashes by itself.
 * A log needs it, because a hashedrekord holds a digest and never the artifact. For the test world only: slow, not constant-time.
 */
export function verifyDigest(digest: Buffer, signature: Buffer, publicKey: KeyObject): boolean {
  const curve = CURVES[publicKey.asymmetricKeyDetails?.namedCurve ?? ''];
  const jwk = publicKey.asymmetricKeyType === 'ec' ? publicKey.export({ format: 'jwk' }) : {};
  const [r, s] = parseSignature(signature);
  if (curve === undefined || r === undefined || s === undefined) return false;
  const { n, g } = curve;
  if (r <= 0n || r >= n || s <= 0n || s >= n) return false;
  const q: Point = { x: fromBase64Url(jwk.x), y: fromBase64Url(jwk.y), z: 1n };
  const w = inverse(s, n);
  const e = leftmostBits(digest, n);
  const sum = add(multiply((e * w) % n, g, curve), multiply((r * w) % n, q, curve), curve);
  if (sum.z === 0n) return false;
  const zInverse = inverse(sum.z, curve.p);
  return mod(sum.x * zInverse * zInverse, curve.p) % n === r;
}

/** y² = x³ - 3x + b over GF(p); b is not needed for arithmetic. */
interface Curve {
  readonly p: bigint;
  readonly n: bigint;
  readonly g: Point;
}

/** Jacobian coordinates: (x/z², y/z³); z = 0 is the point at infinity. */
interface Point {
  readonly x: bigint;
  readonly y: bigint;
  readonly z: bigint;
}

const INFINITY: Point = { x: 1n, y: 1n, z: 0n };

const CURVES: Readonly<Record<string, Curve>> = {
  prime256v1: {
    p: 0xffffffff00000001000000000000000000000000ffffffffffffffffffffffffn,
    n: 0xffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551n,
    g: {
      x: 0x6b17d1f2e12c4247f8bce6e563a440f277037d812deb33a0f4a13945d898c296n,
      y: 0x4fe342e2fe1a7f9b8ee7eb4a7c0f9e162bce33576b315ececbb6406837bf51f5n,
      z: 1n,
    },
  },
  secp384r1: {
    p: 0xfffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffeffffffff0000000000000000ffffffffn,
    n: 0xffffffffffffffffffffffffffffffffffffffffffffffffc7634d81f4372ddf581a0db248b0a77aecec196accc52973n,
    g: {
      x: 0xaa87ca22be8b05378eb1c71ef320ad746e1d3b628ba79b9859f741e082542a385502f25dbf55296c3a545e3872760ab7n,
      y: 0x3617de4a96262c6f5d9e98bf9292dc29f8f41dbd289a147ce9da3113b5f0b8c00a60b1ce1d7e819d7a431d7c90ea0e5fn,
      z: 1n,
    },
  },
};

function multiply(k: bigint, point: Point, curve: Curve): Point {
  let result = INFINITY;
  for (const bit of k.toString(2)) {
    result = double(result, curve);
    if (bit === '1') result = add(result, point, curve);
  }
  return result;
}

function double({ x, y, z }: Point, { p }: Curve): Point {
  if (z === 0n || y === 0n) return INFINITY;
  const zz = mod(z * z, p);
  const m = mod(3n * (x - zz) * (x + zz), p);
  const yy = mod(y * y, p);
  const s = mod(4n * x * yy, p);
  const x3 = mod(m * m - 2n * s, p);
  return { x: x3, y: mod(m * (s - x3) - 8n * yy * yy, p), z: mod(2n * y * z, p) };
}

function add(a: Point, b: Point, curve: Curve): Point {
  if (a.z === 0n) return b;
  if (b.z === 0n) return a;
  const { p } = curve;
  const az2 = mod(a.z * a.z, p);
  const bz2 = mod(b.z * b.z, p);
  const u1 = mod(a.x * bz2, p);
  const s1 = mod(a.y * bz2 * b.z, p);
  const h = mod(b.x * az2 - u1, p);
  const r = mod(b.y * az2 * a.z - s1, p);
  if (h === 0n) return r === 0n ? double(a, curve) : INFINITY;
  const h2 = mod(h * h, p);
  const h3 = mod(h2 * h, p);
  const x = mod(r * r - h3 - 2n * u1 * h2, p);
  return { x, y: mod(r * (u1 * h2 - x) - s1 * h3, p), z: mod(h * a.z * b.z, p) };
}

function inverse(value: bigint, modulus: bigint): bigint {
  let [r0, r1] = [modulus, mod(value, modulus)];
  let [t0, t1] = [0n, 1n];
  while (r1 !== 0n) {
    const quotient = r0 / r1;
    [r0, r1] = [r1, r0 - quotient * r1];
    [t0, t1] = [t1, t0 - quotient * t1];
  }
  return mod(t0, modulus);
}

/** The digest as an integer, cut to the group order's length. */
function leftmostBits(digest: Buffer, n: bigint): bigint {
  const excess = digest.length * 8 - n.toString(2).length;
  const integer = BigInt(`0x${digest.toString('hex')}`);
  return excess > 0 ? integer >> BigInt(excess) : integer;
}

/** Ecdsa-Sig-Value: SEQUENCE { INTEGER r, INTEGER s }; empty when it is no such thing. */
function parseSignature(signature: Buffer): bigint[] {
  try {
    if (signature[0] !== 0x30) return [];
    return elementsOf(signature).map((element) =>
      BigInt(`0x${contentOf(element).toString('hex')}`),
    );
  } catch (error) {
    if (error instanceof RangeError || error instanceof SyntaxError) return [];
    throw error;
  }
}

const fromBase64Url = (text = ''): bigint =>
  BigInt(`0x${Buffer.from(text, 'base64url').toString('hex')}`);

const mod = (value: bigint, modulus: bigint): bigint => ((value % modulus) + modulus) % modulus;
