import { mkdtemp, rmdir } from 'node:fs/promises';
import path from 'node:path';
import { SetupError, codeOf, explain } from '../errors.js';
import {
  NotPrivateError,
  assertPrivate,
  entryAt,
  takeBackWritePermission,
  trustedOwners,
  type Owners,
} from '../files/private-file.js';
import type { Logger } from './logger.js';
import { installFailed } from './install-failed.js';
import {
  NOT_ALLOWED,
  describeObstacles,
  obstacleToReading,
  obstacleToWriting,
  type Obstacle,
} from './obstacles.js';
import { artifactFolder, type ToolCache } from './tool-cache.js';

/** Where metadata of the trust root is kept, below the tool cache. */
export const TRUST_ROOT_FOLDER = 'verified-trust-root';

/**
 * Decides where a run looks for copies and where it puts new ones, before any tool is downloaded.
 *
 * A runner's tool cache is not always this user's alone: images end with `chmod -R 777`, volumes get a group (fsGroup),
 * a root container made it, network and Windows file systems give everybody everything. Whoever can write to a folder
 * above a copy can exchange the copy after it was verified. So this takes write permission back where the folders are
 * this user's own; where that does not work, copies of this run go into a new folder below RUNNER_TEMP, and those in
 * the tool cache are left alone.
 */
export class CacheAccess {
  readonly #toolCache: ToolCache;
  readonly #names: readonly string[];
  readonly #temp: string;
  readonly #logger: Logger;
  #fallback: Promise<ToolCache> | undefined;
  #installIn: Promise<ToolCache> | undefined;

  /**
   * @param names of the artifacts
   * @param temp RUNNER_TEMP
   */
  constructor(toolCache: ToolCache, names: readonly string[], temp: string, logger: Logger) {
    this.#toolCache = toolCache;
    this.#names = names;
    this.#temp = temp;
    this.#logger = logger;
  }

  /**
   * Takes back write permission on the folders above the copies where it can, then says where copies
   * may be taken from: the tool cache, if nobody else can change those folders. RUNNER_TOOL_CACHE
   * itself is not changed: other actions share it.
   *
   * @param version with `v`; undefined as long as it is not known, then for every version
   * @throws {SetupError} INSTALL_FAILED
   */
  async lookIn(version?: string): Promise<ToolCache> {
    this.#installIn = undefined;
    const unkept = version === undefined ? await this.#takeBackTrustRoot() : [];
    const obstacles: Obstacle[] = [];
    for (const name of this.#names) {
      obstacles.push(...(await this.#takeBack(this.#above(name, version))));
    }
    if (obstacles.length > 0) {
      return this.#fallBack([...obstacles, ...unkept]);
    }
    if (unkept.length > 0) {
      this.#logger.warning(
        'Trust root not cached',
        `${describeObstacles(unkept)} Later runs download the trust root again.`,
      );
    }
    return this.#toolCache;
  }

  /**
   * Where new copies go: the tool cache, if this user can make private folders there.
   *
   * @param version with `v`
   * @throws {SetupError} INSTALL_FAILED
   */
  async installIn(version: string): Promise<ToolCache> {
    this.#installIn ??= this.#chooseTarget(version);
    return this.#installIn;
  }

  /**
   * Where a copy goes after the tool cache refused it: another user's run may have made a folder there
   * in the meantime, or left a copy that this user cannot replace.
   *
   * @returns undefined where RUNNER_TEMP would not help
   * @throws {SetupError} INSTALL_FAILED
   */
  async fallBackAfter(error: unknown): Promise<ToolCache | undefined> {
    if (!isRefusal(error)) {
      return undefined;
    }
    this.#fallback ??= this.#makeFallback(`${explain(error)}.`);
    const fallback = await this.#fallback;
    this.#installIn = this.#fallback;
    return fallback;
  }

  async #chooseTarget(version: string): Promise<ToolCache> {
    if (this.#fallback !== undefined) {
      return this.#fallback;
    }
    const owners = await trustedOwners(this.#toolCache.folder);
    const folders = new Set<string>();
    for (const name of this.#names) {
      folders.add(await nearest([this.#toolCache.folder, ...this.#above(name, version)]));
    }
    const obstacles: Obstacle[] = [];
    for (const folder of folders) {
      obstacles.push(...(await obstacleToWriting(folder, owners)));
    }
    return obstacles.length === 0 ? this.#toolCache : this.#fallBack(obstacles);
  }

  /** The folders above the copies of an artifact, the outer one first. */
  #above(name: string, version: string | undefined): string[] {
    const folder = artifactFolder(this.#toolCache, name);
    return version === undefined ? [folder] : [folder, path.join(folder, version.slice(1))];
  }

  /** Outer folders first: once nobody else can write there, what is inside stays where it is. */
  async #takeBack(folders: readonly string[]): Promise<Obstacle[]> {
    const owners = await trustedOwners(this.#toolCache.folder);
    const obstacles: Obstacle[] = [];
    for (const folder of folders) {
      if (obstacles.length > 0) {
        break; // What is inside may be somewhere else: the folder may be a link.
      }
      obstacles.push(...(await this.#takeBackFolder(folder, owners)));
    }
    return obstacles;
  }

  async #takeBackFolder(folder: string, owners: Owners): Promise<Obstacle[]> {
    const obstacle = await obstacleToReading(folder, owners);
    if (obstacle === undefined) {
      return [];
    }
    // What it could not change shows in the second look.
    await takeBackWritePermission(folder).catch((error: unknown) => {
      this.#logger.debug(`cannot change the permissions of ${folder}: ${explain(error)}`);
    });
    const remaining = await obstacleToReading(folder, owners);
    if (remaining !== undefined) {
      return [remaining];
    }
    this.#logger.info(
      `${folder} ${obstacle.problem}: removed write permission for group and others`,
    );
    return [];
  }

  /** Cached metadata is verified each time, so its folder does not decide where tools go. */
  async #takeBackTrustRoot(): Promise<Obstacle[]> {
    const folder = path.join(this.#toolCache.folder, TRUST_ROOT_FOLDER);
    return this.#takeBack([folder]);
  }

  #fallBack(obstacles: readonly Obstacle[]): Promise<ToolCache> {
    this.#fallback ??= this.#makeFallback(describeObstacles(obstacles));
    return this.#fallback;
  }

  /** @param why in sentences */
  async #makeFallback(why: string): Promise<ToolCache> {
    const folder = await mkdtemp(path.join(this.#temp, 'verified-tools-'));
    try {
      await assertPrivate(folder, 'folder', await trustedOwners(folder));
    } catch (error) {
      await rmdir(folder);
      throw installFailed(`${why} RUNNER_TEMP (${this.#temp}) cannot be used instead`, error);
    }
    this.#logger.warning(
      'Tool cache not used',
      `${why} This run installs under RUNNER_TEMP, and later runs cannot reuse its copies.`,
    );
    return { ...this.#toolCache, folder };
  }
}

/** The innermost of these folders that exists. */
async function nearest(folders: readonly [string, ...string[]]): Promise<string> {
  const existing: string[] = [];
  for (const folder of folders) {
    const found = await entryAt(folder).catch(() => undefined); // Making a folder there says why.
    if (found !== undefined) {
      existing.push(folder);
    }
  }
  return existing.at(-1) ?? folders[0];
}

/** Whether the tool cache, and not the file or the disk, is why a copy could not be put there. */
function isRefusal(error: unknown): boolean {
  if (!(error instanceof SetupError) || error.code !== 'INSTALL_FAILED') {
    return false;
  }
  for (let cause: unknown = error; cause instanceof Error; cause = cause.cause) {
    if (NOT_ALLOWED.has(codeOf(cause)) || cause instanceof NotPrivateError) {
      return true;
    }
  }
  return false;
}
