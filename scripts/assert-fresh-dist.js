// Runs before the end-to-end tests, which start dist/index.js: they must not test an older build.
import { join } from 'node:path';
import { isFresh } from './sources-digest.js';

const ROOT = join(import.meta.dirname, '..');

/** @throws Error when dist/ was built from other sources, or changed since */
export default function assertFreshDist() {
  if (!isFresh(ROOT, join(ROOT, 'dist'))) {
    throw new Error('dist/ is not the build of src/: run `npm run bundle`.');
  }
}
