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

/**
 * How long metadata is valid from the moment it is signed, in days. Sigstore's public repository, August 2026
 * (`__tests__/fixtures/tuf-public-good`): timestamp 7 days, snapshot and targets 10 years, root half a year.
 */
const DAYS_VALID: Readonly<Record<Role, number>> = {
  timestamp: 7,
  snapshot: 3650,
  targets: 3650,
  root: 180,
};

export interface TufPublishOptions {
  /** Files by name; the ones published last unless given. */
  readonly targets?: Readonly<Record<string, Buffer>>;
  /** When each role's metadata expires, from now on; as {@link DAYS_VALID} says unless given, here or before. */
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
 * A TUF repository with consistent snapshots, like Sigstore's: `<n>.root.json`, `timestamp.json`, `<n>.snapshot.json`,
 * `<n>.targets.json` and `targets/<sha256>.<name>`; real keys, one per role; a version per role; and metadata that names
 * snapshot and targets by version alone, without length or hash (`__tests__/fixtures/tuf-public-good`).
 */
export class TufRepository {
  /** What is served, by path without a slash in front. A test may change it. */
  readonly files = new Map<string, Buffer>();
  readonly #expires: Partial<Record<Role, Date>> = {};
  readonly #versions: Record<Role, number> = { root: 0, timestamp: 0, snapshot: 0, targets: 0 };
  #keys: Record<Role, RoleKey>;
  #targets: Readonly<Record<string, Buffer>> = {};

  private constructor(targets: Readonly<Record<string, Buffer>>) {
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

  /** The latest version of each role. */
  get versions(): Readonly<Record<Role, number>> {
    return this.#versions;
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
    this.#targets = options.targets ?? this.#targets;
    this.#release(['targets', 'snapshot', 'timestamp'], options);
  }

  /**
   * Signs the next version of a role, with the same content, and of the roles that name its version: `targets` takes
   * snapshot and timestamp with it, `snapshot` the timestamp. Sigstore does the last daily, the others every few months.
   */
  refresh(role: Role, expires: TufPublishOptions['expires'] = {}): void {
    if (role === 'root') this.#putRoot([this.#keys.root]);
    else this.#release(REFRESHED_WITH[role], { expires });
  }

  /** Serves an earlier timestamp again, as an attacker would who holds nothing but old files. */
  rollBackTo(version: number): void {
    this.files.set('timestamp.json', this.#file(`${version}.timestamp.json`));
  }

  /** Names an earlier version of targets in new metadata, as an attacker would who has the keys that are online. */
  rollBackTargetsTo(version: number): void {
    this.#file(`${version}.targets.json`);
    this.#versions.targets = version;
    this.#release(['snapshot', 'timestamp']);
  }

  /** Makes the next root, with a new root key. */
  rotateRoot(options: RotateOptions = {}): void {
    const old = this.#keys.root;
    this.#keys = { ...this.#keys, root: new RoleKey() };
    if (options.expires !== undefined) this.#expires.root = options.expires;
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

  #putRoot(signers: readonly RoleKey[], version = this.#versions.root + 1): void {
    this.#versions.root += 1;
    const root = new Root({ ...this.#header('root'), version, consistentSnapshot: true });
    for (const role of ROLES) root.addKey(this.#keys[role].publicKey, role);
    this.files.set(`${this.#versions.root}.root.json`, signedBy(signers, root));
  }

  #release(roles: readonly OnlineRole[], options: TufPublishOptions = {}): void {
    Object.assign(this.#expires, options.expires);
    const foreign = new Set<Role>(options.foreignKey);
    for (const role of roles) {
      this.#versions[role] += 1;
      const key = foreign.has(role) ? new RoleKey() : this.#keys[role];
      const bytes = signedBy([key], this.#content(role));
      this.files.set(`${this.#versions[role]}.${role}.json`, bytes);
      if (role === 'timestamp') this.files.set('timestamp.json', bytes);
    }
  }

  #content(role: OnlineRole): Targets | Snapshot | Timestamp {
    const { snapshot, targets: version } = this.#versions;
    switch (role) {
      case 'timestamp':
        return new Timestamp({
          ...this.#header(role),
          snapshotMeta: new MetaFile({ version: snapshot }),
        });
      case 'snapshot':
        return new Snapshot({
          ...this.#header(role),
          meta: { 'targets.json': new MetaFile({ version }) },
        });
      case 'targets': {
        const targets = new Targets(this.#header(role));
        for (const [name, content] of Object.entries(this.#targets)) {
          targets.addTarget(new TargetFile({ path: name, ...lengthAndHash(content) }));
          this.files.set(`targets/${sha256(content)}.${name}`, content);
        }
        return targets;
      }
    }
  }

  #header(role: Role): { version: number; specVersion: string; expires: string } {
    const expires = this.#expires[role] ?? new Date(Date.now() + DAYS_VALID[role] * DAY);
    return { version: this.#versions[role], specVersion: SPEC_VERSION, expires: timeOf(expires) };
  }

  #file(path: string): Buffer {
    const bytes = this.files.get(path);
    if (bytes === undefined) throw new Error(`this repository never had ${path}`);
    return bytes;
  }
}

/** A role and those that have to be signed after it. */
const REFRESHED_WITH: Readonly<Record<OnlineRole, readonly OnlineRole[]>> = {
  targets: ['targets', 'snapshot', 'timestamp'],
  snapshot: ['snapshot', 'timestamp'],
  timestamp: ['timestamp'],
};

function signedBy(
  keys: readonly RoleKey[],
  content: Root | Targets | Snapshot | Timestamp,
): Buffer {
  const metadata = new Metadata<Root | Targets | Snapshot | Timestamp>(content);
  for (const key of keys) metadata.sign((bytes) => key.sign(bytes));
  return Buffer.from(JSON.stringify(metadata.toJSON()));
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
