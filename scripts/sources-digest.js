// dist/sources.sha256 names the sources that dist/ was built from, so that a stale dist/ is found without building it.
import { createHash } from 'node:crypto';
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

/** All that `npm run bundle` reads, besides the packages that the lock file names. */
const SOURCES = ['src', 'stubs'];
const OTHER_SOURCES = [
  'package-lock.json',
  'tsconfig.json',
  'scripts/build.js',
  'scripts/build.tsconfig.json',
  'scripts/licenses.js',
];

const FILE = 'sources.sha256';

/**
 * Writes `sources.sha256` beside a built index.js: the digests of the sources and of each built script, as `sha256sum`
 * writes them.
 *
 * @param {string} root of the repository
 * @param {string} dist the folder that was built
 */
export function writeSourcesDigest(root, dist) {
  writeFileSync(join(dist, FILE), digestsOf(root, dist));
}

/**
 * Whether a folder is the build of the sources as they are now. Trusts `sources.sha256`; `npm run check-dist` does not.
 *
 * @param {string} root
 * @param {string} dist
 */
export function isFresh(root, dist) {
  return (
    existsSync(join(dist, FILE)) &&
    existsSync(join(dist, 'index.js')) &&
    readFileSync(join(dist, FILE), 'utf8') === digestsOf(root, dist)
  );
}

/**
 * @param {string} root
 * @param {string} dist
 */
function digestsOf(root, dist) {
  const scripts = readdirSync(dist)
    .filter((name) => name.endsWith('.js'))
    .sort();
  const lines = scripts.map((name) => {
    const digest = createHash('sha256')
      .update(readFileSync(join(dist, name)))
      .digest('hex');
    return `${digest}  ${name}\n`;
  });
  return `${sourcesDigest(root)}  sources\n${lines.join('')}`;
}

/**
 * SHA-256, in hex, over the names and contents of all sources. The same on every machine: names have forward slashes and
 * are sorted by their bytes, and .gitattributes makes all line ends the same.
 *
 * @param {string} root
 */
function sourcesDigest(root) {
  const below = SOURCES.flatMap((folder) =>
    readdirSync(join(root, folder), { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile() && !entry.name.endsWith('.md'))
      .map(({ parentPath, name }) => join(parentPath, name).slice(root.length + 1)),
  );
  const names = [...below.map((name) => name.replaceAll('\\', '/')), ...OTHER_SOURCES].sort();
  const hash = createHash('sha256');
  for (const name of names) {
    const content = readFileSync(join(root, name));
    // The length ends the name and the content: no two sets of files give the same bytes.
    hash.update(`${name}\n${content.length}\n`).update(content);
  }
  return hash.digest('hex');
}
