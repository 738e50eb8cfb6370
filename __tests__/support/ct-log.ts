import { createHash, generateKeyPairSync, sign, type KeyObject } from 'node:crypto';

/** What a certificate timestamp is issued for (RFC 6962 §3.2, PreCert). */
export interface Precertificate {
  /** DER TBSCertificate without the timestamp extension. */
  readonly tbs: Buffer;
  /** The issuer's public key, DER SubjectPublicKeyInfo. */
  readonly issuerPublicKey: Buffer;
}

/** A certificate transparency log (RFC 6962) that hands out timestamps; nobody reads its tree, so it keeps none. */
export class CtLog {
  readonly publicKey: KeyObject;
  readonly #privateKey: KeyObject;

  private constructor(publicKey: KeyObject, privateKey: KeyObject) {
    this.publicKey = publicKey;
    this.#privateKey = privateKey;
  }

  static create(): CtLog {
    const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
    return new CtLog(publicKey, privateKey);
  }

  /** Public key, DER SubjectPublicKeyInfo. */
  get spki(): Buffer {
    return this.publicKey.export({ format: 'der', type: 'spki' });
  }

  /** SHA-256 of the public key, 32 bytes. */
  get logId(): Buffer {
    return createHash('sha256').update(this.spki).digest();
  }

  /**
   * A SignedCertificateTimestamp for a precertificate (RFC 6962 §3.2), TLS-encoded.
   * `claiming` puts another log's id on it: the timestamp then names a log which did not sign it.
   */
  timestamp(precertificate: Precertificate, at: Date, claiming: CtLog = this): Buffer {
    const time = Buffer.alloc(8);
    time.writeBigUInt64BE(BigInt(at.getTime()));
    const version = Buffer.from([0]);
    const noExtensions = Buffer.from([0, 0]);
    const signed = Buffer.concat([
      version,
      Buffer.from([0]), // SignatureType certificate_timestamp
      time,
      Buffer.from([0, 1]), // LogEntryType precert_entry
      createHash('sha256').update(precertificate.issuerPublicKey).digest(),
      withLength(precertificate.tbs, 3),
      noExtensions,
    ]);
    const signature = sign('sha256', signed, this.#privateKey);
    const ecdsaWithSha256 = Buffer.from([4, 3]);
    return Buffer.concat([
      version,
      claiming.logId,
      time,
      noExtensions,
      ecdsaWithSha256,
      withLength(signature, 2),
    ]);
  }
}

/** SignedCertificateTimestampList (RFC 6962 §3.3), TLS-encoded: what the certificate extension's OCTET STRING holds. */
export function timestampList(timestamps: readonly Buffer[]): Buffer {
  return withLength(Buffer.concat(timestamps.map((timestamp) => withLength(timestamp, 2))), 2);
}

/** A TLS vector: its length in `width` big-endian bytes, then its contents. */
function withLength(content: Buffer, width: number): Buffer {
  const length = Buffer.alloc(width);
  length.writeUIntBE(content.length, 0, width);
  return Buffer.concat([length, content]);
}
