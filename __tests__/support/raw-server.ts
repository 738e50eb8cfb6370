import { spawn } from 'node:child_process';
import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { TLSSocket, createSecureContext } from 'node:tls';
import type { ServerCertificate } from './server-certificate.js';

/** What a server does with one connection. */
export type Script = (connection: Socket) => void | Promise<void>;

/** A TCP server on 127.0.0.1 that follows a script, byte by byte: for what no HTTP server would do. */
export class RawServer {
  /** Connections so far. */
  connections = 0;
  /** The largest number of bytes that one connection took from this server. */
  mostBytesTaken = 0;
  readonly #open = new Set<Socket>();
  readonly #server: Server;

  private constructor(script: Script) {
    this.#server = createServer({ allowHalfOpen: false }, (socket) => {
      this.connections += 1;
      this.#open.add(socket);
      socket.on('error', () => socket.destroy());
      socket.on('close', () => {
        this.#open.delete(socket);
        this.mostBytesTaken = Math.max(this.mostBytesTaken, socket.bytesWritten);
      });
      void Promise.resolve(script(socket)).catch((error: unknown) => {
        socket.destroy(error instanceof Error ? error : new Error(String(error)));
      });
    });
  }

  static async start(script: Script): Promise<RawServer> {
    const server = new RawServer(script);
    await new Promise<void>((resolve) => server.#server.listen(0, '127.0.0.1', resolve));
    return server;
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  /** Connections that are open now. */
  get open(): number {
    return this.#open.size;
  }

  async stop(): Promise<void> {
    const closed = new Promise<void>((resolve) => this.#server.close(() => resolve()));
    for (const socket of this.#open) socket.destroy();
    await closed;
  }
}

/** Scripts, and ways to put them together. */
export const script = {
  /** Reads everything and says nothing. */
  silence: (): Script => (connection) => {
    connection.resume();
  },

  /** Closes at once. */
  close: (): Script => (connection) => {
    connection.resume();
    connection.end();
  },

  /** Closes as soon as the client has said something. */
  closeWhenSpokenTo: (): Script => async (connection) => {
    await firstBytes(connection);
    connection.resume();
    connection.end();
  },

  /** Answers the first bytes with this text, and goes on with another script. */
  answer:
    (text: string, then: Script = script.silence()): Script =>
    async (connection) => {
      await firstBytes(connection);
      connection.write(text);
      await then(connection);
    },

  /** Answers the first bytes with `begin`, and then with `piece` for as long as the client takes it. */
  endless:
    (begin: string, piece: string): Script =>
    async (connection) => {
      await firstBytes(connection);
      connection.resume();
      connection.write(begin);
      const pieces = Buffer.from(piece.repeat(Math.ceil(65_536 / piece.length)));
      const closed = new Promise((resolve) => connection.once('close', resolve));
      while (!connection.destroyed) {
        if (connection.write(pieces)) continue;
        await Promise.race([new Promise((resolve) => connection.once('drain', resolve)), closed]);
      }
    },

  /** Answers the first bytes one by one, with a pause after each, and then goes on. */
  dribble:
    (text: string, pause: number, then: Script = script.silence()): Script =>
    async (connection) => {
      await firstBytes(connection);
      for (const character of text) {
        if (connection.destroyed) return;
        connection.write(character);
        await new Promise((resolve) => setTimeout(resolve, pause));
      }
      await then(connection);
    },

  /** A proxy that opens a tunnel; `inside` is at its other end. */
  tunnel: (inside: Script): Script =>
    script.answer('HTTP/1.1 200 Connection established\r\n\r\n', inside),

  /** The server's side of TLS; `inside` has the decrypted connection. */
  tls:
    ({ key, cert }: ServerCertificate, inside: Script): Script =>
    async (connection) => {
      const secure = new TLSSocket(connection, {
        isServer: true,
        secureContext: createSecureContext({ key, cert }),
      });
      secure.on('error', () => secure.destroy());
      await inside(secure);
    },
};

async function firstBytes(connection: Socket): Promise<void> {
  await new Promise<void>((resolve) => {
    connection.once('data', () => {
      connection.pause();
      resolve();
    });
    connection.once('close', resolve);
    connection.resume();
  });
}

/** A port on which connections stay half open: the system answers no SYN any more. Linux only. */
export interface UnansweredPort {
  readonly port: number;
  stop(): void;
}

/**
 * Starts a process that listens with the shortest queue and stops, and fills its queue. Linux then
 * drops each further SYN (tcp(7), `tcp_abort_on_overflow`).
 */
export async function startUnansweredPort(): Promise<UnansweredPort> {
  const child = spawn(process.execPath, ['-e', STOPPED_SERVER], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const port = await new Promise<number>((resolve) => {
    child.stdout.once('data', (text: Buffer) => resolve(Number(text.toString())));
  });
  const queued: Socket[] = [];
  let isConnected = true;
  while (isConnected && queued.length < 20) {
    const socket = connect(port, '127.0.0.1');
    socket.on('error', () => socket.destroy());
    queued.push(socket);
    isConnected = await Promise.race([
      new Promise<true>((resolve) => socket.once('connect', () => resolve(true))),
      new Promise<false>((resolve) => setTimeout(() => resolve(false), 500)),
    ]);
  }
  if (isConnected) throw new Error('this system still accepts connections');
  return {
    port,
    stop: () => {
      for (const socket of queued) socket.destroy();
      child.kill('SIGKILL');
    },
  };
}

const STOPPED_SERVER = `
  const server = require('node:net').createServer();
  server.listen({ port: 0, host: '127.0.0.1', backlog: 1 }, () => {
    require('node:fs').writeSync(1, String(server.address().port));
    process.kill(process.pid, 'SIGSTOP');
  });
`;
