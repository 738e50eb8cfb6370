import { randomUUID } from 'node:crypto';
import { chmod, cp, readdir, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { codeOf } from '../errors.js';
import { makeFolders } from '../files/make-folders.js';
import { assertPrivate, entryAt, trustedOwners, type Owners } from '../files/private-file.js';
import { renameHeld } from '../files/rename.js';
import type { Artifact } from '../kubernetes/artifact.js';
import { isBinary } from '../kubernetes/binary.js';
import { installFailed } from './install-failed.js';
import { PARTIAL_PREFIX, discard, removeCopy, sweep } from './remove-copy.js';
import { cachedDigests, entryFolder, type ToolCache } from './tool-cache.js';

/** Files of a copy, in a folder that is a cache entry or may become one. */
export interface CopyFiles {
  readonly file: string;
  /** The evidence for the file. */
  readonly bundle: string;
  readonly sbom: string;
  /** The evidence for the SBOM. */
  readonly sbomBundle: string;
}

export function filesIn(folder: string, { fileName }: Artifact): CopyFiles {
  return {
    file: path.join(folder, fileName),
    bundle: path.join(folder, `${fileName}.sigstore.json`),
    sbom: path.join(folder, 'kubernetes-release.spdx'),
    sbomBundle: path.join(folder, 'kubernetes-release.spdx.sigstore.json'),
  };
}

/** Permissions of a verified file: others may read it, and execute it where it goes on `PATH`. */
export function modeOf(artifact: Artifact): number {
  return isBinary(artifact) ? 0o755 : 0o644;
}

/**
 * One verified copy in the tool cache, in a folder of its own:
 * `<tool cache>/verified-<name>/<version>/<os>-<arch>-<trust key>-<SHA-256 of the file>/`, or `any` in
 * place of the platform of a file that is the same for all.
 *
 * The SHA-256 is in the name so that a folder that is on the `PATH` of one run never gets another
 * binary from a different run, whatever that one trusts, asks for, or is told by its mirror.
 *
 * The layout is that of `@actions/tool-cache`, including the marker file. But that library does not
 * write it: it trusts the marker, copies instead of moving, and first empties the folder, which
 * another run may be using.
 */
export class CacheEntry {
  readonly artifact: Artifact;
  /** Of the file, 64 hex digits. */
  readonly sha256: string;
  readonly folder: string;
  readonly #toolCache: ToolCache;

  constructor(toolCache: ToolCache, artifact: Artifact, sha256: string) {
    this.artifact = artifact;
    this.sha256 = sha256;
    this.folder = entryFolder(toolCache, artifact, sha256);
    this.#toolCache = toolCache;
  }

  files(): CopyFiles {
    return filesIn(this.folder, this.artifact);
  }

  /** @throws {SetupError} INSTALL_FAILED */
  async exists(): Promise<boolean> {
    return (await this.#look(this.folder)) !== undefined;
  }

  /**
   * Requires the entry to hold only its own plain files, in plain folders, that nobody but this
   * user, root and the owner of the tool cache can change. Otherwise the binary could be replaced
   * before it is executed, or be joined by another one on `PATH`.
   *
   * @throws {SetupError} INSTALL_FAILED
   */
  async assertOwned(): Promise<void> {
    const owners = await trustedOwners(this.#toolCache.folder);
    const { file, bundle, sbom, sbomBundle } = this.files();
    const known = new Set([file, bundle, sbom, sbomBundle].map((known) => path.basename(known)));
    try {
      await this.#assertParents(owners);
      await assertPrivate(this.folder, 'folder', owners);
      for (const name of await readdir(this.folder)) {
        if (!known.has(name)) {
          throw new Error(`unexpected file ${name}`);
        }
        await assertPrivate(path.join(this.folder, name), 'file', owners);
      }
    } catch (error) {
      throw installFailed(`the copy in ${this.folder} was changed`, error);
    }
  }

  /**
   * Requires that nobody else can change the two folders above the entry, of the tool and of the
   * version. RUNNER_TOOL_CACHE itself is not checked. If this fails, nothing is wrong with the copy.
   *
   * @throws {SetupError} INSTALL_FAILED
   */
  async assertParentsPrivate(): Promise<void> {
    try {
      await this.#assertParents(await trustedOwners(this.#toolCache.folder));
    } catch (error) {
      throw installFailed(`cannot use ${this.folder} in the tool cache`, error);
    }
  }

  /** Changes when the folder or its binary is replaced or written to. */
  async fingerprint(): Promise<string> {
    const found = await this.#look(this.folder);
    return `${await this.#fingerprintIn(this.folder)}, changed ${String(found?.ctimeMs)}`;
  }

  /** The part of a fingerprint that stays the same when the folder is moved. */
  async #fingerprintIn(folder: string): Promise<string> {
    const { file: path } = filesIn(folder, this.artifact);
    const entries = await Promise.all([this.#look(folder), this.#look(path)]);
    const [entry, file] = entries.map((found) => `${String(found?.dev)}:${String(found?.ino)}`);
    return `${String(entry)}, ${String(file)} ${String(entries[1]?.size)} ${String(entries[1]?.ctimeMs)}`;
  }

  /**
   * Moves a finished folder into place, in one step.
   *
   * @param folder with the files of {@link filesIn}
   * @returns false if another run was faster; the folder then stays where it is
   * @throws {SetupError} INSTALL_FAILED
   */
  async commit(folder: string): Promise<boolean> {
    const parent = path.dirname(this.folder);
    try {
      await makeFolders(parent, 0o755);
      const owners = await trustedOwners(this.#toolCache.folder);
      await this.#assertParents(owners);
      await assertPrivate(folder, 'folder', owners);
      await chmod(filesIn(folder, this.artifact).file, modeOf(this.artifact));
      await chmod(folder, 0o755);
      await sweep(parent, owners);
      const isCommitted = await moveInto(folder, this.folder, owners);
      await this.#mark();
      return isCommitted;
    } catch (error) {
      throw installFailed(`cannot put ${this.artifact.name} into the tool cache`, error);
    }
  }

  async #look(file: string): ReturnType<typeof entryAt> {
    try {
      return await entryAt(file);
    } catch (error) {
      throw installFailed(`cannot use ${this.folder} in the tool cache`, error);
    }
  }

  /** Marks the entry for `@actions/tool-cache`. An existing marker is left: it may be a link to elsewhere. */
  async #mark(): Promise<void> {
    try {
      await writeFile(`${this.folder}.complete`, '', { flag: 'wx' });
    } catch (error) {
      if (codeOf(error) !== 'EEXIST') {
        throw error;
      }
    }
  }

  /** Anybody who can change one of these folders can replace the entry. */
  async #assertParents(owners: Owners): Promise<void> {
    for (const folder of this.#parents()) {
      if ((await entryAt(folder)) !== undefined) {
        await assertPrivate(folder, 'folder', owners);
      }
    }
  }

  /** Behind a link, something else would be removed. */
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

  /** @returns undefined if another run was faster, or if the folder could only be removed in place */
  async #moveAside(owners: Owners): Promise<string | undefined> {
    const aside = path.join(path.dirname(this.folder), `${PARTIAL_PREFIX}${randomUUID()}`);
    try {
      await renameHeld(this.folder, aside);
      return aside;
    } catch (error) {
      switch (codeOf(error)) {
        case 'EXDEV': // overlayfs cannot move a folder that is part of a container's image.
          await removeCopy(this.folder, owners);
          return undefined;
        case 'ENOENT':
          return undefined;
        default:
          throw error;
      }
    }
  }

  /**
   * Removes the copy that was judged, and not one that another run has committed since.
   *
   * @param judged its {@link fingerprint}, taken before it was inspected
   * @throws {SetupError} INSTALL_FAILED
   */
  async remove(judged: string): Promise<void> {
    try {
      await this.#assertNoLinks();
      const contents = await this.#fingerprintIn(this.folder);
      if ((await this.fingerprint()) !== judged) {
        return;
      }
      const owners = await trustedOwners(this.#toolCache.folder);
      const aside = await this.#moveAside(owners);
      if (aside === undefined) {
        return;
      }
      const isAnother = (await this.#fingerprintIn(aside)) !== contents;
      if (isAnother && (await moveInto(aside, this.folder, owners))) {
        return;
      }
      await discard(`${this.folder}.complete`, owners);
      await discard(aside, owners);
    } catch (error) {
      throw installFailed(`cannot remove ${this.folder} from the tool cache`, error);
    }
  }
}

/** The copies of an artifact in the tool cache, not verified. */
export async function cacheEntries(
  toolCache: ToolCache,
  artifact: Artifact,
): Promise<CacheEntry[]> {
  const digests = await cachedDigests(toolCache, artifact, artifact.version);
  return digests.map((sha256) => new CacheEntry(toolCache, artifact, sha256));
}

async function moveInto(from: string, to: string, owners: Owners): Promise<boolean> {
  try {
    // To wait is pointless if another run was faster.
    await renameHeld(from, to, { isFinal: async () => (await entryAt(to)) !== undefined });
    return true;
  } catch (error) {
    switch (codeOf(error)) {
      case 'ENOTEMPTY':
      case 'EEXIST':
      case 'EPERM': // From Windows, for a folder that exists.
        if ((await entryAt(to)) !== undefined) {
          return false;
        }
        throw error;
      case 'EXDEV':
        return copyInto(from, to, owners);
      default:
        throw error;
    }
  }
}

/** The temporary folder is on another file system: copy first, then move in one step. */
async function copyInto(from: string, to: string, owners: Owners): Promise<boolean> {
  const partial = path.join(path.dirname(to), `${PARTIAL_PREFIX}${randomUUID()}`);
  try {
    await cp(from, partial, { recursive: true, errorOnExist: true });
    return await moveInto(partial, to, owners);
  } finally {
    await removeCopy(partial, owners);
  }
}
