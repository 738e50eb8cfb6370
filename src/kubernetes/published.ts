import { downloadFailed } from '../transfer/download-failed.js';
import type { HttpClient } from '../transfer/http.js';
import { Release } from './release.js';

/** A digest is 64 hex digits. */
const MAX_DIGEST_BYTES = 256;

/**
 * The first of some versions that the host has.
 *
 * @param versions with `v`
 * @throws {SetupError} DOWNLOAD_FAILED
 */
export async function firstPublished(
  versions: readonly string[],
  http: HttpClient,
  base: URL,
): Promise<string | undefined> {
  for (const version of versions) {
    if (await isPublished(version, http, base)) {
      return version;
    }
  }
  return undefined;
}

/**
 * Whether the host has a release, by the digest file of the one binary that every release has.
 *
 * @throws {SetupError} DOWNLOAD_FAILED
 */
export async function isPublished(version: string, http: HttpClient, base: URL): Promise<boolean> {
  const { digestUrl } = new Release(version, base).binary('kubectl', {
    os: 'linux',
    arch: 'amd64',
  });
  try {
    return (await http.readIfPresent(digestUrl, MAX_DIGEST_BYTES)) !== undefined;
  } catch (error) {
    throw downloadFailed(error, `the checksum file of ${version}`);
  }
}
