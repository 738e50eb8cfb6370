import { HttpClient, type HttpOptions, type RequestRecord } from '../../../src/transfer/http.js';
import { TRANSFER_LIMITS, scaled, type TransferLimits } from '../../../src/transfer/limits.js';

/** Short, so that giving up takes no time; long enough for a slow machine to answer at all. */
export const SHORT: TransferLimits = {
  ...scaled(TRANSFER_LIMITS, 0.02),
  responseTimeout: 2_000,
  metadataTimeout: 10_000,
  downloadTimeout: 10_000,
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
    limits: SHORT,
    signal: abort.signal,
    onRequest: (record) => records.push(record),
    ...options,
  });
  return { http, abort, records };
}
