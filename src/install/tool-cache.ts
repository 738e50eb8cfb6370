import { randomUUID } from 'node:crypto';
import { chmod, cp, mkdir, readdir, rename, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { SetupError, explain, codeOf } from '../errors.js';
import { fileName } from '../kubernetes/release.js';
import type { Platform, Tool } from '../kubernetes/platform.js';
import { isExactVersion } from '../kubernetes/version.js';
import { assertPrivate, entryAt, trustedOwners, type Owners } from '../transfer/private-file.js';

/** Copies that were being made when their run ended; older ones are swept away, in milliseconds. */
const STALE_AFTER = 60 * 60_000;
const PARTIAL_PREFIX = '.partial-';

/** The runner's tool cache, as one run sees it. */
export interface ToolCache {
  /** RUNNER_TOOL_CACHE */
  readonly folder: string;
  /** Of {@link trustLabel}: a run sees only copies that were proven against what it trusts. */
  readonly trust: string;
}

/**
 * Where one verified copy lives: `<tool cache>/verified-<tool>/<version>/<os>-<arch>-<trust>/`.
 *
 * The layout is that of `@actions/tool-cache`, its marker file included. What that library does
 * is not used here: it trusts the marker, copies where a move will do, and empties a folder that
 * another run may be using before it begins to fill it.
 */
export class Slot {
  readonly tool: Tool;
  /** With `v`. */
  readonly version: string;
  readonly folder: string;
  readonly #fileName: string;
  readonly #toolCache: ToolCache;

  constructor(toolCache: ToolCache, tool: Tool, version: string, platform: Platform) {
    this.tool = tool;
    this.version = version;
    this.folder = path.join(
      toolFolder(toolCache, tool),
      version.slice(1),
      `${platform.os}-${platform.arch}-${toolCache.trust}`,
    );
    this.#fileName = fileName(tool, platform);
    this.#toolCache = toolCache;
  }

  /** The files of a copy, in this slot or in a folder that is to become it. */
  files(folder = this.folder): SlotFiles {
    return {
      binary: path.join(folder, this.#fileName),
      bundle: path.join(folder, `${this.#fileName}.sigstore.json`),
      sbom: path.join(folder, 'kubernetes-release.spdx'),
      sbomBundle: path.join(folder, 'kubernetes-release.spdx.sigstore.json'),
    };
  }

  /** @throws {SetupError} INSTALL_FAILED */
  async isOccupied(): Promise<boolean> {
    return (await this.#look(this.folder)) !== undefined;
  }

  /**
   * Requires what lies in the slot to be its own plain files, in plain folders, that nobody but
   * this user, root and the owner of the tool cache can change: else there could be another file
   * by the time it is executed, or another one beside it on `PATH`.
   *
   * @throws {SetupError} INSTALL_FAILED
   */
  async assertOwned(): Promise<void> {
    const owners = await trustedOwners(this.#toolCache.folder);
    const { binary, bundle, sbom, sbomBundle } = this.files();
    const known = new Set([binary, bundle, sbom, sbomBundle].map((file) => path.basename(file)));
    try {
      await this.#assertParents(owners);
      await assertPrivate(this.folder, 'folder', owners);
      for (const name of await readdir(this.folder)) {
        if (!known.has(name)) {
          throw new Error(`${name} does not belong there`);
        }
        await assertPrivate(path.join(this.folder, name), 'file', owners);
      }
    } catch (error) {
      throw installFailed(`the copy in ${this.folder} is not as it was left`, error);
    }
  }

  /** Changes when the folder or its binary is replaced or written to. */
  async trace(): Promise<string> {
    const { binary } = this.files();
    const entries = await Promise.all([this.#look(this.folder), this.#look(binary)]);
    return entries
      .map((found) => `${String(found?.ino)} ${String(found?.size)} ${String(found?.ctimeMs)}`)
      .join(', ');
  }

  /**
   * Moves a finished folder into the slot, in one step.
   *
   * @returns false when another run was faster; the folder then stays where it is
   * @throws {SetupError} INSTALL_FAILED
   */
  async fill(folder: string): Promise<boolean> {
    const parent = path.dirname(this.folder);
    try {
      await mkdir(parent, { recursive: true, mode: 0o755 });
      await this.#assertParents(await trustedOwners(this.#toolCache.folder));
      await chmod(this.files(folder).binary, 0o755);
      await chmod(folder, 0o755);
      await sweep(parent);
      const isFilled = await moveInto(folder, this.folder);
      await this.#mark();
      return isFilled;
    } catch (error) {
      throw installFailed(`cannot put ${this.tool} into the tool cache`, error);
    }
  }

  async #look(file: string): ReturnType<typeof entryAt> {
    try {
      return await entryAt(file);
    } catch (error) {
      throw installFailed(`cannot use ${this.folder} in the tool cache`, error);
    }
  }

  /** For `@actions/tool-cache`. What is there already is left alone: it may be a link to elsewhere. */
  async #mark(): Promise<void> {
    try {
      await writeFile(`${this.folder}.complete`, '', { flag: 'wx' });
    } catch (error) {
      if (codeOf(error) !== 'EEXIST') {
        throw error;
      }
    }
  }

  /** Whoever can change a folder above the slot can put another slot in its place. */
  async #assertParents(owners: Owners): Promise<void> {
    for (const folder of this.#parents()) {
      if ((await entryAt(folder)) !== undefined) {
        await assertPrivate(folder, 'folder', owners);
      }
    }
  }

  /** What is removed from this slot must not be somewhere else. */
  async #assertNoLinks(): Promise<void> {
    for (const folder of this.#parents()) {
      if ((await entryAt(folder))?.isDirectory() === false) {
        throw new Error(`${folder} is not a plain folder`);
      }
    }
  }

  #parents(): string[] {
    const version = path.dirname(this.folder);
    return [path.dirname(version), version];
  }

  /** @throws {SetupError} INSTALL_FAILED */
  async empty(): Promise<void> {
    try {
      await this.#assertNoLinks();
      await rm(`${this.folder}.complete`, { force: true });
      await rm(this.folder, { force: true, recursive: true, maxRetries: 3 });
    } catch (error) {
      throw installFailed(`cannot remove ${this.folder} from the tool cache`, error);
    }
  }
}

export interface SlotFiles {
  readonly binary: string;
  /** The evidence for the binary. */
  readonly bundle: string;
  readonly sbom: string;
  /** The evidence for the SBOM. */
  readonly sbomBundle: string;
}

/**
 * The versions of a tool that the tool cache claims to hold; each is verified before it is used.
 *
 * @returns with `v`, in no particular order
 */
export async function cachedVersions(
  toolCache: ToolCache,
  tool: Tool,
  platform: Platform,
): Promise<string[]> {
  const names = await readdir(toolFolder(toolCache, tool)).catch(() => []);
  const versions = names.filter(isExactVersion);
  const occupied = await Promise.all(
    versions.map((version) => new Slot(toolCache, tool, `v${version}`, platform).isOccupied()),
  );
  return versions.filter((_, index) => occupied[index]).map((version) => `v${version}`);
}

function toolFolder(toolCache: ToolCache, tool: Tool): string {
  return path.join(toolCache.folder, `verified-${tool}`);
}

async function moveInto(from: string, to: string): Promise<boolean> {
  try {
    await rename(from, to);
    return true;
  } catch (error) {
    switch (codeOf(error)) {
      case 'ENOTEMPTY':
      case 'EEXIST':
      case 'EPERM': // Windows says so for a folder that exists.
        if ((await entryAt(to)) !== undefined) {
          return false;
        }
        throw error;
      case 'EXDEV':
        return copyInto(from, to);
      default:
        throw error;
    }
  }
}

/** The temporary folder is on another file system: copy first, then move in one step. */
async function copyInto(from: string, to: string): Promise<boolean> {
  const partial = path.join(path.dirname(to), `${PARTIAL_PREFIX}${randomUUID()}`);
  try {
    await cp(from, partial, { recursive: true, errorOnExist: true });
    return await moveInto(partial, to);
  } finally {
    await rm(partial, { force: true, recursive: true });
  }
}

async function sweep(folder: string): Promise<void> {
  for (const name of await readdir(folder)) {
    const stale = path.join(folder, name);
    if (name.startsWith(PARTIAL_PREFIX)) {
      const modified = (await entryAt(stale))?.mtimeMs ?? Infinity;
      if (modified < Date.now() - STALE_AFTER) {
        await rm(stale, { force: true, recursive: true });
      }
    }
  }
}

/** An error of the file system that nobody expected, as INSTALL_FAILED; any other unchanged. */
export function namedFailure(error: unknown): unknown {
  const isOfFileSystem = error instanceof Error && 'syscall' in error && 'errno' in error;
  return isOfFileSystem ? installFailed('the file system of this runner fails', error) : error;
}

/** What the runner's own disk would not do. */
export function installFailed(message: string, cause?: unknown): SetupError {
  return new SetupError(
    'INSTALL_FAILED',
    cause === undefined ? message : `${message}: ${explain(cause)}`,
    'Check the free space and the permissions of RUNNER_TEMP and RUNNER_TOOL_CACHE on this runner.',
    cause,
  );
}
