import type { Bundle } from '@sigstore/bundle';
import { SetupError, explain } from '../errors.js';
import { MAX_BUNDLE_BYTES, parseBundle, toCurrentVersion } from '../sigstore/bundle.js';
import { object } from '../sigstore/json.js';
import { signedContent } from '../sigstore/verify/signature.js';

/**
 * Reads one entry of a lock file.
 *
 * @param key of the entry, for messages
 * @throws {SetupError} LOCK_MISMATCH if `read` does
 * @throws {Error} for everything else, with the key in front
 */
export function readEntry<T>(key: string, read: () => T): T {
  try {
    return read();
  } catch (error) {
    throw error instanceof SetupError && error.code === 'LOCK_MISMATCH'
      ? error
      : new Error(`${key}: ${explain(error)}`);
  }
}

/** A bundle in the form of the lock file, and the SHA-256 (hex) of what it is for. */
export function readBundle(value: unknown): { readonly bundle: Bundle; readonly signed: string } {
  const json = Buffer.from(JSON.stringify(object(value)));
  if (json.length > MAX_BUNDLE_BYTES) {
    throw new Error(`"bundle" is larger than ${String(MAX_BUNDLE_BYTES)} bytes`);
  }
  const bundle = toCurrentVersion(parseBundle(json));
  return { bundle, signed: signedContent(bundle).digest.toString('hex') };
}
