import { randomUUID } from 'node:crypto';
import { existsSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import pLimit from 'p-limit';
import { SetupError, codeOf, explain } from '../errors.js';
import type { DigestedFile } from '../files/digested-file.js';
import { FileError } from '../files/errors.js';
import type { MirrorInputs } from './inputs.js';
import type { ProofContext } from '../install/context.js';
import { downloadArtifact, proveFile } from '../install/from-download.js';
import type { Logger } from '../install/logger.js';
import { urlsOf, type Artifact } from '../kubernetes/artifact.js';
import { Release } from '../kubernetes/release.js';
import { assertSupportedSkew } from '../kubernetes/skew.js';
import { newerThan, pointerOf, resolveVersion } from '../kubernetes/version.js';
import { keepTrustRoot, withScratchFolder } from '../session.js';
import { serializeBundle } from '../sigstore/bundle.js';
import type { Verified } from '../sigstore/verify/verify.js';
import { CONCURRENT_FILES } from './requested-artifacts.js';
import { MirrorFolder } from './mirror-folder.js';
import {
  assertNoPair,
  localContext,
  mirroredArtifacts,
  proveInFolder,
  remoteContext,
  withMirrorRun,
  type MirrorRun,
} from './mirror-run.js';
import { scratchPrefix } from './mirror-scratch.js';

/** A file of a release that is in the folder, proven. */
export interface MirroredFile {
  /** Inside the folder, with slashes. */
  readonly name: string;
  /** 64 hex digits. */
  readonly sha256: string;
  /** Whether it was there before. */
  readonly isKept: boolean;
}

export interface MirrorOutcome {
  /** With `v`. */
  readonly version: string;
  readonly folder: MirrorFolder;
  /** Sorted by name. */
  readonly files: readonly MirroredFile[];
}

/**
 * Makes a folder complete: every file that is asked for, its digest and its bundle, the SBOM, the
 * trust root, and the pointer that names the version.
 *
 * Every file is proven as a run proves it, before it gets its name. What is there already and
 * passes is not downloaded again.
 *
 * @throws {SetupError} every code of the verification; INSTALL_FAILED for a folder that cannot be
 *   written to, or that others can write to
 */
export async function mirrorRelease(inputs: MirrorInputs, logger: Logger): Promise<MirrorOutcome> {
  const folder = await MirrorFolder.make(inputs.folder);
  const work = (scratch: string): Promise<MirrorOutcome> =>
    withMirrorRun({ inputs, logger, folder, scratch }, fillFolder);
  return withScratchFolder(folder.path, work, scratchPrefix());
}

async function fillFolder(run: MirrorRun): Promise<MirrorOutcome> {
  const { inputs, logger, folder, trust } = run;
  const version = await resolveVersion(
    inputs.version,
    run.online,
    inputs.downloadBaseUrl,
    (line) => {
      logger.info(line);
    },
  );
  logger.info(`Version: ${version} (requested: ${inputs.versionSource})`);
  if (inputs.clusterVersion !== undefined) {
    assertSupportedSkew(version, inputs.files.tools, inputs.clusterVersion);
  }
  const release = new Release(version, inputs.downloadBaseUrl);
  const { sbom, others } = mirroredArtifacts(run, release);
  await assertNoPairs(run, version, [sbom, ...others]);
  await write(run, folder.trustedRoot, trust.json);
  const local = await localContext(run, version);
  // The SBOM comes first, and from then on it is read from the folder.
  const remote = { ...(await remoteContext(run, version)), binder: local.binder };
  const files = [await mirrorSbom(run, local, remote, sbom)];
  const limit = pLimit(CONCURRENT_FILES);
  const pending = others.map((artifact) =>
    run.background.start(limit(() => mirrorFile(run, local, remote, artifact))),
  );
  files.push(...(await Promise.all(pending)));
  await movePointer(run, version);
  await keepTrustRoot(trust, logger);
  return { version, folder, files: files.sort((a, b) => (a.name < b.name ? -1 : 1)) };
}

/**
 * A folder that has signatures of its own is not made for this: they are not ours to delete.
 *
 * @throws {SetupError} INSTALL_FAILED
 */
async function assertNoPairs(
  { folder }: MirrorRun,
  version: string,
  artifacts: readonly Artifact[],
): Promise<void> {
  for (const artifact of artifacts) {
    try {
      await assertNoPair(folder, folder.pathsOf(inFolder(folder, version, artifact)).pair);
    } catch (error) {
      throw new SetupError('INSTALL_FAILED', explain(error), { situation: 'mirror-pair' });
    }
  }
}

/** Without it, nothing else could be proven. */
async function mirrorSbom(
  run: MirrorRun,
  local: ProofContext,
  remote: ProofContext,
  sbom: Artifact,
): Promise<MirroredFile> {
  try {
    return await mirrorFile(run, local, remote, sbom);
  } catch (error) {
    const { code, situation } = error instanceof SetupError ? error : {};
    throw code === 'RELEASE_NOT_SIGNED' || situation === 'not-in-release'
      ? new SetupError(
          'RELEASE_MISMATCH',
          `cannot mirror ${sbom.version} without its signed SBOM: ${explain(error)}`,
          { situation: 'no-release-proof', cause: error },
        )
      : error;
  }
}

/**
 * Proves a file in the folder, or else downloads it and proves that.
 *
 * @param artifact on the release host
 */
async function mirrorFile(
  run: MirrorRun,
  local: ProofContext,
  remote: ProofContext,
  artifact: Artifact,
): Promise<MirroredFile> {
  const { folder, logger, scratch } = run;
  const copy = inFolder(folder, artifact.version, artifact);
  const paths = folder.pathsOf(copy);
  const name = folder.nameOf(paths.file);
  const kept = await keptFile(run, local, copy);
  const partial = path.join(scratch, randomUUID());
  const verified = kept ?? (await downloadTo(partial, remote, artifact));
  const sha256 = verified.subject.sha256.toString('hex');
  // The file itself comes last: what has its name is complete, whenever this process is killed.
  await write(run, paths.bundle, serializeBundle(verified.bundle));
  await write(run, paths.digest, Buffer.from(sha256));
  if (kept === undefined) {
    await folder.place(partial, paths.file, verified.subject.entry);
  }
  logger.info(`${kept === undefined ? 'Verified' : 'Kept'} ${name}: ${sha256}`);
  return { name, sha256, isKept: kept !== undefined };
}

/** Undefined for a file that is not there, that others can change, or that does not pass. */
async function keptFile(
  { folder, logger }: MirrorRun,
  local: ProofContext,
  copy: Artifact,
): Promise<Verified<DigestedFile> | undefined> {
  const { file } = folder.pathsOf(copy);
  await folder.assertPrivateFolders(file);
  try {
    await folder.assertPrivateFile(file); // First: what was proven must not change afterwards.
    return await proveInFolder(folder, local, copy);
  } catch (error) {
    if (local.http.signal.aborted || !isOfFile(error)) {
      throw error;
    }
    if (await folder.has(file)) {
      logger.info(`Replacing ${folder.nameOf(file)}: ${explain(error)}`);
    }
    return undefined;
  }
}

/** Codes that are about what the user asks for. A download would fail in the same way. */
const ABOUT_THE_REQUEST: ReadonlySet<string> = new Set([
  'CHECKSUM_MISMATCH',
  'RELEASE_TOO_NEW',
  'RELEASE_TOO_OLD',
]);

/** Whether an error says that a file in the folder does not prove itself. */
export function isOfFile(error: unknown): boolean {
  return error instanceof SetupError
    ? !ABOUT_THE_REQUEST.has(error.code)
    : error instanceof FileError || codeOf(error) !== '';
}

async function downloadTo(
  partial: string,
  remote: ProofContext,
  artifact: Artifact,
): Promise<Verified<DigestedFile>> {
  const arriving = downloadArtifact(remote, artifact, partial, artifact.path);
  const { verified } = await proveFile(remote, artifact, partial, arriving);
  return verified;
}

async function write(
  { folder, logger, scratch }: MirrorRun,
  file: string,
  bytes: Buffer,
): Promise<void> {
  const existed = await folder.has(file);
  const why = await folder.write(file, bytes, scratch);
  if (why !== undefined && existed) {
    logger.info(`Replaced ${folder.nameOf(file)}: ${why}`);
  }
}

/**
 * Writes the pointer that a run with the same `version` reads; none for an exact version and for a
 * range. It is written last, so that it never names a release that is not there.
 */
async function movePointer(run: MirrorRun, version: string): Promise<void> {
  const { inputs, folder, logger } = run;
  const pointer = pointerOf(inputs.version, folder.url);
  if (pointer === undefined) {
    return;
  }
  const file = fileURLToPath(pointer);
  const newer = await newerInFolder(run, file, version);
  if (newer === undefined) {
    await write(run, file, pointerText(version));
  } else {
    logger.warning(
      'Pointer names an older version',
      `${inputs.downloadBaseUrl.href} names ${version} for "${inputs.versionSource}", but ${folder.nameOf(file)} in the folder names ${newer}, which is there too. It was left as it is: either ${newer} was withdrawn, or the release host, a mirror or a proxy is serving an outdated pointer. To go back, delete the file.`,
    );
  }
}

/** What is in a pointer of the folder: as on dl.k8s.io. */
export function pointerText(version: string): Buffer {
  return Buffer.from(`${version}\n`);
}

/** The version that the pointer in the folder names, if it is newer and the folder has it. */
async function newerInFolder(
  { inputs, folder, offline }: MirrorRun,
  pointer: string,
  version: string,
): Promise<string | undefined> {
  try {
    await folder.assertPrivateFile(pointer);
    const named = await resolveVersion(inputs.version, offline, folder.url);
    const sbom = fileURLToPath(new Release(named, folder.url).sbom().url);
    const [newer] = existsSync(sbom) ? await newerThan(version, [named], inputs.version) : [];
    return newer;
  } catch (error) {
    if (error instanceof SetupError || error instanceof FileError) {
      return undefined; // There is none yet, it is damaged, or others can change it: it is written.
    }
    throw error;
  }
}

/** The same file of a release, in the folder. */
export function inFolder(folder: MirrorFolder, version: string, artifact: Artifact): Artifact {
  return { ...artifact, ...urlsOf(folder.url, version, artifact.path) };
}
