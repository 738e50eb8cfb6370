import { createHash } from 'node:crypto';
import { statSync } from 'node:fs';
import {
  LoopbackServer,
  type Answer,
  type FileRange,
  type ReceivedRequest,
  type ServerOptions,
} from './server.js';

/** What stands at a path: bytes, or a file on disk, which is streamed. */
export type Content = Buffer | { readonly file: string };

export interface ReleaseHostOptions extends ServerOptions {
  /** How a missing object answers: 404, or 403 with XML as a storage bucket that may not be listed does. */
  readonly missing?: 404 | 403;
}

/** A host with dl.k8s.io's layout, in memory: `/release/<version>/bin/<os>/<arch>/<binary>`, with ranges and entity tags. */
export class ReleaseHost {
  missing: 404 | 403;
  readonly files = new Map<string, Content>();
  #server: LoopbackServer | undefined;

  private constructor(missing: 404 | 403) {
    this.missing = missing;
  }

  static async start(options: ReleaseHostOptions = {}): Promise<ReleaseHost> {
    const host = new ReleaseHost(options.missing ?? 404);
    host.#server = await LoopbackServer.start((request) => host.#answer(request), options);
    return host;
  }

  get server(): LoopbackServer {
    if (this.#server === undefined) throw new Error('this host was never started');
    return this.#server;
  }

  get url(): string {
    return this.server.url;
  }

  /** Puts an object, or replaces it. Paths begin with `release/`; a slash in front makes no difference. */
  put(path: string, content: Content | string): void {
    this.files.set(normal(path), typeof content === 'string' ? Buffer.from(content) : content);
  }

  /** The bytes at a path that was put there as bytes. */
  get(path: string): Buffer {
    const content = this.files.get(normal(path));
    if (!Buffer.isBuffer(content)) throw new Error(`no bytes at ${path}`);
    return content;
  }

  remove(path: string): void {
    if (!this.files.delete(normal(path))) throw new Error(`nothing at ${path}`);
  }

  stop(): Promise<void> {
    return this.server.stop();
  }

  #answer(request: ReceivedRequest): Answer {
    const [path = ''] = request.path.split('?');
    const content = this.files.get(normal(decodeURIComponent(path)));
    if (request.method !== 'GET' && request.method !== 'HEAD') return { status: 405 };
    return content === undefined ? this.#missingObject() : objectAnswer(content, request);
  }

  #missingObject(): Answer {
    const code = this.missing === 403 ? 'AccessDenied' : 'NoSuchKey';
    const body = `<?xml version='1.0' encoding='UTF-8'?><Error><Code>${code}</Code></Error>`;
    return { status: this.missing, headers: { 'content-type': 'application/xml' }, body };
  }
}

const normal = (path: string): string => path.replace(/^\/+/, '');

/** The object, or the range of it that was asked for (RFC 9110 §14). */
function objectAnswer(content: Content, request: ReceivedRequest): Answer {
  const length = Buffer.isBuffer(content) ? content.length : statSync(content.file).size;
  const etag = entityTag(content);
  const headers = {
    'content-type': 'application/octet-stream',
    'accept-ranges': 'bytes',
    etag,
  };
  const { range, 'if-range': ifRange, 'if-none-match': ifNoneMatch } = request.headers;
  if (ifNoneMatch === etag) return { status: 304, headers: { ...headers, 'content-length': '0' } };
  // A range under another entity tag belongs to another object: the whole of this one is the answer.
  const wanted = ifRange === undefined || ifRange === etag ? parseRange(range, length) : 'whole';
  if (wanted === 'whole') return { status: 200, headers, body: slice(content, 0, length) };
  if (wanted === 'unsatisfiable') {
    return { status: 416, headers: { ...headers, 'content-range': `bytes */${length}` } };
  }
  const { start, end } = wanted;
  return {
    status: 206,
    headers: { ...headers, 'content-range': `bytes ${start}-${end - 1}/${length}` },
    body: slice(content, start, end),
  };
}

function parseRange(
  header: string | undefined,
  length: number,
): 'whole' | 'unsatisfiable' | { start: number; end: number } {
  const [, from, to] = /^bytes=(\d*)-(\d*)$/.exec(header ?? '') ?? [];
  if (from === undefined || to === undefined || (from === '' && to === '')) return 'whole';
  const start = from === '' ? Math.max(0, length - Number(to)) : Number(from);
  const end = from === '' || to === '' ? length : Math.min(length, Number(to) + 1);
  return start < end ? { start, end } : 'unsatisfiable';
}

function slice(content: Content, start: number, end: number): Buffer | FileRange {
  return Buffer.isBuffer(content)
    ? content.subarray(start, end)
    : { file: content.file, start, end };
}

const tags = new WeakMap<Buffer, string>();

function entityTag(content: Content): string {
  if (!Buffer.isBuffer(content)) {
    const { size, mtimeMs } = statSync(content.file);
    return `"${size}-${mtimeMs}"`;
  }
  const tag = tags.get(content) ?? `"${createHash('md5').update(content).digest('hex')}"`;
  tags.set(content, tag);
  return tag;
}
