import { SetupError, explain } from '../../errors.js';
import type { HttpClient } from '../../transfer/http.js';
import { TooLargeError } from '../../files/errors.js';
import { TransferError } from '../../transfer/errors.js';
import { leafHash } from '../hashedrekord.js';
import { base64, list, object, nonEmptyString, safeInteger } from '../json.js';

/** An answer about one entry is a few KiB; a proof in a log of 2^64 entries would be 8 KiB. */
const MAX_ENTRY_BYTES = 256 << 10;
/** An answer names each entry with 80 hex digits. */
const MAX_INDEX_BYTES = 256 << 10;
/** Rekor returns at most this many entries per request. */
const ENTRIES_PER_REQUEST = 10;
/** Anybody may log an entry for a digest, of any kind and larger than ours. */
const MAX_ENTRIES_BYTES = ENTRIES_PER_REQUEST * MAX_ENTRY_BYTES;
/** Anybody may log an entry for a digest; so many of them are looked at. */
const MAX_CANDIDATES = 30;
/** RFC 6962: a tree of 2^64 leaves. */
const MAX_PROOF_HASHES = 64;

const ENTRY_ID = /^(?:[0-9a-f]{16})?([0-9a-f]{64})$/;
const HASH = /^[0-9a-f]{64}$/;

/** One entry as the log returned it: well-formed, and nothing of it verified yet. */
export interface LogEntry {
  /** Leaf hash of the body, 64 hex digits, with the 16 of the tree id in front where known. */
  readonly uuid: string;
  /** Canonical JSON. */
  readonly body: Buffer;
  /** Seconds since the epoch. */
  readonly integratedTime: number;
  /** SHA-256 of the log's public key, 32 bytes. */
  readonly logId: Buffer;
  /** Counted over all shards of the log. */
  readonly logIndex: number;
  /** ECDSA, DER. */
  readonly signedEntryTimestamp: Buffer;
  readonly inclusionProof: InclusionProof;
}

/** RFC 6962 §2.1.1, inside one shard of the log. */
export interface InclusionProof {
  readonly logIndex: number;
  readonly treeSize: number;
  readonly rootHash: Buffer;
  readonly hashes: readonly Buffer[];
  /** A signed note: origin, tree size, root hash, signatures. */
  readonly checkpoint: string;
}

/**
 * A client for the HTTP API of Rekor v1.
 *
 * What the log answered once is not asked for again; what failed is.
 */
export class TransparencyLog {
  readonly #http: HttpClient;
  readonly #base: URL;
  readonly #byLeafHash = new Map<string, Promise<LogEntry | undefined>>();
  readonly #byDigest = new Map<string, Promise<LogEntry[]>>();

  /** @param base for example https://rekor.sigstore.dev/ */
  constructor(http: HttpClient, base: URL) {
    this.#http = http;
    this.#base = base;
  }

  /**
   * The entry whose body has this leaf hash.
   *
   * @param hash RFC 6962 leaf hash, 64 hex digits
   * @throws {SetupError} LOG_ENTRY_INVALID, LOG_UNAVAILABLE
   */
  entryByLeafHash(hash: string): Promise<LogEntry | undefined> {
    return once(this.#byLeafHash, hash, () => this.#entryByLeafHash(hash));
  }

  /**
   * The entries for an artifact, earliest first, of the first thirty that the index lists. None if the
   * log has no index (Rekor's is deprecated, and Rekor v2 has none), or if the index gives no usable
   * answer.
   *
   * @param sha256 digest of the artifact, 64 hex digits
   * @throws {SetupError} LOG_ENTRY_INVALID, LOG_UNAVAILABLE
   */
  entriesByDigest(sha256: string): Promise<LogEntry[]> {
    return once(this.#byDigest, sha256, () => this.#entriesByDigest(sha256));
  }

  async #entryByLeafHash(hash: string): Promise<LogEntry | undefined> {
    const url = new URL(`api/v1/log/entries/${hash}`, this.#base);
    const response = await this.#request(() => this.#http.read(url, MAX_ENTRY_BYTES));
    const entry = response === undefined ? undefined : parseLogEntries(response)[0];
    if (entry !== undefined && !entry.uuid.endsWith(hash)) {
      throw invalid(`requested log entry ${hash}, but the log returned ${entry.uuid}`);
    }
    return entry;
  }

  async #entriesByDigest(sha256: string): Promise<LogEntry[]> {
    const uuids = await this.#uuidsByDigest(sha256);
    const entries: LogEntry[] = [];
    const url = new URL('api/v1/log/entries/retrieve', this.#base);
    for (let i = 0; i < uuids.length; i += ENTRIES_PER_REQUEST) {
      const entryUUIDs = uuids.slice(i, i + ENTRIES_PER_REQUEST);
      const response = await this.#request(() =>
        this.#http.read(url, MAX_ENTRIES_BYTES, { method: 'POST', json: { entryUUIDs } }),
      );
      entries.push(...(response === undefined ? [] : parseLogEntries(response)));
    }
    return entries.sort((a, b) => a.integratedTime - b.integratedTime);
  }

  /** At most {@link MAX_CANDIDATES}; none if the index gives no usable answer. */
  async #uuidsByDigest(sha256: string): Promise<string[]> {
    const url = new URL('api/v1/index/retrieve', this.#base);
    const json = { hash: `sha256:${sha256}` };
    const response = await this.#request(
      () => this.#http.read(url, MAX_INDEX_BYTES, { method: 'POST', json }),
      isWithoutIndex,
    );
    return response === undefined ? [] : parseIndex(response);
  }

  /**
   * @param isNothing whether a failed request means that the log has nothing
   * @returns undefined if it does
   */
  async #request(
    request: () => Promise<Buffer>,
    isNothing = ({ status }: TransferError): boolean => status === 404,
  ): Promise<Buffer | undefined> {
    try {
      return await request();
    } catch (error) {
      if (!(error instanceof TransferError)) {
        throw error;
      }
      if (isNothing(error)) {
        return undefined;
      }
      throw new SetupError(
        'LOG_UNAVAILABLE',
        `cannot query the transparency log: ${error.message}`,
        { cause: error },
      );
    }
  }
}

/** Request timeout, too early, too many requests: unlike other 4xx, these may pass. */
const TRANSIENT_STATUSES: ReadonlySet<number> = new Set([408, 425, 429]);

/**
 * Whether the log answered, but not with an index: it has none (404, 501), refuses the request, or
 * the answer is too large to read. A log that cannot be reached is another matter.
 */
function isWithoutIndex({ status = 0, cause }: TransferError): boolean {
  const isRefusal = status >= 400 && status < 500 && !TRANSIENT_STATUSES.has(status);
  return isRefusal || status === 501 || cause instanceof TooLargeError;
}

/** The index is only a hint, so an answer that is not a list of entry IDs lists nothing. */
function parseIndex(response: Buffer): string[] {
  let ids: unknown;
  try {
    ids = JSON.parse(response.toString('utf8'));
  } catch {
    return [];
  }
  const candidates: unknown[] = Array.isArray(ids) ? ids.slice(0, MAX_CANDIDATES) : [];
  return candidates.every((id) => typeof id === 'string' && ENTRY_ID.test(id))
    ? (candidates as string[])
    : [];
}

/** The promise under a key, made when it is first asked for; forgotten when it rejects. */
function once<T>(answers: Map<string, Promise<T>>, key: string, ask: () => Promise<T>): Promise<T> {
  const known = answers.get(key);
  if (known !== undefined) {
    return known;
  }
  const answer = ask();
  answers.set(key, answer);
  answer.catch(() => answers.delete(key));
  return answer;
}

/**
 * Reads an answer of Rekor v1: an object that maps entry ids to entries.
 *
 * @throws {SetupError} LOG_ENTRY_INVALID for anything malformed, or an id that is not the leaf
 *   hash of the body beneath it
 */
export function parseLogEntries(response: Buffer): LogEntry[] {
  const parsed = parseJson(response);
  const maps = Array.isArray(parsed) ? parsed : [parsed];
  try {
    return maps.flatMap((map) =>
      Object.entries(object(map)).map(([id, entry]) => parseLogEntry(id, object(entry))),
    );
  } catch (error) {
    throw error instanceof SetupError
      ? error
      : invalid('the log returned a malformed entry', error);
  }
}

function parseLogEntry(id: string, entry: Record<string, unknown>): LogEntry {
  const verification = object(entry['verification']);
  const proof = object(verification['inclusionProof']);
  const body = base64(entry['body']);
  checkEntryId(id, body);
  return {
    uuid: id,
    body,
    integratedTime: safeInteger(entry['integratedTime']),
    logId: hash(entry['logID']),
    logIndex: safeInteger(entry['logIndex']),
    signedEntryTimestamp: base64(verification['signedEntryTimestamp']),
    inclusionProof: {
      logIndex: safeInteger(proof['logIndex']),
      treeSize: safeInteger(proof['treeSize']),
      rootHash: hash(proof['rootHash']),
      hashes: list(proof['hashes'], MAX_PROOF_HASHES).map(hash),
      checkpoint: nonEmptyString(proof['checkpoint']),
    },
  };
}

/** The UUID of an entry is the leaf hash of its body (RFC 6962 §2.1). */
export function checkEntryId(id: string, body: Buffer): void {
  if (ENTRY_ID.exec(id)?.[1] !== leafHash(body)) {
    throw invalid(`the body that the log returned for entry ${id} has a different leaf hash`);
  }
}

function parseJson(response: Buffer): unknown {
  try {
    return JSON.parse(response.toString('utf8'));
  } catch (error) {
    throw invalid('the log returned something other than JSON', error);
  }
}

/** @param value 64 hex digits */
function hash(value: unknown): Buffer {
  if (!HASH.test(nonEmptyString(value))) {
    throw new TypeError('not a SHA-256 hash');
  }
  return Buffer.from(nonEmptyString(value), 'hex');
}

function invalid(message: string, cause?: unknown): SetupError {
  const reason = cause === undefined ? '' : `: ${explain(cause)}`;
  return new SetupError('LOG_ENTRY_INVALID', `${message}${reason}`, { cause });
}
