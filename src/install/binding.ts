import { existsSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import path from 'node:path';
import { SetupError } from '../errors.js';
import { digestFile, type DigestedFile } from '../files/digested-file.js';
import type { Artifact, OwnStatement } from '../kubernetes/artifact.js';
import { isBinary } from '../kubernetes/binary.js';
import { platformName } from '../kubernetes/platform.js';
import { checkSubjects } from '../kubernetes/provenance.js';
import type { Release } from '../kubernetes/release.js';
import {
  MAX_SBOM_BYTES,
  checkNamespace,
  checkRelease,
  readSbom,
  type ReleaseSbom,
} from '../kubernetes/sbom.js';
import { PublishedEvidence, type PublicationContext } from '../sigstore/evidence/published.js';
import { verifySubject, type Policy } from '../sigstore/evidence/source.js';
import { StoredBundle } from '../sigstore/evidence/stored.js';
import type { Verified } from '../sigstore/verify/verify.js';
import { download } from '../transfer/download.js';
import { downloadFailed } from '../transfer/download-failed.js';
import { TransferError } from '../transfer/errors.js';
import type { Logger } from './logger.js';
import { checkSelfReport } from './self-report.js';
import type { CopyFiles } from './cache-entry.js';

/** How a verified file was bound to the release that was asked for. */
export type Binding =
  | { readonly kind: 'sbom'; readonly sbom: Verified<DigestedFile> }
  /** The file is itself a signed statement about the release. */
  | { readonly kind: OwnStatement['kind'] }
  /** The release has no signed SBOM: the verified binary itself was asked. */
  | { readonly kind: 'self-report' }
  /** `bind-release: false` */
  | { readonly kind: 'skipped' };

/** For the report. */
export function describeBinding({ kind }: Binding): string {
  switch (kind) {
    case 'sbom':
      return 'proven by its signed SBOM';
    case 'namespace':
      return 'proven by its own namespace';
    case 'subjects':
      return 'proven by its own subjects';
    case 'self-report':
      return 'reported by the signed binary (the release has no signed SBOM)';
    case 'skipped':
      return 'not proven (bind-release: false)';
  }
}

/** What binding needs. */
export interface BindingContext extends PublicationContext {
  readonly policy: Policy;
  readonly release: Release;
  /** A folder that is removed when the run ends. */
  readonly scratch: string;
  readonly logger: Logger;
  /** Whether binaries of the platform can be executed on this machine. */
  readonly isNative: boolean;
}

/** The release's SBOM as it was published, or why there is none to prove anything by. */
export type PublishedSbom =
  | {
      readonly kind: 'signed';
      readonly verified: Verified<DigestedFile>;
      readonly sbom: ReleaseSbom;
    }
  | { readonly kind: 'missing' | 'skipped'; readonly reason: string };

/** Step 7 of the verification, for the files of one release. The SBOM is fetched once. */
export interface ReleaseBinder {
  /** Starts to fetch the SBOM, if the file will need it, so that it is here when the file is. */
  fetchSbomFor(artifact: Artifact): void;
  /**
   * Binds a verified file by the published SBOM, or by what it says itself if it is a statement
   * about the release; where the release has no SBOM, by asking the file.
   *
   * @param file where it is
   * @throws {SetupError} RELEASE_MISMATCH, and every code of the verification for the SBOM
   */
  bind(artifact: Artifact, verified: Verified<DigestedFile>, file: string): Promise<Binding>;
  /**
   * The same for a cached file: by the SBOM that was kept beside it, without any request. Where none was
   * kept, the file is bound as a download is: by the published SBOM, or by asking the file.
   *
   * @throws {SetupError} RELEASE_MISMATCH, and every code of the verification for the SBOM
   */
  bindCached(
    artifact: Artifact,
    verified: Verified<DigestedFile>,
    files: CopyFiles,
  ): Promise<Binding>;
  /**
   * The published SBOM, verified.
   *
   * @throws {SetupError} RELEASE_MISMATCH, and every code of the verification for the SBOM
   */
  publishedSbom(): Promise<PublishedSbom>;
}

/** For `bind-release: false`. */
export class NoBinder implements ReleaseBinder {
  fetchSbomFor(): void {
    // There is nothing to compare with it.
  }

  bind(): Promise<Binding> {
    return Promise.resolve({ kind: 'skipped' });
  }

  bindCached(): Promise<Binding> {
    return Promise.resolve({ kind: 'skipped' });
  }

  publishedSbom(): Promise<PublishedSbom> {
    return Promise.resolve({ kind: 'skipped', reason: 'bind-release: false' });
  }
}

/** Binds files by the release's own signed SBOM; where it has none, by asking the verified binary. */
export class SbomBinder implements ReleaseBinder {
  readonly #context: BindingContext;
  #published: Promise<PublishedSbom> | undefined;

  constructor(context: BindingContext) {
    this.#context = context;
  }

  fetchSbomFor({ boundBy }: Artifact): void {
    if (boundBy.kind === 'sbom') {
      void this.publishedSbom();
    }
  }

  async bind(artifact: Artifact, verified: Verified<DigestedFile>, file: string): Promise<Binding> {
    const { boundBy } = artifact;
    if (boundBy.kind !== 'sbom') {
      return bindByItself(boundBy, artifact, verified.subject);
    }
    const published = await this.publishedSbom();
    if (published.kind === 'signed') {
      checkListed(published.sbom, artifact, verified);
      return { kind: 'sbom', sbom: published.verified };
    }
    return this.#askBinary(artifact, file, published.reason);
  }

  async bindCached(
    artifact: Artifact,
    verified: Verified<DigestedFile>,
    files: CopyFiles,
  ): Promise<Binding> {
    const { boundBy } = artifact;
    if (boundBy.kind !== 'sbom') {
      return bindByItself(boundBy, artifact, verified.subject);
    }
    if (!existsSync(files.sbom)) {
      return this.bind(artifact, verified, files.file);
    }
    const { policy } = this.#context;
    const { path: name } = this.#context.release.sbom();
    const file = await digestFile(files.sbom, MAX_SBOM_BYTES);
    const evidence = [new StoredBundle(files.sbomBundle)];
    const { verified: sbom } = await verifySubject(policy, name, file, evidence);
    checkListed(await readSbom(file), artifact, verified);
    return { kind: 'sbom', sbom };
  }

  publishedSbom(): Promise<PublishedSbom> {
    return (this.#published ??= this.#context.background.start(this.#fetch()));
  }

  async #fetch(): Promise<PublishedSbom> {
    const { http, policy, release, scratch, logger, background } = this.#context;
    const artifact = release.sbom();
    const folder = path.join(scratch, 'release');
    await mkdir(folder, { recursive: true });
    const file = path.join(folder, artifact.fileName);
    const arriving = background.start(
      download(http, artifact.url, file, { maxBytes: artifact.maxBytes }),
    );
    const noClaim = Promise.resolve(undefined);
    const evidence = new PublishedEvidence(this.#context, artifact.evidence, noClaim);
    try {
      const subject = await arriving;
      const found = await verifySubject(policy, artifact.path, subject, [evidence]);
      if (found.recovered !== undefined) {
        logger.warning('Broken publication', `${artifact.path}: ${found.recovered}`);
      }
      return { kind: 'signed', verified: found.verified, sbom: await readSbom(subject) };
    } catch (error) {
      return { kind: 'missing', reason: this.#whyMissing(error) };
    }
  }

  /** @throws unless the error means that the release has no signed SBOM */
  #whyMissing(error: unknown): string {
    const { version } = this.#context.release;
    if (error instanceof TransferError && error.notFound) {
      return `Kubernetes ${version} has no SBOM at ${error.url}`;
    }
    if (error instanceof SetupError && error.code === 'RELEASE_NOT_SIGNED') {
      return `the SBOM of Kubernetes ${version} is not signed`;
    }
    throw downloadFailed(error, 'the SBOM of the release');
  }

  /** @param why there is no SBOM to bind by */
  async #askBinary(artifact: Artifact, file: string, why: string): Promise<Binding> {
    const { name, version } = artifact;
    const failure = await this.#selfReportFailure(artifact, file);
    if (failure !== undefined) {
      throw new SetupError(
        'RELEASE_MISMATCH',
        `cannot prove that this is ${name} ${version}: ${why}, and ${failure}`,
        { situation: 'no-release-proof' },
      );
    }
    this.#context.logger.warning(
      'Release proven without SBOM',
      `${why}. The signed binary reports that it is ${describe(artifact)}.`,
    );
    return { kind: 'self-report' };
  }

  /** Undefined when the file says that it is the one that was asked for. */
  async #selfReportFailure(artifact: Artifact, file: string): Promise<string | undefined> {
    const { isNative, scratch } = this.#context;
    if (!isBinary(artifact)) {
      return `${artifact.name} cannot report its version`;
    }
    const { name, version, platform } = artifact;
    return isNative
      ? checkSelfReport(file, name, version, platform, { scratch })
      : `${name} for ${platformName(platform)} cannot be executed on this runner`;
  }
}

/**
 * For a file that no SBOM can list, because it is the SBOM, or was made before or from it: what it
 * says itself, signed, of the release.
 *
 * @throws {SetupError} RELEASE_MISMATCH
 */
export async function bindByItself(
  statement: OwnStatement,
  { version, path: name }: Artifact,
  file: DigestedFile,
): Promise<Binding> {
  switch (statement.kind) {
    case 'namespace':
      checkNamespace(await readSbom(file), statement.namespace, version, name);
      break;
    case 'subjects':
      await checkSubjects(file, version, name);
      break;
  }
  return { kind: statement.kind };
}

/** `kubectl v1.31.9 for linux/amd64` */
function describe({ name, version, platform }: Artifact): string {
  return `${name} ${version}${platform === undefined ? '' : ` for ${platformName(platform)}`}`;
}

/**
 * Requires the release's SBOM to list a verified file.
 *
 * @throws {SetupError} RELEASE_MISMATCH
 */
export function checkListed(
  sbom: ReleaseSbom,
  artifact: Artifact,
  { subject, signedAt }: Verified<DigestedFile>,
): void {
  const found = { sha256: subject.sha256.toString('hex'), signedAt };
  checkRelease(sbom, artifact.version, artifact.path, found);
}
