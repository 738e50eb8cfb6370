import { mkdtemp } from 'node:fs/promises';
import path from 'node:path';
import { digestFile, type DigestedFile } from '../files/digested-file.js';
import type { MirrorInputs } from './inputs.js';
import { SbomBinder, type BindingContext } from '../install/binding.js';
import type { ProofContext } from '../install/context.js';
import { proveBy } from '../install/from-download.js';
import { LockedBinder } from '../install/locked-binding.js';
import type { Logger } from '../install/logger.js';
import type { Artifact } from '../kubernetes/artifact.js';
import { Release } from '../kubernetes/release.js';
import { FileError } from '../files/errors.js';
import { httpClient, trustRootSource, withTransfers } from '../session.js';
import { TransparencyLog } from '../sigstore/evidence/rekor.js';
import { StoredBundle } from '../sigstore/evidence/stored.js';
import { loadTrustRoot, type TrustRoot } from '../sigstore/trust/trusted-root.js';
import type { Verified } from '../sigstore/verify/verify.js';
import type { BackgroundTasks } from '../transfer/background-tasks.js';
import type { HttpClient } from '../transfer/http.js';
import { artifactsOf } from './requested-artifacts.js';
import type { MirrorFolder } from './mirror-folder.js';

/** What making a mirror and checking one have in common. */
export interface MirrorRun {
  readonly inputs: MirrorInputs;
  readonly logger: Logger;
  readonly folder: MirrorFolder;
  /** A folder that is removed when the run ends. */
  readonly scratch: string;
  readonly background: BackgroundTasks;
  readonly trust: TrustRoot;
  /** Asks the release host and the log; like {@link offline} in a check. */
  readonly online: HttpClient;
  /** Reads files, and asks nobody. */
  readonly offline: HttpClient;
}

/** Loads the trust root, and ends all transfers when the work ends. */
export function withMirrorRun<T>(
  start: Pick<MirrorRun, 'inputs' | 'logger' | 'folder' | 'scratch'>,
  work: (run: MirrorRun) => Promise<T>,
): Promise<T> {
  const { inputs, logger, scratch } = start;
  return withTransfers(async ({ signal, background }) => {
    const offline = httpClient(inputs, signal, logger, true);
    const online = inputs.check ? offline : httpClient(inputs, signal, logger);
    const trust = await loadTrustRoot(trustRootSource(inputs, scratch), online);
    return await work({ ...start, background, online, offline, trust });
  });
}

/** The files of a mirror: those that are asked for, and the SBOM, which binds them. */
export function mirroredArtifacts(
  { inputs, logger }: Pick<MirrorRun, 'inputs' | 'logger'>,
  release: Release,
): { readonly sbom: Artifact; readonly others: readonly Artifact[] } {
  const sbom = release.sbom();
  const asked = artifactsOf({ inputs, release, logger });
  const others = new Map(asked.map((artifact) => [artifact.path, artifact]));
  others.delete(sbom.path);
  return { sbom, others: [...others.values()] };
}

/** For files in the folder: everything is read there, and nobody is asked. */
export function localContext(run: MirrorRun, version: string): Promise<ProofContext> {
  return proofContext(run, run.offline, new Release(version, run.folder.url));
}

/** For files on the release host. */
export function remoteContext(run: MirrorRun, version: string): Promise<ProofContext> {
  return proofContext(run, run.online, new Release(version, run.inputs.downloadBaseUrl));
}

async function proofContext(
  run: MirrorRun,
  http: HttpClient,
  release: Release,
): Promise<ProofContext> {
  const { inputs, background, logger, trust } = run;
  const context: BindingContext = {
    http,
    background,
    log: new TransparencyLog(http, inputs.rekorUrl),
    policy: { trust: Promise.resolve(trust.material), identity: inputs.identity },
    release,
    scratch: await mkdtemp(path.join(run.scratch, 'release-')),
    logger,
    isNative: false, // A mirror holds an SBOM: what a binary says of itself would not be enough.
  };
  return {
    ...context,
    lock: inputs.lock,
    binder:
      inputs.lock === undefined ? new SbomBinder(context) : new LockedBinder(context, inputs.lock),
    secondFactors: inputs.secondFactors,
  };
}

/**
 * Proves a file that is in the folder, by the bundle and the SBOM that are there, or by the lock.
 * Nothing is changed.
 *
 * @param context a {@link localContext}
 * @throws {SetupError} every code of the verification
 * @throws {FileError}
 */
export async function proveInFolder(
  folder: MirrorFolder,
  context: ProofContext,
  artifact: Artifact,
): Promise<Verified<DigestedFile>> {
  const { file, bundle } = folder.pathsOf(artifact);
  await folder.assertPlain(file);
  if (context.lock === undefined) {
    await folder.assertPlain(bundle);
  }
  const evidence = context.lock?.evidenceFor(artifact) ?? new StoredBundle(bundle);
  const arriving = digestFile(file, artifact.maxBytes);
  const { verified } = await proveBy(context, artifact, evidence, arriving, () =>
    Promise.resolve(file),
  );
  return verified;
}

/**
 * A run prefers `.sig` and `.cert` to a bundle, and asks the log for the entry that belongs to them.
 *
 * @throws {FileError}
 */
export async function assertNoPair(folder: MirrorFolder, pair: readonly string[]): Promise<void> {
  for (const file of pair) {
    if (await folder.has(file)) {
      throw new FileError(
        `${folder.nameOf(file)} is in the folder: with it, a run asks the transparency log instead of reading the bundle`,
      );
    }
  }
}
