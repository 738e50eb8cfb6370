import { randomUUID } from 'node:crypto';
import { chmod, copyFile, mkdir, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { SetupError, explain } from '../errors.js';
import type { DigestedFile } from '../files/digested-file.js';
import type { Artifact } from '../kubernetes/artifact.js';
import { isBinary } from '../kubernetes/binary.js';
import { platformName, platformNotPublished } from '../kubernetes/platform.js';
import { isPublished } from '../kubernetes/published.js';
import { serializeBundle } from '../sigstore/bundle.js';
import { PublishedEvidence } from '../sigstore/evidence/published.js';
import {
  verifySubject,
  type EvidenceSource,
  type VerifiedEvidence,
} from '../sigstore/evidence/source.js';
import { download } from '../transfer/download.js';
import { downloadFailed } from '../transfer/download-failed.js';
import { TransferError } from '../transfer/errors.js';
import type { Binding } from './binding.js';
import type { InstallContext, ProofContext } from './context.js';
import { checkSecondFactors } from './second-factors.js';
import { CacheEntry, filesIn, modeOf } from './cache-entry.js';
import { installFailed } from './install-failed.js';
import type { Origin, VerifiedArtifact } from './verified-artifact.js';

/** 64 hex digits, perhaps with a newline. */
const MAX_DIGEST_BYTES = 256;

/** @throws {SetupError} */
export async function fromDownload(
  context: InstallContext,
  artifact: Artifact,
): Promise<VerifiedArtifact> {
  // What is wrong with the tool cache is said before the download, not after it.
  await context.cacheAccess.installIn(artifact.version);
  const { folder, file } = await makeFolder(context, artifact);
  const digested = downloadArtifact(context, artifact, file);
  return verifyPublished(context, artifact, 'download', folder, digested);
}

/**
 * Every check on a file in a folder of this run, by what was published for it; then writes the
 * evidence beside it.
 *
 * @throws {SetupError}
 */
export async function verifyPublished(
  context: InstallContext,
  artifact: Artifact,
  origin: Origin,
  folder: string,
  pending: Promise<DigestedFile>,
): Promise<VerifiedArtifact> {
  const started = performance.now();
  const files = filesIn(folder, artifact);
  const { verified, recovered, binding, readAt } = await proveFile(
    context,
    artifact,
    files.file,
    pending,
  );
  const arrived = origin === 'download' ? readAt : started;
  await writeFile(files.bundle, serializeBundle(verified.bundle), { flag: 'wx', mode: 0o644 });
  if (binding.kind === 'sbom') {
    const { subject: sbom, bundle } = binding.sbom;
    await copyFile(sbom.path, files.sbom);
    await chmod(files.sbom, 0o644); // As readable as the rest: another user may share the cache.
    await writeFile(files.sbomBundle, serializeBundle(bundle), { flag: 'wx', mode: 0o644 });
  }
  const target = await context.cacheAccess.installIn(artifact.version);
  return {
    artifact,
    verified,
    ...(recovered === undefined ? {} : { recovered }),
    binding,
    origin,
    cacheEntry: new CacheEntry(target, artifact, verified.subject.sha256.toString('hex')),
    folder,
    fingerprint: undefined,
    durations: {
      download: origin === 'download' ? arrived - started : undefined,
      verify: performance.now() - arrived,
    },
  };
}

/** A file that passed every check. */
export interface ProvenFile extends VerifiedEvidence<DigestedFile> {
  readonly binding: Binding;
  /** When its last byte had been read: see `performance.now()`. */
  readonly readAt: number;
}

/**
 * Every check on a file, by what was published for it, or by the lock. Evidence and SBOM are
 * fetched while the file is still on its way.
 *
 * @param file where it is; a binary is made executable
 * @throws {SetupError}
 */
export async function proveFile(
  context: ProofContext,
  artifact: Artifact,
  file: string,
  pending: Promise<DigestedFile>,
): Promise<ProvenFile> {
  const arriving = context.background.start(pending);
  const evidence = evidenceFor(context, artifact);
  return proveBy(context, artifact, evidence, arriving, async () => {
    await chmod(file, modeOf(artifact));
    return file;
  });
}

/**
 * Every check on a file, by this evidence alone. The SBOM is fetched while the file is still on its
 * way.
 *
 * @param prepare returns where the file is; called when the file is verified, and before the binder
 *   may execute it
 * @throws {SetupError}
 */
export async function proveBy(
  context: ProofContext,
  artifact: Artifact,
  evidence: EvidenceSource,
  pending: Promise<DigestedFile>,
  prepare: () => Promise<string>,
): Promise<ProvenFile> {
  const arriving = context.background.start(pending);
  context.binder.fetchSbomFor(artifact);
  const subject = await arriving;
  const readAt = performance.now();
  const found = await verifyDownloaded(context, artifact, subject, evidence);
  const binding = await context.binder.bind(artifact, found.verified, await prepare());
  checkSecondFactors(artifact, found.verified, binding, context.secondFactors, Date.now());
  if (found.recovered !== undefined) {
    // Said last: about a file of another release, which the binder refuses, it would be wrong.
    context.logger.warning('Broken publication', `${artifact.path}: ${found.recovered}`);
  }
  return { ...found, binding, readAt };
}

/** The lock's evidence if there is a lock; else what is published, which is fetched from now on. */
function evidenceFor(context: ProofContext, artifact: Artifact): EvidenceSource {
  if (context.lock !== undefined) {
    return context.lock.evidenceFor(artifact);
  }
  const digest = context.background.start(publishedDigest(context, artifact));
  return new PublishedEvidence(context, artifact.evidence, digest);
}

/** Steps 2 to 6, by what was published or locked. */
async function verifyDownloaded(
  { policy }: ProofContext,
  { path: name, boundBy }: Artifact,
  subject: DigestedFile,
  evidence: EvidenceSource,
): Promise<VerifiedEvidence<DigestedFile>> {
  try {
    return await verifySubject(policy, name, subject, [evidence]);
  } catch (error) {
    const isUnsigned = error instanceof SetupError && error.code === 'RELEASE_NOT_SIGNED';
    // krel copies it to the release host after everything else was signed: pkg/anago/release.go.
    throw isUnsigned && boundBy.kind === 'subjects'
      ? new SetupError(
          'RELEASE_NOT_SIGNED',
          `Kubernetes publishes ${name} without a signature: ${error.message}`,
          { situation: 'published-unsigned', cause: error },
        )
      : error;
  }
}

/**
 * Makes a new folder of this run for one file.
 *
 * @throws {SetupError} INSTALL_FAILED
 */
export async function makeFolder(
  { scratch }: InstallContext,
  artifact: Artifact,
): Promise<{ readonly folder: string; readonly file: string }> {
  const folder = path.join(scratch, randomUUID());
  try {
    await mkdir(folder, { mode: 0o700 });
  } catch (error) {
    throw installFailed(`cannot create ${folder}`, error);
  }
  return { folder, file: filesIn(folder, artifact).file };
}

/**
 * The SHA-256 (hex) that is published beside an artifact. Nobody signs it: it only lets the log be
 * asked early, and says which copy on this machine is worth a look.
 */
export async function publishedDigest(
  { http, logger }: ProofContext,
  artifact: Artifact,
): Promise<string | undefined> {
  try {
    const text = await http.readIfPresent(artifact.digestUrl, MAX_DIGEST_BYTES);
    return /^([0-9a-f]{64})\s*$/.exec(text?.toString('latin1') ?? '')?.[1];
  } catch (error) {
    logger.debug(`cannot read the published digest: ${explain(error)}`);
    return undefined;
  }
}

/**
 * @param file must not exist
 * @param label of the progress
 * @throws {SetupError} VERSION_NOT_FOUND, PLATFORM_NOT_PUBLISHED, DOWNLOAD_FAILED, INSTALL_FAILED
 */
export async function downloadArtifact(
  context: ProofContext,
  artifact: Artifact,
  file: string,
  label: string = artifact.name,
): Promise<DigestedFile> {
  try {
    const digested = await download(context.http, artifact.url, file, {
      maxBytes: artifact.maxBytes,
      onProgress: (received, total) => {
        context.logger.progress(label, received, total);
      },
    });
    context.logger.progress(label, digested.size, digested.size);
    return digested;
  } catch (error) {
    throw await whyNotDownloaded(context, artifact, error);
  }
}

async function whyNotDownloaded(
  { http, release }: ProofContext,
  artifact: Artifact,
  error: unknown,
): Promise<unknown> {
  const { name, version } = artifact;
  if (!(error instanceof TransferError && error.notFound)) {
    return downloadFailed(error, `${name} ${version}`);
  }
  if (await isPublished(version, http, release.base)) {
    return notInRelease(artifact, error);
  }
  return new SetupError(
    'VERSION_NOT_FOUND',
    `Kubernetes ${version} does not exist at ${release.base.href}${error.status === 403 ? ', or access is denied (HTTP status 403)' : ''}`,
    { cause: error },
  );
}

function notInRelease(artifact: Artifact, error: TransferError): SetupError {
  const { name, version, platform, platforms } = artifact;
  if (platform === undefined) {
    const message = `Kubernetes ${version} has no ${name} at ${error.url}`;
    return new SetupError('DOWNLOAD_FAILED', message, {
      situation: 'not-in-release',
      cause: error,
    });
  }
  const what = isBinary(artifact) ? `${name} binary` : name;
  return platformNotPublished(what, platformName(platform), platforms, version);
}
