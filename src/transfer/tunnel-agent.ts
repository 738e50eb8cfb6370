import type { AgentOptions, Agent as HttpsAgent, RequestOptions } from 'node:https';
import type { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { bypassesProxy, type ProxySettings } from './proxy.js';
import { MAX_HEADER_BYTES, sendConnect } from './send.js';

export interface TunnelOptions {
  readonly proxy: ProxySettings;
  /** Until the proxy has opened a tunnel, in milliseconds. */
  readonly timeout: number;
  /** Closes the tunnels that are being opened. */
  readonly signal: AbortSignal;
}

/** The request options that an agent gets are complete: `ClientRequest` fills in host and port. */
type ConnectionOptions = RequestOptions & { host: string; port: number };
type OnConnection = (error: Error | null, connection?: Duplex | null) => void;

/**
 * Creates an https agent that goes through a proxy (RFC 9110 §9.3.6).
 *
 * Node's own (`proxyEnv`) reads the answer to CONNECT without a bound, and adds as many `readable`
 * listeners with each piece of it as there are already: 26 bytes sent one by one take 2 GiB
 * (`establishTunnel` in `lib/https.js` of Node 24.21). Its sockets are out of reach until TLS is
 * done, too. Here Node's HTTP parser reads the answer, with its bound on headers.
 */
export function createTunnelAgent(agent: AgentOptions, tunnel: TunnelOptions): HttpsAgent {
  // Not imported: a run that makes no request does not load it.
  const { Agent } = process.getBuiltinModule('node:https');

  class TunnelAgent extends Agent {
    override createConnection(
      options: ConnectionOptions,
      callback: OnConnection,
    ): Duplex | null | undefined {
      if (bypassesProxy(tunnel.proxy.bypass, options.host, options.port)) {
        return super.createConnection(options);
      }
      const opened = openTunnel(options, tunnel).then((socket) => {
        const secure = super.createConnection(throughSocket(options, socket));
        // From here on the request has a socket, and its own time limit covers TLS.
        socket.on('error', (error) => secure?.destroy(error));
        return secure;
      });
      opened.then((secure) => {
        callback(null, secure);
      }, callback);
      return undefined;
    }
  }
  return new TunnelAgent(agent);
}

/** `tls.connect` takes a connected socket; the options still name the host to verify. */
function throughSocket(
  options: ConnectionOptions,
  socket: Socket,
): ConnectionOptions & { socket: Socket } {
  return { ...options, socket };
}

function openTunnel(
  { host, port }: ConnectionOptions,
  { proxy: { url, authorization }, timeout, signal }: TunnelOptions,
): Promise<Socket> {
  const authority = `${host.includes(':') ? `[${host}]` : host}:${String(port)}`;
  const { request: start } =
    url.protocol === 'https:'
      ? process.getBuiltinModule('node:https')
      : process.getBuiltinModule('node:http');
  const request = start({
    method: 'CONNECT',
    host: url.hostname.replace(/^\[|\]$/g, ''),
    ...(url.port === '' ? {} : { port: url.port }),
    path: authority,
    headers: {
      host: authority,
      'proxy-connection': 'keep-alive',
      ...(authorization === undefined ? {} : { 'proxy-authorization': authorization }),
    },
    // One connection for one tunnel, whatever the global agent is.
    agent: false,
    maxHeaderSize: MAX_HEADER_BYTES,
  });
  // Without an agent Node would ask the proxy to close the connection.
  request.removeHeader('connection');
  return sendConnect(request, { timeout, signal });
}
