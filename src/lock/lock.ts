import type { Bundle } from '@sigstore/bundle';
import { SetupError } from '../errors.js';
import type { Image } from '../kubernetes/image.js';
import type { ImageContents } from '../registry/contents.js';
import type { Digest } from '../registry/manifest.js';
import type { Evidence, EvidenceSource } from '../sigstore/evidence/source.js';
import type { Subject } from '../sigstore/verify/subject.js';

/** The format that this code reads and writes. */
export const LOCK_VERSION = 1;

/** Every lock has it: it proves which release the other files belong to. */
export const SBOM_PATH = 'kubernetes-release.spdx';

/** One file of a release, as a lock holds it. */
export interface LockedFile {
  /** 64 hex digits. */
  readonly sha256: string;
  /** The evidence for it: a Sigstore bundle v0.3 with the same digest. */
  readonly bundle: Bundle;
}

/** One container image, as a lock holds it. */
export interface LockedImage {
  /** Of its manifest. */
  readonly digest: Digest;
  /** What the signature covers: JSON that names the image. */
  readonly payload: Buffer;
  /** The evidence for the payload: a Sigstore bundle v0.3 with the payload's digest. */
  readonly bundle: Bundle;
  /**
   * Its manifest. For an image of the release also the images of its platforms, whose layers prove
   * the version; for others none, because nothing proves their version.
   */
  readonly contents: ImageContents;
}

/** What a lock file says. */
export interface LockContent {
  /** Of the release, with `v`. */
  readonly version: string;
  /** By path inside the release: `bin/linux/amd64/kubectl`, `kubernetes-release.spdx`. */
  readonly files: ReadonlyMap<string, LockedFile>;
  /** By full reference: `registry.k8s.io/kube-apiserver:v1.31.9`. */
  readonly images: ReadonlyMap<string, LockedImage>;
}

/** Evidence or digest that is not for what the lock says. */
export function lockMismatch(message: string, cause?: unknown): SetupError {
  return new SetupError('LOCK_MISMATCH', message, { cause });
}

/** A file of a release: see `Artifact`. */
interface Wanted {
  readonly path: string;
  readonly version: string;
}

/**
 * A lock file that was read. Its evidence is not verified yet: a lock pins what a run installs and
 * brings the evidence, but who must have signed is decided by the run.
 */
export class Lock implements LockContent {
  /** The path as the user wrote it, for messages. */
  readonly name: string;
  readonly version: string;
  readonly files: ReadonlyMap<string, LockedFile>;
  readonly images: ReadonlyMap<string, LockedImage>;

  constructor(name: string, { version, files, images }: LockContent) {
    this.name = name;
    this.version = version;
    this.files = files;
    this.images = images;
  }

  /**
   * @returns SHA-256 of the file, 64 hex digits
   * @throws {SetupError} LOCK_MISMATCH if the lock does not have the file
   */
  digestOf(file: Wanted): string {
    return this.#find(file).sha256;
  }

  /**
   * The evidence for one file. It is for the locked bytes alone: for any others, `find()` throws
   * LOCK_MISMATCH, and no other source is asked.
   *
   * @throws {SetupError} LOCK_MISMATCH if the lock does not have the file
   */
  evidenceFor(file: Wanted): EvidenceSource {
    return new LockedEvidence(this.name, file.path, this.#find(file));
  }

  /**
   * An image, with the evidence for it.
   *
   * @throws {SetupError} LOCK_MISMATCH if the lock does not have the image
   */
  image({ name }: Pick<Image, 'name'>): LockedImage {
    return this.images.get(name) ?? this.#throwIncomplete(name);
  }

  #find({ path, version }: Wanted): LockedFile {
    const found = version === this.version ? this.files.get(path) : undefined;
    return found ?? this.#throwIncomplete(`${path} of ${version}`);
  }

  #throwIncomplete(missing: string): never {
    const files = [...this.files.keys()].filter((path) => path !== SBOM_PATH);
    const others = [...files, ...this.images.keys()].join(', ');
    throw new SetupError(
      'LOCK_MISMATCH',
      `${this.name} does not have ${missing}; it has ${this.version} with ${others}`,
      { situation: 'lock-incomplete' },
    );
  }
}

class LockedEvidence implements EvidenceSource {
  readonly #lock: string;
  readonly #path: string;
  readonly #file: LockedFile;

  constructor(lock: string, path: string, file: LockedFile) {
    this.#lock = lock;
    this.#path = path;
    this.#file = file;
  }

  find(subject: Subject): Promise<Evidence> {
    const sha256 = subject.sha256.toString('hex');
    if (sha256 !== this.#file.sha256) {
      return Promise.reject(
        lockMismatch(
          `${this.#path} has SHA-256 ${sha256}, but ${this.#lock} has ${this.#file.sha256}`,
        ),
      );
    }
    return Promise.resolve({ candidates: [{ bundle: this.#file.bundle }] });
  }
}
