import { createHash, generateKeyPairSync, X509Certificate, type KeyObject } from 'node:crypto';
import { canonicalJson } from './canonical-json.js';
import { signedCheckpoint } from './checkpoint.js';
import { MerkleTree } from './merkle-tree.js';
import { spki } from './x509.js';

export interface NewEntryV2 {
  /** SHA-256 of the artifact, hexadecimal. */
  readonly digest: string;
  readonly signature: Buffer;
  readonly certificatePem: string;
}

export interface LogEntryV2 {
  /** Canonical JSON. */
  readonly body: Buffer;
  readonly index: number;
}

/** `dev.sigstore.rekor.v1.TransparencyLogEntry` as it stands in a bundle; bytes are base64, 64-bit numbers are strings. */
export interface BundledLogEntry {
  logIndex: string;
  logId: { keyId: string };
  kindVersion: { kind: string; version: string };
  integratedTime?: string;
  inclusionPromise?: { signedEntryTimestamp: string };
  inclusionProof?: {
    logIndex: string;
    rootHash: string;
    treeSize: string;
    hashes: string[];
    checkpoint: { envelope: string };
  };
  canonicalizedBody: string;
}

/**
 * Rekor v2: an Ed25519 key, hashedrekord 0.0.2, checkpoints, and neither entry timestamps nor integrated times.
 * It has no look-up, so all a client ever sees of it is what a bundle carries.
 */
export class TransparencyLogV2 {
  readonly baseUrl: string;
  readonly privateKey: KeyObject;
  readonly keyDetails = 'PKIX_ED25519';
  readonly tree = new MerkleTree();

  private constructor(baseUrl: string) {
    this.baseUrl = baseUrl;
    this.privateKey = generateKeyPairSync('ed25519').privateKey;
  }

  static create(
    options: { readonly baseUrl?: string; readonly baseEntries?: number } = {},
  ): TransparencyLogV2 {
    const log = new TransparencyLogV2(options.baseUrl ?? 'https://log2025-1.rekor.test');
    for (let i = 0; i < (options.baseEntries ?? 345); i++)
      log.tree.append(Buffer.from(`{"n":${i}}`));
    return log;
  }

  /** Public key, DER SubjectPublicKeyInfo. */
  get spki(): Buffer {
    return spki(this.privateKey);
  }

  /** The note key id, uncut: SHA-256(name ‖ LF ‖ 0x01 ‖ raw Ed25519 key), 32 bytes (C2SP signed-note). */
  get logId(): Buffer {
    const rawKey = this.spki.subarray(-32);
    return createHash('sha256').update(`${this.#name}\n\u0001`).update(rawKey).digest();
  }

  /** Adds a hashedrekord 0.0.2 of a P-256 signature. */
  add({ digest, signature, certificatePem }: NewEntryV2): LogEntryV2 {
    const body = {
      apiVersion: '0.0.2',
      kind: 'hashedrekord',
      spec: {
        hashedRekordV002: {
          data: { algorithm: 'SHA2_256', digest: Buffer.from(digest, 'hex').toString('base64') },
          signature: {
            content: signature.toString('base64'),
            verifier: {
              keyDetails: 'PKIX_ECDSA_P256_SHA_256',
              x509Certificate: {
                rawBytes: new X509Certificate(certificatePem).raw.toString('base64'),
              },
            },
          },
        },
      },
    };
    return this.addBody(Buffer.from(canonicalJson(body)));
  }

  addBody(body: Buffer): LogEntryV2 {
    return { body, index: this.tree.append(body) };
  }

  /** What a bundle carries of an entry, proven in the tree of now. */
  bundled({ body, index }: LogEntryV2): BundledLogEntry {
    const treeSize = this.tree.size;
    return {
      logIndex: String(index),
      logId: { keyId: this.logId.toString('base64') },
      kindVersion: { kind: 'hashedrekord', version: '0.0.2' },
      inclusionProof: {
        logIndex: String(index),
        rootHash: this.tree.root(treeSize).toString('base64'),
        treeSize: String(treeSize),
        hashes: this.tree.inclusionProof(index, treeSize).map((hash) => hash.toString('base64')),
        checkpoint: { envelope: this.checkpoint(treeSize) },
      },
      canonicalizedBody: body.toString('base64'),
    };
  }

  /** A signed checkpoint; root and key are the log's own unless given. */
  checkpoint(
    size = this.tree.size,
    root = this.tree.root(size),
    privateKey = this.privateKey,
  ): string {
    const name = this.#name;
    return signedCheckpoint(
      { origin: name, size, root },
      { name, keyHint: this.logId.subarray(0, 4), privateKey },
    );
  }

  get #name(): string {
    return new URL(this.baseUrl).host;
  }
}
