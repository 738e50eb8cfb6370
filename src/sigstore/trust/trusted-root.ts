import { createHash, randomUUID } from 'node:crypto';
import { mkdir, mkdtemp, readFile, readdir, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import { TrustedRoot } from '@sigstore/protobuf-specs';
import seeds from '@sigstore/tuf/seeds.json' with { type: 'json' };
import { toTrustMaterial, type TrustMaterial } from '@sigstore/verify';
import { Updater, type Fetcher } from 'tuf-js';
import { DownloadHTTPError, PersistError } from 'tuf-js/dist/error.js';
import { SetupError, codeOf, explain, type Situation } from '../../errors.js';
import type { HttpClient } from '../../transfer/http.js';
import { renameHeld } from '../../files/rename.js';
import { assertPrivate, trustedOwners } from '../../files/private-file.js';
import { TransferError } from '../../transfer/errors.js';
import { PUBLIC_MIRROR } from './public-instance.js';

const TARGET = 'trusted_root.json';
/** The public one is 7 KiB. */
const MAX_TRUSTED_ROOT_BYTES = 1 << 20;
/** What is kept of the public repository is 100 KiB. */
const MAX_KEPT_BYTES = 16 << 20;

/** Which trust root the user chose. */
export type TrustRootChoice = TufRepository | TrustedRootFile | { readonly kind: 'embedded' };

interface TufRepository {
  readonly kind: 'tuf';
  readonly mirror: URL;
  /** The initial root.json; undefined for the one embedded in `@sigstore/tuf`. */
  readonly root?: Buffer;
}

interface TrustedRootFile {
  readonly kind: 'file';
  /** For messages. */
  readonly path: string;
  /** A trusted_root.json. */
  readonly json: Buffer;
}

/** Where the trust root comes from. */
export type TrustRootSource = TufSource | Exclude<TrustRootChoice, TufRepository>;

interface TufSource extends TufRepository {
  /** A folder in which metadata is kept between runs; need not exist. */
  readonly cache: string;
  /** A folder for temporary files, deleted when this run ends. */
  readonly scratch: string;
}

/** The keys and certificates that everything is verified against. */
export interface TrustRoot {
  readonly material: TrustMaterial;
  /** For the report: `TUF repository …, from metadata that is still fresh`. */
  readonly origin: string;
  /** Keeps the metadata for later runs. Call it when the run has succeeded. */
  readonly keep: () => Promise<void>;
}

/**
 * Loads the trust root. The cache is never trusted: each time, the TUF client starts from the root
 * that the action embeds or the user names, and verifies every step from there.
 *
 * @throws {SetupError} TRUST_ROOT_UNAVAILABLE
 */
export async function loadTrustRoot(source: TrustRootSource, http: HttpClient): Promise<TrustRoot> {
  try {
    switch (source.kind) {
      case 'tuf':
        return await loadThroughTuf(source, http);
      case 'file':
        return fixed(parseTrustedRoot(source.json), `file ${source.path}`);
      case 'embedded':
        return fixed(parseTrustedRoot(embedded('targets')), 'embedded copy');
    }
  } catch (error) {
    throw http.signal.aborted ? error : translated(source, error);
  }
}

function fixed(material: TrustMaterial, origin: string): TrustRoot {
  return { material, origin, keep: () => Promise.resolve() };
}

/**
 * Reads a `trusted_root.json`: `dev.sigstore.trustroot.v1.TrustedRoot` as JSON.
 *
 * @throws {Error} if it is malformed, a log has no start of validity, or an authority or log is
 *   missing
 */
export function parseTrustedRoot(json: Buffer): TrustMaterial {
  if (json.length > MAX_TRUSTED_ROOT_BYTES) {
    throw new Error(`the trusted root is larger than ${String(MAX_TRUSTED_ROOT_BYTES)} bytes`);
  }
  const root = TrustedRoot.fromJSON(JSON.parse(json.toString('utf8'), assertTime));
  assertStarts('tlogs', root.tlogs);
  assertStarts('ctlogs', root.ctlogs);
  const material = toTrustMaterial(root);
  // The reader accepts any JSON as a trusted root, and one without keys would refuse every file.
  if (material.certificateAuthorities.length === 0 || material.tlogs.length === 0) {
    throw new Error('the trusted root has no certificate authority or no transparency log');
  }
  return material;
}

/** A reviver for `JSON.parse`. The reader would take `{}`, `0` or `true` as the year 1970. */
function assertTime(name: string, value: unknown): unknown {
  if (name !== 'start' && name !== 'end') {
    return value;
  }
  if (value !== null && (typeof value !== 'string' || Number.isNaN(Date.parse(value)))) {
    throw new Error(`a validFor.${name} in the trusted root is not a time`);
  }
  return value;
}

/**
 * Without a start, `@sigstore/verify` would accept a log's key for any time in the past; cosign
 * refuses such a trusted root. For authorities, both leave the start to the certificates.
 */
function assertStarts(list: string, logs: TrustedRoot['tlogs']): void {
  const index = logs.findIndex((log) => log.publicKey?.validFor?.start === undefined);
  if (index !== -1) {
    const field = `${list}[${String(index)}].publicKey.validFor.start`;
    throw new Error(`${field} is missing in the trusted root`);
  }
}

function embedded(what: 'root.json' | 'targets'): Buffer {
  const seed = seeds[PUBLIC_MIRROR];
  return Buffer.from(what === 'targets' ? seed.targets[TARGET] : seed['root.json'], 'base64');
}

/** A TUF repository, and the root that a client of it starts from. */
interface Repository {
  /** URL without a slash at the end. */
  readonly mirror: string;
  /** The initial root.json. */
  readonly root: Buffer;
  /** A folder for clients' state. */
  readonly scratch: string;
}

/**
 * Files of a repository by name, without version or hash: `timestamp.json`, `snapshot.json`,
 * `targets.json`, `trusted_root.json`. Roots keep their version, `2.root.json`, since a client
 * needs each of them.
 */
type FileSet = ReadonlyMap<string, Buffer>;

async function loadThroughTuf(source: TufSource, http: HttpClient): Promise<TrustRoot> {
  const mirror = source.mirror.href.replace(/\/$/, '');
  const root = source.root ?? embedded('root.json');
  const repository = { mirror, root, scratch: source.scratch };
  const keptPath = path.join(source.cache, `${cacheKey(mirror, root)}.json`);
  const origin = `TUF repository ${mirror}`;
  const kept = await readKept(keptPath, http);
  const fresh = await verifyKept(repository, kept);
  if (fresh !== undefined) {
    return fixed(fresh, `${origin} (cached metadata, still fresh)`);
  }
  const files = await runClient(
    repository,
    (name, maxLength) => http.read(new URL(`${mirror}/${name}`), maxLength),
    kept,
  );
  const material = trustMaterialIn(files);
  return { material, origin, keep: () => keepFiles(keptPath, files, repository, http) };
}

/** Another mirror, or another initial root, is another repository. */
function cacheKey(mirror: string, root: Buffer): string {
  return createHash('sha256').update(mirror).update('\n').update(root).digest('hex').slice(0, 16);
}

function trustMaterialIn(files: FileSet): TrustMaterial {
  const json = files.get(TARGET);
  if (json === undefined) {
    throw new Error(`the repository has no target ${TARGET}`);
  }
  return parseTrustedRoot(json);
}

/** Gets a file of the repository, by its path there, of at most so many bytes. */
type GetFile = (name: string, maxLength: number) => Promise<Buffer>;

/**
 * Runs the whole TUF workflow: signatures from the initial root on, versions, hashes and expiry.
 *
 * The client reads some files from its own folder instead of asking for them: the snapshot, as long
 * as the timestamp names the same version, and the timestamp, if the repository has no newer one.
 * So the result is taken from that folder, and not from what was asked for.
 *
 * @param seen files of an earlier run, which the repository must not be rolled back behind; they
 *   need not be complete or genuine
 * @returns all the files that the client ended with; another client accepts them in place of the
 *   repository until they expire
 */
async function runClient(
  { mirror, root, scratch }: Repository,
  getFile: GetFile,
  seen: FileSet = new Map(),
): Promise<FileSet> {
  const folder = await mkdtemp(path.join(scratch, 'tuf-'));
  const downloads = await mkdtemp(path.join(scratch, 'tuf-downloads-'));
  await writeFile(path.join(folder, 'root.json'), root);
  for (const name of ['timestamp.json', 'snapshot.json']) {
    const bytes = seen.get(name);
    if (bytes !== undefined) {
      await writeFile(path.join(folder, name), bytes);
    }
  }
  const files = new Map<string, Buffer>();
  const updater = new Updater({
    metadataBaseUrl: mirror,
    targetBaseUrl: `${mirror}/targets`,
    metadataDir: folder,
    fetcher: fetcher(mirror, downloads, async (name, maxLength) => {
      const bytes = await getFile(name, maxLength);
      if (ROOT.test(name)) {
        files.set(name, bytes); // The folder holds only the last one.
      }
      return bytes;
    }),
  });
  const target = await updater.getTargetInfo(TARGET);
  if (target !== undefined) {
    await updater.downloadTarget(target, path.join(folder, TARGET));
  }
  for (const name of await readdir(folder)) {
    if (name !== 'root.json') {
      files.set(name, await readFile(path.join(folder, name)));
    }
  }
  return files;
}

const ROOT = /^\d+\.root\.json$/;

/** `165.snapshot.json` -> `snapshot.json`, `targets/<hash>.trusted_root.json` -> `trusted_root.json` */
function nameInSet(name: string): string {
  if (name.startsWith('targets/')) {
    return TARGET;
  }
  return ROOT.test(name) ? name : name.replace(/^\d+\./, '');
}

/** Lets the TUF client read through {@link GetFile}, and so through the one HTTP client. */
function fetcher(mirror: string, downloads: string, getFile: GetFile): Fetcher {
  const downloadBytes = async (url: string, maxLength: number): Promise<Buffer> => {
    try {
      return await getFile(url.slice(mirror.length + 1), maxLength);
    } catch (error) {
      if (error instanceof TransferError && error.notFound) {
        // This tells the client that there is no newer root (TUF specification §5.3.3).
        throw new DownloadHTTPError(error.message, error.status ?? 404);
      }
      throw error;
    }
  };
  return {
    downloadBytes,
    downloadFile: async (url, maxLength, handler) => {
      const file = path.join(downloads, randomUUID());
      await writeFile(file, await downloadBytes(url, maxLength));
      return handler(file);
    },
  };
}

/**
 * Runs the TUF workflow with kept files in place of the repository. Everything is verified from the
 * initial root on, so files that somebody else wrote can make this fail, and nothing more.
 *
 * @returns undefined unless the files are complete, genuine, fresh and not older than `seen`
 */
async function verifyKept(
  repository: Repository,
  kept: FileSet,
  seen?: FileSet,
): Promise<TrustMaterial | undefined> {
  const getFile: GetFile = (name, maxLength) => {
    const bytes = kept.get(nameInSet(name));
    return bytes !== undefined && bytes.length <= maxLength
      ? Promise.resolve(bytes)
      : Promise.reject(new DownloadHTTPError(`${name} is not cached`, 404));
  };
  try {
    return trustMaterialIn(await runClient(repository, getFile, seen));
  } catch {
    return undefined; // Absent, expired or damaged. The repository has the answer.
  }
}

/** @returns no files if there are none, or if they cannot be read */
async function readKept(file: string, http: HttpClient): Promise<FileSet> {
  try {
    const json = await http.read(pathToFileURL(file), MAX_KEPT_BYTES);
    const kept: unknown = JSON.parse(json.toString('utf8'));
    return new Map(
      Object.entries(kept ?? {}).map(([name, base64]) => [
        name,
        Buffer.from(String(base64), 'base64'),
      ]),
    );
  } catch (error) {
    if (http.signal.aborted) {
      throw error;
    }
    return new Map();
  }
}

/**
 * Keeps all files in one, put in place by a rename: two runs at once leave the set of one or the
 * other, never a mixture.
 */
async function keepFiles(
  keptPath: string,
  files: FileSet,
  repository: Repository,
  http: HttpClient,
): Promise<void> {
  const folder = path.dirname(keptPath);
  await mkdir(folder, { recursive: true, mode: 0o755 });
  await assertPrivate(folder, 'folder', await trustedOwners(path.dirname(folder)));
  // Another run may have kept a newer set, and with it the protection against rollback.
  const theirs = await readKept(keptPath, http);
  const isWhole = (await verifyKept(repository, theirs)) !== undefined;
  if (isWhole && (await verifyKept(repository, theirs, files)) !== undefined) {
    return;
  }
  const json = JSON.stringify(
    Object.fromEntries([...files].map(([name, bytes]) => [name, bytes.toString('base64')])),
  );
  if (json.length > MAX_KEPT_BYTES) {
    throw new Error(`the metadata is larger than ${String(MAX_KEPT_BYTES)} bytes`);
  }
  const partial = path.join(folder, `.${randomUUID()}`);
  try {
    await writeFile(partial, json, { flag: 'wx' });
    await renameHeld(partial, keptPath);
  } finally {
    await rm(partial, { force: true });
  }
}

/** Errors of a disk that cannot be written to. */
const WRITE_ERRORS = new Set(['ENOSPC', 'EDQUOT', 'EFBIG', 'EROFS']);

function translated(source: TrustRootSource, error: unknown): SetupError {
  const isOfDisk = error instanceof PersistError || WRITE_ERRORS.has(codeOf(error));
  return isOfDisk
    ? new SetupError('INSTALL_FAILED', `cannot store the trust root: ${explain(error)}`, {
        cause: error,
      })
    : unavailable(source, error);
}

/** A file that is not JSON may be a secret, so nothing of it is shown. */
function reasonOf(error: unknown): string {
  return error instanceof SyntaxError ? 'it is not JSON' : explain(error);
}

function unavailable(source: TrustRootSource, error: unknown): SetupError {
  const { what, situation } = describe(source);
  return new SetupError(
    'TRUST_ROOT_UNAVAILABLE',
    `cannot load the trust root ${what}: ${reasonOf(error)}`,
    { situation, cause: error },
  );
}

function describe(source: TrustRootSource): { what: string; situation?: Situation } {
  switch (source.kind) {
    case 'tuf':
      return { what: `from the TUF repository ${source.mirror.href}` };
    case 'file':
      return { what: `from ${source.path}`, situation: 'trusted-root-file' };
    case 'embedded':
      return { what: 'from the embedded copy', situation: 'embedded-trusted-root' };
  }
}
