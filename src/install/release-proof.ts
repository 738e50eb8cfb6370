import { existsSync } from 'node:fs';
import { mkdir, readFile, stat } from 'node:fs/promises';
import path from 'node:path';
import type { Bundle } from '@sigstore/bundle';
import { SetupError } from '../errors.js';
import { platformName, type Platform, type Tool } from '../kubernetes/platform.js';
import type { Artifact, Release } from '../kubernetes/release.js';
import { MAX_SBOM_BYTES, checkRelease, readSbom, type ReleaseSbom } from '../kubernetes/sbom.js';
import { MAX_BUNDLE_BYTES, parseBundle, serializeBundle } from '../sigstore/bundle.js';
import {
  verifyPublished,
  verifyBundle,
  type VerificationContext,
} from '../sigstore/evidence/published.js';
import type { Verified } from '../sigstore/verify/verify.js';
import { digestFile } from '../files/digested-file.js';
import { download } from '../transfer/download.js';
import { downloadFailed } from '../transfer/download-failed.js';
import { TransferError } from '../transfer/errors.js';
import { checkSelfReport } from './self-report.js';
import type { Logger } from './logger.js';
import type { CopyFiles } from './tool-cache.js';

/** How a binary was bound to the release that was asked for. */
export type ReleaseProof =
  | { readonly kind: 'sbom'; readonly sbom: VerifiedSbom }
  /** No signed SBOM exists: the verified binary itself was asked. */
  | { readonly kind: 'binary' }
  /** `bind-release: false` */
  | { readonly kind: 'skipped' };

/** A release's SBOM that passed steps 1 to 6 itself. */
export interface VerifiedSbom {
  readonly verified: Verified;
  readonly content: ReleaseSbom;
}

/** Step 7 for the binaries of one release. The SBOM is fetched and verified once. */
export class ReleaseProver {
  readonly #verification: VerificationContext;
  readonly #release: Release;
  readonly #scratch: string;
  readonly #logger: Logger;
  #published: Promise<VerifiedSbom | SetupError> | undefined;

  /** @param scratch a folder that goes with this run */
  constructor(
    verification: VerificationContext,
    release: Release,
    scratch: string,
    logger: Logger,
  ) {
    this.#verification = verification;
    this.#release = release;
    this.#scratch = scratch;
    this.#logger = logger;
  }

  /** Begins to fetch the SBOM, so that it is here when the binary is. */
  start(): void {
    this.#sbom().catch(() => undefined); // Whoever needs it hears of the failure.
  }

  /**
   * Binds a verified file to the release by the published SBOM, or else by asking the file.
   *
   * @param executable the file, if it may be executed on this machine
   * @throws {SetupError} RELEASE_MISMATCH, and every code of the verification for the SBOM
   */
  async bind(
    tool: Tool,
    artifact: Artifact,
    platform: Platform,
    verified: Verified,
    executable: string | undefined,
  ): Promise<ReleaseProof> {
    const sbom = await this.#sbom();
    if (!(sbom instanceof SetupError)) {
      this.#check(sbom, artifact, verified);
      return { kind: 'sbom', sbom };
    }
    return this.#askBinary(tool, platform, executable, sbom);
  }

  /**
   * Binds a cached file by the SBOM that was kept beside it, without any request; where none was,
   * by the published one; and where that cannot be reached either, by asking the file.
   *
   * @throws {SetupError} RELEASE_MISMATCH, and every code of the verification for the SBOM
   */
  async bindCached(
    tool: Tool,
    artifact: Artifact,
    platform: Platform,
    verified: Verified,
    files: CopyFiles,
    executable: string | undefined,
  ): Promise<ReleaseProof> {
    if (!existsSync(files.sbom)) {
      return this.#bindWithoutKeptSbom(tool, artifact, platform, verified, executable);
    }
    const bundle = await readEvidence(files.sbomBundle);
    const file = await digestFile(files.sbom, MAX_SBOM_BYTES);
    const sbom = {
      verified: await verifyBundle(this.#verification, file, bundle),
      content: await readSbom(file),
    };
    this.#check(sbom, artifact, verified);
    return { kind: 'sbom', sbom };
  }

  async #bindWithoutKeptSbom(
    tool: Tool,
    artifact: Artifact,
    platform: Platform,
    verified: Verified,
    executable: string | undefined,
  ): Promise<ReleaseProof> {
    try {
      return await this.bind(tool, artifact, platform, verified, executable);
    } catch (error) {
      const unreachable = ['DOWNLOAD_FAILED', 'LOG_UNAVAILABLE'];
      const isUnreachable = error instanceof SetupError && unreachable.includes(error.code);
      if (isUnreachable && executable !== undefined) {
        return this.#askBinary(tool, platform, executable, error);
      }
      throw error;
    }
  }

  #check(sbom: VerifiedSbom, artifact: Artifact, verified: Verified): void {
    const { file, signedAt } = verified;
    const found = { sha256: file.sha256.toString('hex'), signedAt };
    checkRelease(sbom.content, this.#release.version, artifact.name, found);
  }

  /** @returns an error where the release has no signed SBOM; everything else is thrown */
  #sbom(): Promise<VerifiedSbom | SetupError> {
    this.#published ??= this.#fetchSbom();
    return this.#published;
  }

  async #fetchSbom(): Promise<VerifiedSbom | SetupError> {
    const artifact = this.#release.sbom();
    const folder = path.join(this.#scratch, 'release');
    await mkdir(folder, { recursive: true });
    const arriving = download(
      this.#verification.http,
      artifact.url,
      path.join(folder, artifact.name),
      {
        maxBytes: MAX_SBOM_BYTES,
      },
    );
    try {
      const noHint = Promise.resolve(undefined);
      const { verified, recovered } = await verifyPublished(
        this.#verification,
        artifact,
        arriving,
        noHint,
      );
      if (recovered !== undefined) {
        this.#logger.warning('Broken publication', `${artifact.name}: ${recovered}`);
      }
      return { verified, content: await readSbom(verified.file) };
    } catch (error) {
      return this.#sbomMissing(error);
    }
  }

  #sbomMissing(error: unknown): SetupError {
    if (error instanceof TransferError && error.notFound) {
      return missing(`Kubernetes ${this.#release.version} has no SBOM at ${error.url}`, error);
    }
    if (error instanceof SetupError && error.code === 'RELEASE_NOT_SIGNED') {
      return missing(`the SBOM of Kubernetes ${this.#release.version} is not signed`, error);
    }
    throw downloadFailed(error, 'the SBOM of the release');
  }

  async #askBinary(
    tool: Tool,
    platform: Platform,
    executable: string | undefined,
    why: SetupError,
  ): Promise<ReleaseProof> {
    const { version } = this.#release;
    const failure =
      executable === undefined
        ? `${tool} for ${platformName(platform)} cannot be executed here to be asked`
        : await checkSelfReport(executable, tool, version, platform, { scratch: this.#scratch });
    if (failure !== undefined) {
      throw new SetupError(
        'RELEASE_MISMATCH',
        `cannot prove that this is ${tool} ${version}: ${why.message}, and ${failure}`,
        'If you accept bytes that Kubernetes signed for some release and platform, without proof for which, set "bind-release: false".',
        why,
      );
    }
    this.#logger.warning(
      'Release proven without SBOM',
      `${why.message}. The signed binary itself says that it is ${tool} ${version} for ${platformName(platform)}.`,
    );
    return { kind: 'binary' };
  }
}

function missing(message: string, cause: unknown): SetupError {
  return new SetupError('RELEASE_MISMATCH', message, '', cause);
}

/**
 * Evidence that this action wrote. It must be written exactly as the action writes it, so that
 * nothing in it can be changed without being noticed.
 *
 * @throws {SetupError} SIGNATURE_MALFORMED
 */
export async function readEvidence(file: string): Promise<Bundle> {
  if ((await stat(file)).size > MAX_BUNDLE_BYTES) {
    throw changed(file);
  }
  const json = await readFile(file);
  const bundle = parseBundle(json);
  if (!serializeBundle(bundle).equals(json)) {
    throw changed(file);
  }
  return bundle;
}

function changed(file: string): SetupError {
  return new SetupError(
    'SIGNATURE_MALFORMED',
    `${file} is not as it was written`,
    'Somebody changed the tool cache of this runner. The copy is fetched anew.',
  );
}

/** For the report. */
export function describeReleaseProof(proof: ReleaseProof): string {
  switch (proof.kind) {
    case 'sbom':
      return 'signed SBOM of the release';
    case 'binary':
      return 'asked the signed binary (the release has no signed SBOM)';
    case 'skipped':
      return 'not proven (bind-release: false)';
  }
}
