// Prints an SBOM of dist/ in SPDX 2.3: the packages that dist/licenses.txt names, as `npm sbom` describes them.
// npm alone cannot tell them from the tools: package.json names both as development dependencies.
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { packagesOf } from './licenses.js';

const ROOT = join(import.meta.dirname, '..');

/**
 * @typedef {{ name: string, SPDXID: string, versionInfo: string }} Package
 * @typedef {{ spdxElementId: string, relatedSpdxElement: string, relationshipType: string }} Relationship
 * @typedef {{ documentDescribes: string[], packages: Package[], relationships: Relationship[] }} Sbom
 */

const everything = /** @type {Sbom} */ (
  JSON.parse(
    execFileSync('npm', ['sbom', '--sbom-format=spdx', '--package-lock-only'], {
      cwd: ROOT,
      encoding: 'utf8',
      maxBuffer: 64 << 20,
      shell: process.platform === 'win32', // where npm is a batch file
    }),
  )
);
const bundled = packagesOf(readFileSync(join(ROOT, 'dist', 'licenses.txt'), 'utf8'));
console.log(JSON.stringify(sbomOf(everything, bundled), null, 2));

/**
 * @param {Sbom} all
 * @param {string[]} names `<name>@<version>` of what is in dist/
 * @returns {Sbom}
 */
function sbomOf(all, names) {
  const [root] = all.packages.filter(({ SPDXID }) => all.documentDescribes.includes(SPDXID));
  if (root === undefined) throw new Error('npm sbom describes no package');
  const packages = names.map((name) => {
    const found = all.packages.find((one) => `${one.name}@${one.versionInfo}` === name);
    if (found === undefined) throw new Error(`dist/ has ${name}, which package-lock.json has not`);
    return found;
  });
  const contained = packages.map(({ SPDXID }) => ({
    spdxElementId: root.SPDXID,
    relatedSpdxElement: SPDXID,
    relationshipType: 'CONTAINS',
  }));
  return {
    ...all,
    packages: [root, ...packages],
    relationships: [
      ...all.relationships.filter(({ relationshipType }) => relationshipType === 'DESCRIBES'),
      ...contained,
    ],
  };
}
