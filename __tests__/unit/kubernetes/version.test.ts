import { afterAll, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import {
  newerThan,
  newestSatisfying,
  parseVersionRequest,
  resolveVersion,
  satisfies,
  type VersionRequest,
} from '../../../src/kubernetes/version.js';
import { isPublished } from '../../../src/kubernetes/published.js';
import { HttpClient } from '../../../src/transfer/http.js';
import { TRANSFER_LIMITS, scaled } from '../../../src/transfer/limits.js';
import { ReleaseHost, fault } from '../../support/index.js';
import { rejectionOf } from '../expect-error.js';

const exact = (version: string): VersionRequest => ({ kind: 'exact', version });
const stable = (minor?: string): VersionRequest =>
  minor === undefined ? { kind: 'stable' } : { kind: 'stable', minor };
const prerelease = (minor?: string): VersionRequest =>
  minor === undefined ? { kind: 'prerelease' } : { kind: 'prerelease', minor };

describe('what a user may ask for', () => {
  test.each<[string, VersionRequest]>([
    ['1.31.9', exact('v1.31.9')],
    ['v1.31.9', exact('v1.31.9')],
    ['V1.31.9', exact('v1.31.9')],
    ['1.36.0-rc.1', exact('v1.36.0-rc.1')],
    ['v1.36.0-alpha.0', exact('v1.36.0-alpha.0')],
    ['1.36.0-beta.12', exact('v1.36.0-beta.12')],
    ['1.31', stable('1.31')],
    ['v1.31', stable('1.31')],
    ['stable', stable()],
    ['Stable', stable()],
    ['latest', stable()],
    ['stable-1.31', stable('1.31')],
    ['stable-v1.31', stable('1.31')],
    ['prerelease', prerelease()],
    ['prerelease-1.36', prerelease('1.36')],
  ])('%s', async (text, expected) => {
    expect(await parseVersionRequest(text)).toEqual(expected);
  });

  test.each(['1.31.x', '1.x', '~1.31.2', '^1.30', '>=1.30 <1.32', '1.29 - 1.31', '1.30 || 1.31.*'])(
    'the range %s',
    async (text) => {
      expect((await parseVersionRequest(text))?.kind).toBe('range');
    },
  );

  test.each([
    '',
    'newest',
    'lts',
    '1.31.9.1',
    '01.31.9',
    '1.031.9',
    '1.31.9-',
    '1.31.9-gke.1',
    '1.31.9+build',
    '1.31.99999',
    'v',
    'x',
    '*',
    'stable-1',
    'stable-1.31.9',
    'stable-',
    'prerelease-rc',
    '../1.31.9',
    '1.31.9/../../x',
    '1.31.9%2f',
    '1.31.9\n1.31.8',
    '>=1.30 <',
    '١.٣١.٩',
    `>=1.${'0'.repeat(120)}`,
  ])('%j is none', async (text) => {
    expect(await parseVersionRequest(text)).toBeUndefined();
  });
});

describe('whether a version is the one asked for', () => {
  test.each<[string, string, boolean]>([
    ['v1.31.9', '1.31.9', true],
    ['v1.31.8', '1.31.9', false],
    ['v1.31.8', '1.31', true],
    ['v1.32.0', '1.31', false],
    ['v1.31.0-rc.1', '1.31', false],
    ['v1.3.1', '1.31', false],
    ['v1.36.0-rc.1', 'prerelease-1.36', true],
    ['v1.35.0-rc.1', 'prerelease-1.36', false],
    ['v1.31.2', '~1.31.2', true],
    ['v1.31.1', '~1.31.2', false],
    ['v1.32.0-rc.1', '>=1.31', false],
  ])('%s for %s: %s', async (version, text, expected) => {
    expect(await satisfies(version, (await parseVersionRequest(text)) ?? stable())).toBe(expected);
  });

  test('the newest of several, by number and not by letter', async () => {
    const versions = ['v1.31.9', 'v1.31.10', 'v1.32.0', 'v1.31.2'];
    expect(await newestSatisfying(versions, stable('1.31'))).toBe('v1.31.10');
    expect(await newestSatisfying(versions, stable('1.30'))).toBeUndefined();
    expect(await newestSatisfying([], stable('1.31'))).toBeUndefined();
  });
});

describe('the pointers of a release host', () => {
  let host: ReleaseHost;
  let http: HttpClient;
  let base: URL;

  beforeAll(async () => {
    host = await ReleaseHost.start();
    base = new URL(`${host.url}/`);
    http = new HttpClient({
      userAgent: 'test',
      proxyEnvironment: {},
      limits: scaled(TRANSFER_LIMITS, 0.05),
      signal: new AbortController().signal,
      onRequest: () => {},
    });
  });

  afterAll(async () => {
    await host.stop();
  });

  beforeEach(() => {
    host.files.clear();
    host.server.reset();
    for (const [pointer, version] of [
      ['stable', 'v1.33.1'],
      ['stable-1.33', 'v1.33.1'],
      ['stable-1.32', 'v1.32.5\n'],
      ['stable-1.31', 'v1.31.9'],
      ['stable-1.30', 'v1.30.13'],
      ['latest', 'v1.34.0-beta.1'],
      ['latest-1.34', 'v1.34.0-beta.1'],
    ] as const) {
      host.put(`release/${pointer}.txt`, version);
    }
    // v1.31.7 was withdrawn.
    for (const version of ['v1.31.9', 'v1.31.8', 'v1.31.6', 'v1.31.5', 'v1.30.2', 'v1.30.0']) {
      host.put(`release/${version}/bin/linux/amd64/kubectl.sha256`, 'a'.repeat(64));
    }
  });

  const resolve = async (text: string): Promise<string> => {
    const request = await parseVersionRequest(text);
    if (request === undefined) throw new Error(`${text} asks for nothing`);
    return resolveVersion(request, http, base);
  };

  test.each([
    ['1.29.3', 'v1.29.3'],
    ['stable', 'v1.33.1'],
    ['latest', 'v1.33.1'],
    ['1.32', 'v1.32.5'],
    ['stable-1.31', 'v1.31.9'],
    ['prerelease', 'v1.34.0-beta.1'],
    ['prerelease-1.34', 'v1.34.0-beta.1'],
    ['1.31.x', 'v1.31.9'],
    ['~1.31.2', 'v1.31.9'],
    ['^1.30', 'v1.33.1'],
    ['1.x', 'v1.33.1'],
    ['>=1.30 <1.32', 'v1.31.9'],
    ['1.29 - 1.31', 'v1.31.9'],
    ['1.30.x || 1.31.x', 'v1.31.9'],
    // Bounds inside a minor: the newest patch that is there and in the range.
    ['<1.31.9', 'v1.31.8'],
    ['>=1.31.5 <1.31.8', 'v1.31.6'],
    ['<=1.31.7 >=1.31.0', 'v1.31.6'],
    ['1.30.0 - 1.30.5', 'v1.30.2'],
    // Nothing of 1.31 is in the range, so the next minor below is looked at.
    ['>=1.30.0 <1.31.0', 'v1.30.13'],
  ])('%s is %s', async (text, expected) => {
    expect(await resolve(text)).toBe(expected);
  });

  test('an exact version asks nothing', async () => {
    await resolve('1.31.9');
    expect(host.server.requests).toEqual([]);
  });

  test('a pointer to an absurd patch costs a hundred requests, not more', async () => {
    host.put('release/stable.txt', 'v1.31.900');
    const error = await rejectionOf(resolve('<1.31.900 >=1.31.0'));
    expect(error.code).toBe('VERSION_NOT_FOUND');
    const looked = host.server.requests.filter(({ path }) => path.endsWith('/kubectl.sha256'));
    expect(looked).toHaveLength(100);
  });

  test.each([
    [
      '1.31.5 - 1.31.7',
      ['Looking for the newest release of 1.31 in the range, in up to 3 requests'],
    ],
    ['1.31.x', []],
    ['1.30.x', []],
  ])('%s: says so before it looks for patches one by one', async (text, lines) => {
    const request = await parseVersionRequest(text);
    if (request === undefined) throw new Error(`${text} asks for nothing`);
    const said: string[] = [];
    await resolveVersion(request, http, base, (line) => said.push(line));
    expect(said).toEqual(lines);
  });

  test('says nothing where there is no patch to look for', async () => {
    const said: string[] = [];
    const request: VersionRequest = { kind: 'range', range: '>1.31.9 <1.32.0-0' };
    await rejectionOf(resolveVersion(request, http, base, (line) => said.push(line)));
    expect(said).toEqual([]);
  });

  test('a range asks only for minors that it touches', async () => {
    await resolve('>=1.30.0 <1.31.0');
    expect(host.server.requests.map(({ path }) => path)).toEqual([
      '/release/stable.txt',
      '/release/stable-1.30.txt',
    ]);
  });

  test.each([
    ['1.29', 'stable-1.29.txt'],
    ['prerelease-1.31', 'latest-1.31.txt'],
    ['>=1.40', 'no stable release satisfies the range'],
    ['1.31.7 - 1.31.7', 'no stable release satisfies the range'],
  ])('%s is not found', async (text, words) => {
    const error = await rejectionOf(resolve(text));
    expect(error.code).toBe('VERSION_NOT_FOUND');
    expect(error.message).toContain(words);
  });

  test.each([
    ['a page', '<html><body>captive portal</body></html>'],
    ['nothing', ''],
    ['two versions', 'v1.33.1\nv1.33.0'],
    ['a path', 'v1.33.1/../../evil'],
    ['a version without v', '1.33.1'],
    ['a pre-release for stable', 'v1.34.0-rc.0'],
    ['a megabyte', 'v'.repeat(1 << 20)],
  ])('a pointer that holds %s is refused', async (_, text) => {
    host.put('release/stable.txt', text);
    expect((await rejectionOf(resolve('stable'))).code).toBe('VERSION_NOT_FOUND');
  });

  test('a pointer to another minor is refused', async () => {
    host.put('release/stable-1.31.txt', 'v1.32.5');
    expect((await rejectionOf(resolve('1.31'))).code).toBe('VERSION_NOT_FOUND');
  });

  test.each(['stable', '1.31', 'prerelease', '<1.31.9'])(
    'when the host fails, %s is not guessed',
    async (text) => {
      host.server.fail(/./, fault.status(500), Infinity);
      expect((await rejectionOf(resolve(text))).code).toBe('DOWNLOAD_FAILED');
    },
  );

  test('a missing release answers 404 or 403', async () => {
    expect(await isPublished('v1.31.9', http, base)).toBe(true);
    expect(await isPublished('v1.31.7', http, base)).toBe(false);
    host.missing = 403;
    expect(await isPublished('v1.31.7', http, base)).toBe(false);
    host.missing = 404;
  });
});

describe('newerThan', () => {
  const HELD = ['v1.35.9', 'v1.36.1', 'v1.36.10', 'v1.36.2', 'v1.37.0-rc.0', 'v1.37.0-rc.1'];
  const range = (text: string): VersionRequest => ({ kind: 'range', range: text });

  test.each<[string, VersionRequest, string[]]>([
    ['v1.36.1', stable(), ['v1.36.10', 'v1.36.2']],
    ['v1.36.10', stable(), []],
    ['v1.36.11', stable(), []],
    ['v1.26.0', stable('1.35'), ['v1.35.9']],
    ['v1.36.2', stable('1.36'), ['v1.36.10']],
    ['v1.36.1', range('>=1.36.0 <1.36.10'), ['v1.36.2']],
    // A range means stable releases, as pointers for it do.
    ['v1.36.10', range('>=1.36.0 || >=1.37.0-rc.0'), []],
    ['v1.37.0-rc.0', prerelease(), ['v1.37.0-rc.1']],
    ['v1.37.0-rc.1', prerelease(), []],
    // latest-1.36.txt may be older than stable-1.36.txt.
    ['v1.36.0-rc.1', prerelease('1.36'), []],
  ])('%s, named for %j', async (named, request, expected) => {
    expect(await newerThan(named, HELD, request)).toEqual(expected);
    expect(await newerThan(named, [], request)).toEqual([]);
  });
});
