// Reads Kubernetes' version pointers for the workflows: node scripts/kubernetes-versions.js supported|prerelease [<base URL>].
// Prints `versions=["v1.36.2",…]` or `version=v1.37.0-alpha.1`, ready for $GITHUB_OUTPUT.
//
// Pointers are unsigned text from the network. Only what is a version as a whole is printed.
import { setTimeout } from 'node:timers/promises';

const STABLE = /^v1\.(0|[1-9]\d{0,2})\.(0|[1-9]\d{0,3})$/;
const ANY = /^v1\.(0|[1-9]\d{0,2})\.(0|[1-9]\d{0,3})(-(alpha|beta|rc)\.(0|[1-9]\d{0,2}))?$/;

/** Three minors are supported; for two months after a release the fourth one is, too. */
const MINORS = 4;

const MAX_BYTES = 64;
const TIMEOUT_MS = 30_000;
const TRIES = 5;

/**
 * The newest patches of the newest minors, newest first.
 *
 * @param {string} baseUrl such as https://dl.k8s.io
 * @returns {Promise<string[]>}
 * @throws {Error} if a pointer is not a version of the minor that was asked for
 */
export async function supportedVersions(baseUrl) {
  const [, newest] = STABLE.exec(await pointer(baseUrl, 'stable', STABLE)) ?? [];
  const minors = Array.from({ length: MINORS }, (_, index) => Number(newest) - index);
  const versions = [];
  for (const minor of minors.filter((one) => one >= 0)) {
    versions.push(await pointer(baseUrl, `stable-1.${minor}`, STABLE, `v1.${minor}.`));
  }
  return versions;
}

/**
 * @param {string} baseUrl
 * @param {string} name `stable`, `stable-1.36`, `latest`
 * @param {RegExp} pattern
 * @param {string} [prefix]
 * @returns {Promise<string>}
 */
async function pointer(baseUrl, name, pattern, prefix = 'v1.') {
  const url = `${baseUrl}/release/${name}.txt`;
  const text = (await read(url)).replace(/\r?\n$/, '');
  if (!pattern.test(text) || !text.startsWith(prefix)) {
    throw new Error(`${url} is not a version: ${JSON.stringify(text)}`);
  }
  return text;
}

/**
 * @param {string} url
 * @returns {Promise<string>} at most {@link MAX_BYTES} long
 */
async function read(url) {
  for (let attempt = 1; ; attempt++) {
    const answer = await ask(url);
    if (typeof answer === 'string') return answer;
    if (attempt === TRIES || !answer.temporary) throw answer.error;
    await setTimeout(1000 * 2 ** attempt);
  }
}

/**
 * @param {string} url
 * @returns {Promise<string | { error: unknown, temporary: boolean }>}
 */
async function ask(url) {
  /** @type {Response} */
  let response;
  try {
    response = await fetch(url, { signal: AbortSignal.timeout(TIMEOUT_MS) });
  } catch (error) {
    return { error, temporary: true };
  }
  if (new URL(response.url).protocol !== new URL(url).protocol) {
    return { error: new Error(`${url} redirects to another protocol`), temporary: false };
  }
  if (!response.ok) {
    await response.body?.cancel();
    const error = new Error(`${url} answered ${response.status}`);
    return { error, temporary: response.status >= 500 || response.status === 429 };
  }
  let text = '';
  for await (const chunk of response.body ?? []) {
    text += Buffer.from(chunk).toString('latin1');
    if (text.length > MAX_BYTES) throw new Error(`${url} has more than ${MAX_BYTES} bytes`);
  }
  return text;
}

async function main() {
  const [what, baseUrl = 'https://dl.k8s.io'] = process.argv.slice(2);
  if (what === 'supported') {
    console.log(`versions=${JSON.stringify(await supportedVersions(baseUrl))}`);
  } else if (what === 'prerelease') {
    console.log(`version=${await pointer(baseUrl, 'latest', ANY)}`);
  } else {
    throw new Error('Usage: node scripts/kubernetes-versions.js supported|prerelease [<base URL>]');
  }
}

/** @param {unknown} error */
function annotate(error) {
  const message = error instanceof Error ? error.message : String(error);
  // The runner reads `%` as the start of an escape, and a line break as the end of the command.
  const escaped = message.replaceAll('%', '%25').replaceAll('\r', '%0D').replaceAll('\n', '%0A');
  console.error(`::error::${escaped}`);
  process.exitCode = 1;
}

if (import.meta.main) await main().catch(annotate);
