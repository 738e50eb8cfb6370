import type { IncomingHttpHeaders, IncomingMessage } from 'node:http';
import type { Readable } from 'node:stream';
import { NonRetryableError, StatusError } from './errors.js';

/** A response with status 2xx, its body unread. */
export interface HttpResponse {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: Readable;
}

/** @returns undefined unless the response is a redirect */
export function redirectTarget(response: IncomingMessage, from: URL): URL | undefined {
  const status = response.statusCode ?? 0;
  const { location } = response.headers;
  if (![301, 302, 303, 307, 308].includes(status) || location === undefined) {
    return undefined;
  }
  const target = URL.parse(location, from.href);
  if (target === null) {
    throw new NonRetryableError('redirected to something that is not a URL');
  }
  return target;
}

/**
 * A response with status 2xx and a plain body.
 *
 * @param url where it came from, after redirects
 * @throws {StatusError} for another status
 * @throws {NonRetryableError} for a compressed body
 */
export function accepted(response: IncomingMessage, url: URL): HttpResponse {
  const status = response.statusCode ?? 0;
  if (status < 200 || status > 299) {
    response.destroy();
    const header = status === 401 ? response.headers['www-authenticate'] : undefined;
    throw new StatusError(
      status,
      retryAfter(response.headers['retry-after']),
      header === undefined ? undefined : { url, header },
    );
  }
  const encoding = response.headers['content-encoding'];
  if (encoding !== undefined && encoding !== 'identity') {
    response.destroy();
    throw new NonRetryableError('the response is compressed, which was not requested');
  }
  return { status, headers: response.headers, body: response };
}

/** RFC 9110 §10.2.3: seconds, or a date. */
function retryAfter(header: string | undefined): number | undefined {
  if (header === undefined) {
    return undefined;
  }
  const milliseconds = /^\d{1,9}$/.test(header)
    ? Number(header) * 1000
    : Date.parse(header) - Date.now();
  return Number.isNaN(milliseconds) ? undefined : Math.max(0, milliseconds);
}
