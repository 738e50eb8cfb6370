import { createReadStream } from 'node:fs';
import { stat } from 'node:fs/promises';
import type http from 'node:http';
import type https from 'node:https';
import type { Readable } from 'node:stream';
import { codeOf, explain } from '../errors.js';
import { TooLargeError } from '../files/errors.js';
import type { TransferLimits } from './limits.js';
import { proxySettings, type ProxyEnvironment } from './proxy.js';
import { withoutSecrets, withRetries, type RetryRecord } from './retry.js';
import { MAX_HEADER_BYTES, send } from './send.js';
import { createTunnelAgent } from './tunnel-agent.js';
import { NonRetryableError, StatusError, TransferError } from './errors.js';

export type { ProxyEnvironment };

const MAX_REDIRECTS = 5;
/** Connections per host for small objects: a handshake costs more than waiting one's turn. */
const SMALL_SOCKETS = 2;

/** Large objects have connections of their own, so that nothing small waits behind them. */
type Lane = 'small' | 'large';

/** One request as it went, for the debug log. */
export interface RequestRecord {
  readonly method: string;
  readonly url: string;
  /** HTTP status, or what went wrong. */
  readonly outcome: string;
  /** Until the answer's headers were here, in milliseconds. */
  readonly duration: number;
}

export interface HttpOptions {
  readonly userAgent: string;
  readonly proxyEnvironment: ProxyEnvironment;
  readonly limits: TransferLimits;
  /** A bearer token, sent to that one origin and to no other. */
  readonly token?: { readonly origin: string; readonly value: string } | undefined;
  /** Ends every transfer when it is aborted. */
  readonly signal: AbortSignal;
  readonly onRequest: (record: RequestRecord) => void;
  /** Called when a request has failed and will be tried again. */
  readonly onRetry?: (record: RetryRecord) => void;
}

export interface RequestOptions {
  readonly method?: 'GET' | 'POST';
  readonly headers?: Readonly<Record<string, string>>;
  /** A JSON value for the body. */
  readonly json?: unknown;
  readonly lane?: Lane;
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
    options.signal.addEventListener('abort', () => {
      for (const agent of this.#agents.values()) {
        agent.destroy();
      }
    });
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
    return this.retry(method, url, this.limits.metadataTimeout, async (trySignal) => {
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
   * Runs a transfer, with retries.
   *
   * @param total bound on the time of all tries together, in milliseconds
   * @param attempt one try; it must stop when its signal is aborted
   * @throws {TransferError}
   */
  retry<T>(
    method: 'GET' | 'POST',
    url: URL,
    total: number,
    attempt: (signal: AbortSignal) => Promise<T>,
  ): Promise<T> {
    const { limits, signal } = this;
    const { onRetry } = this.#options;
    return withRetries({ method, url, total, limits, signal, onRetry }, attempt);
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
    let target = url;
    let withToken = true;
    for (let hop = 0; hop <= MAX_REDIRECTS; hop++) {
      assertTransport(target);
      // Once a redirect has left the token's origin, nobody further along the way gets to see it.
      withToken &&= target.origin === this.#options.token?.origin;
      const response = await this.#request(target, options, withToken, signal);
      const location = redirectTarget(response, target);
      if (location === undefined) {
        return accepted(response);
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
    const agent = this.#createAgent(isSecure, lane, byProxy);
    refuseAfter(this.signal, agent);
    this.#agents.set(key, agent);
    return agent;
  }

  #createAgent(isSecure: boolean, lane: Lane, byProxy: boolean): http.Agent {
    const { proxyEnvironment, signal } = this.#options;
    const options = { keepAlive: true, ...(lane === 'small' ? { maxSockets: SMALL_SOCKETS } : {}) };
    const proxy = byProxy
      ? proxySettings(isSecure ? 'https' : 'http', proxyEnvironment)
      : undefined;
    const { Agent } = isSecure ? builtin('node:https') : builtin('node:http');
    if (proxy === undefined) {
      return new Agent(options);
    }
    return isSecure
      ? createTunnelAgent(options, { proxy, timeout: this.limits.responseTimeout, signal })
      : new Agent({ ...options, proxyEnv: { ...proxyEnvironment } });
  }

  async #request(
    url: URL,
    options: RequestOptions,
    withToken: boolean,
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
      ...(withToken ? { authorization: `Bearer ${this.#options.token?.value ?? ''}` } : {}),
      ...options.headers,
    };
    signal.throwIfAborted();
    const isSecure = url.protocol === 'https:';
    // In the clear a token goes to this machine alone, and not by way of a proxy.
    const agent = this.#agent(isSecure, options.lane ?? 'small', isSecure || !withToken);
    const { request: start } = isSecure ? builtin('node:https') : builtin('node:http');
    // The signal also ends the body.
    const request = start(url, { method, headers, agent, signal, maxHeaderSize: MAX_HEADER_BYTES });
    try {
      const timeout = this.limits.responseTimeout;
      const response = await send(request, { body, timeout, signal });
      record(String(response.statusCode));
      request.setTimeout(this.limits.idleTimeout, () => {
        response.destroy(new Error(`no data for ${seconds(this.limits.idleTimeout)}`));
      });
      return response;
    } catch (error) {
      record(explain(error));
      throw error;
    }
  }
}

/**
 * Makes an agent open no connection once the signal is aborted. For each connection that closes, an
 * agent opens one for the next request in its queue, even for one that was destroyed; and a
 * connection that is being opened keeps the process alive.
 */
function refuseAfter(signal: AbortSignal, agent: http.Agent): void {
  const createConnection = agent.createConnection.bind(agent);
  agent.createConnection = (options, callback) => {
    if (!signal.aborted) {
      return createConnection(options, callback);
    }
    // With an error there is no connection, whatever the types say.
    (callback as ((error: Error) => void) | undefined)?.(new Error('the transfers were aborted'));
    return undefined;
  };
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

function accepted(response: http.IncomingMessage): HttpResponse {
  const status = response.statusCode ?? 0;
  if (status < 200 || status > 299) {
    response.destroy();
    throw new StatusError(status, retryAfter(response.headers['retry-after']));
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
