// scripts/kubernetes-versions.js as the workflows run it: a process that asks a real server.
import { spawn } from 'node:child_process';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { ROOT } from './repository.js';

const SCRIPT = join(ROOT, 'scripts', 'kubernetes-versions.js');

/** What the release host answers, by path; a number is a status. */
let pointers: Map<string, string | number>;
let server: Server;

beforeEach(async () => {
  pointers = new Map<string, string | number>([
    ['/release/stable.txt', 'v1.36.2'],
    ['/release/stable-1.36.txt', 'v1.36.2\n'],
    ['/release/stable-1.35.txt', 'v1.35.6'],
    ['/release/stable-1.34.txt', 'v1.34.10'],
    ['/release/stable-1.33.txt', 'v1.33.14'],
    ['/release/latest.txt', 'v1.37.0-alpha.1'],
  ]);
  server = createServer((request, response) => {
    const answer = pointers.get(request.url ?? '') ?? 404;
    if (typeof answer === 'number') response.writeHead(answer).end();
    else response.end(answer);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
});

afterEach(() => new Promise((resolve) => server.close(resolve)));

function run(what: string): Promise<{ status: number | null; stdout: string; stderr: string }> {
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const child = spawn(process.execPath, [SCRIPT, what, url]);
  let [stdout, stderr] = ['', ''];
  child.stdout.setEncoding('utf8').on('data', (text: string) => (stdout += text));
  child.stderr.setEncoding('utf8').on('data', (text: string) => (stderr += text));
  return new Promise((resolve, reject) => {
    child.on('error', reject);
    child.on('close', (status) => resolve({ status, stdout, stderr }));
  });
}

describe('the supported versions', () => {
  test('are the newest patches of four minors', async () => {
    const { status, stdout } = await run('supported');
    expect(stdout).toBe('versions=["v1.36.2","v1.35.6","v1.34.10","v1.33.14"]\n');
    expect(status).toBe(0);
  });

  test.each([
    ['a second output', 'v1.35.6\nmajor=v9'],
    ['a command', 'v1.35.6$(id)'],
    ['a page', '<html>'],
    ['nothing', ''],
    ['a pre-release', 'v1.35.0-rc.1'],
    ['another minor', 'v1.36.2'],
    ['a minor with a leading zero', 'v1.035.6'],
    ['a long number', `v1.35.${'1'.repeat(30)}`],
    ['endless text', 'v1.35.6'.repeat(100_000)],
  ])('are not taken from a pointer that is %s', async (_what, answer) => {
    pointers.set('/release/stable-1.35.txt', answer);
    const { status, stdout, stderr } = await run('supported');
    expect(stdout).toBe('');
    expect(stderr).toMatch(
      /^::error::http:\/\/127\.0\.0\.1:\d+\/release\/stable-1\.35\.txt [^\n]+\n$/,
    );
    expect(stderr.length).toBeLessThan(300);
    expect(status).toBe(1);
  });

  test('are not found without a pointer', async () => {
    pointers.delete('/release/stable.txt');
    const { status, stdout, stderr } = await run('supported');
    expect(stdout).toBe('');
    expect(stderr).toContain('stable.txt answered 404');
    expect(status).toBe(1);
  });
});

describe('the newest pre-release', () => {
  test('is what the pointer names', async () => {
    expect((await run('prerelease')).stdout).toBe('version=v1.37.0-alpha.1\n');
  });

  test.each(['v1.37.0-alpha.1\nversion=v1.0.0', 'v1.37.0-gamma.1', 'v2.0.0'])(
    'is not taken from %j',
    async (answer) => {
      pointers.set('/release/latest.txt', answer);
      const { status, stdout } = await run('prerelease');
      expect(stdout).toBe('');
      expect(status).toBe(1);
    },
  );
});
