// Builds dist/ with ncc, completes its licenses.txt, and writes down what it was built from. Arguments are passed on to ncc: npm run build -- --out <folder>
import { execFileSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { writeSourcesDigest } from './sources-digest.js';

/** Packages that ncc leaves out, because only data of theirs is in dist, or that come without the text of their licence. */
const APACHE_WITHOUT_TEXT = ['@sigstore/tuf', '@sigstore/verify'];

const ROOT = join(import.meta.dirname, '..');
const args = process.argv.slice(2);
const { values } = parseArgs({
  args,
  options: { out: { type: 'string', default: join(ROOT, 'dist') } },
  strict: false,
});

execFileSync(
  process.execPath,
  [
    join(ROOT, 'node_modules', '@vercel', 'ncc', 'dist', 'ncc', 'cli.js'),
    'build',
    'src/index.ts',
    '--license=licenses.txt',
    '--target=es2024',
    '--no-cache',
    '--quiet',
    ...args,
  ],
  {
    cwd: ROOT,
    stdio: 'inherit',
    // By this ncc finds the aliases of the build. The type checker and editors read tsconfig.json.
    env: { ...process.env, TS_NODE_PROJECT: join(import.meta.dirname, 'build.tsconfig.json') },
  },
);
completeLicenses(join(String(values.out), 'licenses.txt'));
writeSourcesDigest(ROOT, String(values.out));

/** @param {string} file */
function completeLicenses(file) {
  const text = readFileSync(join(ROOT, 'LICENSE'), 'utf8');
  const written = readFileSync(file, 'utf8').replace('\n@sigstore/verify\nApache-2.0\n', '');
  const added = APACHE_WITHOUT_TEXT.map((name) => `\n${name}\nApache-2.0\n${text}`);
  writeFileSync(file, `${written.trimEnd()}\n${added.join('')}`);
}
