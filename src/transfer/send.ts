import type { ClientRequest, IncomingMessage } from 'node:http';
import type { Socket } from 'node:net';
import { StatusError } from './errors.js';

/** The headers of an answer of this size are refused (Node's own default). */
export const MAX_HEADER_BYTES = 16 << 10;

export interface SendOptions {
  readonly body?: string | undefined;
  /**
   * For the connection and the headers of the response, in milliseconds. It does not include the
   * time that a request waits for a connection that other requests use.
   */
  readonly timeout: number;
  readonly signal: AbortSignal;
}

/**
 * Sends a request and waits for the headers of the answer.
 *
 * The promise is settled by its own timer and its own listener for the abort: a request that has no
 * socket yet emits nothing when it is destroyed (Node 24, `ClientRequest.prototype.destroy` in
 * `lib/_http_client.js`), so waiting for its `error` event could take forever. A request that never
 * gets a socket ends with the abort.
 *
 * @throws {StatusError} 101, when the server switches protocols: nobody asked for it
 */
export function send(request: ClientRequest, options: SendOptions): Promise<IncomingMessage> {
  return settled(request, options, (succeed, fail) => {
    request.on('response', succeed);
    request.on('upgrade', (_response, socket: Socket) => {
      socket.destroy();
      fail(new StatusError(101, undefined));
    });
  });
}

/** Sends a CONNECT request and waits for the tunnel; status 200 alone opens one, as in Node. */
export function sendConnect(request: ClientRequest, options: SendOptions): Promise<Socket> {
  return settled(request, options, (succeed, fail) => {
    request.on('connect', ({ statusCode }, socket: Socket, head: Buffer) => {
      if (statusCode === 200 && head.length === 0) {
        succeed(socket);
        return;
      }
      socket.destroy();
      // Not a StatusError: 404 from a proxy must never mean that the host has no such object.
      fail(
        new Error(
          statusCode === 200
            ? 'the proxy sent data before the tunnel was used'
            : `the proxy refused the tunnel: HTTP status ${String(statusCode)}`,
        ),
      );
    });
  });
}

function settled<T>(
  request: ClientRequest,
  { body, timeout, signal }: SendOptions,
  listen: (succeed: (value: T) => void, fail: (error: unknown) => void) => void,
): Promise<T> {
  return new Promise((resolve, reject) => {
    let isSettled = false;
    let timer: NodeJS.Timeout | undefined;
    const settle = (): void => {
      isSettled = true;
      clearTimeout(timer);
      signal.removeEventListener('abort', onAbort);
    };
    const succeed = (value: T): void => {
      settle();
      resolve(value);
    };
    const fail = (error: unknown): void => {
      if (isSettled) {
        return;
      }
      settle();
      // eslint-disable-next-line @typescript-eslint/prefer-promise-reject-errors -- the reason of an abort may be anything
      reject(error);
      request.destroy();
    };
    const onAbort = (): void => {
      fail(signal.reason);
    };
    request.once('socket', () => {
      if (!isSettled) {
        timer = setTimeout(() => {
          fail(new Error(`no response within ${String(timeout / 1000)} s`));
        }, timeout);
      }
    });
    signal.addEventListener('abort', onAbort);
    // This listener stays: an error after the end must not become an uncaught exception.
    request.on('error', fail);
    request.on('close', () => {
      fail(new Error('the connection was closed before the response'));
    });
    listen(succeed, fail);
    request.end(body);
  });
}
