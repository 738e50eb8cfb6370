import type http from 'node:http';
import type https from 'node:https';
import { explain } from '../errors.js';
import { TooLargeError } from '../files/errors.js';
import { NonRetryableError, TransferError } from './errors.js';
import { openFile } from './file-url.js';
import type { TransferLimits } from './limits.js';
import { proxyEnvironmentFor, proxySettings, type ProxyEnvironment } from './proxy.js';
import { accepted, redirectTarget, type HttpResponse } from './response.js';
import { withoutSecrets, withRetries, type RetryRecord, type WaitRecord } from './retry.js';
import { MAX_HEADER_BYTES, send } from './send.js';
import { assertTransport } from './transport.js';
import { createTunnelAgent } from './tunnel-agent.js';

export type { HttpResponse, ProxyEnvironment };

const MAX_REDIRECTS = 5;
/** Connections per host for small objects. Waiting for one takes less time than another handshake. */
const SMALL_SOCKETS = 2;

/** Large objects use other connections, so that small ones do not wait for them. */
type Lane = 'small' | 'large';

/** A finished request, for the debug log. */
export interface RequestRecord {
  readonly method: string;
  readonly url: string;
  /** HTTP status, or what went wrong. */
  readonly outcome: string;
  /** Until the headers of the response arrived, in milliseconds. */
  readonly duration: number;
}

/** A bearer token (RFC 6750), which is sent to this origin only. */
export interface BearerToken {
  readonly origin: string;
  readonly value: string;
}

export interface HttpOptions {
  readonly userAgent: string;
  readonly proxyEnvironment: ProxyEnvironment;
  readonly limits: TransferLimits;
  readonly token?: BearerToken | undefined;
  /** Refuses every request, for work that must ask nobody. Files are still read. */
  readonly isOffline?: boolean;
  /** Ends every transfer when it is aborted. */
  readonly signal: AbortSignal;
  readonly onRequest: (record: RequestRecord) => void;
  /** Called when a request has failed and will be tried again. */
  readonly onRetry?: (record: RetryRecord) => void;
  /** Called from time to time while a small object has not arrived. */
  readonly onWait?: (record: WaitRecord) => void;
}

export interface RequestOptions {
  readonly method?: 'GET' | 'POST';
  readonly headers?: Readonly<Record<string, string>>;
  /** A JSON value for the body. */
  readonly json?: unknown;
  readonly lane?: Lane;
  /** For this request, in place of the client's; null for a request without any. */
  readonly token?: BearerToken | null;
}

/**
 * The one HTTP client. It honors `https_proxy`, `http_proxy` and `no_proxy`, keeps connections
 * alive, and follows a limited number of redirects, but never from https to http. It refuses
 * compressed bodies, because a limit in bytes would not apply to what they expand to.
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
   * @param maxBytes a longer body makes the transfer fail
   * @throws {TransferError}
   */
  async read(url: URL, maxBytes: number, options: RequestOptions = {}): Promise<Buffer> {
    const method = options.method ?? 'GET';
    const { metadataTimeout } = this.limits;
    const attempt = async (trySignal: AbortSignal): Promise<Buffer> => {
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
    };
    return this.retry(method, url, metadataTimeout, attempt, this.#options.onWait);
  }

  /**
   * Like {@link read}, but undefined if the server says that there is no such object.
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
   * @param onWait called from time to time until it ends
   * @throws {TransferError}
   */
  retry<T>(
    method: 'GET' | 'POST',
    url: URL,
    total: number,
    attempt: (signal: AbortSignal) => Promise<T>,
    onWait?: (record: WaitRecord) => void,
  ): Promise<T> {
    const { limits, signal } = this;
    const { onRetry } = this.#options;
    return withRetries({ method, url, total, limits, signal, onRetry, onWait }, attempt);
  }

  /**
   * One request, redirects followed, no retries.
   *
   * @throws {StatusError} for a status other than 2xx
   * @throws {NonRetryableError} for a failure that would be the same on the next try
   */
  async open(url: URL, options: RequestOptions, signal: AbortSignal): Promise<HttpResponse> {
    if (url.protocol === 'file:') {
      return { status: 200, headers: {}, body: await openFile(url, signal) };
    }
    if (this.#options.isOffline === true) {
      throw new NonRetryableError('this client makes no requests');
    }
    const token = options.token === undefined ? this.#options.token : (options.token ?? undefined);
    let target = url;
    let withToken = true;
    for (let hop = 0; hop <= MAX_REDIRECTS; hop++) {
      assertTransport(target);
      // After a redirect to another origin the token stays off, even if a later one leads back.
      withToken &&= target.origin === token?.origin;
      const sent = withToken ? token?.value : undefined;
      const response = await this.#request(target, options, sent, signal);
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
      : new Agent({ ...options, proxyEnv: { ...proxyEnvironmentFor(proxy) } });
  }

  async #request(
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
    signal.throwIfAborted();
    const isSecure = url.protocol === 'https:';
    // Over http, which is for loopback only, a proxy could read the token.
    const agent = this.#agent(isSecure, options.lane ?? 'small', isSecure || token === undefined);
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

/** Loaded with the first request: a run that finds everything in the tool cache makes none. */
function builtin(name: 'node:http'): typeof http;
function builtin(name: 'node:https'): typeof https;
function builtin(name: 'node:http' | 'node:https'): typeof http | typeof https {
  return process.getBuiltinModule(name);
}

function seconds(milliseconds: number): string {
  return `${String(milliseconds / 1000)} s`;
}
