import { execFile, execFileSync, spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const ROOT = fileURLToPath(new URL('../../', import.meta.url));

/** Nothing listens there, so a package that npm would have to fetch cannot be had. */
const NO_REGISTRY = 'http://127.0.0.1:9';

export interface PackedPackage {
  /** Path of the tarball. */
  readonly tarball: string;
  /** What is in it, sorted, with slashes. */
  readonly files: readonly string[];
  /** In bytes. */
  readonly unpackedSize: number;
}

/** Packs this repository, as publishing it would. */
export function packRepository(destination: string): PackedPackage {
  const printed = execFileSync(
    'npm',
    ['pack', '--ignore-scripts', '--json', '--pack-destination', destination],
    { cwd: ROOT, encoding: 'utf8', env: npmEnvironment(destination), shell: isBatchFile },
  );
  const [packed] = JSON.parse(printed) as readonly {
    readonly filename: string;
    readonly unpackedSize: number;
    readonly files: readonly { readonly path: string }[];
  }[];
  if (packed === undefined) throw new Error(`npm pack printed ${printed}`);
  const { filename, unpackedSize, files } = packed;
  return {
    tarball: join(destination, filename),
    files: files.map(({ path }) => path.replaceAll('\\', '/')).sort(),
    unpackedSize,
  };
}

/** `npm publish --dry-run` of this repository: what npm would refuse to publish, it refuses here. */
export function publishDryRun(home: string): { readonly status: number | null; stderr: string } {
  return spawnSync('npm', ['publish', '--dry-run', '--ignore-scripts', '--loglevel=warn'], {
    cwd: ROOT,
    encoding: 'utf8',
    env: npmEnvironment(home),
    shell: isBatchFile,
  });
}

export interface NpxResult {
  readonly exitCode: number | null;
  readonly stdout: string;
  readonly stderr: string;
  /** The working directory. */
  readonly folder: string;
  cleanup(): void;
}

/** `npx --yes <args>` in an empty folder, with an empty cache, and without a registry. */
export function npx(args: readonly string[]): Promise<NpxResult> {
  const root = mkdtempSync(join(tmpdir(), 'npx-'));
  const folder = join(root, 'folder');
  mkdirSync(folder);
  return new Promise((resolve) => {
    execFile(
      'npx',
      ['--yes', ...args],
      { cwd: folder, env: npmEnvironment(root), shell: isBatchFile },
      (error, stdout, stderr) => {
        const exitCode = typeof error?.code === 'number' ? error.code : error === null ? 0 : null;
        const cleanup = (): void => rmSync(root, { recursive: true, force: true });
        resolve({ exitCode, stdout, stderr, folder, cleanup });
      },
    );
  });
}

/** On Windows npm and npx are batch files. */
const isBatchFile = process.platform === 'win32';

/** Nothing of npm's own settings reaches the test, and the Node of this process comes first. */
function npmEnvironment(home: string): NodeJS.ProcessEnv {
  const others = Object.entries(process.env).filter(
    ([name]) => !/^(?:npm_|path$|home$|userprofile$|no_color$|force_color$)/i.test(name),
  );
  return {
    ...Object.fromEntries(others),
    PATH: [dirname(process.execPath), process.env['PATH'] ?? ''].join(delimiter),
    HOME: home,
    USERPROFILE: home,
    npm_config_cache: join(home, 'npm-cache'),
    npm_config_registry: NO_REGISTRY,
    npm_config_fetch_retries: '0',
    npm_config_update_notifier: 'false',
  };
}
