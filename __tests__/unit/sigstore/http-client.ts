import { HttpClient } from '../../../src/transfer/http.js';
import { PATIENCE, scaled } from '../../../src/transfer/patience.js';

/** The action's HTTP client, with less patience. */
export function httpClient(signal: AbortSignal = new AbortController().signal): HttpClient {
  return new HttpClient({
    userAgent: 'test',
    proxyEnvironment: {},
    patience: { ...scaled(PATIENCE, 0.1), pause: 1, longestPause: 2 },
    signal,
    onRequest: () => {},
  });
}
