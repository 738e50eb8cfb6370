/** What a signature is over: a file, or any other bytes whose digest is known. */
export interface Subject {
  /** SHA-256, 32 bytes. */
  readonly sha256: Buffer;
}
