import { mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Bundle, TransparencyLogEntry } from '@sigstore/bundle';
import { parseBundle, toBundle } from '../../../src/sigstore/bundle.js';
import { parseLogEntries, type LogEntry } from '../../../src/sigstore/evidence/rekor.js';
import { Digester, type DigestedFile } from '../../../src/files/digested-file.js';
import type {
  PublishedFile,
  Signed,
  SignOptions,
  TransparencyLog,
  World,
} from '../../support/index.js';

/** Files that were signed in a world, and their bundles as the action makes them. */
export class Signer {
  readonly #world: World;
  readonly #folder = mkdtempSync(join(tmpdir(), 'signed-file-'));
  #files = 0;

  constructor(world: World) {
    this.#world = world;
  }

  /** Writes bytes to a file of their own, and digests them. */
  file(bytes: Buffer): DigestedFile {
    const path = join(this.#folder, String(this.#files++));
    writeFileSync(path, bytes);
    const digester = new Digester();
    digester.update(bytes);
    return digester.toFile(path, statSync(path));
  }

  /** Signs and logs bytes, and puts the bundle together from what the log answers. */
  sign(bytes: Buffer, options: SignOptions = {}): SignedFile {
    const log = options.log === undefined || options.log === false ? this.#world.log : options.log;
    const signed = this.#world.release.signAndLog(bytes, options);
    const file = this.file(bytes);
    return { file, signed, bundle: bundleOf(file, signed, answeredEntry(log, signed)) };
  }

  /** A bundle of a signature with whatever entry of the world's log is given with it. */
  bundle(file: DigestedFile, signed: Signed): Bundle {
    return bundleOf(file, signed, answeredEntry(this.#world.log, signed));
  }

  /** The same as {@link sign}, but in a bundle of Rekor v2 with a time-stamping authority's token. */
  signV2(bytes: Buffer, options: SignOptions = {}): { file: DigestedFile; bundle: Bundle } {
    const published: PublishedFile = this.#world.release.putFile('release/file', bytes);
    const bundle = parseBundle(Buffer.from(JSON.stringify(published.bundleV2(options))));
    return { file: this.file(bytes), bundle };
  }

  cleanup(): void {
    rmSync(this.#folder, { recursive: true, force: true });
  }
}

export interface SignedFile {
  readonly file: DigestedFile;
  readonly signed: Signed;
  readonly bundle: Bundle;
}

/** What the log answers for the entry of a signature, as the action reads it. */
export function answeredEntry(log: TransparencyLog, { entry }: Signed): LogEntry {
  const answer = Buffer.from(JSON.stringify(log.answer(entry?.uuid ?? '') ?? {}));
  const [answered] = parseLogEntries(answer);
  if (answered === undefined) throw new Error('the signature was not logged');
  return answered;
}

export function bundleOf(file: DigestedFile, signed: Signed, entry: LogEntry): Bundle {
  const { signature, certificate } = signed;
  return toBundle(file.sha256, { signature, certificate: certificate.der }, entry);
}

/** The first log entry. */
export function entryOf(bundle: Bundle): TransparencyLogEntry {
  const [entry] = bundle.verificationMaterial.tlogEntries;
  if (entry === undefined) throw new Error('no entry in this bundle');
  return entry;
}

/** The inclusion proof of the first log entry. */
export function proofOf(bundle: Bundle): NonNullable<TransparencyLogEntry['inclusionProof']> {
  const { inclusionProof } = entryOf(bundle);
  if (inclusionProof === undefined) throw new Error('no proof in this bundle');
  return inclusionProof;
}

/** The same bytes, but for the last bit. */
export const flip = (bytes: Buffer): Buffer => {
  const copy = Buffer.from(bytes);
  copy.writeUInt8(copy.readUInt8(copy.length - 1) ^ 0x01, copy.length - 1);
  return copy;
};
