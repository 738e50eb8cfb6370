import { chmod, copyFile, writeFile } from 'node:fs/promises';
import { SetupError, explain } from '../errors.js';
import type { Tool } from '../kubernetes/platform.js';
import type { Artifact } from '../kubernetes/release.js';
import { serializeBundle } from '../sigstore/bundle.js';
import { prove, proveWithBundle, type Proof, type Prover } from '../sigstore/prove.js';
import type { Verified } from '../sigstore/verify.js';
import { digestFile } from '../transfer/digested-file.js';
import { MAX_BINARY_BYTES, begin, newFolder, type Arrival, type Sources } from './begin.js';
import { checkAge, checkChecksum, type Conditions } from './conditions.js';
import { preinstalledCopies } from './preinstalled.js';
import { readEvidence, type ReleaseProof, type ReleaseProver } from './release-proof.js';
import { Slot, installFailed } from './tool-cache.js';

/** 64 hex digits, perhaps with a newline. */
const MAX_DIGEST_BYTES = 256;
/** How often another run may get in between before this one gives up. */
const MAX_COMMITS = 5;

/** Everything that obtaining a tool needs to know and to use. */
export interface Workshop extends Sources {
  /** Whether binaries of the platform run on this machine. */
  readonly isNative: boolean;
  readonly prover: Prover;
  /** Undefined for `bind-release: false`. */
  readonly releaseProver: ReleaseProver | undefined;
  readonly conditions: Conditions;
  /** Downloads that began before all this was loaded. */
  readonly begun: ReadonlyMap<Tool, Arrival>;
}

export type Origin = 'download' | 'cache' | 'preinstalled';

/** How long the parts of obtaining a tool took, in milliseconds. */
export interface ObtainDurations {
  /** Until the last byte was here; undefined where nothing was downloaded. */
  readonly download: number | undefined;
  /** From then on; checks that ran while the bytes were arriving take no time of their own. */
  readonly verify: number;
}

/** A tool that passed every check in this run, and where it is now. */
export interface Proven {
  readonly tool: Tool;
  readonly slot: Slot;
  /** The slot's own folder, or one that {@link install} moves there. */
  readonly folder: string;
  readonly origin: Origin;
  readonly verified: Verified;
  /** Why the published material was not used, if so. */
  readonly recovered: string | undefined;
  readonly releaseProof: ReleaseProof;
  readonly durations: ObtainDurations;
  /** What the slot looked like before its bytes were read; undefined for a folder of this run. */
  readonly trace: string | undefined;
}

/** A {@link Proven} whose folder is the slot's. */
export interface Installed extends Proven {
  readonly trace: string;
}

/**
 * Step by step, the cheapest way to a proven copy: the one in the tool cache, one that somebody
 * else left on this machine, or a download. Nothing is installed yet.
 *
 * @throws {SetupError}
 */
export async function obtain(shop: Workshop, tool: Tool): Promise<Proven> {
  const slot = new Slot(shop.toolCache, tool, shop.release.version, shop.platform);
  const cached = await reuse(shop, slot);
  if (cached !== undefined) {
    return cached;
  }
  return (await adopt(shop, slot)) ?? (await fetch(shop, slot));
}

/**
 * Puts proven tools into their slots. When another run has filled a slot meanwhile, its copy is
 * verified like any other, and used.
 *
 * @throws {SetupError} INSTALL_FAILED
 */
export async function install(shop: Workshop, proven: Proven): Promise<Installed> {
  const { slot } = proven;
  let current: Proven | undefined = proven;
  for (let tries = 0; tries < MAX_COMMITS; tries++) {
    if (current.trace !== undefined) {
      return { ...current, trace: current.trace };
    }
    if (await slot.fill(current.folder)) {
      const trace = await slot.trace();
      return { ...current, trace, folder: slot.folder };
    }
    current = (await reuse(shop, slot)) ?? proven;
  }
  throw installFailed(`other runs keep changing ${slot.folder}`);
}

/**
 * Requires every slot to hold what was proven: while this run was busy with other tools, another
 * one may have found a copy wanting, by a newer trust root, and put its own there.
 *
 * @throws {SetupError} INSTALL_FAILED
 */
export async function assertUnchanged(installed: readonly Installed[]): Promise<void> {
  for (const { slot, trace } of installed) {
    if ((await slot.trace()) !== trace) {
      throw installFailed(`another run has changed ${slot.folder} meanwhile`);
    }
  }
}

/** Undefined when there is no copy in the slot that passes; a copy that fails is removed. */
async function reuse(shop: Workshop, slot: Slot): Promise<Proven | undefined> {
  if (!(await slot.isOccupied())) {
    return undefined;
  }
  try {
    await slot.assertOwned();
    return await proveCached(shop, slot);
  } catch (error) {
    if (shop.http.signal.aborted || !isFaultOfCopy(error)) {
      throw error;
    }
    shop.journal.warning(
      'Cached copy refused',
      `${slot.folder} is removed and fetched anew: ${explain(error)}`,
    );
    await slot.empty();
    return undefined;
  }
}

/** Codes that say something of this run or of the network, and nothing of the copy. */
const NOT_OF_THE_COPY = new Set([
  'TRUST_ROOT_UNAVAILABLE',
  'CHECKSUM_MISMATCH',
  'RELEASE_TOO_NEW',
  'DOWNLOAD_FAILED',
  'LOG_UNAVAILABLE',
]);

function isFaultOfCopy(error: unknown): boolean {
  return !(error instanceof SetupError && NOT_OF_THE_COPY.has(error.code));
}

async function proveCached(shop: Workshop, slot: Slot): Promise<Proven> {
  const started = performance.now();
  const trace = await slot.trace();
  const files = slot.files();
  const [bundle, file] = await Promise.all([
    readEvidence(files.bundle),
    digestFile(files.binary, MAX_BINARY_BYTES),
  ]);
  const verified = await proveWithBundle(shop.prover, file, bundle);
  const proof: Proof = { verified };
  const releaseProof = await bindCached(shop, slot, verified);
  checkConditions(shop, slot.tool, verified);
  const durations = { download: undefined, verify: performance.now() - started };
  return { ...proven(slot, slot.folder, 'cache', proof, releaseProof, durations), trace };
}

async function bindCached(shop: Workshop, slot: Slot, verified: Verified): Promise<ReleaseProof> {
  if (shop.releaseProver === undefined) {
    return { kind: 'skipped' };
  }
  const { release, platform, isNative } = shop;
  const files = slot.files();
  const executable = isNative ? files.binary : undefined;
  const artifact = release.binary(slot.tool, platform);
  return shop.releaseProver.bindCached(slot.tool, artifact, platform, verified, files, executable);
}

/** Undefined when no copy on this machine is the published file, or the one that is fails. */
async function adopt(shop: Workshop, slot: Slot): Promise<Proven | undefined> {
  const { release, platform, journal } = shop;
  const artifact = release.binary(slot.tool, platform);
  const copies = await preinstalledCopies(shop.surroundings, slot.tool, release.version, platform);
  const expected = copies.length === 0 ? undefined : await publishedDigest(shop, artifact);
  for (const copy of expected === undefined ? [] : copies) {
    try {
      const file = await digestFile(copy, MAX_BINARY_BYTES);
      if (file.sha256.toString('hex') === expected) {
        return await proveCopy(shop, slot, artifact, copy);
      }
    } catch (error) {
      if (shop.http.signal.aborted) {
        throw error;
      }
      journal.info(`${copy} is not used: ${explain(error)}`);
    }
  }
  return undefined;
}

async function proveCopy(
  shop: Workshop,
  slot: Slot,
  artifact: Artifact,
  copy: string,
): Promise<Proven> {
  const { folder, binary } = await newFolder(shop, slot.tool);
  await copyFile(copy, binary);
  shop.releaseProver?.start();
  const file = digestFile(binary, MAX_BINARY_BYTES);
  const arrival = { folder, file, underWay: Promise.resolve(undefined) };
  return finish(shop, slot, artifact, arrival, Promise.resolve(undefined), 'preinstalled');
}

async function fetch(shop: Workshop, slot: Slot): Promise<Proven> {
  const artifact = shop.release.binary(slot.tool, shop.platform);
  const arrival = shop.begun.get(slot.tool) ?? (await begin(shop, slot.tool));
  // The large object first: all that is small is here long before its last byte.
  await arrival.underWay;
  shop.releaseProver?.start();
  const hint = publishedDigest(shop, artifact);
  return finish(shop, slot, artifact, arrival, hint, 'download');
}

/** Every check on a file in a folder of this run, and its evidence written beside it. */
async function finish(
  shop: Workshop,
  slot: Slot,
  artifact: Artifact,
  { folder, file }: Arrival,
  hint: Promise<string | undefined>,
  origin: Origin,
): Promise<Proven> {
  const started = performance.now();
  let arrived = started;
  const timed = file.then((arrivedFile) => {
    arrived = origin === 'download' ? performance.now() : started;
    return arrivedFile;
  });
  const proof = await prove(shop.prover, artifact, timed, hint);
  const { verified, recovered } = proof;
  if (recovered !== undefined) {
    shop.journal.warning('Broken publication', `${artifact.name}: ${recovered}`);
  }
  const files = slot.files(folder);
  await chmod(files.binary, 0o755);
  const releaseProof: ReleaseProof =
    shop.releaseProver === undefined
      ? { kind: 'skipped' }
      : await shop.releaseProver.bind(
          slot.tool,
          artifact,
          shop.platform,
          verified,
          shop.isNative ? files.binary : undefined,
        );
  checkConditions(shop, slot.tool, verified);
  await writeFile(files.bundle, serializeBundle(verified.bundle), { flag: 'wx', mode: 0o644 });
  if (releaseProof.kind === 'sbom') {
    const sbom = releaseProof.sbom.verified;
    await copyFile(sbom.file.path, files.sbom);
    await chmod(files.sbom, 0o644); // As readable as the rest: another user may share the cache.
    await writeFile(files.sbomBundle, serializeBundle(sbom.bundle), { flag: 'wx', mode: 0o644 });
  }
  const durations = {
    download: origin === 'download' ? arrived - started : undefined,
    verify: performance.now() - arrived,
  };
  return proven(slot, folder, origin, proof, releaseProof, durations);
}

function proven(
  slot: Slot,
  folder: string,
  origin: Origin,
  { verified, recovered }: Proof,
  releaseProof: ReleaseProof,
  durations: ObtainDurations,
): Proven {
  const { tool } = slot;
  const trace = undefined;
  return { tool, slot, folder, origin, verified, recovered, releaseProof, durations, trace };
}

function checkConditions(shop: Workshop, tool: Tool, verified: Verified): void {
  checkChecksum(tool, verified, shop.conditions);
  checkAge(tool, verified, shop.conditions, Date.now());
}

/**
 * The SHA-256 (hex) that stands beside an artifact. Nobody signs it: it only lets the log be
 * asked early, and says which copy on this machine is worth a look.
 */
async function publishedDigest(shop: Workshop, artifact: Artifact): Promise<string | undefined> {
  try {
    const text = await shop.http.readIfPresent(artifact.digestUrl, MAX_DIGEST_BYTES);
    return /^([0-9a-f]{64})\s*$/.exec(text?.toString('latin1') ?? '')?.[1];
  } catch (error) {
    shop.journal.debug(`no digest to begin with: ${explain(error)}`);
    return undefined;
  }
}
