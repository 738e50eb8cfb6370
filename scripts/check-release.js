// Finds the commit of a release, and compares the released files with all of dist/ at that commit:
//   node scripts/check-release.js v1.2.3 <folder with the files of the release>
// Prints `commit=<40 hex digits>` and `major=v1`, ready for $GITHUB_OUTPUT. .github/workflows/move-major-tag.yml runs it in a
// checkout of this repository.
import { execFileSync } from 'node:child_process';
import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';

const RELEASE = /^(v(?:0|[1-9]\d*))\.(?:0|[1-9]\d*)\.(?:0|[1-9]\d*)$/;
const OBJECT_ID = /^[0-9a-f]{40}$/;

/** Files of a release that are not in dist/. */
const OTHER_FILES = ['sbom.spdx.json'];

/**
 * The commit that a tag of the remote `origin` points at, directly or through an annotated tag.
 *
 * Git and GitHub expand a short name, and even `refs/tags/v1.2.3`, to a branch of that name where they prefer it or find
 * nothing else. The remote's own list of references is compared as whole lines instead.
 *
 * @param {string} tag
 * @returns {string} 40 hex digits
 * @throws {Error} if there is no such tag, or it points at something other than a commit
 */
export function commitOfTag(tag) {
  const reference = `refs/tags/${tag}`;
  const lines = git('ls-remote', '--quiet', 'origin', reference, `${reference}^{}`).toString();
  const objects = new Map(
    lines
      .split('\n')
      .filter((line) => line !== '')
      .map((line) => {
        const [object = '', name = ''] = line.split('\t');
        return [name, object];
      }),
  );
  const commit = objects.get(`${reference}^{}`) ?? objects.get(reference);
  if (commit === undefined) throw new Error(`origin has no tag ${tag}`);
  if (!OBJECT_ID.test(commit)) throw new Error(`git names an object ${JSON.stringify(commit)}`);
  git('fetch', '--quiet', '--no-tags', '--depth=1', 'origin', commit);
  const type = git('cat-file', '-t', commit).toString().trim();
  if (type !== 'commit') throw new Error(`The tag ${tag} points at a ${type}, not at a commit`);
  return commit;
}

/**
 * Requires the released files to be those of dist/: every script of it may be loaded.
 *
 * @param {string} commit
 * @param {string} folder
 * @throws {Error} if a file is missing on either side, or differs
 */
export function compareWithDist(commit, folder) {
  const names = git('ls-tree', '-r', '-z', '--name-only', `${commit}:dist`)
    .toString()
    .split('\0')
    .filter((name) => name !== '');
  const released = readdirSync(folder).filter((name) => !OTHER_FILES.includes(name));
  for (const name of released.filter((one) => !names.includes(one))) {
    throw new Error(`The released ${name} is not in dist/ of ${commit}`);
  }
  for (const name of names) {
    const committed = git('cat-file', 'blob', `${commit}:dist/${name}`);
    if (!readFileSync(join(folder, name)).equals(committed)) {
      throw new Error(`The released ${name} differs from dist/${name} of ${commit}`);
    }
  }
}

/** @param {string[]} words */
function git(...words) {
  return execFileSync('git', words, { maxBuffer: 64 << 20, stdio: ['ignore', 'pipe', 'inherit'] });
}

function main() {
  const [release = '', folder = ''] = process.argv.slice(2);
  const [, major] = RELEASE.exec(release) ?? [];
  if (major === undefined || folder === '') {
    throw new Error('Usage: node scripts/check-release.js v1.2.3 <folder>');
  }
  const commit = commitOfTag(release);
  compareWithDist(commit, folder);
  console.log(`commit=${commit}\nmajor=${major}`);
}

if (import.meta.main) main();
