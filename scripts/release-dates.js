// Adds the minors that Kubernetes has released since to src/kubernetes/release-dates.ts:
// node scripts/release-dates.js [<file> [<release host> [<GitHub API>]]]
//
// The newest minor is what stable.txt names. The date of its .0 is the day on which GitHub says that the release was published.
// What comes from the network is a number and a date, or nothing.
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { supportedVersions } from './kubernetes-versions.js';

const TABLE = join(import.meta.dirname, '..', 'src', 'kubernetes', 'release-dates.ts');
const RELEASE_HOST = 'https://dl.k8s.io';
const API = 'https://api.github.com';

const ROW = /^ {2}\[(\d+), '(\d{4}-\d{2}-\d{2})'\],$/gm;
const END = /^\];$/m;
const MAX_BYTES = 1 << 20;
const TIMEOUT_MS = 30_000;
/** A minor appears about every four months. More at once would be a pointer that is wrong. */
const MOST_AT_ONCE = 4;

/**
 * @param {string} table text of release-dates.ts
 * @param {string} releaseHost
 * @param {string} api
 * @returns {Promise<{ text: string, added: string[] }>}
 * @throws {Error} if the table, a pointer or an answer is not as expected
 */
async function withNewMinors(table, releaseHost, api) {
  const last = [...table.matchAll(ROW)].at(-1);
  const end = END.exec(table);
  if (last?.[1] === undefined || last[2] === undefined || end === null) {
    throw new Error('the table of release dates has no rows');
  }
  const newest = minorOf((await supportedVersions(releaseHost))[0] ?? '');
  const first = Number(last[1]) + 1;
  if (newest - first >= MOST_AT_ONCE) {
    throw new Error(`1.${newest} is too far from 1.${last[1]}, the last one in the table`);
  }
  const added = [];
  let previous = last[2];
  for (let minor = first; minor <= newest; minor++) {
    const date = await publicationDate(api, `v1.${minor}.0`);
    if (date <= previous) throw new Error(`v1.${minor}.0 is not younger than the minor before it`);
    added.push(`  [${minor}, '${date}'],\n`);
    previous = date;
  }
  return { text: table.slice(0, end.index) + added.join('') + table.slice(end.index), added };
}

/** @param {string} version that `supportedVersions` returned */
function minorOf(version) {
  return Number(version.split('.')[1]);
}

/**
 * @param {string} api
 * @param {string} tag
 * @returns {Promise<string>} `2026-04-22`
 */
async function publicationDate(api, tag) {
  const url = `${api}/repos/kubernetes/kubernetes/releases/tags/${tag}`;
  const token = process.env['GH_TOKEN'] ?? '';
  const response = await fetch(url, {
    headers: {
      accept: 'application/vnd.github+json',
      'x-github-api-version': '2022-11-28',
      ...(token === '' ? {} : { authorization: `Bearer ${token}` }),
    },
    redirect: 'error',
    signal: AbortSignal.timeout(TIMEOUT_MS),
  });
  if (!response.ok) throw new Error(`${url} answered ${response.status}`);
  const { published_at: publishedAt } = /** @type {{ published_at?: unknown }} */ (
    JSON.parse(await boundedText(response, url))
  );
  const time = typeof publishedAt === 'string' ? new Date(publishedAt) : new Date(NaN);
  if (Number.isNaN(time.getTime()) || time > new Date()) {
    throw new Error(`${url} names no day of publication`);
  }
  return time.toISOString().slice(0, 10);
}

/**
 * @param {Response} response
 * @param {string} url
 */
async function boundedText(response, url) {
  const chunks = [];
  let size = 0;
  for await (const chunk of response.body ?? []) {
    const bytes = Buffer.from(chunk);
    size += bytes.length;
    if (size > MAX_BYTES) throw new Error(`${url} has more than ${MAX_BYTES} bytes`);
    chunks.push(bytes);
  }
  return Buffer.concat(chunks).toString('utf8');
}

async function main() {
  const [file = TABLE, releaseHost = RELEASE_HOST, api = API] = process.argv.slice(2);
  const { text, added } = await withNewMinors(readFileSync(file, 'utf8'), releaseHost, api);
  if (added.length > 0) writeFileSync(file, text);
  console.log(added.length === 0 ? 'The table is current.' : `Added:\n${added.join('')}`);
}

if (import.meta.main) await main();
