import { existsSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import path from 'node:path';
import { SetupError } from '../errors.js';
import { digestFile, type DigestedFile } from '../files/digested-file.js';
import type { Artifact } from '../kubernetes/artifact.js';
import { MAX_SBOM_BYTES, readSbom } from '../kubernetes/sbom.js';
import type { Lock } from '../lock/lock.js';
import { verifySubject } from '../sigstore/evidence/source.js';
import { StoredBundle } from '../sigstore/evidence/stored.js';
import type { Verified } from '../sigstore/verify/verify.js';
import { download } from '../transfer/download.js';
import { downloadFailed } from '../transfer/download-failed.js';
import { TransferError } from '../transfer/errors.js';
import {
  bindByItself,
  checkListed,
  type Binding,
  type BindingContext,
  type PublishedSbom,
  type ReleaseBinder,
} from './binding.js';
import type { CopyFiles } from './cache-entry.js';

type LockedSbom = Extract<PublishedSbom, { readonly kind: 'signed' }>;

/**
 * Binds files by the SBOM that a lock holds, with the evidence from the lock. Its bytes come from
 * the cached copy or from the release host. No other SBOM is accepted, and no binary is asked.
 */
export class LockedBinder implements ReleaseBinder {
  readonly #context: BindingContext;
  readonly #lock: Lock;
  #fetched: Promise<LockedSbom> | undefined;

  constructor(context: BindingContext, lock: Lock) {
    this.#context = context;
    this.#lock = lock;
  }

  fetchSbomFor({ boundBy }: Artifact): void {
    if (boundBy.kind === 'sbom') {
      void this.publishedSbom();
    }
  }

  async bind(artifact: Artifact, verified: Verified<DigestedFile>): Promise<Binding> {
    const { boundBy } = artifact;
    return boundBy.kind === 'sbom'
      ? bound(artifact, verified, await this.publishedSbom())
      : bindByItself(boundBy, artifact, verified.subject);
  }

  async bindCached(
    artifact: Artifact,
    verified: Verified<DigestedFile>,
    files: CopyFiles,
  ): Promise<Binding> {
    const kept = artifact.boundBy.kind === 'sbom' ? await this.#kept(files) : undefined;
    return kept === undefined
      ? this.bind(artifact, verified)
      : bound(artifact, verified, await this.#verify(kept));
  }

  publishedSbom(): Promise<LockedSbom> {
    return (this.#fetched ??= this.#context.background.start(this.#fetch()));
  }

  /** The SBOM beside a cached copy, if it is the locked one and passes as it always has to. */
  async #kept(files: CopyFiles): Promise<DigestedFile | undefined> {
    if (!existsSync(files.sbom)) {
      return undefined;
    }
    const { policy, release } = this.#context;
    const file = await digestFile(files.sbom, MAX_SBOM_BYTES);
    if (file.sha256.toString('hex') !== this.#lock.digestOf(release.sbom())) {
      return undefined;
    }
    const evidence = [new StoredBundle(files.sbomBundle)];
    await verifySubject(policy, release.sbom().path, file, evidence);
    return file;
  }

  async #fetch(): Promise<LockedSbom> {
    const { http, release, scratch } = this.#context;
    const artifact = release.sbom();
    const folder = path.join(scratch, 'release');
    await mkdir(folder, { recursive: true });
    const file = path.join(folder, artifact.fileName);
    try {
      const { maxBytes } = artifact;
      return await this.#verify(await download(http, artifact.url, file, { maxBytes }));
    } catch (error) {
      if (error instanceof TransferError && error.notFound) {
        throw new SetupError(
          'RELEASE_MISMATCH',
          `cannot prove which release this is: Kubernetes ${release.version} has no SBOM at ${error.url}`,
          { situation: 'no-release-proof', cause: error },
        );
      }
      throw downloadFailed(error, 'the SBOM of the release');
    }
  }

  async #verify(file: DigestedFile): Promise<LockedSbom> {
    const { policy, release } = this.#context;
    const artifact = release.sbom();
    const evidence = [this.#lock.evidenceFor(artifact)];
    const { verified } = await verifySubject(policy, artifact.path, file, evidence);
    return { kind: 'signed', verified, sbom: await readSbom(file) };
  }
}

/** @throws {SetupError} RELEASE_MISMATCH */
function bound(
  artifact: Artifact,
  verified: Verified<DigestedFile>,
  { verified: sbom, sbom: content }: LockedSbom,
): Binding {
  checkListed(content, artifact, verified);
  return { kind: 'sbom', sbom };
}
