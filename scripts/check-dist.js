// Checks that dist/ is what `npm run bundle` makes of this very src/, byte by byte: one file, and what it
// loads when it is needed.
import { execFileSync } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const MAX_BYTES = 2 * 1024 * 1024;
/** `index.js`, and the libraries that it loads when they are needed: for signatures, arguments of a command, and a terminal. */
const MAX_SCRIPTS = 4;
const COMMITTED = join(import.meta.dirname, '..', 'dist');

const fresh = mkdtempSync(join(tmpdir(), 'check-dist-'));
try {
  execFileSync('npm', ['run', '--silent', 'bundle', '--', '--out', fresh], {
    cwd: join(import.meta.dirname, '..'),
    stdio: 'inherit',
    shell: process.platform === 'win32', // where npm is a batch file
  });
  const complaints = [...differences(COMMITTED, fresh), ...excesses(fresh)];
  for (const complaint of complaints) console.error(complaint);
  if (complaints.length > 0) {
    console.error('dist/ is not the build of this src/: run `npm run bundle` and commit dist/.');
    process.exitCode = 1;
  }
} finally {
  rmSync(fresh, { recursive: true });
}

/**
 * What the committed folder has that the built one has not, and the other way round.
 *
 * @param {string} committed
 * @param {string} built
 */
function differences(committed, built) {
  const names = new Set([...filesIn(committed), ...filesIn(built)]);
  return [...names].sort().flatMap((name) => {
    const [before, after] = [contentOf(committed, name), contentOf(built, name)];
    if (before === undefined) return [`dist/${name}: missing`];
    if (after === undefined) return [`dist/${name}: the build does not make it`];
    return before.equals(after) ? [] : [`dist/${name}: differs from the build`];
  });
}

/**
 * In which ways the built folder is more than it should be.
 *
 * @param {string} built
 */
function excesses(built) {
  const names = filesIn(built);
  const scripts = names.filter((name) => /\.[cm]?js$/.test(name)).sort();
  const bytes = names.reduce((sum, name) => sum + statSync(join(built, name)).size, 0);
  return [
    ...(scripts.length <= MAX_SCRIPTS && scripts.includes('index.js')
      ? []
      : [`dist/: ${scripts.length} scripts (${scripts.join(', ')}), more than ${MAX_SCRIPTS}`]),
    ...(bytes <= MAX_BYTES ? [] : [`dist/: ${bytes} bytes, more than ${MAX_BYTES}`]),
  ];
}

/**
 * The files below a folder, relative to it, with forward slashes; none if there is no such folder.
 *
 * @param {string} folder
 */
function filesIn(folder) {
  if (!existsSync(folder)) return [];
  return readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .filter((name) => statSync(join(folder, name)).isFile())
    .map((name) => name.replaceAll('\\', '/'));
}

/**
 * @param {string} folder
 * @param {string} name
 */
function contentOf(folder, name) {
  const path = join(folder, name);
  return existsSync(path) ? readFileSync(path) : undefined;
}
