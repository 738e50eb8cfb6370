import { chmod, copyFile, writeFile } from 'node:fs/promises';
import type { Bundle } from '@sigstore/bundle';
import { SetupError, codeOf, explain } from '../errors.js';
import type { Tool } from '../kubernetes/platform.js';
import type { Artifact } from '../kubernetes/release.js';
import { serializeBundle } from '../sigstore/bundle.js';
import { prove, proveWithBundle, type Proof, type Prover } from '../sigstore/prove.js';
import type { Verified } from '../sigstore/verify.js';
import { digestFile, type DigestedFile } from '../transfer/digested-file.js';
import { entryAt } from '../transfer/private-file.js';
import { MAX_BINARY_BYTES, begin, newFolder, type Arrival, type Sources } from './begin.js';
import { checkAge, checkChecksum, type Conditions } from './conditions.js';
import { preinstalledCopies } from './preinstalled.js';
import { readEvidence, type ReleaseProof, type ReleaseProver } from './release-proof.js';
import { Slot, filesIn, installFailed, slotsOf } from './tool-cache.js';

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
  const { toolCache, release, platform } = shop;
  const expected = shop.conditions.checksums[tool];
  const failures: unknown[] = [];
  for (const slot of await slotsOf(toolCache, tool, release.version, platform)) {
    if (expected === undefined || slot.sha256 === expected) {
      const cached = await reuse(shop, slot, false).catch((error: unknown) => {
        failures.push(error); // Perhaps another copy passes.
      });
      if (cached !== undefined) {
        return cached;
      }
    }
  }
  if (failures.length > 0) {
    throw failures[0];
  }
  return (await adopt(shop, tool)) ?? (await fetch(shop, tool));
}

/**
 * Puts proven tools into their slots. When a slot is taken, what is there has the same name, and
 * must have the same bytes: it is verified like any other copy, and used or replaced.
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
      try {
        await assertArrived(slot, current.verified.file);
      } catch (error) {
        await slot.remove(trace);
        throw error;
      }
      return { ...current, trace, folder: slot.folder };
    }
    current = (await reuse(shop, slot, true)) ?? proven;
  }
  throw installFailed(`other runs keep changing ${slot.folder}`);
}

/** What was proven lay in a folder of this run, and was moved by its path. */
async function assertArrived(slot: Slot, { entry, sha256 }: DigestedFile): Promise<void> {
  await slot.assertOwned();
  const { binary } = slot.files();
  const found = await entryAt(binary);
  // Some file systems of Windows have no such numbers, or larger ones than can be compared.
  const isKnown = entry.ino !== 0 && Number.isSafeInteger(entry.ino);
  if (isKnown && found?.dev === entry.dev && found.ino === entry.ino) {
    return;
  }
  // Copied from another file system, or exchanged on the way.
  const arrived = await digestFile(binary, MAX_BINARY_BYTES);
  if (!arrived.sha256.equals(sha256)) {
    throw installFailed(`${binary} was changed on its way into the tool cache`);
  }
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

/**
 * Undefined when there is no copy in the slot that passes.
 *
 * A copy that is damaged is removed. One that merely does not pass stays, as another run, with
 * newer keys or told otherwise by its mirror, may have it on `PATH`; unless it is to be replaced.
 *
 * @param isReplaced whether there is a proven copy of the same bytes to put there
 */
async function reuse(shop: Workshop, slot: Slot, isReplaced: boolean): Promise<Proven | undefined> {
  if (!(await slot.isOccupied())) {
    return undefined;
  }
  const started = performance.now();
  const trace = await slot.trace();
  let isDamaged = true;
  try {
    const copy = await inspect(slot);
    isDamaged = false;
    return { ...(await proveCached(shop, slot, copy, started)), trace };
  } catch (error) {
    // An error of this machine, such as too many open files, says nothing of the copy.
    isDamaged &&= error instanceof SetupError || codeOf(error) === 'ENOENT';
    const isRemoved = isDamaged || isReplaced;
    if (shop.http.signal.aborted || (!isRemoved && !isFaultOfCopy(error))) {
      throw error;
    }
    if (isReplaced) {
      shop.journal.info(`${slot.folder} is replaced: ${explain(error)}`);
    } else {
      const fate = isDamaged
        ? 'is removed and fetched anew'
        : 'is not used (remove it if this goes on, and no job needs it)';
      shop.journal.warning('Cached copy refused', `${slot.folder} ${fate}: ${explain(error)}`);
    }
    if (isRemoved) {
      await slot.remove(trace);
    }
    return undefined;
  }
}

interface Copy {
  readonly file: DigestedFile;
  readonly bundle: Bundle;
}

/** What can be said of a copy without asking anybody, and is the same for every run. */
async function inspect(slot: Slot): Promise<Copy> {
  await slot.assertOwned();
  const files = slot.files();
  // One after the other: Windows moves no folder in which a file is still open.
  const bundle = await readEvidence(files.bundle);
  const file = await digestFile(files.binary, MAX_BINARY_BYTES);
  const sha256 = file.sha256.toString('hex');
  if (sha256 !== slot.sha256) {
    throw installFailed(`the binary has been changed, its SHA-256 is ${sha256}`);
  }
  return { file, bundle };
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

async function proveCached(
  shop: Workshop,
  slot: Slot,
  { file, bundle }: Copy,
  started: number,
): Promise<Proven> {
  const verified = await proveWithBundle(shop.prover, file, bundle);
  const proof: Proof = { verified };
  const releaseProof = await bindCached(shop, slot, verified);
  checkConditions(shop, slot.tool, verified);
  const durations = { download: undefined, verify: performance.now() - started };
  return proven(slot, slot.folder, 'cache', proof, releaseProof, durations);
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
async function adopt(shop: Workshop, tool: Tool): Promise<Proven | undefined> {
  const { release, platform, journal } = shop;
  const artifact = release.binary(tool, platform);
  const copies = await preinstalledCopies(shop.surroundings, tool, release.version, platform);
  const expected = copies.length === 0 ? undefined : await publishedDigest(shop, artifact);
  for (const copy of expected === undefined ? [] : copies) {
    try {
      const file = await digestFile(copy, MAX_BINARY_BYTES);
      if (file.sha256.toString('hex') === expected) {
        return await proveCopy(shop, tool, artifact, copy);
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
  tool: Tool,
  artifact: Artifact,
  copy: string,
): Promise<Proven> {
  const { folder, binary } = await newFolder(shop, tool);
  await copyFile(copy, binary);
  shop.releaseProver?.start();
  const file = digestFile(binary, MAX_BINARY_BYTES);
  const arrival = { folder, file, underWay: Promise.resolve(undefined) };
  return finish(shop, tool, artifact, arrival, Promise.resolve(undefined), 'preinstalled');
}

async function fetch(shop: Workshop, tool: Tool): Promise<Proven> {
  const artifact = shop.release.binary(tool, shop.platform);
  const arrival = shop.begun.get(tool) ?? (await begin(shop, tool));
  // The large object first: all that is small is here long before its last byte.
  await arrival.underWay;
  shop.releaseProver?.start();
  const hint = publishedDigest(shop, artifact);
  return finish(shop, tool, artifact, arrival, hint, 'download');
}

/** Every check on a file in a folder of this run, and its evidence written beside it. */
async function finish(
  shop: Workshop,
  tool: Tool,
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
  const files = filesIn(folder, tool, shop.platform);
  await chmod(files.binary, 0o755);
  const releaseProof: ReleaseProof =
    shop.releaseProver === undefined
      ? { kind: 'skipped' }
      : await shop.releaseProver.bind(
          tool,
          artifact,
          shop.platform,
          verified,
          shop.isNative ? files.binary : undefined,
        );
  checkConditions(shop, tool, verified);
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
  const sha256 = verified.file.sha256.toString('hex');
  const slot = new Slot(shop.toolCache, tool, shop.release.version, shop.platform, sha256);
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
