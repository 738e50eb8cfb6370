import { SetupError } from '../../errors.js';
import { downloadFailed } from '../../transfer/download-failed.js';
import type { HttpClient } from '../../transfer/http.js';
import {
  MAX_CERTIFICATE_BYTES,
  MAX_SIGNATURE_BYTES,
  parseDetached,
  type DetachedSignature,
} from '../detached.js';

/** Where the evidence for one artifact is published. */
export interface PublishedUrls {
  /** Of the artifact, for messages: `bin/linux/amd64/kubectl`. */
  readonly name: string;
  /** Base64 of a DER ECDSA signature. */
  readonly signature: URL;
  /** Base64 of one PEM certificate. */
  readonly certificate: URL;
  /** A Sigstore bundle. */
  readonly bundle: URL;
}

/** Signature and certificate as they were published together. */
export type PublishedPair =
  | { readonly kind: 'complete'; readonly detached: DetachedSignature }
  | { readonly kind: 'malformed'; readonly failure: SetupError }
  | { readonly kind: 'absent'; readonly reason: string };

/**
 * Fetches signature and certificate. They belong together, so they are always fetched together.
 *
 * @throws {SetupError} DOWNLOAD_FAILED
 */
export async function fetchPair(http: HttpClient, urls: PublishedUrls): Promise<PublishedPair> {
  const [signature, certificate] = await Promise.all([
    readPublished(http, urls.signature, MAX_SIGNATURE_BYTES),
    readPublished(http, urls.certificate, MAX_CERTIFICATE_BYTES),
  ]);
  if (signature === undefined || certificate === undefined) {
    const missing = [
      ...(signature === undefined ? ['.sig'] : []),
      ...(certificate === undefined ? ['.cert'] : []),
    ];
    return { kind: 'absent', reason: `${urls.name} has no ${missing.join(' and no ')}` };
  }
  try {
    return { kind: 'complete', detached: parseDetached(signature, certificate) };
  } catch (error) {
    if (error instanceof SetupError) {
      return { kind: 'malformed', failure: error };
    }
    throw error;
  }
}

/**
 * @returns undefined where the host has no such file
 * @throws {SetupError} DOWNLOAD_FAILED
 */
export async function readPublished(
  http: HttpClient,
  url: URL,
  maxBytes: number,
): Promise<Buffer | undefined> {
  try {
    return await http.readIfPresent(url, maxBytes);
  } catch (error) {
    throw downloadFailed(error, 'the signature');
  }
}
