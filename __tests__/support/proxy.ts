import {
  createServer,
  request as httpRequest,
  type IncomingMessage,
  type Server,
  type ServerResponse,
} from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import { connect, type AddressInfo, type Socket } from 'node:net';
import type { ServerCertificate } from './server-certificate.js';

/** What a proxy was asked for. */
export interface ProxiedRequest {
  /** `CONNECT` for a tunnel. */
  readonly method: string;
  /** `host:port` for a tunnel, else an absolute URL. */
  readonly target: string;
  readonly headers: IncomingMessage['headers'];
}

export interface ProxyOptions {
  /** Where to go instead, by `host:port`: lets a test's client ask for a public name and reach this machine. */
  readonly hosts?: Readonly<Record<string, string>>;
  /** `user:password` to insist on; without it the answer is 407. */
  readonly credentials?: string;
  /** Speak TLS with clients, with this certificate. */
  readonly tls?: ServerCertificate;
}

/** An HTTP proxy on 127.0.0.1: tunnels (CONNECT) and absolute-form requests (RFC 9110 §9.3.6, RFC 9112 §3.2.2). */
export class Proxy {
  readonly requests: ProxiedRequest[] = [];
  readonly #options: ProxyOptions;
  readonly #sockets = new Set<Socket>();
  readonly #server: Server;

  private constructor(options: ProxyOptions) {
    this.#options = options;
    const forward = (request: IncomingMessage, response: ServerResponse): void => {
      this.#forward(request, response);
    };
    this.#server =
      options.tls === undefined ? createServer(forward) : createTlsServer(options.tls, forward);
    this.#server.on('connect', (request: IncomingMessage, client: Socket, head: Buffer) => {
      this.#tunnel(request, client, head);
    });
    this.#server.on('connection', (socket: Socket) => {
      this.#keep(socket);
    });
  }

  static async start(options: ProxyOptions = {}): Promise<Proxy> {
    const proxy = new Proxy(options);
    await new Promise<void>((resolve) => proxy.#server.listen(0, '127.0.0.1', resolve));
    return proxy;
  }

  get url(): string {
    const { port } = this.#server.address() as AddressInfo;
    return `${this.#options.tls === undefined ? 'http' : 'https'}://127.0.0.1:${port}`;
  }

  async stop(): Promise<void> {
    const closed = new Promise<void>((resolve) => this.#server.close(() => resolve()));
    for (const socket of this.#sockets) socket.destroy();
    await closed;
  }

  #tunnel(request: IncomingMessage, client: Socket, head: Buffer): void {
    const target = this.#record(request);
    if (!this.#authorized(request)) {
      client.end('HTTP/1.1 407 Proxy Authentication Required\r\nproxy-authenticate: Basic\r\n\r\n');
      return;
    }
    const { hostname, port } = new URL(`http://${this.#resolve(target)}`);
    const upstream = this.#keep(connect(Number(port || 80), hostname));
    upstream.on('connect', () => {
      client.write('HTTP/1.1 200 Connection Established\r\n\r\n');
      upstream.write(head);
      upstream.pipe(client).pipe(upstream);
    });
    upstream.on('error', () => client.destroy());
    client.on('error', () => upstream.destroy());
  }

  #forward(request: IncomingMessage, response: ServerResponse): void {
    const target = this.#record(request);
    if (!this.#authorized(request)) {
      response.writeHead(407, { 'proxy-authenticate': 'Basic' }).end();
      return;
    }
    if (!URL.canParse(target)) {
      response.writeHead(400).end('a proxy wants an absolute URL');
      return;
    }
    const url = new URL(target);
    const authority = this.#resolve(`${url.hostname}:${url.port === '' ? '80' : url.port}`);
    const upstream = httpRequest(
      `http://${authority}${url.pathname}${url.search}`,
      { method: request.method, headers: request.headers },
      (answer) => {
        response.writeHead(answer.statusCode ?? 502, answer.headers);
        answer.pipe(response);
      },
    );
    upstream.on('error', (error) => {
      if (response.headersSent) response.destroy();
      else response.writeHead(502).end(error.message);
    });
    request.pipe(upstream);
  }

  #record(request: IncomingMessage): string {
    const { method = '', url = '', headers } = request;
    this.requests.push({ method, target: url, headers });
    return url;
  }

  #authorized(request: IncomingMessage): boolean {
    const { credentials } = this.#options;
    if (credentials === undefined) return true;
    const expected = `Basic ${Buffer.from(credentials).toString('base64')}`;
    return request.headers['proxy-authorization'] === expected;
  }

  #resolve(authority: string): string {
    return this.#options.hosts?.[authority] ?? authority;
  }

  #keep(socket: Socket): Socket {
    this.#sockets.add(socket);
    socket.on('error', () => socket.destroy());
    socket.on('close', () => this.#sockets.delete(socket));
    return socket;
  }
}
