// scripts/release-dates.js as the canary runs it: a process that asks a real server, and edits a copy of the table.
import { spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { RELEASE_DATES } from '../../src/kubernetes/release-dates.js';
import { ROOT, textOf } from './repository.js';

const SCRIPT = join(ROOT, 'scripts', 'release-dates.js');
const CURRENT = textOf('src/kubernetes/release-dates.ts');
const NEWEST = RELEASE_DATES.at(-1)?.[0] ?? 0;

let folder: string;
let file: string;
let server: Server;
/** What the servers answer, by path; a number is a status. */
let answers: Map<string, string | number>;
let tokens: (string | undefined)[];

/** The four newest minors, of which `newest` is the last one. */
function releaseHost(newest: number): void {
  answers.set('/release/stable.txt', `v1.${newest}.2`);
  for (let minor = newest; minor > newest - 4; minor--) {
    answers.set(`/release/stable-1.${minor}.txt`, `v1.${minor}.2`);
  }
}

const TAGS = '/repos/kubernetes/kubernetes/releases/tags';

/** As https://docs.github.com/en/rest/releases/releases#get-a-release-by-tag-name, in part. */
function github(minor: number, publishedAt: unknown, notes = 9999): void {
  const tag = `v1.${minor}.0`;
  const release = {
    tag_name: tag,
    draft: false,
    published_at: publishedAt,
    body: 'x'.repeat(notes),
  };
  answers.set(`${TAGS}/${tag}`, JSON.stringify(release));
}

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'release-dates-'));
  file = join(folder, 'release-dates.ts');
  writeFileSync(file, CURRENT);
  answers = new Map();
  tokens = [];
  server = createServer((request, response) => {
    if (request.url?.startsWith(TAGS) === true) tokens.push(request.headers.authorization);
    const answer = answers.get(request.url ?? '') ?? 404;
    if (typeof answer === 'number') response.writeHead(answer).end();
    else response.end(answer);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
});

afterEach(async () => {
  await new Promise((resolve) => server.close(resolve));
  rmSync(folder, { recursive: true });
});

function run(token = ''): Promise<{ status: number | null; stdout: string; stderr: string }> {
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const env = { PATH: process.env['PATH'], GH_TOKEN: token };
  const child = spawn(process.execPath, [SCRIPT, file, url, url], { env });
  let [stdout, stderr] = ['', ''];
  child.stdout.setEncoding('utf8').on('data', (text: string) => (stdout += text));
  child.stderr.setEncoding('utf8').on('data', (text: string) => (stderr += text));
  return new Promise((resolve, reject) => {
    child.on('error', reject);
    child.on('close', (status) => resolve({ status, stdout, stderr }));
  });
}

test('a table that is current stays as it is', async () => {
  releaseHost(NEWEST);
  const { status, stdout } = await run();
  expect(stdout).toBe('The table is current.\n');
  expect(status).toBe(0);
  expect(readFileSync(file, 'utf8')).toBe(CURRENT);
});

test('new minors are appended, and nothing else changes', async () => {
  releaseHost(NEWEST + 2);
  github(NEWEST + 1, '2026-08-26T17:05:03Z');
  github(NEWEST + 2, '2026-08-27T00:00:00Z');
  const { status } = await run('not-a-secret');
  expect(status).toBe(0);
  const rows = `  [${NEWEST + 1}, '2026-08-26'],\n  [${NEWEST + 2}, '2026-08-27'],\n`;
  expect(readFileSync(file, 'utf8')).toBe(CURRENT.replace(/^\];$/m, `${rows}];`));
  expect(tokens).toEqual(['Bearer not-a-secret', 'Bearer not-a-secret']);
});

test('without a token none is sent', async () => {
  releaseHost(NEWEST + 1);
  github(NEWEST + 1, '2026-08-26T17:05:03Z');
  expect((await run()).status).toBe(0);
  expect(tokens).toEqual([undefined]);
});

test.each<[what: string, publishedAt: unknown]>([
  ['that is missing', undefined],
  ['that is null, as that of a draft', null],
  ['that is code', "2026-08-26'], [99, '1999-01-01"],
  ['that is a number', 1787000000],
  ['in the future', '2999-01-01T00:00:00Z'],
  ['before the one of the minor before', '2020-01-01T00:00:00Z'],
])('a date %s is refused', async (_, publishedAt) => {
  releaseHost(NEWEST + 1);
  github(NEWEST + 1, publishedAt);
  const { status } = await run();
  expect(status).not.toBe(0);
  expect(readFileSync(file, 'utf8')).toBe(CURRENT);
});

test('of several, none is written when one is refused', async () => {
  releaseHost(NEWEST + 2);
  github(NEWEST + 1, '2026-08-26T17:05:03Z');
  answers.set(`${TAGS}/v1.${NEWEST + 2}.0`, 403);
  const { status, stderr } = await run();
  expect(status).not.toBe(0);
  expect(stderr).toContain('answered 403');
  expect(readFileSync(file, 'utf8')).toBe(CURRENT);
});

test.each<[what: string, break_: () => void]>([
  [
    'a pointer that is far ahead',
    () => {
      releaseHost(NEWEST + 5);
      for (let minor = 1; minor <= 5; minor++)
        github(NEWEST + minor, `2026-08-0${minor}T00:00:00Z`);
    },
  ],
  ['a pointer that is no version', () => answers.set('/release/stable.txt', '<html>')],
  [
    'an answer that is too large',
    () => {
      releaseHost(NEWEST + 1);
      github(NEWEST + 1, '2026-08-26T17:05:03Z', 1 << 20);
    },
  ],
  [
    'a table without rows',
    () => {
      releaseHost(NEWEST + 1);
      writeFileSync(file, 'export const RELEASE_DATES = [\n];\n');
    },
  ],
])('%s is refused', async (_, break_) => {
  break_();
  const before = readFileSync(file, 'utf8');
  expect((await run()).status).not.toBe(0);
  expect(readFileSync(file, 'utf8')).toBe(before);
});
