import { HttpClient } from '../../../src/transfer/http.js';
import { TRANSFER_LIMITS, scaled } from '../../../src/transfer/limits.js';

/** The action's HTTP client, with less patience. */
export function httpClient(signal: AbortSignal = new AbortController().signal): HttpClient {
  return new HttpClient({
    userAgent: 'test',
    proxyEnvironment: {},
    limits: { ...scaled(TRANSFER_LIMITS, 0.1), retryDelay: 1, maxRetryDelay: 2 },
    signal,
    onRequest: () => {},
  });
}
