import { createReadStream } from 'node:fs';
import {
  createServer,
  type IncomingHttpHeaders,
  type Server,
  type ServerResponse,
} from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import type { AddressInfo, Socket } from 'node:net';
import { pipeline } from 'node:stream/promises';
import type { Fault, FaultAction } from './faults.js';
import type { ServerCertificate } from './server-certificate.js';

export interface ReceivedRequest {
  readonly method: string;
  /** Path and query. */
  readonly path: string;
  readonly headers: IncomingHttpHeaders;
  readonly body: Buffer;
  readonly at: Date;
}

/** Part of a file on disk, streamed. */
export interface FileRange {
  readonly file: string;
  readonly start: number;
  /** Exclusive. */
  readonly end: number;
}

export interface Answer {
  readonly status: number;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: Buffer | string | FileRange;
}

export type Handler = (request: ReceivedRequest) => Answer | Promise<Answer>;

export interface ServerOptions {
  /** Serve https with this certificate. */
  readonly tls?: ServerCertificate;
  /** Any free port unless given. */
  readonly port?: number;
}

/** A request matches by a path's end (without query), by an expression over the path, or by a function. */
export type Matcher = string | RegExp | ((request: ReceivedRequest) => boolean);

/** A JSON answer. */
export const json = (
  status: number,
  value: unknown,
  headers: Readonly<Record<string, string>> = {},
): Answer => ({
  status,
  headers: { 'content-type': 'application/json', ...headers },
  body: JSON.stringify(value),
});

/** An HTTP server on 127.0.0.1 that writes down what it is asked, and misbehaves where it is told to. */
export class LoopbackServer {
  /** Every request, oldest first. */
  readonly requests: ReceivedRequest[] = [];
  /** The first fault that matches a request, and is not used up, answers it. */
  readonly faults: Fault[] = [];
  /** Milliseconds to wait before each answer. */
  latency: number | ((request: ReceivedRequest) => number) = 0;
  /** Bytes of a body per second and answer; as fast as it goes unless given. */
  bandwidth: number | undefined = undefined;
  readonly #handler: Handler;
  readonly #options: ServerOptions;
  readonly #sockets = new Set<Socket>();
  #bytesOfClosedSockets = 0;
  #server: Server | undefined;
  #port: number;

  private constructor(handler: Handler, options: ServerOptions) {
    this.#handler = handler;
    this.#options = options;
    this.#port = options.port ?? 0;
  }

  static async start(handler: Handler, options: ServerOptions = {}): Promise<LoopbackServer> {
    const server = new LoopbackServer(handler, options);
    await server.start();
    return server;
  }

  get port(): number {
    return this.#port;
  }

  /** Without a slash at the end. */
  get url(): string {
    return `${this.#options.tls === undefined ? 'http' : 'https'}://127.0.0.1:${this.#port}`;
  }

  /** Listens (again), on the same port as before. */
  async start(): Promise<void> {
    if (this.#server !== undefined) return;
    const { tls } = this.#options;
    const server = tls === undefined ? createServer() : createTlsServer(tls);
    server.on('request', (incoming, response) => {
      const chunks: Buffer[] = [];
      incoming.on('data', (chunk: Buffer) => chunks.push(chunk));
      incoming.on('end', () => {
        const request: ReceivedRequest = {
          method: incoming.method ?? '',
          path: incoming.url ?? '',
          headers: incoming.headers,
          body: Buffer.concat(chunks),
          at: new Date(),
        };
        this.requests.push(request);
        this.#respond(request, response).catch((error: unknown) => {
          if (response.headersSent) response.destroy();
          else response.writeHead(500).end(`the test world itself failed: ${String(error)}`);
        });
      });
    });
    server.on('connection', (socket: Socket) => {
      this.#sockets.add(socket);
      // A client that goes away mid-answer is an event of the test, not an error of the world.
      socket.on('error', () => socket.destroy());
      socket.on('close', () => {
        this.#sockets.delete(socket);
        this.#bytesOfClosedSockets += socket.bytesWritten;
      });
    });
    this.#server = server;
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject);
      server.listen(this.#port, '127.0.0.1', resolve);
    });
    this.#port = portOf(server.address());
  }

  /** Closes the port and every open connection; further connections are refused. */
  async stop(): Promise<void> {
    const server = this.#server;
    if (server === undefined) return;
    this.#server = undefined;
    const closed = new Promise<void>((resolve) => server.close(() => resolve()));
    for (const socket of this.#sockets) socket.destroy();
    await closed;
  }

  /** Lets the next `times` matching requests fail so; once unless given. */
  fail(match: Matcher, act: FaultAction, times = 1): void {
    this.faults.push({ match, act, times });
  }

  /** Requests whose path matches. */
  requestsFor(match: Matcher): ReceivedRequest[] {
    return this.requests.filter((request) => matches(match, request));
  }

  /** Everything sent on connections that are closed by now, TLS included. */
  get bytesSent(): number {
    return this.#bytesOfClosedSockets;
  }

  /** Forgets requests and how much was sent. */
  forget(): void {
    this.requests.length = 0;
    this.#bytesOfClosedSockets = 0;
  }

  /** Forgets requests and faults. */
  reset(): void {
    this.requests.length = 0;
    this.faults.length = 0;
    this.latency = 0;
  }

  async #respond(request: ReceivedRequest, response: ServerResponse): Promise<void> {
    const latency = typeof this.latency === 'number' ? this.latency : this.latency(request);
    if (latency > 0) await new Promise((resolve) => setTimeout(resolve, latency));
    const fault = this.#nextFault(request);
    if (fault === undefined) {
      await send(await this.#handler(request), request, response, this.bandwidth);
      return;
    }
    await fault({
      request,
      response,
      server: this,
      answer: async () => inMemory(await this.#handler(request)),
    });
  }

  #nextFault(request: ReceivedRequest): FaultAction | undefined {
    for (const fault of this.faults) {
      const left = fault.times ?? 1;
      if (left <= 0 || !matches(fault.match, request)) continue;
      fault.times = left - 1;
      return fault.act;
    }
    return undefined;
  }
}

/** Sends an answer as it is. */
export async function send(
  answer: Answer,
  request: ReceivedRequest,
  response: ServerResponse,
  bandwidth?: number,
): Promise<void> {
  const { status, headers = {}, body = '' } = answer;
  const length = lengthOf(body);
  response.writeHead(status, { 'content-length': String(length), ...headers });
  if (request.method === 'HEAD' || status === 304 || length === 0) {
    response.end();
  } else if (bandwidth !== undefined) {
    await sendPaced(body, response, bandwidth);
  } else if (typeof body === 'string' || Buffer.isBuffer(body)) {
    response.end(body);
  } else {
    const { file, start, end } = body;
    await pipeline(createReadStream(file, { start, end: end - 1 }), response);
  }
}

/** Pieces that take a few milliseconds each, which is what a timer can measure out. */
const PACED_PIECE = 256 << 10;

async function sendPaced(
  body: Buffer | string | FileRange,
  response: ServerResponse,
  bandwidth: number,
): Promise<void> {
  const started = performance.now();
  let sent = 0;
  for await (const piece of piecesOf(body)) {
    if (response.destroyed) break;
    const due = started + (sent / bandwidth) * 1000;
    const early = due - performance.now();
    if (early > 1) await new Promise((resolve) => setTimeout(resolve, early));
    await new Promise<void>((resolve) => {
      // Called when the piece is on its way, and also when the client has gone.
      response.write(piece, () => {
        resolve();
      });
    });
    sent += piece.length;
  }
  response.end();
}

/** A file is read while it is sent: read before the first byte, it would be a delay of its own. */
async function* piecesOf(body: Buffer | string | FileRange): AsyncGenerator<Buffer> {
  if (typeof body === 'string' || Buffer.isBuffer(body)) {
    const bytes = Buffer.from(body);
    for (let at = 0; at < bytes.length; at += PACED_PIECE) {
      yield bytes.subarray(at, at + PACED_PIECE);
    }
    return;
  }
  const { file, start, end } = body;
  yield* createReadStream(file, {
    start,
    end: end - 1,
    highWaterMark: PACED_PIECE,
  }) as AsyncIterable<Buffer>;
}

/** An answer whose body is in memory. */
export interface AnswerInMemory {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Buffer;
}

async function inMemory({ status, headers = {}, body = '' }: Answer): Promise<AnswerInMemory> {
  if (typeof body === 'string') return { status, headers, body: Buffer.from(body) };
  if (Buffer.isBuffer(body)) return { status, headers, body };
  const chunks: Buffer[] = [];
  for await (const chunk of createReadStream(body.file, { start: body.start, end: body.end - 1 })) {
    chunks.push(chunk as Buffer);
  }
  return { status, headers, body: Buffer.concat(chunks) };
}

function lengthOf(body: Buffer | string | FileRange): number {
  if (typeof body === 'string') return Buffer.byteLength(body);
  return Buffer.isBuffer(body) ? body.length : body.end - body.start;
}

function matches(match: Matcher, request: ReceivedRequest): boolean {
  if (typeof match === 'function') return match(request);
  const [path = ''] = request.path.split('?');
  return typeof match === 'string' ? path.endsWith(match) : match.test(request.path);
}

function portOf(address: AddressInfo | string | null): number {
  if (address === null || typeof address === 'string') throw new Error('not listening on a port');
  return address.port;
}
