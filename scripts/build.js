// Builds dist/ with ncc: index.js, and libraries that it loads when it needs them. Adds licenses.txt, and what it was
// built from.
// Arguments are passed on to ncc: npm run bundle -- --out <folder>
import { execFileSync } from 'node:child_process';
import { globSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { licensesOf } from './licenses.js';
import { writeSourcesDigest } from './sources-digest.js';

const ROOT = join(import.meta.dirname, '..');
const args = process.argv.slice(2);
const { values } = parseArgs({
  args,
  options: {
    out: { type: 'string', default: join(ROOT, 'dist') },
    'stats-out': { type: 'string' },
  },
  strict: false,
});
const out = String(values.out);

// ncc leaves what an earlier build wrote, and the names of these files change with their content.
for (const file of globSync('*.index.js', { cwd: out })) rmSync(join(out, file));

const scratch = mkdtempSync(join(tmpdir(), 'build-'));
try {
  const stats = String(values['stats-out'] ?? join(scratch, 'stats.json'));
  build(stats);
  writeFileSync(join(out, 'licenses.txt'), licensesOf(ROOT, readFileSync(stats, 'utf8')));
} finally {
  rmSync(scratch, { recursive: true });
}
writeSourcesDigest(ROOT, out);

/** @param {string} stats where to write what is in the bundle */
function build(stats) {
  execFileSync(
    process.execPath,
    [
      join(ROOT, 'node_modules', '@vercel', 'ncc', 'dist', 'ncc', 'cli.js'),
      'build',
      'src/index.ts',
      '--target=es2024',
      '--no-cache',
      '--quiet',
      '--stats-out',
      stats,
      ...args,
    ],
    {
      cwd: ROOT,
      stdio: 'inherit',
      // By this ncc finds the aliases of the build. The type checker and editors read tsconfig.json.
      env: { ...process.env, TS_NODE_PROJECT: join(import.meta.dirname, 'build.tsconfig.json') },
    },
  );
}
