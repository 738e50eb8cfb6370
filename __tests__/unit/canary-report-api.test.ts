// scripts/canary-report.js as the last job of canary.yml runs it: a process, and a server with the parts of GitHub's REST API
// that it uses. Names of fields are those that the GitHub CLI reads (cli/cli, pkg/cmd/run/shared/shared.go) and
// docs.github.com/rest/issues/issues describes.
import { spawn } from 'node:child_process';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { ROOT } from './repository.js';

const SCRIPT = join(ROOT, 'scripts', 'canary-report.js');
const BOT = { login: 'github-actions[bot]', type: 'Bot' };
const STRANGER = { login: 'stranger', type: 'User' };
const MARKER = '<!-- setup-verified-kubectl canary: v1.35.0 -->';
const TITLE = 'Broken publication: Kubernetes v1.35.0';

interface Post {
  number: number;
  title?: string;
  body: string | null;
  user: { login: string; type: string } | null;
  pull_request?: object;
}

interface Annotation {
  annotation_level: string;
  title: string | null;
  message: string;
}

const REFUSED: Annotation = {
  annotation_level: 'failure',
  title: 'setup-verified-kubectl: SIGNATURE_MISMATCH',
  message: 'kubectl: the signature is of another file',
};

/** One repository as GitHub keeps it. */
let jobs: { id: number; name: string; conclusion: string; annotations: Annotation[] }[];
let issues: Post[];
let comments: Map<number, Post[]>;
/** Whether the token may write. */
let mayWrite: boolean;
let server: Server;

function answerTo(method: string, url: URL, body: string): unknown {
  const [, path = ''] = /^\/repos\/org\/action\/(.*)$/.exec(url.pathname) ?? [];
  const page = (items: readonly unknown[]): unknown[] => {
    const size = Number(url.searchParams.get('per_page') ?? '30');
    const first = (Number(url.searchParams.get('page') ?? '1') - 1) * size;
    return items.slice(first, first + size);
  };
  if (path === 'actions/runs/7/jobs') return { total_count: jobs.length, jobs: page(jobs) };
  const [, check] = /^check-runs\/(\d+)\/annotations$/.exec(path) ?? [];
  if (check !== undefined)
    return page(jobs.find(({ id }) => id === Number(check))?.annotations ?? []);
  const [, issue] = /^issues\/(\d+)\/comments$/.exec(path) ?? [];
  const posts = issue === undefined ? issues : (comments.get(Number(issue)) ?? []);
  if (method === 'GET') return page(posts);
  const post = { number: 100 + posts.length, user: BOT, ...(JSON.parse(body) as { body: string }) };
  posts.push(post);
  if (issue !== undefined) comments.set(Number(issue), posts);
  return post;
}

beforeEach(async () => {
  jobs = [
    { id: 1, name: 'Which versions are supported', conclusion: 'success', annotations: [] },
    { id: 2, name: 'verify v1.35.0 linux/amd64', conclusion: 'failure', annotations: [REFUSED] },
  ];
  issues = [];
  comments = new Map();
  mayWrite = true;
  server = createServer((request, response) => {
    let body = '';
    request.setEncoding('utf8').on('data', (text: string) => (body += text));
    request.on('end', () => {
      const known =
        request.headers.authorization === 'Bearer token' && (mayWrite || request.method === 'GET');
      const url = new URL(request.url ?? '', 'http://localhost');
      response.writeHead(known ? 200 : 403, { 'content-type': 'application/json' });
      response.end(JSON.stringify(known ? answerTo(request.method ?? '', url, body) : {}));
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
});

afterEach(() => new Promise((resolve) => server.close(resolve)));

async function report(token = 'token'): Promise<number | null> {
  const child = spawn(process.execPath, [SCRIPT], {
    stdio: 'ignore',
    env: {
      ...process.env,
      GITHUB_API_URL: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
      GITHUB_SERVER_URL: 'https://github.com',
      GITHUB_REPOSITORY: 'org/action',
      GITHUB_RUN_ID: '7',
      GH_TOKEN: token,
    },
  });
  return new Promise((resolve, reject) => {
    child.on('error', reject);
    child.on('close', resolve);
  });
}

const titles = (): (string | undefined)[] => issues.map(({ title }) => title);

test('a finding becomes an issue', async () => {
  expect(await report()).toBe(0);
  expect(titles()).toEqual([TITLE]);
  expect(issues[0]?.body).toMatch(new RegExp(`^${MARKER}\n`));
  expect(issues[0]?.body).toContain('SIGNATURE_MISMATCH');
  expect(issues[0]?.body).toContain('https://github.com/org/action/actions/runs/7');
});

test('the same finding is said once', async () => {
  await report();
  await report();
  expect(titles()).toEqual([TITLE]);
  expect(comments.size).toBe(0);
});

test('another finding is added to the issue', async () => {
  await report();
  jobs.push({ ...REPEATED, name: 'verify v1.35.0 linux/arm64' });
  await report();
  expect(titles()).toEqual([TITLE]);
  expect([...comments.values()].flat()).toHaveLength(1);
  await report();
  expect([...comments.values()].flat()).toHaveLength(1);
});

const REPEATED = { id: 3, conclusion: 'failure', annotations: [REFUSED] };

describe('an issue that is not the canary’s own is left alone:', () => {
  test.each<[string, Partial<Post>]>([
    ['by somebody else', { user: STRANGER }],
    ['by a user who has the name of the bot', { user: { ...BOT, type: 'User' } }],
    ['by a deleted account', { user: null }],
    ['a pull request', { pull_request: {} }],
    ['of another workflow, with the same title', { body: 'no marker' }],
    ['with the marker further down', { body: `Quote:\n${MARKER}` }],
    ['about another version', { body: MARKER.replace('v1.35.0', 'v1.34.0') }],
    ['without text', { body: null }],
  ])('%s', async (_what, difference) => {
    issues.push({ number: 1, title: TITLE, body: `${MARKER}\n`, user: BOT, ...difference });
    await report();
    expect(titles()).toEqual([TITLE, TITLE]);
    expect(comments.size).toBe(0);
  });

  test('the twin that is its own gets the comment', async () => {
    issues.push({ number: 1, title: 'renamed', body: `${MARKER}\r\n`, user: BOT });
    await report();
    expect(titles()).toEqual(['renamed']);
    expect(comments.get(1)).toHaveLength(1);
  });
});

test('a stranger who quotes the finding does not silence it', async () => {
  await report();
  const [said] = issues;
  issues = [{ number: 1, title: TITLE, body: `${MARKER}\n`, user: BOT }];
  comments.set(1, [{ number: 2, body: said?.body ?? '', user: STRANGER }]);
  await report();
  expect(comments.get(1)).toHaveLength(2);
});

test('its own issue is found on a later page', async () => {
  for (let number = 1; number <= 250; number++) {
    issues.push({ number, title: TITLE, body: 'spam', user: STRANGER });
  }
  issues.push({ number: 251, title: TITLE, body: `${MARKER}\n`, user: BOT });
  await report();
  expect(issues).toHaveLength(251);
  expect(comments.get(251)).toHaveLength(1);
});

describe('the first job', () => {
  test.each(['failure', 'timed_out', 'cancelled'])('that ends in %s is reported', async (end) => {
    const message = 'https://dl.k8s.io/release/stable.txt answered 404';
    const annotations = [{ annotation_level: 'failure', title: null, message }];
    jobs = [{ id: 1, name: 'Which versions are supported', conclusion: end, annotations }];
    expect(await report()).toBe(0);
    expect(titles()).toEqual(['Canary: nothing was verified']);
    expect(issues[0]?.body).toContain(message);
  });

  test('that is missing makes the report fail', async () => {
    jobs = [];
    expect(await report()).toBe(1);
    expect(issues).toEqual([]);
  });
});

test('a token that GitHub refuses makes the report fail', async () => {
  expect(await report('another')).toBe(1);
  expect(issues).toEqual([]);
});

test('a token that may not write makes the report fail', async () => {
  mayWrite = false;
  expect(await report()).toBe(1);
  expect(issues).toEqual([]);
});
