import { createHash, randomUUID } from 'node:crypto';
import { lstat, mkdir, readFile, readdir, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import { TrustedRoot } from '@sigstore/protobuf-specs';
import seeds from '@sigstore/tuf/seeds.json' with { type: 'json' };
import { toTrustMaterial, type TrustMaterial } from '@sigstore/verify';
import { Updater, type Fetcher } from 'tuf-js';
import { DownloadHTTPError, PersistError } from 'tuf-js/dist/error.js';
import { SetupError, codeOf, explain } from '../../errors.js';
import type { HttpClient } from '../../transfer/http.js';
import { renameHeld } from '../../files/rename.js';
import { assertPrivate, trustedOwners } from '../../files/private-file.js';
import { TransferError } from '../../transfer/errors.js';
import { PUBLIC_MIRROR } from './public-instance.js';

const TARGET = 'trusted_root.json';
/** The public one has 7 KiB. */
const MAX_TRUSTED_ROOT_BYTES = 1 << 20;
/** Snapshot metadata of the public repository has 3 KiB. */
const MAX_SEEN_BYTES = 2 << 20;

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
  /** A folder in which fresh metadata is kept between runs. */
  readonly cache: string;
  /** A folder that may be filled, and goes with this run. */
  readonly scratch: string;
}

/** The keys and certificates that everything is verified against. */
export interface TrustRoot {
  readonly material: TrustMaterial;
  /** For the report: `TUF repository …, from metadata that is still fresh`. */
  readonly origin: string;
  /** Keeps what was fetched for later runs. To be called when the run has succeeded. */
  readonly keep: () => Promise<void>;
}

/**
 * Loads the trust root. Nothing that lies in a cache is ever trusted: TUF begins anew each time,
 * at the root that the action embeds or the user names, and verifies every step from there.
 *
 * @throws {SetupError} TRUST_ROOT_UNAVAILABLE
 */
export async function loadTrustRoot(source: TrustRootSource, http: HttpClient): Promise<TrustRoot> {
  try {
    switch (source.kind) {
      case 'tuf':
        return await loadThroughTuf(source, http);
      case 'file':
        return fixed(source.json, `file ${source.path}`);
      case 'embedded':
        return fixed(embedded('targets'), 'embedded copy');
    }
  } catch (error) {
    throw http.signal.aborted ? error : translated(source, error);
  }
}

function fixed(json: Buffer, origin: string): TrustRoot {
  return { material: parseTrustedRoot(json), origin, keep: () => Promise.resolve() };
}

/** @param json `trusted_root.json` */
export function parseTrustedRoot(json: Buffer): TrustMaterial {
  if (json.length > MAX_TRUSTED_ROOT_BYTES) {
    throw new Error(`the trusted root is larger than ${String(MAX_TRUSTED_ROOT_BYTES)} bytes`);
  }
  const material = toTrustMaterial(TrustedRoot.fromJSON(JSON.parse(json.toString('utf8'))));
  // The reader takes any JSON for a trusted root, and one without keys would refuse every file.
  if (material.certificateAuthorities.length === 0 || material.tlogs.length === 0) {
    throw new Error('the trusted root names no certificate authority, or no transparency log');
  }
  return material;
}

function embedded(what: 'root.json' | 'targets'): Buffer {
  const seed = seeds[PUBLIC_MIRROR];
  return Buffer.from(what === 'targets' ? seed.targets[TARGET] : seed['root.json'], 'base64');
}

async function loadThroughTuf(source: TufSource, http: HttpClient): Promise<TrustRoot> {
  const mirror = source.mirror.href.replace(/\/$/, '');
  const root = source.root ?? embedded('root.json');
  const cache = path.join(source.cache, cacheKey(mirror, root));
  const origin = `TUF repository ${mirror}`;
  const cached = await loadFromCache(mirror, root, cache, source.scratch, http);
  if (cached !== undefined) {
    return fixed(cached, `${origin}, from metadata that is still fresh`);
  }
  const fetched = new Map<string, Buffer>();
  const folder = path.join(source.scratch, 'tuf');
  const json = await runClient({ mirror, root, folder, seen: cache }, async (name, maxLength) => {
    const bytes = await http.read(new URL(`${mirror}/${name}`), maxLength);
    fetched.set(name, bytes);
    return bytes;
  });
  fetched.set('snapshot.json', await readFile(path.join(folder, 'snapshot.json')));
  return { material: parseTrustedRoot(json), origin, keep: () => keepMetadata(cache, fetched) };
}

/** Another mirror, or another root to begin with, is another repository. */
function cacheKey(mirror: string, root: Buffer): string {
  return createHash('sha256').update(mirror).update('\n').update(root).digest('hex').slice(0, 16);
}

/**
 * The whole TUF workflow with the cache in place of the network: signatures from the initial root
 * on, versions, hashes and expiry are all checked. So a cache that somebody else wrote can make
 * this fail, and nothing more.
 *
 * @returns undefined where the cache does not hold a whole set that is still fresh
 */
async function loadFromCache(
  mirror: string,
  root: Buffer,
  cache: string,
  scratch: string,
  http: HttpClient,
): Promise<Buffer | undefined> {
  const folder = path.join(scratch, 'tuf-cache');
  try {
    return await runClient({ mirror, root, folder }, (name, maxLength) =>
      http.read(pathToFileURL(path.join(cache, encodeURIComponent(name))), maxLength),
    );
  } catch (error) {
    if (http.signal.aborted) {
      throw error;
    }
    return undefined; // Absent, expired or damaged: the network has the answer.
  }
}

interface Client {
  readonly mirror: string;
  /** The initial root.json. */
  readonly root: Buffer;
  /** For the client's own state; must not exist. */
  readonly folder: string;
  /** Metadata of an earlier run, against which the client refuses to be rolled back. */
  readonly seen?: string;
}

/** Gets a file of the repository, by its path there, of at most so many bytes. */
type GetFile = (name: string, maxLength: number) => Promise<Buffer>;

async function runClient(client: Client, getFile: GetFile): Promise<Buffer> {
  const { mirror, folder } = client;
  await mkdir(folder, { recursive: true });
  await writeFile(path.join(folder, 'root.json'), client.root);
  if (client.seen !== undefined) {
    await copyIfPresent(path.join(client.seen, 'timestamp.json'), folder);
    await copyIfPresent(path.join(client.seen, 'snapshot.json'), folder);
  }
  const updater = new Updater({
    metadataBaseUrl: mirror,
    targetBaseUrl: `${mirror}/targets`,
    metadataDir: folder,
    fetcher: fetcher(mirror, folder, getFile),
  });
  const target = await updater.getTargetInfo(TARGET);
  if (target === undefined) {
    throw new Error(`the repository has no target ${TARGET}`);
  }
  return readFile(await updater.downloadTarget(target, path.join(folder, TARGET)));
}

async function copyIfPresent(file: string, folder: string): Promise<void> {
  const found = await lstat(file).catch(() => undefined);
  // Neither link nor pipe nor device, as another job might have put there.
  if (found?.isFile() === true && found.size < MAX_SEEN_BYTES) {
    await writeFile(path.join(folder, path.basename(file)), await readFile(file));
  }
}

/** Lets the TUF client read through {@link GetFile}, and so through the one HTTP client. */
function fetcher(mirror: string, folder: string, getFile: GetFile): Fetcher {
  const downloadBytes = async (url: string, maxLength: number): Promise<Buffer> => {
    try {
      return await getFile(url.slice(mirror.length + 1), maxLength);
    } catch (error) {
      if (error instanceof TransferError && error.notFound) {
        // By this the client knows that there is no newer root (TUF specification §5.3.3).
        throw new DownloadHTTPError(error.message, error.status ?? 404);
      }
      throw error;
    }
  };
  return {
    downloadBytes,
    downloadFile: async (url, maxLength, handler) => {
      const file = path.join(folder, randomUUID());
      await writeFile(file, await downloadBytes(url, maxLength));
      return handler(file);
    },
  };
}

/** What an earlier run may have left: metadata with its version, and targets with their hash. */
const OLD_METADATA =
  /^(?:\d+\.(?:root|snapshot|targets)\.json|targets%2F[0-9a-f]+\.trusted_root\.json)$/;

/** Each file is put in place whole; two runs at once leave a set of one, the other, or a mixture
 * that the next run finds not to fit together and fetches anew. */
async function keepMetadata(cache: string, fetched: ReadonlyMap<string, Buffer>): Promise<void> {
  await mkdir(cache, { recursive: true, mode: 0o755 });
  const parent = path.dirname(cache);
  const owners = await trustedOwners(path.dirname(parent));
  await assertPrivate(parent, 'folder', owners);
  await assertPrivate(cache, 'folder', owners);
  const names = new Map([...fetched].map(([name, bytes]) => [encodeURIComponent(name), bytes]));
  for (const [name, bytes] of names) {
    const partial = path.join(cache, `.${randomUUID()}`);
    await writeFile(partial, bytes, { flag: 'wx' });
    await renameHeld(partial, path.join(cache, name));
  }
  for (const name of await readdir(cache)) {
    if (!names.has(name) && OLD_METADATA.test(name)) {
      await rm(path.join(cache, name), { force: true });
    }
  }
}

/** Errors of a disk that does not take any more. */
const WRITE_ERRORS = new Set(['ENOSPC', 'EDQUOT', 'EFBIG', 'EROFS']);

function translated(source: TrustRootSource, error: unknown): SetupError {
  const isOfDisk = error instanceof PersistError || WRITE_ERRORS.has(codeOf(error));
  return isOfDisk
    ? new SetupError(
        'INSTALL_FAILED',
        `cannot store the trust root: ${explain(error)}`,
        'Check the free space and the permissions of RUNNER_TEMP on this runner.',
        error,
      )
    : unavailable(source, error);
}

/** What is not JSON is perhaps not meant to be read by others: nothing of it is shown. */
function reasonOf(error: unknown): string {
  return error instanceof SyntaxError ? 'it is not JSON' : explain(error);
}

function unavailable(source: TrustRootSource, error: unknown): SetupError {
  const [what, hint] =
    source.kind === 'tuf'
      ? [
          `from the TUF repository ${source.mirror.href}`,
          'Check that this runner reaches the repository, and that "tuf-mirror-url" and "tuf-root" belong together. Without network, name a file in "trusted-root", or "embedded".',
        ]
      : source.kind === 'file'
        ? [`from ${source.path}`, 'Give the path of a trusted_root.json in "trusted-root".']
        : ['from the embedded copy', 'This is a defect of the action: please report it.'];
  return new SetupError(
    'TRUST_ROOT_UNAVAILABLE',
    `cannot load the trust root ${what}: ${reasonOf(error)}`,
    hint,
    error,
  );
}
