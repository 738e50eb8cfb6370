import { readdir } from 'node:fs/promises';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import type { TrustMaterial } from '@sigstore/verify';
import pLimit from 'p-limit';
import { explain } from '../errors.js';
import type { DigestedFile } from '../files/digested-file.js';
import { FileError } from '../files/errors.js';
import { entryAt } from '../files/private-file.js';
import type { MirrorInputs } from './inputs.js';
import type { ProofContext } from '../install/context.js';
import type { Logger } from '../install/logger.js';
import type { Artifact } from '../kubernetes/artifact.js';
import type { Release } from '../kubernetes/release.js';
import { assertSupportedSkew } from '../kubernetes/skew.js';
import { pointerOf, resolveVersion } from '../kubernetes/version.js';
import { withScratchFolder } from '../session.js';
import { serializeBundle } from '../sigstore/bundle.js';
import { verifySubject } from '../sigstore/evidence/source.js';
import { readStoredBundle } from '../sigstore/evidence/stored.js';
import { untrustedPart } from '../sigstore/trust/subset.js';
import { MAX_TRUSTED_ROOT_BYTES, parseTrustedRoot } from '../sigstore/trust/trusted-root-json.js';
import type { Verified } from '../sigstore/verify/verify.js';
import { CONCURRENT_FILES } from './requested-artifacts.js';
import { MirrorFolder } from './mirror-folder.js';
import { isOfFile, pointerText } from './mirror.js';
import {
  localContext,
  mirroredArtifacts,
  proveInFolder,
  withMirrorRun,
  type MirrorRun,
} from './mirror-run.js';

/** The bytes of a digest or a pointer. */
const MAX_TEXT_BYTES = 256;

export interface MirrorVerdict {
  /** With `v`; undefined if the folder does not say which one it has. */
  readonly version: string | undefined;
  /** How many files of the release were looked at. */
  readonly files: number;
  /** Lines that begin with `missing`, `damaged` or `extra`; empty for a folder that is complete and proven. */
  readonly differences: readonly string[];
}

/**
 * Proves everything in a folder that is asked for. Nothing is written to it, and nobody is asked.
 *
 * @throws {SetupError} for a failure that says nothing about the folder
 */
export async function checkMirror(inputs: MirrorInputs, logger: Logger): Promise<MirrorVerdict> {
  const folder = await MirrorFolder.open(inputs.folder);
  return withScratchFolder(inputs.runner.temp, (scratch) =>
    withMirrorRun({ inputs, logger, folder, scratch }, checkFolder),
  );
}

async function checkFolder(run: MirrorRun): Promise<MirrorVerdict> {
  const { inputs, logger, folder, trust } = run;
  const root = new Differences(folder);
  const theirs = await root.collect(folder.trustedRoot, () => trustedRootIn(run));
  logger.info(`Trust root: ${trust.origin}`);
  const version = await root.collect(pointerFile(run), () => versionIn(run));
  const named = [folder.trustedRoot, pointerFile(run)].filter((file) => file !== folder.path);
  if (version === undefined) {
    await warnOfDangers(run, named);
    return { version, files: 0, differences: root.lines };
  }
  logger.info(`Version: ${version} (requested: ${inputs.versionSource})`);
  if (inputs.clusterVersion !== undefined) {
    assertSupportedSkew(version, inputs.files.tools, inputs.clusterVersion);
  }
  const local = await localContext(run, version);
  const { sbom, others } = mirroredArtifacts(run, local.release);
  const artifacts = [sbom, ...others];
  const expected = artifacts.flatMap((artifact) => {
    const { file, digest, bundle } = folder.pathsOf(artifact);
    return [file, digest, bundle];
  });
  await warnOfDangers(run, [...named, ...expected]);
  const limit = pLimit(CONCURRENT_FILES);
  const found = await Promise.all(
    artifacts.map((artifact) =>
      run.background.start(limit(() => checkFile(run, local, artifact, theirs))),
    ),
  );
  const pairs = artifacts.flatMap((artifact) => folder.pathsOf(artifact).pair);
  const extra = await extraFiles(folder, local.release, new Set(expected), new Set(pairs));
  return {
    version,
    files: artifacts.length,
    differences: [...root.lines, ...found.flat(), ...extra].sort(),
  };
}

/** What others can change is proven all the same, as it is now. */
async function warnOfDangers(
  { folder, logger }: MirrorRun,
  files: readonly string[],
): Promise<void> {
  const [danger, ...others] = await folder.dangersTo(files);
  if (danger !== undefined) {
    const more =
      others.length === 0
        ? ''
        : `; other files and folders that are not private: ${String(others.length)}`;
    const message = `${danger}${more}. What is proven now may be changed later.`;
    logger.warning('Folder not private', message);
  }
}

/** What is wrong with some files. */
class Differences {
  readonly lines: string[] = [];
  readonly #folder: MirrorFolder;

  constructor(folder: MirrorFolder) {
    this.#folder = folder;
  }

  /** The result, or undefined if that shows that something is wrong with a file. */
  async collect<T>(file: string, look: () => Promise<T>): Promise<T | undefined> {
    try {
      return await look();
    } catch (error) {
      if (!isOfFile(error)) {
        throw error;
      }
      const name = this.#folder.nameOf(file);
      this.lines.push(
        (await this.#folder.has(file)) ? `damaged ${name}: ${explain(error)}` : `missing ${name}`,
      );
      return undefined;
    }
  }
}

/**
 * What a run with the folder's trusted_root.json trusts: nothing that this process does not trust.
 *
 * @throws {FileError}
 */
async function trustedRootIn({ folder, trust }: MirrorRun): Promise<TrustMaterial> {
  const json = await folder.read(folder.trustedRoot, MAX_TRUSTED_ROOT_BYTES);
  let material: TrustMaterial;
  try {
    material = parseTrustedRoot(json);
  } catch (error) {
    // A file that is not JSON may be a secret, so nothing of it is shown.
    throw new FileError(error instanceof SyntaxError ? 'it is not JSON' : explain(error));
  }
  const untrusted = untrustedPart(json, trust.json);
  if (untrusted !== undefined) {
    throw new FileError(`it trusts ${untrusted}, which ${trust.origin} does not`);
  }
  return material;
}

/** The file that names the version; the folder itself if the user names it. */
function pointerFile({ inputs, folder }: MirrorRun): string {
  const pointer = pointerOf(inputs.version, folder.url);
  return pointer === undefined ? folder.path : fileURLToPath(pointer);
}

/** @throws {SetupError} VERSION_NOT_FOUND */
async function versionIn(run: MirrorRun): Promise<string> {
  const { inputs, folder, offline } = run;
  const version = await resolveVersion(inputs.version, offline, folder.url);
  if (pointerFile(run) !== folder.path) {
    const text = await folder.read(pointerFile(run), MAX_TEXT_BYTES);
    await assertEqual(text, pointerText(version));
  }
  return version;
}

/** What is wrong with a file and with what belongs to it. */
async function checkFile(
  { folder }: MirrorRun,
  local: ProofContext,
  artifact: Artifact,
  theirs: TrustMaterial | undefined,
): Promise<readonly string[]> {
  const paths = folder.pathsOf(artifact);
  const found = new Differences(folder);
  const bundle = await found.collect(paths.bundle, async () => {
    await folder.assertPlain(paths.bundle);
    return serializeBundle(await readStoredBundle(paths.bundle));
  });
  const digest = await found.collect(paths.digest, () => folder.read(paths.digest, MAX_TEXT_BYTES));
  if (bundle === undefined && local.lock === undefined) {
    // Nothing proves the file, and that was said.
    await found.collect(paths.file, () => folder.assertPlain(paths.file));
    return found.lines;
  }
  const verified = await found.collect(paths.file, () => proveInFolder(folder, local, artifact));
  if (verified === undefined) {
    return found.lines;
  }
  const sha256 = Buffer.from(verified.subject.sha256.toString('hex'));
  await found.collect(paths.bundle, () => assertEqual(bundle, serializeBundle(verified.bundle)));
  await found.collect(paths.digest, () => assertEqual(digest, sha256));
  if (theirs !== undefined) {
    await found.collect(folder.trustedRoot, () => proveAgain(local, artifact, verified, theirs));
  }
  return found.lines;
}

/** A run trusts what the folder says: that must be enough to prove the file, too. */
function proveAgain(
  { policy }: ProofContext,
  artifact: Artifact,
  { subject, bundle }: Verified<DigestedFile>,
  theirs: TrustMaterial,
): Promise<unknown> {
  const source = { find: () => Promise.resolve({ candidates: [{ bundle }] }) };
  const { identity } = policy;
  return verifySubject({ trust: Promise.resolve(theirs), identity }, artifact.path, subject, [
    source,
  ]);
}

/**
 * @param bytes of a file; undefined for one that was reported already
 * @throws {FileError}
 */
function assertEqual(bytes: Buffer | undefined, expected: Buffer): Promise<void> {
  return bytes?.equals(expected) === false
    ? Promise.reject(new FileError('it does not have the bytes that "mirror" writes'))
    : Promise.resolve();
}

/**
 * What is in the folder of the release and was not asked for.
 *
 * @param pairs files that a run asks for before the bundles; a folder in place of one makes it fail
 */
async function extraFiles(
  folder: MirrorFolder,
  { version }: Release,
  expected: ReadonlySet<string>,
  pairs: ReadonlySet<string>,
): Promise<string[]> {
  const root = path.join(folder.path, 'release', version);
  const extra: string[] = [];
  const folders = [root];
  for (let at = folders.pop(); at !== undefined; at = folders.pop()) {
    // A link is not followed; what should be behind it is reported as damaged.
    for (const entry of (await isPlainFolder(at))
      ? await readdir(at, { withFileTypes: true })
      : []) {
      const file = path.join(at, entry.name);
      if (entry.isDirectory() && !pairs.has(file)) {
        folders.push(file);
      } else if (!expected.has(file)) {
        extra.push(`extra ${folder.nameOf(file)}`);
      }
    }
  }
  return extra;
}

async function isPlainFolder(folder: string): Promise<boolean> {
  return (await entryAt(folder))?.isDirectory() === true;
}
