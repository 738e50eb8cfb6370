import { createHash } from 'node:crypto';
import { parseCertificate, toPem, type DetachedSignature } from './detached.js';
import { base64, object, nonEmptyString } from './json.js';

/** What a `hashedrekord` entry of the transparency log says. */
export interface HashedRekord {
  /** SHA-256, hex. */
  readonly digest: string;
  /** ECDSA, DER. */
  readonly signature: Buffer;
  /** X.509, DER. */
  readonly certificate: Buffer;
}

/** Rekor v1 (`0.0.1`) holds base64 of a PEM, Rekor v2 (`0.0.2`) base64 of DER. */
export const KIND = 'hashedrekord';
export const VERSION_V1 = '0.0.1';
export const VERSION_V2 = '0.0.2';

/**
 * The body that Rekor v1 makes of a detached signature: canonical JSON (RFC 8785).
 *
 * The names below are in the order that RFC 8785 §3.2.3 asks for, and no value needs escaping.
 *
 * @param digest SHA-256, hex
 */
export function hashedRekordBody(
  digest: string,
  { signature, certificate }: DetachedSignature,
): Buffer {
  return Buffer.from(
    JSON.stringify({
      apiVersion: VERSION_V1,
      kind: KIND,
      spec: {
        data: { hash: { algorithm: 'sha256', value: digest } },
        signature: {
          content: signature.toString('base64'),
          publicKey: { content: Buffer.from(toPem(certificate)).toString('base64') },
        },
      },
    }),
  );
}

/** RFC 6962 §2.1: SHA-256(0x00 ‖ leaf). Hex; the last 64 digits of an entry's id. */
export function leafHash(body: Buffer): string {
  return createHash('sha256').update(Buffer.of(0)).update(body).digest('hex');
}

/**
 * @param body of an entry with kind `hashedrekord`
 * @returns undefined for anything but a well-formed entry of version 0.0.1 or 0.0.2
 */
export function parseHashedRekord(body: Buffer): HashedRekord | undefined {
  try {
    const entry = object(JSON.parse(body.toString('utf8')));
    const spec = object(entry['spec']);
    if (entry['kind'] !== KIND) {
      return undefined;
    }
    switch (entry['apiVersion']) {
      case VERSION_V1:
        return parseV1(spec);
      case VERSION_V2:
        return parseV2(object(spec['hashedRekordV002']));
      default:
        return undefined;
    }
  } catch {
    return undefined; // No such entry can be compared with anything: the caller refuses it.
  }
}

function parseV1(spec: Record<string, unknown>): HashedRekord {
  const hash = object(object(spec['data'])['hash']);
  const signature = object(spec['signature']);
  if (hash['algorithm'] !== 'sha256') {
    throw new TypeError('not a SHA-256 digest');
  }
  return {
    digest: nonEmptyString(hash['value']),
    signature: base64(signature['content']),
    certificate: parseCertificate(base64(object(signature['publicKey'])['content'])),
  };
}

function parseV2(spec: Record<string, unknown>): HashedRekord {
  const signature = object(spec['signature']);
  const verifier = object(signature['verifier']);
  return {
    digest: base64(object(spec['data'])['digest']).toString('hex'),
    signature: base64(signature['content']),
    certificate: base64(object(verifier['x509Certificate'])['rawBytes']),
  };
}
