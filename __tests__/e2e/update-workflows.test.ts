// The workflows in docs/examples/, as written: the steps of a job in order, against a real git repository. Two things are
// not GitHub's: the hosts that the action asks, and `gh`, which needs GitHub.
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { parse } from 'yaml';
import {
  World,
  commandFileValues,
  lockOf,
  lockText,
  type ActionResult,
  type LockJson,
} from '../support/index.js';
import { describeUnless } from '../support/skip.js';
import { ROOT, textOf } from '../unit/repository.js';
import { STRANGER, expectRefused, runIn } from './expectations.js';

const VERSION = 'v1.31.9';
const OLDER = 'v1.31.8';
const PLATFORMS = ['linux/amd64', 'darwin/arm64'];
const FILE = 'kubernetes.lock.json';
const BRANCH = `kubernetes-lock/${VERSION}`;

interface Step {
  readonly id?: string;
  readonly if?: string;
  readonly uses?: string;
  readonly with?: Readonly<Record<string, unknown>>;
  readonly env?: Readonly<Record<string, string>>;
  readonly run?: string;
}

interface PullRequest {
  readonly head: string;
  readonly base: string;
  readonly title: string;
  readonly state: 'OPEN' | 'CLOSED' | 'MERGED';
}

const missing =
  process.platform === 'win32'
    ? 'needs bash: the workflows are for Linux'
    : spawnSync('jq', ['--version']).status === 0
      ? undefined
      : 'needs jq, which GitHub has on its runners, and gh built in';

let world: World;
let folder: string;

beforeAll(async () => {
  world = await World.start();
});
beforeEach(() => {
  world.reset();
  world.release.publish({ version: OLDER, platforms: PLATFORMS });
  folder = mkdtempSync(join(tmpdir(), 'update-'));
  git(folder, 'init', '--quiet', '--bare', '--initial-branch=main', 'origin.git');
  git(folder, 'init', '--quiet', '--initial-branch=main', 'setup');
  git(join(folder, 'setup'), 'remote', 'add', 'origin', join(folder, 'origin.git'));
  writeFileSync(join(folder, 'pull-requests.json'), '[]');
  writeFileSync(join(folder, 'gh'), GH, { mode: 0o755 });
  commit('main', lockText(lockOf(world, OLDER, { platforms: PLATFORMS })));
});
afterEach(() => rmSync(folder, { recursive: true }));
afterAll(() => world.stop());

/**
 * Keeps pull requests in a file. As the real one: refuses a second open pull request for a branch, and a branch that does
 * not exist (cli/cli, pkg/cmd/pr/create; api.github.com answers 422).
 */
const GH = `#!/usr/bin/env bash
set -euo pipefail
here=$(dirname "$0")
pulls=$here/pull-requests.json
case "$1 $2" in
  'auth setup-git') [[ -n $GH_TOKEN ]] ;;
  'pr list')
    [[ "$3 $5 $6 $7 $8 $9" == '--head --state all --json state --jq' ]]
    jq --arg head "$4" 'map(select(.head == $head) | {state})' "$pulls" | jq "\${10}" ;;
  'pr create')
    [[ "$3 $5 $7 $9" == '--base --head --title --body' ]]
    if [[ -e $here/unavailable ]]; then echo 'HTTP 502' >&2; exit 1; fi
    git -C "$here/origin.git" rev-parse --verify --quiet "refs/heads/$6" >/dev/null
    jq --exit-status --arg head "$6" 'all(.head != $head or .state != "OPEN")' "$pulls" >/dev/null
    changed=$(jq --arg base "$4" --arg head "$6" --arg title "$8" \\
      '. + [{$head, $base, $title, state: "OPEN"}]' "$pulls")
    echo "$changed" > "$pulls" ;;
  *) echo "unknown: $*" >&2; exit 1 ;;
esac
`;

function git(cwd: string, ...args: string[]): string {
  const identity = ['-c', 'user.name=somebody', '-c', 'user.email=somebody@example.com'];
  return execFileSync('git', [...identity, ...args], { cwd, encoding: 'utf8' }).trim();
}

const inOrigin = (...args: string[]): string => git(join(folder, 'origin.git'), ...args);
const branches = (): string[] =>
  inOrigin('for-each-ref', '--format=%(refname:short)', 'refs/heads').split('\n');
const lockedOn = (branch: string): LockJson =>
  JSON.parse(inOrigin('show', `${branch}:${FILE}`)) as LockJson;
const changedOn = (branch: string): string => inOrigin('diff', '--name-only', 'main', branch);
const pullRequests = (): PullRequest[] =>
  JSON.parse(readFileSync(join(folder, 'pull-requests.json'), 'utf8')) as PullRequest[];
const putPullRequests = (...pulls: readonly PullRequest[]): void =>
  writeFileSync(join(folder, 'pull-requests.json'), JSON.stringify(pulls));

/** Commits a lock file to a branch, as somebody would. */
function commit(branch: string, text: string): void {
  const clone = join(folder, 'setup');
  if (git(clone, 'branch', '--show-current') !== branch) {
    git(clone, 'switch', '--quiet', '--create', branch);
  }
  writeFileSync(join(clone, FILE), text);
  git(clone, 'add', FILE);
  git(clone, 'commit', '--quiet', '--message', 'Lock');
  git(clone, 'push', '--quiet', 'origin', branch);
}

interface JobResult {
  readonly runs: readonly ActionResult[];
  /** `undefined` for a step that was skipped. */
  readonly lastStep: { readonly status: number | null; readonly output: string } | undefined;
}

let jobs = 0;

/** A job of its own, with a checkout of the branch. Ends with the first step that fails. */
async function runJob(file: string, branch: string): Promise<JobResult> {
  const workspace = join(folder, `workspace-${(jobs += 1)}`);
  const outputs = new Map<string, Readonly<Record<string, string>>>();
  const evaluate = (text: string): string =>
    text.replaceAll(/\$\{\{ (.+?) \}\}/g, (_, expression: string) => valueOf(expression));
  const valueOf = (expression: string): string => {
    const [, id = '', name = ''] = /^steps\.(\w+)\.outputs\.(\w+)$/.exec(expression) ?? [];
    if (id !== '') return outputs.get(id)?.[name] ?? '';
    if (expression === 'github.ref_name') return branch;
    if (expression === 'github.token') return 'the-token';
    throw new Error(`unknown expression: ${expression}`);
  };
  const runs: ActionResult[] = [];
  let lastStep: JobResult['lastStep'];
  for (const step of stepsOf(file)) {
    lastStep = undefined;
    if (step.if !== undefined) {
      const [, expression = '', value] = /^(\S+) == '(\w+)'$/.exec(step.if) ?? [];
      if (valueOf(expression) !== value) continue;
    }
    if (step.uses?.startsWith('actions/checkout@') === true) {
      git(folder, 'clone', '--quiet', '--branch', branch, 'origin.git', workspace);
    } else if (step.uses?.startsWith('org/setup-verified-kubectl/lock@') === true) {
      const inputs = Object.entries(step.with ?? {}).map(([name, text]): [string, string] => [
        name,
        evaluate(String(text)),
      ]);
      const run = await runIn(world, Object.fromEntries(inputs), {
        workspace,
        actionRoot: join(ROOT, 'lock'),
      });
      runs.push(run);
      outputs.set(step.id ?? '', run.outputs);
      if (run.exitCode !== 0) break;
    } else {
      const outputFile = join(folder, 'output');
      writeFileSync(outputFile, '');
      // As the runner starts `shell: bash` (actions/runner, ScriptHandlerHelpers.cs).
      const bash = ['--noprofile', '--norc', '-eo', 'pipefail', '-c', step.run ?? ''];
      const { status, stdout, stderr } = spawnSync('bash', bash, {
        cwd: workspace,
        encoding: 'utf8',
        env: {
          ...Object.fromEntries(
            Object.entries(step.env ?? {}).map(([name, text]) => [name, evaluate(text)]),
          ),
          PATH: [folder, process.env['PATH'] ?? ''].join(delimiter),
          HOME: folder,
          GITHUB_OUTPUT: outputFile,
        },
      });
      lastStep = { status, output: stdout + stderr };
      outputs.set(step.id ?? '', commandFileValues(readFileSync(outputFile, 'utf8')));
      if (status !== 0) break;
    }
  }
  return { runs, lastStep };
}

function stepsOf(file: string): readonly Step[] {
  const { jobs } = parse(textOf(file)) as {
    readonly jobs: Readonly<Record<string, { readonly steps: readonly Step[] }>>;
  };
  return Object.values(jobs).flatMap(({ steps }) => steps);
}

describeUnless(missing)('docs/examples/update-lock.yml', () => {
  const update = (): Promise<JobResult> => runJob('docs/examples/update-lock.yml', 'main');

  test('does nothing while the lock is up to date', async () => {
    const { runs, lastStep } = await update();
    expect(runs).toMatchObject([{ exitCode: 0, outputs: { changed: 'false' } }]);
    expect(lastStep).toBeUndefined();
    expect(branches()).toEqual(['main']);
    expect(pullRequests()).toEqual([]);
  });

  describe('when there is a new patch', () => {
    beforeEach(() => {
      world.release.publish({ version: VERSION, platforms: PLATFORMS });
    });

    test('opens a pull request that changes the lock alone', async () => {
      expect((await update()).lastStep).toMatchObject({ status: 0 });
      expect(pullRequests()).toEqual([
        { head: BRANCH, base: 'main', title: `Update Kubernetes to ${VERSION}`, state: 'OPEN' },
      ]);
      expect(branches()).toEqual([BRANCH, 'main']);
      expect(changedOn(BRANCH)).toBe(FILE);
      expect(lockedOn(BRANCH).version).toBe(VERSION);
      expect(lockedOn('main').version).toBe(OLDER);
    });

    test('opens no second one', async () => {
      await update();
      const before = inOrigin('rev-parse', BRANCH);
      const { lastStep } = await update();
      expect(lastStep?.status).toBe(0);
      expect(lastStep?.output).toContain(`There is a pull request for ${VERSION} already.`);
      expect(pullRequests()).toHaveLength(1);
      expect(inOrigin('rev-parse', BRANCH)).toBe(before);
    });

    test('does not open one again that was closed', async () => {
      putPullRequests({ head: BRANCH, base: 'main', title: '', state: 'CLOSED' });
      expect((await update()).lastStep?.status).toBe(0);
      expect(pullRequests()).toHaveLength(1);
      expect(branches()).toEqual(['main']);
    });

    test('opens another one after one was merged, if the lock is out of date again', async () => {
      putPullRequests({ head: BRANCH, base: 'main', title: '', state: 'MERGED' });
      expect((await update()).lastStep?.status).toBe(0);
      expect(pullRequests().map(({ state }) => state)).toEqual(['MERGED', 'OPEN']);
    });

    test('makes up for a run that pushed the branch and then failed', async () => {
      writeFileSync(join(folder, 'unavailable'), '');
      expect((await update()).lastStep?.status).not.toBe(0);
      expect(branches()).toContain(BRANCH);
      expect(pullRequests()).toEqual([]);
      rmSync(join(folder, 'unavailable'));
      expect((await update()).lastStep?.status).toBe(0);
      expect(pullRequests()).toHaveLength(1);
      expect(changedOn(BRANCH)).toBe(FILE);
    });

    test('opens none for files that do not verify', async () => {
      world.release.artifact(VERSION, 'darwin/arm64', 'kubectl').sign(STRANGER);
      const { runs, lastStep } = await update();
      expect(runs).toMatchObject([{ exitCode: 1 }]);
      expect(lastStep).toBeUndefined();
      expect(branches()).toEqual(['main']);
      expect(pullRequests()).toEqual([]);
    });
  });
});

describeUnless(missing)('docs/examples/refresh-lock.yml', () => {
  const RENOVATE = 'renovate/kubernetes';
  const refresh = (): Promise<JobResult> => runJob('docs/examples/refresh-lock.yml', RENOVATE);

  /** As Renovate does with default.json. */
  const bump = (version: string): void => {
    const text = inOrigin('show', `main:${FILE}`);
    commit(RENOVATE, `${text.replace(`"version": "${OLDER}"`, `"version": "${version}"`)}\n`);
  };

  beforeEach(() => {
    world.release.publish({ version: VERSION, platforms: PLATFORMS });
  });

  test('until then, a run refuses the lock', async () => {
    bump(VERSION);
    const text = inOrigin('show', `${RENOVATE}:${FILE}`);
    const run = await runIn(world, { 'lock-file': FILE }, { workspace: { [FILE]: text } });
    expectRefused(run, 'LOCK_MISMATCH');
  });

  test("completes the lock on Renovate's branch", async () => {
    bump(VERSION);
    const { runs, lastStep } = await refresh();
    expect(runs).toMatchObject([{ exitCode: 0 }]);
    expect(lastStep).toMatchObject({ status: 0 });
    const { version, files } = lockedOn(RENOVATE);
    expect(version).toBe(VERSION);
    expect(files).not.toEqual(lockedOn('main').files);
    expect(changedOn(RENOVATE)).toBe(FILE);
    // The result is complete: a second run has nothing to do.
    expect((await refresh()).lastStep).toBeUndefined();
  });

  test('fails for a version that does not verify', async () => {
    world.release.artifact(VERSION, 'darwin/arm64', 'kubectl').sign(STRANGER);
    bump(VERSION);
    const before = inOrigin('rev-parse', RENOVATE);
    expect((await refresh()).runs).toMatchObject([{ exitCode: 1 }]);
    expect(inOrigin('rev-parse', RENOVATE)).toBe(before);
  });

  test('asks for nothing that is not a version', async () => {
    bump('v1.31.9; echo');
    const { runs, lastStep } = await refresh();
    expect(runs).toEqual([]);
    expect(lastStep?.status).not.toBe(0);
  });
});
