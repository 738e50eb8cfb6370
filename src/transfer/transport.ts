import { NonRetryableError } from './errors.js';
import { withoutSecrets } from './retry.js';

/** Whether a URL may be requested: https, or http on this machine. */
export function isTransportAllowed(url: URL): boolean {
  return url.protocol === 'https:' || (url.protocol === 'http:' && isLoopback(url.hostname));
}

function isLoopback(hostname: string): boolean {
  return hostname === 'localhost' || hostname === '[::1]' || /^127(\.\d{1,3}){3}$/.test(hostname);
}

/** @throws {NonRetryableError} unless {@link isTransportAllowed} */
export function assertTransport(url: URL): void {
  if (!isTransportAllowed(url)) {
    throw new NonRetryableError(`${withoutSecrets(url)} is neither https nor http on loopback`);
  }
}
