// Fetches azure/setup-kubectl, the most used action for kubectl, as its users run it: the file that its tag v5.1.0
// names as the action's code. `npm run bench` measures against it. It is kept in .cache/, and is MIT-licensed.
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

const SHA256 = '4062e3857b13436bbe6c6e3e689ba3c93b7fc2bc999eea8aeb83a00ae46c54fa';
const URL =
  'https://raw.githubusercontent.com/Azure/setup-kubectl/829323503d1be3d00ca8346e5391ca0b07a9ab0d/lib/index.js';
const CACHE = join(import.meta.dirname, '..', '.cache');
const CACHED = join(CACHE, 'setup-kubectl-v5.1.0.mjs');

/**
 * @returns {Promise<string>} the path of the action's code
 * @throws {Error} when it cannot be fetched, or is another file than it used to be
 */
export async function fetchSetupKubectl() {
  if (existsSync(CACHED) && isExpected(readFileSync(CACHED))) return CACHED;
  const response = await fetch(URL);
  if (!response.ok) throw new Error(`${URL}: HTTP status ${response.status}`);
  const code = new Uint8Array(await response.arrayBuffer());
  if (!isExpected(code)) throw new Error(`${URL} is another file than it used to be`);
  mkdirSync(CACHE, { recursive: true });
  writeFileSync(CACHED, code);
  return CACHED;
}

/** @param {Uint8Array} code */
function isExpected(code) {
  return createHash('sha256').update(code).digest('hex') === SHA256;
}

if (import.meta.main) console.log(await fetchSetupKubectl());
