import { HttpClient, type HttpOptions, type RequestRecord } from '../../../src/transfer/http.js';
import { PATIENCE, scaled, type Patience } from '../../../src/transfer/patience.js';

/** Short, so that giving up takes no time; long enough for a slow machine to answer at all. */
export const SHORT: Patience = {
  ...scaled(PATIENCE, 0.02),
  answer: 2_000,
  small: 10_000,
  artifact: 10_000,
};

export interface TestClient {
  readonly http: HttpClient;
  readonly abort: AbortController;
  readonly records: RequestRecord[];
}

export function testClient(options: Partial<HttpOptions> = {}): TestClient {
  const abort = new AbortController();
  const records: RequestRecord[] = [];
  const http = new HttpClient({
    userAgent: 'test',
    proxyEnvironment: {},
    patience: SHORT,
    signal: abort.signal,
    onRequest: (record) => records.push(record),
    ...options,
  });
  return { http, abort, records };
}
