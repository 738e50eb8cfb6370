// Turns what the canary found into issues, one for each broken release: node scripts/canary-report.js. It runs in the last job
// of .github/workflows/canary.yml, and asks GitHub by `gh` what the others annotated.
import { execFileSync } from 'node:child_process';

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
 * Of an issue or of a comment.
 *
 * @typedef {{ body: string }} Text
 */

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
    title.startsWith('setup-verified-kubectl: ') &&
    !NOT_OF_THE_RELEASE.includes(title);
  const isMended = level === 'warning' && WARNINGS.includes(title);
  return isRefusal || isMended ? { version, platform, title, message } : undefined;
}

/**
 * One issue for each version.
 *
 * @param {readonly Finding[]} findings
 * @returns {{ title: string, body: string }[]}
 */
export function issuesFor(findings) {
  const versions = [...new Set(findings.map(({ version }) => version))];
  return versions.map((version) => ({
    title: `Broken publication: Kubernetes ${version}`,
    body: findings
      .filter((finding) => finding.version === version)
      .map(({ platform, title, message }) => `- \`${platform}\`: ${title}\n\n${quoted(message)}`)
      .sort()
      .join('\n'),
  }));
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

/** @param {string[]} words */
function gh(...words) {
  return execFileSync('gh', words, { encoding: 'utf8', maxBuffer: 64 << 20 });
}

/**
 * All pages of a list that GitHub's API returns.
 *
 * @param {string} path
 * @param {string} items where in an answer the items are, for jq
 * @returns {unknown[]}
 */
function list(path, items) {
  const lines = gh('api', '--paginate', path, '--jq', `${items}[] | @json`);
  return lines
    .split('\n')
    .flatMap((line) => (line === '' ? [] : [/** @type {unknown} */ (JSON.parse(line))]));
}

function main() {
  const repository = process.env['GITHUB_REPOSITORY'] ?? '';
  const run = process.env['GITHUB_RUN_ID'] ?? '';
  const path = `repos/${repository}/actions/runs/${run}/jobs?per_page=100`;
  const jobs = /** @type {{ id: number, name: string }[]} */ (list(path, '.jobs'));
  const findings = jobs.flatMap(({ id, name }) =>
    annotationsOf(repository, id).flatMap((annotation) => findingOf(name, annotation) ?? []),
  );
  const source = `${process.env['GITHUB_SERVER_URL'] ?? ''}/${repository}/actions/runs/${run}`;
  for (const { title, body } of issuesFor(findings)) report(title, body, source);
  console.log(`${jobs.length} jobs, ${findings.length} findings`);
}

/**
 * @param {string} repository
 * @param {number} job
 */
function annotationsOf(repository, job) {
  const path = `repos/${repository}/check-runs/${job}/annotations?per_page=100`;
  return /** @type {Annotation[]} */ (list(path, '.'));
}

/**
 * Opens an issue, or adds to the one that is open, unless that says the same already.
 *
 * @param {string} title
 * @param {string} body
 * @param {string} source where it was found
 */
function report(title, body, source) {
  const found = gh('issue', 'list', '--state', 'open', '--limit', '200', '--json', 'number,title');
  const issues = /** @type {{ number: number, title: string }[]} */ (JSON.parse(found));
  const open = issues.find((one) => one.title === title);
  const text = `${body}\nFound by ${source}\n`;
  if (open === undefined) {
    console.log(gh('issue', 'create', '--title', title, '--body', text).trim());
    return;
  }
  const known = gh('issue', 'view', String(open.number), '--json', 'body,comments');
  const issue = /** @type {Text & { comments: Text[] }} */ (JSON.parse(known));
  const said = [issue, ...issue.comments].map((one) => one.body.replaceAll('\r\n', '\n'));
  if (said.some((one) => one.includes(body))) return;
  console.log(gh('issue', 'comment', String(open.number), '--body', text).trim());
}

if (import.meta.main) main();
