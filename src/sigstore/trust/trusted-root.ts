import seeds from '@sigstore/tuf/seeds.json' with { type: 'json' };
import type { TrustMaterial } from '@sigstore/verify';
import { PersistError } from 'tuf-js/dist/error.js';
import { SetupError, codeOf, explain, type Situation } from '../../errors.js';
import type { HttpClient } from '../../transfer/http.js';
import { keepFiles, keptPath, readKept, verifyKept } from './kept-metadata.js';
import { PUBLIC_MIRROR } from './public-instance.js';
import { parseTrustedRoot } from './trusted-root-json.js';
import { TARGET, runClient, type FileSet } from './tuf.js';

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
  /** The trusted_root.json that they are from. */
  readonly json: Buffer;
  /** For the report: `TUF repository … (cached metadata, still fresh)`. */
  readonly origin: string;
  /** Keeps the metadata for later runs. Call it once every file is verified. */
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
        return fixed(trustedRootIn(source.json), `file ${source.path}`);
      case 'embedded':
        return fixed(trustedRootIn(embedded('targets')), 'embedded copy');
    }
  } catch (error) {
    throw http.signal.aborted ? error : translated(source, error);
  }
}

type ParsedTrustedRoot = Pick<TrustRoot, 'material' | 'json'>;

function fixed(root: ParsedTrustedRoot, origin: string): TrustRoot {
  return { ...root, origin, keep: () => Promise.resolve() };
}

function trustedRootIn(json: Buffer): ParsedTrustedRoot {
  return { material: parseTrustedRoot(json), json };
}

function embedded(what: 'root.json' | 'targets'): Buffer {
  const seed = seeds[PUBLIC_MIRROR];
  return Buffer.from(what === 'targets' ? seed.targets[TARGET] : seed['root.json'], 'base64');
}

async function loadThroughTuf(source: TufSource, http: HttpClient): Promise<TrustRoot> {
  const mirror = source.mirror.href.replace(/\/$/, '');
  const root = source.root ?? embedded('root.json');
  const repository = { mirror, root, scratch: source.scratch };
  const file = keptPath(source.cache, repository);
  const origin = `TUF repository ${mirror}`;
  const kept = await readKept(file, http);
  const fresh = await verifyKept(repository, kept, trustedRootOf);
  if (fresh !== undefined) {
    return fixed(fresh, `${origin} (cached metadata, still fresh)`);
  }
  const files = await runClient(
    repository,
    (name, maxLength) => http.read(new URL(`${mirror}/${name}`), maxLength),
    kept,
  );
  return {
    ...trustedRootOf(files),
    origin,
    keep: () => keepFiles(file, files, repository, trustedRootOf, http),
  };
}

function trustedRootOf(files: FileSet): ParsedTrustedRoot {
  const json = files.get(TARGET);
  if (json === undefined) {
    throw new Error(`the repository has no target ${TARGET}`);
  }
  return trustedRootIn(json);
}

/** Error codes of a disk that cannot be written to. */
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
  return error instanceof SyntaxError
    ? 'it is not JSON (in UTF-8, each member once)'
    : explain(error);
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
