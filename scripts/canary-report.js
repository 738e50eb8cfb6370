// Turns what the canary found into issues, one for each broken release: node scripts/canary-report.js. It runs in the last job
// of .github/workflows/canary.yml, and asks GitHub's API what the other jobs annotated.

/**
 * @typedef {object} Finding
 * @property {string} version
 * @property {string} platform `linux/amd64`
 * @property {string} title of the annotation
 * @property {string} message
 */

/**
 * @typedef {object} Annotation
 * @property {string} annotation_level
 * @property {string | null} title
 * @property {string} message
 */

/**
 * @typedef {object} Job
 * @property {number} id
 * @property {string} name
 * @property {string | null} conclusion
 */

/**
 * An issue or a comment, as GitHub's REST API returns it.
 *
 * @typedef {object} Post
 * @property {number} number
 * @property {string | null} body
 * @property {{ login: string, type: string } | null} user
 * @property {object} [pull_request]
 */

/**
 * @typedef {object} Report
 * @property {string} marker first line of the issue's body, by which the canary finds it again
 * @property {string} title
 * @property {string} body
 */

/** The job that the others wait for. */
const FIRST_JOB = 'Which versions are supported';

/** Whose token the workflow has. Nobody else can post under this name. */
const AUTHOR = { login: 'github-actions[bot]', type: 'Bot' };

const TIMEOUT_MS = 30_000;
const PAGE_SIZE = 100;
const MAX_PAGES = 50;

/** Failures that tell nothing of the publication: the network, a service, the runner. */
const NOT_OF_THE_RELEASE = [
  'DOWNLOAD_FAILED',
  'LOG_UNAVAILABLE',
  'TRUST_ROOT_UNAVAILABLE',
  'INSTALL_FAILED',
].map((code) => `setup-verified-kubectl: ${code}`);

/** Warnings of runs that succeeded although the publication is broken. */
const WARNINGS = ['Broken publication', 'Release proven without SBOM'];

/**
 * What an annotation of one job says of the release that it installed.
 *
 * @param {string} job `verify v1.36.2 linux/amd64`
 * @param {Annotation} annotation
 * @returns {Finding | undefined} nothing for what is no fault of the release
 */
export function findingOf(job, { annotation_level: level, title, message }) {
  const [, version, platform] = /^verify (v\d+\.\d+\.\d+) ([a-z]+\/[a-z0-9]+)$/.exec(job) ?? [];
  if (version === undefined || platform === undefined || title === null) return undefined;
  const isRefusal =
    level === 'failure' &&
    /^setup-verified-kubectl: [A-Z_]+$/.test(title) &&
    !NOT_OF_THE_RELEASE.includes(title);
  const isMended = level === 'warning' && WARNINGS.includes(title);
  return isRefusal || isMended ? { version, platform, title, message } : undefined;
}

/**
 * One issue for each version.
 *
 * @param {readonly Finding[]} findings
 * @returns {Report[]}
 */
export function issuesFor(findings) {
  const versions = [...new Set(findings.map(({ version }) => version))];
  return versions.map((version) => ({
    marker: markerOf(version),
    title: `Broken publication: Kubernetes ${version}`,
    body: findings
      .filter((finding) => finding.version === version)
      .map(({ platform, title, message }) => `- \`${platform}\`: ${title}\n\n${quoted(message)}`)
      .sort()
      .join('\n'),
  }));
}

/** @param {string} subject */
function markerOf(subject) {
  return `<!-- setup-verified-kubectl canary: ${subject} -->`;
}

/**
 * Whether the canary wrote an issue or a comment itself. Anybody can open an issue with the same title, or quote a finding.
 *
 * @param {Post} post
 * @param {string} marker
 */
function isOwn({ body, user, pull_request: pullRequest }, marker) {
  return (
    user?.login === AUTHOR.login &&
    user.type === AUTHOR.type &&
    pullRequest === undefined &&
    body?.split(/\r?\n/, 1)[0] === marker
  );
}

/**
 * As a block of code, so that nothing in it is read as Markdown, or as somebody's name.
 *
 * @param {string} text
 */
function quoted(text) {
  const lines = text.slice(0, 2000).split(/\r?\n/);
  return lines.map((line) => `      ${line}\n`).join('');
}

/**
 * @param {string} path below the API's URL
 * @param {object} [body] of a POST; without one it is a GET
 * @returns {Promise<unknown>}
 */
async function request(path, body) {
  const response = await fetch(`${environment('GITHUB_API_URL', /^https?:\/\/\S+$/)}/${path}`, {
    method: body === undefined ? 'GET' : 'POST',
    headers: {
      accept: 'application/vnd.github+json',
      authorization: `Bearer ${environment('GH_TOKEN', /^\S+$/)}`,
      'x-github-api-version': '2022-11-28',
    },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    redirect: 'error',
    signal: AbortSignal.timeout(TIMEOUT_MS),
  });
  if (!response.ok) throw new Error(`GitHub answered ${response.status} for ${path}`);
  return response.json();
}

/**
 * All pages of a list.
 *
 * @param {string} path
 * @param {string} [key] of the list in an answer that is an object
 * @returns {Promise<unknown[]>}
 * @throws {Error} if there are more than {@link MAX_PAGES}
 */
async function list(path, key) {
  /** @type {unknown[]} */
  const items = [];
  for (let page = 1; page <= MAX_PAGES; page++) {
    const separator = path.includes('?') ? '&' : '?';
    const answer = await request(`${path}${separator}per_page=${PAGE_SIZE}&page=${page}`);
    const found = key === undefined ? answer : /** @type {Record<string, unknown>} */ (answer)[key];
    if (!Array.isArray(found)) throw new Error(`GitHub returned no list for ${path}`);
    for (const item of found) items.push(item);
    if (found.length < PAGE_SIZE) return items;
  }
  throw new Error(`${path} has more than ${MAX_PAGES} pages`);
}

/**
 * @param {string} name
 * @param {RegExp} pattern
 */
function environment(name, pattern) {
  const value = process.env[name] ?? '';
  if (!pattern.test(value)) throw new Error(`${name} is not set as GitHub sets it`);
  return value;
}

async function main() {
  const repository = `repos/${environment('GITHUB_REPOSITORY', /^[\w.-]+\/[\w.-]+$/)}`;
  const run = environment('GITHUB_RUN_ID', /^\d+$/);
  const jobs = /** @type {Job[]} */ (await list(`${repository}/actions/runs/${run}/jobs`, 'jobs'));
  /** @type {Finding[]} */
  const findings = [];
  /** @type {Report[]} */
  const reports = [];
  for (const job of jobs) {
    const annotations = await annotationsOf(repository, job);
    findings.push(...annotations.flatMap((annotation) => findingOf(job.name, annotation) ?? []));
    if (job.name === FIRST_JOB) reports.push(...reportOfFirstJob(job, annotations));
  }
  if (!jobs.some(({ name }) => name === FIRST_JOB)) throw new Error(`no job "${FIRST_JOB}"`);
  reports.push(...issuesFor(findings));
  const source = `${environment('GITHUB_SERVER_URL', /^https?:\/\/\S+$/)}/${repository.slice('repos/'.length)}/actions/runs/${run}`;
  for (const report of reports) await publish(repository, report, source);
  console.log(`${jobs.length} jobs, ${findings.length} findings, ${reports.length} reports`);
}

/**
 * @param {string} repository
 * @param {Job} job
 */
async function annotationsOf(repository, { id }) {
  if (!Number.isSafeInteger(id)) throw new Error('GitHub returned a job without a numeric id');
  return /** @type {Annotation[]} */ (await list(`${repository}/check-runs/${id}/annotations`));
}

/**
 * Without the first job nothing is verified, so that its failure must not look like a quiet night.
 *
 * @param {Job} job
 * @param {readonly Annotation[]} annotations
 * @returns {Report[]}
 */
export function reportOfFirstJob({ conclusion }, annotations) {
  if (conclusion === 'success') return [];
  const messages = annotations
    .filter(({ annotation_level: level }) => level === 'failure')
    .map(({ message }) => quoted(message));
  return [
    {
      marker: markerOf('versions'),
      title: 'Canary: nothing was verified',
      body: ['The job that reads the supported versions failed:\n', ...messages].join('\n'),
    },
  ];
}

/**
 * Opens an issue, or adds to the canary's own open one, unless that says the same already.
 *
 * @param {string} repository
 * @param {Report} report
 * @param {string} source URL of the run
 */
async function publish(repository, { marker, title, body }, source) {
  const path = `${repository}/issues`;
  const issues = /** @type {Post[]} */ (await list(`${path}?state=open`));
  const open = issues.find((issue) => isOwn(issue, marker));
  const text = `${marker}\n${body}\nFound by ${source}\n`;
  if (open === undefined) {
    await request(path, { title, body: text });
    console.log(`Opened: ${title}`);
    return;
  }
  if (!Number.isSafeInteger(open.number))
    throw new Error('GitHub returned an issue without number');
  const comments = /** @type {Post[]} */ (await list(`${path}/${open.number}/comments`));
  const said = [open, ...comments.filter((comment) => isOwn(comment, marker))];
  if (said.some((post) => post.body?.replaceAll('\r\n', '\n').includes(body))) return;
  await request(`${path}/${open.number}/comments`, { body: text });
  console.log(`Added to #${open.number}: ${title}`);
}

if (import.meta.main) await main();
