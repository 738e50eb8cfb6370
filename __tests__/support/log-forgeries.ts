import { generateKeyPairSync, randomBytes } from 'node:crypto';
import { canonicalJson } from './canonical-json.js';
import {
  RawJson,
  type AnsweredEntry,
  type Forgery,
  type LogEntry,
  type LogEntryAnswer,
  type TransparencyLog,
} from './transparency-log.js';

/**
 * Answers of a log that lies, or of somebody between the log and us. Each is wrong in the one thing its name says; whatever
 * the liar could sign anew is signed anew. Use: `log.tamper = forgery.withoutInclusionProof()`.
 */
export const forgery = {
  /** The entry timestamp is signed by a key that is not the log's. */
  entryTimestampByAnotherKey: (): Forgery => {
    const { privateKey } = newKey();
    return changing((entry, log) =>
      withTimestamp(entry, log.entryTimestamp(entry, privateKey).toString('base64')),
    );
  },

  withoutEntryTimestamp: (): Forgery =>
    changing((entry) => {
      const { inclusionProof } = verificationOf(entry);
      return { ...entry, verification: { ...(inclusionProof && { inclusionProof }) } };
    }),

  withoutInclusionProof: (): Forgery =>
    changing((entry) => {
      const { signedEntryTimestamp } = verificationOf(entry);
      return { ...entry, verification: { ...(signedEntryTimestamp && { signedEntryTimestamp }) } };
    }),

  /** Neither timestamp nor proof. */
  withoutVerification: (): Forgery =>
    changing(({ body, integratedTime, logID, logIndex }) => ({
      body,
      integratedTime,
      logID,
      logIndex,
    })),

  /** One bit of one hash on the audit path is wrong. */
  flippedProofHash: (at = 0): Forgery =>
    changingProof((proof) => ({
      ...proof,
      hashes: proof.hashes.map((hash, i) => (i === at ? flipFirstBit(hash) : hash)),
    })),

  /** A genuine proof, but of the entry beside this one. */
  proofOfAnotherIndex: (): Forgery =>
    changingProof((proof, log) => {
      const logIndex = proof.logIndex === 0 ? 1 : proof.logIndex - 1;
      const hashes = log.tree.inclusionProof(logIndex, proof.treeSize);
      return { ...proof, logIndex, hashes: hashes.map((hash) => hash.toString('hex')) };
    }),

  /** The checkpoint commits to another tree; the log itself has signed it. */
  checkpointOfAnotherRoot: (): Forgery =>
    changingProof((proof, log) => ({
      ...proof,
      checkpoint: log.checkpoint(proof.treeSize, Buffer.alloc(32, 7)),
    })),

  /** The checkpoint's signature has one wrong bit; key hint and text are right. */
  checkpointWithBadSignature: (): Forgery =>
    changingProof((proof) => ({ ...proof, checkpoint: flipSignature(proof.checkpoint) })),

  /** The checkpoint is signed by another key under the log's own key hint. */
  checkpointByAnotherKey: (): Forgery => {
    const { privateKey } = newKey();
    return changingProof((proof, log) => ({
      ...proof,
      checkpoint: log.checkpoint(proof.treeSize, log.tree.root(proof.treeSize), privateKey),
    }));
  },

  /** The checkpoint also carries so many signatures by others; the log's own is right. */
  checkpointWithForeignSignatures: (count: number): Forgery =>
    changingProof((proof) => ({
      ...proof,
      checkpoint: proof.checkpoint + foreignSignatures(count),
    })),

  /** `rootHash` contradicts the checkpoint, which is right. */
  rootHashUnlikeCheckpoint: (): Forgery =>
    changingProof((proof) => ({ ...proof, rootHash: flipFirstBit(proof.rootHash) })),

  /** `treeSize` contradicts the checkpoint, which is right. */
  treeSizeUnlikeCheckpoint: (): Forgery =>
    changingProof((proof) => ({ ...proof, treeSize: proof.treeSize + 1 })),

  /** Another entry of the log, genuine in every part, under the id that was asked for. */
  anotherEntry:
    (other: LogEntry): Forgery =>
    (answer, log) => {
      const [genuine] = Object.values(log.answer(other.uuid) ?? {});
      return Object.fromEntries(Object.keys(answer).map((uuid) => [uuid, genuine ?? absent()]));
    },

  /** The right entry under an id that is not its leaf hash. */
  underAnotherId: (uuid?: string): Forgery => {
    const tail = '5eed'.repeat(16);
    return (answer, log) =>
      Object.fromEntries(Object.values(answer).map((entry) => [uuid ?? log.treeId + tail, entry]));
  },

  /** The right entry under an id of another tree: the leaf hash is right, the first 16 digits are not. */
  underAnotherTreeId: (): Forgery => (answer) =>
    Object.fromEntries(Object.entries(answer).map(([uuid, entry]) => [flipFirstBit(uuid), entry])),

  /** A time that the log itself vouches for, too late (or, negative, too early) by so many milliseconds. */
  shiftedTime: (milliseconds: number): Forgery =>
    changing((entry, log) =>
      resigned(
        { ...entry, integratedTime: entry.integratedTime + Math.round(milliseconds / 1000) },
        log,
      ),
    ),

  /** A time nobody vouches for. */
  unsignedTime: (milliseconds: number): Forgery =>
    changing((entry) => ({
      ...entry,
      integratedTime: entry.integratedTime + Math.round(milliseconds / 1000),
    })),

  /** A top-level index nobody vouches for. */
  anotherLogIndex: (): Forgery => changing((entry) => ({ ...entry, logIndex: entry.logIndex + 1 })),

  /** The log's id, but timestamp and checkpoint are by another key. */
  impostor: (): Forgery => {
    const { privateKey } = newKey();
    const withCheckpoint = changingProof((proof, log) => ({
      ...proof,
      checkpoint: log.checkpoint(proof.treeSize, log.tree.root(proof.treeSize), privateKey),
    }));
    const withSet = changing((entry, log) =>
      withTimestamp(entry, log.entryTimestamp(entry, privateKey).toString('base64')),
    );
    return (answer, log) => {
      const first = withSet(answer, log);
      return first instanceof RawJson ? first : withCheckpoint(first, log);
    };
  },

  /** The same entry, taken up by another log, which may or may not be trusted; all of it is that log's. */
  fromAnotherLog:
    (other: TransparencyLog): Forgery =>
    (answer, log) => {
      const answers = Object.keys(answer).flatMap((uuid) => {
        const entry = log.find(uuid);
        if (entry === undefined) return [];
        const copy = other.find(uuid.slice(-64)) ?? other.addBody(entry.body, entry.integratedTime);
        return Object.entries(other.answer(copy.uuid) ?? {});
      });
      return Object.fromEntries(answers);
    },

  /** The body names another certificate; re-hashed, in the tree, and answered under its own id: only that differs. */
  anotherCertificate: (certificatePem: string): Forgery =>
    changingBody((body) => {
      const content = Buffer.from(certificatePem).toString('base64');
      return replaceIn(body, ['spec', 'signature', 'publicKey', 'content'], content);
    }),

  /** The body names another signature; as above. */
  anotherSignature: (signature: Buffer): Forgery =>
    changingBody((body) =>
      replaceIn(body, ['spec', 'signature', 'content'], signature.toString('base64')),
    ),

  /** The body names another digest (hexadecimal); as above. */
  anotherDigest: (digest: string): Forgery =>
    changingBody((body) => replaceIn(body, ['spec', 'data', 'hash', 'value'], digest)),

  /** The body is another kind of entry; as above. */
  anotherKind: (kind = 'rekord', apiVersion = '0.0.1'): Forgery =>
    changingBody((body) => replaceIn(replaceIn(body, ['kind'], kind), ['apiVersion'], apiVersion)),

  /** A body that is no JSON; in the tree, and answered under its own id. */
  bodyOf: (bytes: Buffer): Forgery => changingBytes(() => bytes),

  /** Valid JSON of so many bytes and more. */
  hugeJson: (bytes: number): Forgery =>
    changing((entry) => ({ ...entry, body: entry.body + 'A'.repeat(bytes) })),

  /** JSON nested so deeply that a recursive reader falls over. */
  deepJson: (depth: number): Forgery => {
    const text = `${'['.repeat(depth)}${']'.repeat(depth)}`;
    return () => new RawJson(text);
  },

  /** Any text instead of an answer. */
  text:
    (text: string): Forgery =>
    () =>
      new RawJson(text),
};

/** Signature lines of a checkpoint, as witnesses add them; nobody here knows the keys. */
export function foreignSignatures(count: number): string {
  const line = (_: unknown, n: number): string =>
    `\u2014 witness-${n}.test ${randomBytes(4 + 64).toString('base64')}\n`;
  return Array.from({ length: count }, line).join('');
}

type Verification = NonNullable<AnsweredEntry['verification']>;
type InclusionProof = NonNullable<Verification['inclusionProof']>;

function changing(change: (entry: AnsweredEntry, log: TransparencyLog) => AnsweredEntry): Forgery {
  return (answer, log): LogEntryAnswer =>
    Object.fromEntries(Object.entries(answer).map(([uuid, entry]) => [uuid, change(entry, log)]));
}

function changingProof(
  change: (proof: InclusionProof, log: TransparencyLog) => InclusionProof,
): Forgery {
  return changing((entry, log) => {
    const verification = verificationOf(entry);
    const proof = verification.inclusionProof;
    if (proof === undefined) return entry;
    return { ...entry, verification: { ...verification, inclusionProof: change(proof, log) } };
  });
}

/** Puts the changed body into the log, and answers with that entry under its own id. */
function changingBytes(change: (body: Buffer) => Buffer): Forgery {
  return (answer, log) => {
    const answers = Object.values(answer).flatMap((entry) => {
      const body = change(Buffer.from(entry.body, 'base64'));
      const added = log.addBody(body, new Date(entry.integratedTime * 1000));
      return Object.entries(log.answer(added.uuid) ?? {});
    });
    return Object.fromEntries(answers);
  };
}

function changingBody(change: (body: unknown) => unknown): Forgery {
  return changingBytes((body) => {
    const parsed: unknown = JSON.parse(body.toString());
    return Buffer.from(canonicalJson(change(parsed)));
  });
}

/** A copy of a JSON value with another value at a path. */
function replaceIn(value: unknown, path: readonly string[], replacement: unknown): unknown {
  const [name, ...rest] = path;
  if (name === undefined) return replacement;
  if (typeof value !== 'object' || value === null) throw new TypeError(`nothing at ${name}`);
  return { ...value, [name]: replaceIn(Reflect.get(value, name), rest, replacement) };
}

const resigned = (entry: AnsweredEntry, log: TransparencyLog): AnsweredEntry =>
  withTimestamp(entry, log.entryTimestamp(entry).toString('base64'));

const withTimestamp = (entry: AnsweredEntry, signedEntryTimestamp: string): AnsweredEntry => ({
  ...entry,
  verification: { ...entry.verification, signedEntryTimestamp },
});

const verificationOf = (entry: AnsweredEntry): Verification => entry.verification ?? {};

function flipFirstBit(hex: string): string {
  const bytes = Buffer.from(hex, 'hex');
  bytes.writeUInt8(bytes.readUInt8(0) ^ 0x01, 0);
  return bytes.toString('hex');
}

/** Changes the last byte of a signed note's (only) signature. */
function flipSignature(checkpoint: string): string {
  return checkpoint.replace(/(\u2014 \S+ )(\S+)\n$/, (_, prefix: string, signature: string) => {
    const bytes = Buffer.from(signature, 'base64');
    bytes.writeUInt8(bytes.readUInt8(bytes.length - 1) ^ 0x01, bytes.length - 1);
    return `${prefix}${bytes.toString('base64')}\n`;
  });
}

const newKey = (): ReturnType<typeof generateKeyPairSync> =>
  generateKeyPairSync('ec', { namedCurve: 'P-256' });

function absent(): never {
  throw new Error('the other entry is not in this log');
}
