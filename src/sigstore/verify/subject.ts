import type { KeyObject } from 'node:crypto';

/** What a signature is over: a file, or any other bytes whose digest is known. */
export interface Subject {
  /** SHA-256, 32 bytes. */
  readonly sha256: Buffer;
  /**
   * Whether `signature` is an ECDSA signature with SHA-256 over the subject's bytes by `key`.
   *
   * @param signature DER (RFC 3279 §2.2.3)
   */
  isSignedBy(key: KeyObject, signature: Buffer): boolean;
}
