import type { ServerResponse } from 'node:http';
import type { Writable } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import { createGzip } from 'node:zlib';
import {
  send,
  type AnswerInMemory,
  type LoopbackServer,
  type Matcher,
  type ReceivedRequest,
} from './server.js';

/** What a fault has to work with: the request, the way to answer it, and the answer it would have got. */
export interface Delivery {
  readonly request: ReceivedRequest;
  readonly response: ServerResponse;
  readonly server: LoopbackServer;
  answer(): Promise<AnswerInMemory>;
}

export type FaultAction = (delivery: Delivery) => void | Promise<void>;

export interface Fault {
  readonly match: Matcher;
  readonly act: FaultAction;
  /** How many more requests it spoils; once unless given, `Infinity` for all. */
  times?: number;
}

const CHUNK = 64 * 1024;

/** Ways to misbehave, by name. Use: `server.fail('/kubectl', fault.truncate(1000))`. */
export const fault = {
  /** Closes the port: this connection breaks, and further ones are refused until `server.start()`. */
  refuse:
    (): FaultAction =>
    ({ server }) =>
      server.stop(),

  /** Breaks the connection before any answer. */
  reset:
    (): FaultAction =>
    ({ response }) => {
      response.socket?.resetAndDestroy();
    },

  /** Breaks the connection after so many bytes of the body. */
  resetAfter:
    (bytes: number): FaultAction =>
    async ({ response, answer }) => {
      await begin(response, await answer(), bytes);
      // Time for the bytes to arrive: a reset makes the receiver forget what it has not read.
      await sleep(200);
      response.socket?.resetAndDestroy();
    },

  /** Takes the request and says nothing, not even headers. */
  hang:
    (): FaultAction =>
    ({ response }) =>
      closed(response),

  /** Headers, then nothing. */
  stall:
    (): FaultAction =>
    async ({ response, answer }) => {
      await begin(response, await answer(), 0);
      await closed(response);
    },

  /** Headers and so many bytes, then nothing. */
  stallAfter:
    (bytes: number): FaultAction =>
    async ({ response, answer }) => {
      await begin(response, await answer(), bytes);
      await closed(response);
    },

  /** The right answer, at so many bytes a second. */
  slow:
    (bytesPerSecond: number): FaultAction =>
    async ({ response, answer }) => {
      const { status, headers, body } = await answer();
      response.writeHead(status, { 'content-length': String(body.length), ...headers });
      response.flushHeaders();
      const step = Math.max(1, Math.floor(bytesPerSecond / 20));
      for (let at = 0; at < body.length && !response.destroyed; at += step) {
        response.write(body.subarray(at, at + step));
        await sleep(50);
      }
      response.end();
    },

  /** Waits, then gives the right answer. */
  delay:
    (milliseconds: number): FaultAction =>
    async ({ request, response, answer }) => {
      await sleep(milliseconds);
      await send(await answer(), request, response);
    },

  status:
    (
      code: number,
      headers: Readonly<Record<string, string>> = {},
      body: Buffer | string = '',
    ): FaultAction =>
    ({ request, response }) =>
      send({ status: code, headers, body }, request, response),

  redirect:
    (location: string, code = 302): FaultAction =>
    ({ request, response }) =>
      send({ status: code, headers: { location } }, request, response),

  /** Announces the whole body, sends so many bytes, and closes the connection in good order. */
  truncate:
    (bytes: number): FaultAction =>
    async ({ response, answer }) => {
      const { status, headers, body } = await answer();
      response.writeHead(status, {
        'content-length': String(body.length),
        ...headers,
        connection: 'close',
      });
      response.end(body.subarray(0, bytes));
    },

  /** The right body with so many bytes behind it, all of them announced. */
  extraBytes:
    (count: number): FaultAction =>
    async ({ request, response, answer }) => {
      const { status, headers, body } = await answer();
      const longer = Buffer.concat([body, Buffer.alloc(count, 0x20)]);
      await send({ status, headers: withoutLength(headers), body: longer }, request, response);
    },

  /** The right body with one bit changed. */
  flippedBit:
    (at = 0): FaultAction =>
    async ({ request, response, answer }) => {
      const { status, headers, body } = await answer();
      const changed = Buffer.from(body);
      changed.writeUInt8(changed.readUInt8(at) ^ 0x01, at);
      await send({ status, headers, body: changed }, request, response);
    },

  /** A body without length that never ends. */
  endless:
    (): FaultAction =>
    async ({ response }) => {
      response.writeHead(200, { 'content-type': 'application/octet-stream' });
      const end = closed(response);
      const chunk = Buffer.alloc(CHUNK, 0x41);
      while (!response.destroyed) {
        if (!response.write(chunk)) await Promise.race([drained(response), end]);
      }
    },

  /** `content-encoding: gzip`: about a thousandth of what it unpacks to. */
  gzipBomb:
    (unpackedBytes: number): FaultAction =>
    async ({ response }) => {
      response.writeHead(200, { 'content-encoding': 'gzip' });
      const gzip = createGzip({ level: 9 });
      gzip.pipe(response);
      const end = closed(response);
      const chunk = Buffer.alloc(CHUNK);
      for (let sent = 0; sent < unpackedBytes && !response.destroyed; sent += CHUNK) {
        if (!gzip.write(chunk)) await Promise.race([drained(gzip), end]);
      }
      gzip.end();
    },

  /** Another body in place of the right one. */
  body:
    (body: Buffer | string, headers: Readonly<Record<string, string>> = {}): FaultAction =>
    ({ request, response }) =>
      send({ status: 200, headers, body }, request, response),

  /** Bytes that are not HTTP. */
  garbage:
    (bytes: Buffer | string = '\u0000\u0001 no http here\r\n\r\n'): FaultAction =>
    ({ response }) => {
      response.socket?.end(bytes);
    },
};

/** Sends the headers and the body's first bytes, and waits until they are on their way. */
async function begin(
  response: ServerResponse,
  answer: AnswerInMemory,
  bytes: number,
): Promise<void> {
  const { status, headers, body } = answer;
  response.writeHead(status, { 'content-length': String(body.length), ...headers });
  response.flushHeaders();
  const part = body.subarray(0, bytes);
  if (part.length > 0) await new Promise((resolve) => response.write(part, resolve));
}

const drained = (stream: Writable): Promise<unknown> =>
  new Promise((resolve) => stream.once('drain', resolve));

/** When the client has gone, or the server was stopped. */
async function closed(response: ServerResponse): Promise<void> {
  if (!response.destroyed) await new Promise((resolve) => response.once('close', resolve));
}

const withoutLength = (headers: Readonly<Record<string, string>>): Record<string, string> =>
  Object.fromEntries(Object.entries(headers).filter(([name]) => name !== 'content-length'));
