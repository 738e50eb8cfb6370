// The texts of the licences of everything that is in dist/. ncc can write them too, but with several files it names the
// packages of the last one alone.
import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';

/**
 * @param {string} root of the repository
 * @param {string} stats what `ncc --stats-out` wrote
 * @returns {string} for each package its name and version, the identifier of its licence and the text, sorted by name
 */
export function licensesOf(root, stats) {
  const texts = foldersIn(stats).map((path) => {
    const folder = join(root, path);
    const { name, version, license } =
      /** @type {{ name: string, version: string, license: string }} */ (
        JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8'))
      );
    return `${name}@${version}\n${license}\n${textOf(root, folder, license).trimEnd()}\n`;
  });
  // npm may install the same version of a package in two places.
  return [...new Set(texts)].sort().join('\n');
}

/**
 * @param {string} licenses what {@link licensesOf} returned
 * @returns {string[]} `<name>@<version>` of each package
 */
export function packagesOf(licenses) {
  const headings = licenses.matchAll(/^((?:@[\w.-]+\/)?[\w.-]+@\d\S*)\n(?=[A-Z][\w.-]+\n)/gm);
  return [...headings].map(([, name = '']) => name);
}

/**
 * The folders of packages: of modules, of those that were put together into one, and of what asked for them.
 *
 * @param {string} stats
 * @returns {string[]} relative to the repository, with slashes
 */
export function foldersIn(stats) {
  const names = stats.matchAll(/"name": ?"([^"]*node_modules[^"]*)"/g);
  const folders = [...names].flatMap(([, name = '']) => {
    const [, found] =
      /.*?(node_modules\/(?:.*node_modules\/)?(?:@[^/]+\/)?[^/ ]+)/.exec(name) ?? [];
    return found ?? [];
  });
  return [...new Set(folders)].sort();
}

/**
 * @param {string} root
 * @param {string} folder of the package
 * @param {string} license
 */
function textOf(root, folder, license) {
  const file = readdirSync(folder).find((name) => /^licen[cs]e(?:\.(?:md|txt))?$/i.test(name));
  if (file !== undefined) return readFileSync(join(folder, file), 'utf8');
  // Some packages name the Apache License and bring no copy of it; this repository has one.
  if (license === 'Apache-2.0') return readFileSync(join(root, 'LICENSE'), 'utf8');
  throw new Error(`${folder} has no text of its licence, ${license}`);
}
