import { createReadStream } from 'node:fs';
import { stat } from 'node:fs/promises';
import type http from 'node:http';
import type https from 'node:https';
import type { Readable } from 'node:stream';
import { codeOf } from '../errors.js';
import { TooLargeError } from '../files/errors.js';
import type { TransferLimits } from './limits.js';
import { withoutSecrets, withRetries } from './retry.js';
import { NonRetryableError, StatusError, TransferError } from './errors.js';

const MAX_REDIRECTS = 5;
/** Connections per host for small objects: a handshake costs more than waiting one's turn. */
const SMALL_SOCKETS = 2;

/** Large objects have connections of their own, so that nothing small waits behind them. */
type Lane = 'small' | 'large';

/** The environment variables that Node's agent reads proxies from. */
export type ProxyEnvironment = Readonly<Record<string, string | undefined>>;

/** One request as it went, for the debug log. */
export interface RequestRecord {
  readonly method: string;
  readonly url: string;
  /** HTTP status, or what went wrong. */
  readonly outcome: string;
  /** Until the answer's headers were here, in milliseconds. */
  readonly duration: number;
}

/** A bearer token (RFC 6750), sent to that one origin and to no other. */
export interface BearerToken {
  readonly origin: string;
  readonly value: string;
}

export interface HttpOptions {
  readonly userAgent: string;
  readonly proxyEnvironment: ProxyEnvironment;
  readonly limits: TransferLimits;
  readonly token?: BearerToken | undefined;
  /** Ends every transfer when it is aborted. */
  readonly signal: AbortSignal;
  readonly onRequest: (record: RequestRecord) => void;
}

export interface RequestOptions {
  readonly method?: 'GET' | 'POST';
  readonly headers?: Readonly<Record<string, string>>;
  /** A JSON value for the body. */
  readonly json?: unknown;
  readonly lane?: Lane;
  /** For this request, instead of the client's. */
  readonly token?: BearerToken | undefined;
}

/** An answer with status 2xx, its body unread. */
export interface HttpResponse {
  readonly status: number;
  readonly headers: http.IncomingHttpHeaders;
  readonly body: Readable;
}

/**
 * The one HTTP client. It honours `https_proxy`, `http_proxy` and `no_proxy`, keeps connections
 * alive, follows a bounded number of redirects and never from https to http, and refuses
 * compressed bodies, so that a bound in bytes is a bound.
 */
export class HttpClient {
  readonly limits: TransferLimits;
  readonly signal: AbortSignal;
  readonly #options: HttpOptions;
  readonly #agents = new Map<string, http.Agent>();

  constructor(options: HttpOptions) {
    this.#options = options;
    this.limits = options.limits;
    this.signal = options.signal;
  }

  /**
   * Reads a small object whole, with retries.
   *
   * @param url https, http on loopback, or file
   * @param maxBytes more than these are never read: the transfer fails
   * @throws {TransferError}
   */
  async read(url: URL, maxBytes: number, options: RequestOptions = {}): Promise<Buffer> {
    const method = options.method ?? 'GET';
    const { limits: limits, signal } = this;
    return withRetries(method, url, limits.metadataTimeout, limits, signal, async (trySignal) => {
      const response = await this.open(url, options, trySignal);
      const pieces: Buffer[] = [];
      let size = 0;
      for await (const piece of response.body as AsyncIterable<Buffer>) {
        size += piece.length;
        if (size > maxBytes) {
          throw new TooLargeError(maxBytes);
        }
        pieces.push(piece);
      }
      return Buffer.concat(pieces, size);
    });
  }

  /**
   * Like {@link read}, but undefined where the other side says that there is no such object.
   *
   * @throws {TransferError}
   */
  async readIfPresent(url: URL, maxBytes: number): Promise<Buffer | undefined> {
    try {
      return await this.read(url, maxBytes);
    } catch (error) {
      if (error instanceof TransferError && error.notFound) {
        return undefined;
      }
      throw error;
    }
  }

  /**
   * One request, redirects followed, no retries.
   *
   * @throws {StatusError} for a status other than 2xx
   * @throws {NonRetryableError} for what a retry cannot mend
   */
  async open(url: URL, options: RequestOptions, signal: AbortSignal): Promise<HttpResponse> {
    if (url.protocol === 'file:') {
      return openFile(url, signal);
    }
    const token = options.token ?? this.#options.token;
    let target = url;
    let withToken = true;
    for (let hop = 0; hop <= MAX_REDIRECTS; hop++) {
      assertTransport(target);
      // Once a redirect has left the token's origin, nobody further along the way gets to see it.
      withToken &&= target.origin === token?.origin;
      const response = await this.#request(
        target,
        options,
        withToken ? token?.value : undefined,
        signal,
      );
      const location = redirectTarget(response, target);
      if (location === undefined) {
        return accepted(response, target);
      }
      response.destroy();
      if (target.protocol === 'https:' && location.protocol !== 'https:') {
        throw new NonRetryableError(`redirected from https to ${withoutSecrets(location)}`);
      }
      target = location;
    }
    throw new NonRetryableError(`more than ${String(MAX_REDIRECTS)} redirects`);
  }

  #agent(isSecure: boolean, lane: Lane, byProxy: boolean): http.Agent {
    const key = `${String(isSecure)} ${lane} ${String(byProxy)}`;
    const known = this.#agents.get(key);
    if (known !== undefined) {
      return known;
    }
    const { Agent } = isSecure ? builtin('node:https') : builtin('node:http');
    const agent = new Agent({
      keepAlive: true,
      ...(lane === 'small' ? { maxSockets: SMALL_SOCKETS } : {}),
      ...(byProxy ? { proxyEnv: { ...this.#options.proxyEnvironment } } : {}),
    });
    this.#agents.set(key, agent);
    return agent;
  }

  #request(
    url: URL,
    options: RequestOptions,
    token: string | undefined,
    signal: AbortSignal,
  ): Promise<http.IncomingMessage> {
    const started = performance.now();
    const method = options.method ?? 'GET';
    const record = (outcome: string): void => {
      const duration = performance.now() - started;
      this.#options.onRequest({ method, url: withoutSecrets(url), outcome, duration });
    };
    const body = options.json === undefined ? undefined : JSON.stringify(options.json);
    const headers = {
      'user-agent': this.#options.userAgent,
      'accept-encoding': 'identity',
      accept: body === undefined ? '*/*' : 'application/json',
      ...(body === undefined ? {} : { 'content-type': 'application/json' }),
      ...(body === undefined ? {} : { 'content-length': String(Buffer.byteLength(body)) }),
      ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
      ...options.headers,
    };
    return new Promise((resolve, reject) => {
      const isSecure = url.protocol === 'https:';
      // In the clear a token goes to this machine alone, and not by way of a proxy.
      const agent = this.#agent(isSecure, options.lane ?? 'small', isSecure || token === undefined);
      const { request: start } = isSecure ? builtin('node:https') : builtin('node:http');
      const request = start(url, { method, headers, agent, signal });
      // One clock for connection and headers; afterwards one that every received byte sets back.
      const responseTimer = setTimeout(() => {
        request.destroy(new Error(`no answer within ${seconds(this.limits.responseTimeout)}`));
      }, this.limits.responseTimeout);
      request.on('response', (response) => {
        clearTimeout(responseTimer);
        record(String(response.statusCode));
        request.setTimeout(this.limits.idleTimeout, () => {
          response.destroy(new Error(`no data for ${seconds(this.limits.idleTimeout)}`));
        });
        resolve(response);
      });
      request.on('error', (error) => {
        clearTimeout(responseTimer);
        record(error.message);
        reject(error);
      });
      request.end(body);
    });
  }
}

/** Loaded with the first request: a run that is served from the tool cache makes none. */
function builtin(name: 'node:http'): typeof http;
function builtin(name: 'node:https'): typeof https;
function builtin(name: 'node:http' | 'node:https'): typeof http | typeof https {
  return process.getBuiltinModule(name);
}

/**
 * Whether bytes may travel this way: https anywhere, http on this machine only.
 */
export function isTransportAllowed(url: URL): boolean {
  return url.protocol === 'https:' || (url.protocol === 'http:' && isLoopback(url.hostname));
}

function isLoopback(hostname: string): boolean {
  return hostname === 'localhost' || hostname === '[::1]' || /^127(\.\d{1,3}){3}$/.test(hostname);
}

function assertTransport(url: URL): void {
  if (!isTransportAllowed(url)) {
    throw new NonRetryableError(`${withoutSecrets(url)} is neither https nor http on loopback`);
  }
}

function redirectTarget(response: http.IncomingMessage, from: URL): URL | undefined {
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

function accepted(response: http.IncomingMessage, url: URL): HttpResponse {
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
    throw new NonRetryableError('the answer is compressed, which was not asked for');
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

async function openFile(url: URL, signal: AbortSignal): Promise<HttpResponse> {
  await assertFile(url);
  return new Promise((resolve, reject) => {
    const body = createReadStream(url, { signal, highWaterMark: 1 << 20 });
    body.once('ready', () => {
      resolve({ status: 200, headers: {}, body });
    });
    body.once('error', (error) => {
      reject(new NonRetryableError(`cannot read ${url.pathname}`, error));
    });
  });
}

/** To open a pipe could take for ever, and a device may have no end. */
async function assertFile(url: URL): Promise<void> {
  const found = await stat(url).catch((error: unknown) => {
    throw codeOf(error) === 'ENOENT'
      ? new StatusError(404, undefined)
      : new NonRetryableError(`cannot read ${url.pathname}`, error);
  });
  if (!found.isFile()) {
    throw new NonRetryableError(`${url.pathname} is not a file`);
  }
}

function seconds(milliseconds: number): string {
  return `${String(milliseconds / 1000)} s`;
}
