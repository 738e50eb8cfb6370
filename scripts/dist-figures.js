// Prints, as Markdown, how large dist/index.js is and how soon it runs; with `--compare <git ref>` also for the dist of that
// commit: node scripts/dist-figures.js [--compare v1.0.0] [--runs 25]
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { gzipSync } from 'node:zlib';

const ROOT = join(import.meta.dirname, '..');
const MAX_BYTES = 64 << 20;

const { values } = parseArgs({
  options: { compare: { type: 'string' }, runs: { type: 'string', default: '25' } },
});
const runs = Number(values.runs);

const folder = mkdtempSync(join(tmpdir(), 'dist-figures-'));
try {
  /** @type {{ name: string, code: Uint8Array }[]} */
  const builds = [{ name: 'this commit', code: readFileSync(join(ROOT, 'dist', 'index.js')) }];
  if (values.compare !== undefined) {
    builds.push({ name: values.compare, code: committedDist(values.compare) });
  }
  const rows = builds.map(({ name, code }, index) => {
    const startUp = medianStartUp(code, join(folder, String(index)));
    return `| ${name} | ${kilobytes(code.length)} | ${kilobytes(gzipSync(code).length)} | ${startUp.toFixed(0)} ms |`;
  });
  console.log(`| dist/index.js | Size | Compressed | Start-up, median of ${runs} |`);
  console.log('| --- | --- | --- | --- |');
  console.log(rows.join('\n'));
} finally {
  rmSync(folder, { recursive: true });
}

/**
 * @param {string} ref a commit, a tag, a branch
 * @returns {Uint8Array}
 */
function committedDist(ref) {
  const object = `${ref}:dist/index.js`;
  return execFileSync('git', ['show', '--end-of-options', object], {
    cwd: ROOT,
    maxBuffer: MAX_BYTES,
  });
}

/**
 * How long a run takes that is given no inputs, and so ends when it has read them: the cost of starting at all.
 *
 * @param {Uint8Array} code
 * @param {string} folder where to put it
 * @returns {number} milliseconds
 */
function medianStartUp(code, folder) {
  const entry = join(folder, 'index.js');
  mkdirSync(folder);
  writeFileSync(entry, code);
  writeFileSync(join(folder, 'package.json'), '{"type": "module"}');
  // The first run warms the file system's cache.
  const times = Array.from({ length: runs + 1 }, () => {
    const started = performance.now();
    spawnSync(process.execPath, [entry], { env: { SystemRoot: process.env['SystemRoot'] } });
    return performance.now() - started;
  }).slice(1);
  return times.sort((a, b) => a - b)[Math.floor(runs / 2)] ?? NaN;
}

/** @param {number} bytes */
function kilobytes(bytes) {
  return `${(bytes / 1000).toFixed(0)} kB`;
}
