// scripts/check-release.js as move-major-tag.yml runs it: a process, in a clone of a real repository.
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { describeUnless } from '../support/skip.js';
import { ROOT } from './repository.js';

const NO_GIT = spawnSync('git', ['--version']).status === 0 ? undefined : 'there is no git on PATH';

const SCRIPT = join(ROOT, 'scripts', 'check-release.js');
const CODE = '// version 1.2.3\n';
const CHUNK = '// loaded by index.js\n';
const LICENSES = 'Apache-2.0\n';

let folder: string;
let origin: string;
let clone: string;
let assets: string;

/** Git without the settings of this machine; `autocrlf` would change the committed bytes on Windows. */
const ENVIRONMENT = {
  ...process.env,
  GIT_CONFIG_GLOBAL: '/dev/null',
  GIT_CONFIG_NOSYSTEM: '1',
  GIT_AUTHOR_NAME: 'A',
  GIT_AUTHOR_EMAIL: 'a@example.com',
  GIT_COMMITTER_NAME: 'A',
  GIT_COMMITTER_EMAIL: 'a@example.com',
};

function git(cwd: string, ...words: string[]): string {
  return execFileSync('git', words, { cwd, env: ENVIRONMENT, stdio: 'pipe' }).toString().trim();
}

function commit(code: string): string {
  mkdirSync(join(origin, 'dist'), { recursive: true });
  writeFileSync(join(origin, 'dist', 'index.js'), code);
  writeFileSync(join(origin, 'dist', '123.index.js'), CHUNK);
  writeFileSync(join(origin, 'dist', 'licenses.txt'), LICENSES);
  git(origin, 'add', '.');
  git(origin, 'commit', '--quiet', '--message', code);
  return git(origin, 'rev-parse', 'HEAD');
}

interface Ended {
  readonly status: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** As on a runner: a shallow clone of the default branch, without tags. */
function check(release = 'v1.2.3'): Ended {
  const url = pathToFileURL(origin).href;
  git(folder, 'clone', '--quiet', '--depth=1', '--no-tags', '--branch=main', url, clone);
  return spawnSync(process.execPath, [SCRIPT, release, assets], {
    cwd: clone,
    env: ENVIRONMENT,
    encoding: 'utf8',
  });
}

function expectFailure({ status, stdout, stderr }: Ended, reason: RegExp): void {
  expect(stderr).toMatch(reason);
  expect(stdout).toBe('');
  expect(status).toBe(1);
}

describeUnless(NO_GIT)('scripts/check-release.js', () => {
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'check-release-'));
    [origin, clone, assets] = ['origin', 'clone', 'assets'].map((name) => join(folder, name)) as [
      string,
      string,
      string,
    ];
    mkdirSync(assets);
    writeFileSync(join(assets, 'index.js'), CODE);
    writeFileSync(join(assets, '123.index.js'), CHUNK);
    writeFileSync(join(assets, 'licenses.txt'), LICENSES);
    writeFileSync(join(assets, 'sbom.spdx.json'), '{}\n');
    git(folder, 'init', '--quiet', '--initial-branch=main', origin);
  });

  afterEach(() => {
    rmSync(folder, { recursive: true, force: true });
  });

  describe.each([
    ['a lightweight tag', ['tag', 'v1.2.3']],
    ['an annotated tag', ['tag', '--annotate', '--message=v1.2.3', 'v1.2.3']],
  ])('%s', (_what, words) => {
    test('gives its commit', () => {
      const released = commit(CODE);
      git(origin, ...words);
      commit('// later\n');
      const { status, stdout } = check();
      expect(stdout).toBe(`commit=${released}\nmajor=v1\n`);
      expect(status).toBe(0);
    });

    test.each(['v1.2.3', 'tags/v1.2.3', 'refs/tags/v1.2.3'])(
      'wins over a branch named %s',
      (branch) => {
        const released = commit(CODE);
        git(origin, ...words);
        commit('// of the branch\n');
        git(origin, 'update-ref', `refs/heads/${branch}`, 'HEAD');
        expect(check().stdout).toBe(`commit=${released}\nmajor=v1\n`);
      },
    );
  });

  test.each(['v1.2.3', 'tags/v1.2.3', 'refs/tags/v1.2.3'])(
    'a branch named %s is no release',
    (branch) => {
      commit(CODE);
      git(origin, 'update-ref', `refs/heads/${branch}`, 'HEAD');
      expectFailure(check(), /origin has no tag v1\.2\.3/);
    },
  );

  test('a tag that points at a file is no release', () => {
    commit(CODE);
    git(origin, 'tag', 'v1.2.3', 'HEAD:dist/index.js');
    expectFailure(check(), /points at a blob/);
  });

  test.each([
    ['index.js', CODE.replace('1.2.3', '1.2.4')],
    ['123.index.js', '// something else\n'],
    ['licenses.txt', 'MIT\n'],
  ])('a released %s unlike the committed one is refused', (name, content) => {
    commit(CODE);
    git(origin, 'tag', 'v1.2.3');
    writeFileSync(join(assets, name), content);
    expectFailure(check(), new RegExp(`released ${name} differs`));
  });

  test.each(['index.js', '123.index.js', 'licenses.txt'])(
    'a release without %s is refused',
    (name) => {
      commit(CODE);
      git(origin, 'tag', 'v1.2.3');
      rmSync(join(assets, name));
      expectFailure(check(), /ENOENT/);
    },
  );

  test('a released file that is not in dist/ is refused', () => {
    commit(CODE);
    git(origin, 'tag', 'v1.2.3');
    writeFileSync(join(assets, '456.index.js'), CHUNK);
    expectFailure(check(), /456\.index\.js is not in dist\//);
  });

  test.each([
    '1.2.3',
    'v1.2',
    'v01.2.3',
    'v1.2.3-rc.1',
    'v1.2.3\nmajor=v9',
    'main',
    '--upload-pack=x',
  ])('the name %j is refused', (name) => {
    commit(CODE);
    expectFailure(check(name), /Usage/);
  });
});
