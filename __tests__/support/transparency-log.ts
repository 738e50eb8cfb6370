import { createHash, generateKeyPairSync, randomBytes, sign, type KeyObject } from 'node:crypto';
import { canonicalJson } from './canonical-json.js';
import { signedCheckpoint } from './checkpoint.js';
import { leafHash, MerkleTree } from './merkle-tree.js';
import { spki, toPem } from './x509.js';

/** What a hashedrekord says: somebody's key signed these bytes. */
export interface HashedRekord {
  /** SHA-256 of the artifact, hexadecimal. */
  readonly digest: string;
  readonly signature: Buffer;
  /** PEM: a certificate, or a public key. */
  readonly certificatePem: string;
}

export interface NewEntry extends HashedRekord {
  /** Now unless given; counted in whole seconds. */
  readonly integratedTime?: Date;
}

export interface LogEntry {
  /** Entry id: 8 bytes of tree id, 32 bytes of leaf hash; 80 hexadecimal digits. */
  readonly uuid: string;
  /** Canonical JSON. */
  readonly body: Buffer;
  /** Index in this shard's tree. */
  readonly index: number;
  /** Index over all shards: what the log calls `logIndex` at the top level. */
  readonly logIndex: number;
  readonly integratedTime: Date;
}

/** Rekor's `LogEntryAnon` (openapi.yaml). */
export interface AnsweredEntry {
  /** Base64 of the canonical JSON. */
  body: string;
  /** Seconds since 1970. */
  integratedTime: number;
  /** Hexadecimal. */
  logID: string;
  logIndex: number;
  verification?: {
    /** Base64. */
    signedEntryTimestamp?: string;
    inclusionProof?: {
      checkpoint: string;
      /** Hexadecimal, lowest first. */
      hashes: string[];
      logIndex: number;
      /** Hexadecimal. */
      rootHash: string;
      treeSize: number;
    };
  };
}

/** Rekor's `LogEntry`: one entry under its id. */
export type LogEntryAnswer = Record<string, AnsweredEntry>;

/** JSON text that goes out as it is, for what no object can say. */
export class RawJson {
  readonly text: string;

  constructor(text: string) {
    this.text = text;
  }
}

/** Changes an answer before it goes out; see log-forgeries.ts. */
export type Forgery = (answer: LogEntryAnswer, log: TransparencyLog) => LogEntryAnswer | RawJson;

export interface TransparencyLogOptions {
  /** Entries of strangers that are there before ours; 1,234 unless given. */
  readonly baseEntries?: number;
  /** Where the log says it is; its checkpoints carry the host's name. */
  readonly baseUrl?: string;
  /** Entries in earlier shards; 4,163,431 unless given, as in the public log. */
  readonly earlierShards?: number;
}

/** Rekor v1: a Merkle tree, a P-256 key that signs tree heads and entry timestamps, and the entries. */
export class TransparencyLog {
  baseUrl: string;
  /** Set to answer with forgeries. */
  tamper: Forgery | undefined;
  /** Entry ids by SHA-256 (hexadecimal), as the search index has them; best effort, so a test may take some away. */
  readonly index = new Map<string, string[]>();
  readonly privateKey: KeyObject;
  readonly tree = new MerkleTree();
  /** 16 hexadecimal digits. */
  readonly treeId: string;
  readonly #earlierShards: number;
  readonly #entries = new Map<string, LogEntry>();

  private constructor(options: TransparencyLogOptions) {
    this.baseUrl = options.baseUrl ?? 'https://rekor.test';
    this.#earlierShards = options.earlierShards ?? 4_163_431;
    this.privateKey = generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey;
    const treeId = randomBytes(8);
    treeId.writeUInt8((treeId.readUInt8(0) & 0x3f) | 0x10, 0);
    this.treeId = treeId.toString('hex');
  }

  static create(options: TransparencyLogOptions = {}): TransparencyLog {
    const log = new TransparencyLog(options);
    for (let i = 0; i < (options.baseEntries ?? 1_234); i++) log.tree.append(strangersEntry(i));
    return log;
  }

  /** Public key, DER SubjectPublicKeyInfo. */
  get spki(): Buffer {
    return spki(this.privateKey);
  }

  get publicKeyPem(): string {
    return toPem(this.spki, 'PUBLIC KEY');
  }

  /** SHA-256 of the public key, 32 bytes. */
  get logId(): Buffer {
    return createHash('sha256').update(this.spki).digest();
  }

  /** Adds a hashedrekord. One that is there already is not added twice. */
  add(entry: NewEntry): LogEntry {
    const body = hashedRekordBody(entry);
    const known = this.find(leafHash(body).toString('hex'));
    if (known !== undefined) return known;
    const added = this.addBody(body, entry.integratedTime);
    const digest = entry.digest.toLowerCase();
    this.index.set(digest, [...(this.index.get(digest) ?? []), added.uuid]);
    return added;
  }

  /** Adds any body (canonical JSON), and does not put it into the search index. */
  addBody(body: Buffer, integratedTime = new Date()): LogEntry {
    const index = this.tree.append(body);
    const hash = leafHash(body).toString('hex');
    const entry: LogEntry = {
      uuid: this.treeId + hash,
      body,
      index,
      logIndex: this.#earlierShards + index,
      integratedTime: new Date(Math.floor(integratedTime.getTime() / 1000) * 1000),
    };
    this.#entries.set(hash, entry);
    return entry;
  }

  /** The entry of an id, with the tree id (80 digits) or without it (64). */
  find(uuid: string): LogEntry | undefined {
    const id = uuid.toLowerCase();
    if (id.length === 80 && !id.startsWith(this.treeId)) return undefined;
    return this.#entries.get(id.slice(-64));
  }

  findByLogIndex(logIndex: number): LogEntry | undefined {
    return [...this.#entries.values()].find((entry) => entry.logIndex === logIndex);
  }

  /** What the log answers for an entry, before `tamper`: signed now, proven in the tree of now. */
  answer(uuid: string): LogEntryAnswer | undefined {
    const entry = this.find(uuid);
    if (entry === undefined) return undefined;
    const answered = {
      body: entry.body.toString('base64'),
      integratedTime: entry.integratedTime.getTime() / 1000,
      logID: this.logId.toString('hex'),
      logIndex: entry.logIndex,
    };
    const treeSize = this.tree.size;
    return {
      [entry.uuid]: {
        ...answered,
        verification: {
          signedEntryTimestamp: this.entryTimestamp(answered).toString('base64'),
          inclusionProof: {
            checkpoint: this.checkpoint(treeSize),
            hashes: this.tree
              .inclusionProof(entry.index, treeSize)
              .map((hash) => hash.toString('hex')),
            logIndex: entry.index,
            rootHash: this.tree.root(treeSize).toString('hex'),
            treeSize,
          },
        },
      },
    };
  }

  /** Signed entry timestamp: ECDSA with SHA-256 over the canonical JSON of the four fields, DER. */
  entryTimestamp(entry: AnsweredEntry, privateKey = this.privateKey): Buffer {
    const { body, integratedTime, logID, logIndex } = entry;
    const signed = canonicalJson({ body, integratedTime, logID, logIndex });
    return sign('sha256', Buffer.from(signed), privateKey);
  }

  /** A signed checkpoint; root and key are the log's own unless given. */
  checkpoint(
    size = this.tree.size,
    root = this.tree.root(size),
    privateKey = this.privateKey,
  ): string {
    const name = new URL(this.baseUrl).host;
    const origin = `${name} - ${BigInt(`0x${this.treeId}`)}`;
    return signedCheckpoint(
      { origin, size, root },
      { name, keyHint: this.logId.subarray(0, 4), privateKey },
    );
  }
}

/** The body of a hashedrekord 0.0.1 as the log stores and hashes it: canonical JSON. */
export function hashedRekordBody({ digest, signature, certificatePem }: HashedRekord): Buffer {
  const body = {
    apiVersion: '0.0.1',
    kind: 'hashedrekord',
    spec: {
      data: { hash: { algorithm: 'sha256', value: digest.toLowerCase() } },
      signature: {
        content: signature.toString('base64'),
        publicKey: { content: Buffer.from(certificatePem).toString('base64') },
      },
    },
  };
  return Buffer.from(canonicalJson(body));
}

/** An entry that has nothing to do with us; cheap, because there are many. */
const strangersEntry = (n: number): Buffer =>
  Buffer.from(
    `{"apiVersion":"0.0.1","kind":"hashedrekord","spec":{"data":{"hash":{"algorithm":"sha256","value":"${n.toString(16).padStart(64, '0')}"}}}}`,
  );
