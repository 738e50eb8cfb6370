import { setTimeout as sleep } from 'node:timers/promises';
import { SetupError } from '../errors.js';
import { isPublished } from '../kubernetes/version.js';
import type { HttpClient } from '../transfer/http.js';
import type { Logger } from './logger.js';

/**
 * Waits for a release that a pointer already names but that is not at the host yet: the pointer
 * and the files travel to the host's edges separately, for minutes, once for hours.
 *
 * @param version with `v`
 * @param base where `release/` is, ending in a slash
 * @throws {SetupError} VERSION_NOT_FOUND when it does not come in time, DOWNLOAD_FAILED
 */
export async function awaitPublication(
  version: string,
  http: HttpClient,
  base: URL,
  logger: Logger,
): Promise<void> {
  const { publicationTimeout: publicationTimeout, publicationInterval: publicationInterval } =
    http.limits;
  const rounds = Math.floor(publicationTimeout / publicationInterval);
  for (let round = 1; round <= rounds; round++) {
    const left = seconds(publicationTimeout - (round - 1) * publicationInterval);
    logger.info(`${version} is announced, but not yet at ${base.href}: waiting up to ${left}`);
    await sleep(publicationInterval, undefined, { signal: http.signal });
    if (await isPublished(version, http, base)) {
      return;
    }
  }
  throw new SetupError(
    'VERSION_NOT_FOUND',
    `Kubernetes ${version} is announced at ${base.href}, but its files did not appear there within ${seconds(publicationTimeout)}`,
    'It was probably released minutes ago and has not reached every server of the release host, or your mirror has not copied it yet. Run the job again later, or pin an exact version until then.',
  );
}

function seconds(milliseconds: number): string {
  return `${String(Math.round(milliseconds / 1000))} s`;
}
