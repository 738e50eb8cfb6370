import { createHash, generateKeyPairSync, sign, type KeyObject } from 'node:crypto';
import {
  Key,
  Metadata,
  MetaFile,
  Root,
  Signature,
  Snapshot,
  TargetFile,
  Targets,
  Timestamp,
} from '@tufjs/models';
import { canonicalJson } from './canonical-json.js';
import { DAY } from './certificate-authority.js';
import type { Answer, Handler } from './server.js';

export type OnlineRole = 'timestamp' | 'snapshot' | 'targets';
export type Role = 'root' | OnlineRole;

const ROLES: readonly Role[] = ['root', 'timestamp', 'snapshot', 'targets'];
const SPEC_VERSION = '1.0.31';

export interface TufPublishOptions {
  /** Files by name; the ones published last unless given. */
  readonly targets?: Readonly<Record<string, Buffer>>;
  /** When each role's metadata expires; in 30 days unless given, here or before. */
  readonly expires?: Partial<Readonly<Record<OnlineRole, Date>>>;
  /** Roles to be signed by a key that the root does not name. */
  readonly foreignKey?: readonly OnlineRole[];
}

export interface RotateOptions {
  readonly expires?: Date;
  /** Whose root keys sign the new root: the specification wants both; the others are attacks. */
  readonly signedBy?: 'both' | 'old' | 'new' | 'foreign';
  /** The version it says it is; one more than before unless given. Served as the next version all the same. */
  readonly version?: number;
}

/**
 * A TUF repository with consistent snapshots, as Sigstore's has: `<n>.root.json`, `timestamp.json`, `<n>.snapshot.json`,
 * `<n>.targets.json` and `targets/<sha256>.<name>`, real keys, one for the root and one for each other role.
 */
export class TufRepository {
  /** What is served, by path without a slash in front. A test may change it. */
  readonly files = new Map<string, Buffer>();
  readonly #expires: Record<Role, Date>;
  #keys: Record<Role, RoleKey>;
  #targets: Readonly<Record<string, Buffer>> = {};
  #rootVersion = 0;
  #version = 0;

  private constructor(targets: Readonly<Record<string, Buffer>>) {
    const expires = new Date(Date.now() + 30 * DAY);
    this.#expires = { root: expires, timestamp: expires, snapshot: expires, targets: expires };
    this.#keys = forEachRole(() => new RoleKey());
    this.#putRoot([this.#keys.root]);
    this.publish({ targets });
  }

  /** A repository at its first version. */
  static create(targets: Readonly<Record<string, Buffer>>): TufRepository {
    return new TufRepository(targets);
  }

  /** The bytes of the initial root, which a client has beforehand. */
  get rootJson(): Buffer {
    return this.#file('1.root.json');
  }

  /** Version of what `publish` made last; the same for timestamp, snapshot and targets. */
  get version(): number {
    return this.#version;
  }

  get handler(): Handler {
    return (request): Answer => {
      const [path = ''] = request.path.split('?');
      const body = this.files.get(decodeURIComponent(path).replace(/^\/+/, ''));
      if (body === undefined) return { status: 404 };
      return { status: 200, headers: { 'content-type': 'application/json' }, body };
    };
  }

  /** Makes the next version of targets, snapshot and timestamp. */
  publish(options: TufPublishOptions = {}): void {
    this.#version += 1;
    this.#targets = options.targets ?? this.#targets;
    Object.assign(this.#expires, options.expires);
    const foreign = new Set<Role>(options.foreignKey);
    const keyFor = (role: OnlineRole): RoleKey =>
      foreign.has(role) ? new RoleKey() : this.#keys[role];

    const targets = this.#sign(
      new Targets(this.#header('targets')),
      keyFor('targets'),
      (signed) => {
        for (const [name, content] of Object.entries(this.#targets)) {
          signed.addTarget(new TargetFile({ path: name, ...lengthAndHash(content) }));
          this.files.set(`targets/${sha256(content)}.${name}`, content);
        }
      },
    );
    const snapshot = this.#sign(
      new Snapshot({
        ...this.#header('snapshot'),
        meta: { 'targets.json': this.#metaFile(targets) },
      }),
      keyFor('snapshot'),
    );
    const timestamp = this.#sign(
      new Timestamp({ ...this.#header('timestamp'), snapshotMeta: this.#metaFile(snapshot) }),
      keyFor('timestamp'),
    );
    this.files.set(`${this.#version}.targets.json`, targets);
    this.files.set(`${this.#version}.snapshot.json`, snapshot);
    this.files.set(`${this.#version}.timestamp.json`, timestamp);
    this.files.set('timestamp.json', timestamp);
  }

  /** Serves an earlier version again, as an attacker would who holds nothing but old files. */
  rollBackTo(version: number): void {
    this.files.set('timestamp.json', this.#file(`${version}.timestamp.json`));
  }

  /** Makes the next root, with a new root key. */
  rotateRoot(options: RotateOptions = {}): void {
    const old = this.#keys.root;
    this.#keys = { ...this.#keys, root: new RoleKey() };
    this.#expires.root = options.expires ?? this.#expires.root;
    const signers = {
      both: [old, this.#keys.root],
      old: [old],
      new: [this.#keys.root],
      foreign: [new RoleKey()],
    };
    this.#putRoot(signers[options.signedBy ?? 'both'], options.version);
  }

  /** Makes the next root, which names new keys for the other roles, and publishes under them. */
  rotateOnlineKeys(): void {
    this.#keys = { ...forEachRole(() => new RoleKey()), root: this.#keys.root };
    this.#putRoot([this.#keys.root]);
    this.publish();
  }

  /** Makes the same root again under a next version, with another expiry. */
  renewRoot(expires: Date): void {
    this.#expires.root = expires;
    this.#putRoot([this.#keys.root]);
  }

  #putRoot(signers: readonly RoleKey[], version = this.#rootVersion + 1): void {
    this.#rootVersion += 1;
    const root = new Root({
      version,
      specVersion: SPEC_VERSION,
      expires: timeOf(this.#expires.root),
      consistentSnapshot: true,
    });
    for (const role of ROLES) root.addKey(this.#keys[role].publicKey, role);
    const metadata = new Metadata(root);
    for (const signer of signers) metadata.sign((bytes) => signer.sign(bytes));
    this.files.set(
      `${this.#rootVersion}.root.json`,
      Buffer.from(JSON.stringify(metadata.toJSON())),
    );
  }

  #sign<T extends Targets | Snapshot | Timestamp>(
    signed: T,
    key: RoleKey,
    fill: (signed: T) => void = () => undefined,
  ): Buffer {
    fill(signed);
    const metadata = new Metadata(signed);
    metadata.sign((bytes) => key.sign(bytes));
    return Buffer.from(JSON.stringify(metadata.toJSON()));
  }

  #header(role: OnlineRole): { version: number; specVersion: string; expires: string } {
    return {
      version: this.#version,
      specVersion: SPEC_VERSION,
      expires: timeOf(this.#expires[role]),
    };
  }

  #metaFile(bytes: Buffer): MetaFile {
    return new MetaFile({ version: this.#version, ...lengthAndHash(bytes) });
  }

  #file(path: string): Buffer {
    const bytes = this.files.get(path);
    if (bytes === undefined) throw new Error(`this repository never had ${path}`);
    return bytes;
  }
}

/** A P-256 key with its TUF name. */
class RoleKey {
  readonly publicKey: Key;
  readonly #privateKey: KeyObject;

  constructor() {
    const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
    const scheme = 'ecdsa-sha2-nistp256';
    const keyVal = { public: publicKey.export({ format: 'pem', type: 'spki' }).toString() };
    const keyID = sha256(Buffer.from(canonicalJson({ keytype: 'ecdsa', keyval: keyVal, scheme })));
    this.publicKey = new Key({ keyID, keyType: 'ecdsa', scheme, keyVal });
    this.#privateKey = privateKey;
  }

  sign(bytes: Buffer): Signature {
    const sig = sign('sha256', bytes, this.#privateKey).toString('hex');
    return new Signature({ keyID: this.publicKey.keyID, sig });
  }
}

const forEachRole = <T>(make: () => T): Record<Role, T> => ({
  root: make(),
  timestamp: make(),
  snapshot: make(),
  targets: make(),
});

const lengthAndHash = (bytes: Buffer): { length: number; hashes: { sha256: string } } => ({
  length: bytes.length,
  hashes: { sha256: sha256(bytes) },
});

const sha256 = (bytes: Buffer): string => createHash('sha256').update(bytes).digest('hex');

/** TUF's time: ISO 8601 in whole seconds. */
const timeOf = (date: Date): string => date.toISOString().replace(/\.\d+Z$/, 'Z');
