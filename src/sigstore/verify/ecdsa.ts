/**
 * Curves by their names in `@noble/curves`, each with the first bytes of a SubjectPublicKeyInfo (DER,
 * RFC 5480) up to its point.
 */
const CURVES = [
  { curve: 'p256', header: '3059301306072a8648ce3d020106082a8648ce3d030107034200' },
  { curve: 'p384', header: '3076301006072a8648ce3d020106052b81040022036200' },
  { curve: 'p521', header: '30819b301006072a8648ce3d020106052b8104002303818600' },
] as const;
const SHA256_BYTES = 32;
/** The first byte of an uncompressed point (SEC 1 §2.3.3). */
const UNCOMPRESSED = 4;

/** A public key for ECDSA. */
export interface EcdsaKey {
  readonly curve: (typeof CURVES)[number]['curve'];
  /** Uncompressed (SEC 1 §2.3.3). */
  readonly point: Buffer;
}

/**
 * Reads an uncompressed point on P-256, P-384 or P-521. OpenSSL accepts other curves and encodings;
 * Go's crypto/x509 does not.
 *
 * @param spki SubjectPublicKeyInfo, DER
 * @returns undefined for any other key
 */
export function ecdsaKey(spki: Buffer): EcdsaKey | undefined {
  for (const { curve, header } of CURVES) {
    const point = spki.subarray(header.length / 2);
    if (spki.toString('hex').startsWith(header) && point[0] === UNCOMPRESSED) {
      return { curve, point };
    }
  }
  return undefined;
}

/**
 * Whether a signature was made with this key over bytes with this SHA-256 (SEC 1 §4.1.4). A point
 * that is not on the curve has signed nothing.
 *
 * `node:crypto` does not verify ECDSA over a digest (https://github.com/nodejs/node/issues/60263):
 * it would have to be given the bytes, and hash every file a second time.
 *
 * @param digest 32 bytes
 * @param signature DER (RFC 3279 §2.2.3), with either of the two values of `s`, as OpenSSL and Go
 *   accept it
 */
export async function isSignatureOver(
  digest: Buffer,
  signature: Buffer,
  { curve, point }: EcdsaKey,
): Promise<boolean> {
  if (digest.length !== SHA256_BYTES) {
    return false; // The library would take the first bytes of a longer one.
  }
  // Loaded now, so that it does not delay the first request.
  const { p256, p384, p521 } = await import('@noble/curves/nist.js');
  const options = { prehash: false, lowS: false, format: 'der' } as const;
  return { p256, p384, p521 }[curve].verify(signature, digest, point, options);
}
