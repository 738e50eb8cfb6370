import { describe, expect, test } from '@jest/globals';
import { parse } from 'yaml';
import { actionErrors, workflowErrors } from './github-schema.js';
import { filesLike, textOf } from './repository.js';

interface Step {
  readonly uses?: string;
  readonly run?: string;
  readonly with?: Readonly<Record<string, unknown>>;
}

interface Job {
  readonly 'timeout-minutes'?: number;
  readonly permissions?: unknown;
  readonly if?: string;
  readonly steps?: readonly Step[];
}

interface Workflow {
  readonly on: unknown;
  readonly permissions?: unknown;
  readonly jobs: Readonly<Record<string, Job>>;
}

/** Ours, and those that docs/updates.md offers to others. */
const FILES = filesLike('.github/workflows/*.yml', 'docs/examples/*.yml');

test('there are workflows to look at', () => {
  expect(FILES.length).toBeGreaterThan(5);
});

describe("GitHub's own schema", () => {
  test.each(FILES)('accepts %s', (file) => {
    expect(workflowErrors(file, textOf(file))).toEqual([]);
  });

  test('accepts action.yml', () => {
    expect(actionErrors('action.yml', textOf('action.yml'))).toEqual([]);
  });

  test('refuses a workflow with an unknown key', () => {
    const text = textOf('.github/workflows/ci.yml').replace('timeout-minutes:', 'timeout-minuets:');
    expect(workflowErrors('ci.yml', text)).toEqual([
      expect.stringContaining("Unexpected value 'timeout-minuets'"),
    ]);
  });

  test('refuses an action of an unknown runtime', () => {
    const text = textOf('action.yml').replace('using: node24', 'using: node23');
    expect(actionErrors('action.yml', text)).not.toEqual([]);
  });
});

/** The rules of this house; each returns what breaks it. */
const RULES: Readonly<Record<string, (text: string) => readonly string[]>> = {
  // Which commit of this action an example should name, nobody knows before it is released.
  'names the commit and the version of every action': (text) =>
    usesLines(text.replaceAll('org/setup-verified-kubectl/lock@v1', './lock')).filter(
      (line) =>
        !/^uses: (\.\/(?:lock)?|[\w.-]+(\/[\w.-]+)+@[0-9a-f]{40} # v\d+\.\d+\.\d+)$/.test(line),
    ),
  'permits nothing at the top': (text) =>
    JSON.stringify(workflow(text).permissions) === '{}' ? [] : ['permissions'],
  'does not leave the token behind': (text) =>
    stepsOf(text)
      .filter(({ uses }) => uses?.startsWith('actions/checkout@') === true)
      .flatMap(({ with: options }) =>
        options?.['persist-credentials'] === false ? [] : ['persist-credentials'],
      ),
  'limits the time of every job': (text) =>
    Object.entries(workflow(text).jobs)
      .filter(([, job]) => typeof job['timeout-minutes'] !== 'number')
      .map(([name]) => name),
  'puts no expression into a script': (text) =>
    stepsOf(text).flatMap(({ run = '' }) => run.match(/\$\{\{.*?\}\}/g) ?? []),
  'writes no output or variable in a step that asks the network': (text) =>
    stepsOf(text)
      .map(({ run = '' }) => run)
      .filter((run) => /\$\{?GITHUB_(?:OUTPUT|ENV|PATH)\b/.test(run))
      .flatMap(
        (run) =>
          run.match(/\b(?:curl|wget|gh|npm (?:view|info)|git (?:fetch|ls-remote))\b.*/g) ?? [],
      ),
  'does not run for strangers with our rights': (text) =>
    ['pull_request_target', 'workflow_run'].filter((event) =>
      JSON.stringify(workflow(text).on).includes(event),
    ),
};

/** A workflow that keeps all rules; `change` breaks one of them. */
const GOOD = `
on: [push]
permissions: {}
jobs:
  one:
    runs-on: ubuntu-24.04
    timeout-minutes: 5
    steps:
      - uses: actions/checkout@3d3c42e5aac5ba805825da76410c181273ba90b1 # v7.0.1
        with:
          persist-credentials: false
      - uses: ./
      - run: echo "$NAME"
`;

/** [rule, what stands in GOOD, what breaks the rule in its place] */
const BREACHES: readonly (readonly [rule: string, from: string, to: string])[] = [
  ['names the commit and the version of every action', ' # v7.0.1', ''],
  ['names the commit and the version of every action', ' # v7.0.1', ' # v7'],
  ['names the commit and the version of every action', '@3d3c42e5', '@'],
  ['permits nothing at the top', 'permissions: {}\n', ''],
  ['permits nothing at the top', 'permissions: {}', 'permissions: read-all'],
  ['does not leave the token behind', 'persist-credentials: false', 'persist-credentials: true'],
  ['does not leave the token behind', 'persist-credentials: false', 'fetch-depth: 0'],
  ['limits the time of every job', '    timeout-minutes: 5\n', ''],
  ['puts no expression into a script', '$NAME', '${{ github.event.issue.title }}'],
  [
    'writes no output or variable in a step that asks the network',
    'echo "$NAME"',
    'echo "version=$(curl https://dl.k8s.io/release/stable.txt)" >> "$GITHUB_OUTPUT"',
  ],
  [
    'writes no output or variable in a step that asks the network',
    'echo "$NAME"',
    'echo "commit=$(gh api repos/org/action/commits/v1 --jq .sha)" >> "${GITHUB_ENV}"',
  ],
  ['does not run for strangers with our rights', '[push]', '[pull_request_target]'],
];

describe.each(Object.entries(RULES))('%s', (rule, breachesIn) => {
  test.each(FILES)('%s', (file) => {
    expect(breachesIn(textOf(file))).toEqual([]);
  });

  test('is accepted where it is so', () => {
    expect(breachesIn(GOOD)).toEqual([]);
  });

  const breaches = BREACHES.filter(([broken]) => broken === rule);
  test.each(breaches)('%s: is refused with %j as %j', (_rule, from, to) => {
    expect(breachesIn(GOOD.replace(from, to))).not.toEqual([]);
  });
});

test('the major tag moves to the commit that was attested', () => {
  const scripts = stepsOf(textOf('.github/workflows/move-major-tag.yml')).flatMap(
    ({ run = [] }) => run,
  );
  const attestation = scripts.find((run) => run.includes('gh attestation verify')) ?? '';
  for (const option of [
    '--deny-self-hosted-runners',
    '--cert-identity "$GITHUB_SERVER_URL/$GH_REPO/.github/workflows/release.yml@refs/tags/$RELEASE"',
    '--source-ref "refs/tags/$RELEASE"',
    '--source-digest "$COMMIT"',
    '--signer-digest "$COMMIT"',
  ]) {
    expect(attestation).toContain(option);
  }
  // Each file is verified: all that was released was downloaded.
  expect(attestation).toMatch(
    /^for file in "\$RUNNER_TEMP\/release"\/\*; do\n +gh attestation verify "\$file" /m,
  );
  expect(scripts.join('\n')).toMatch(
    /^gh release download "\$RELEASE" --dir "\$RUNNER_TEMP\/release"$/m,
  );
  // With an empty value gh 2.102 checks nothing, and succeeds.
  expect(attestation).toMatch(/^\[\[ \$COMMIT =~ \^\[0-9a-f\]\{40\}\$ \]\]$/m);
  expect(scripts).toContainEqual(
    'node scripts/check-release.js "$RELEASE" "$RUNNER_TEMP/release" >> "$GITHUB_OUTPUT"',
  );
  // GitHub prefers a branch where `commits/<name>` could be either.
  expect(scripts.join('\n')).not.toMatch(/\/commits\/\$/);
});

test('every file of dist/ is attested and released', () => {
  const text = textOf('.github/workflows/release.yml');
  const scripts = stepsOf(text).flatMap(({ run = [] }) => run);
  expect(scripts.join('\n')).toMatch(/^cp -R dist release\/dist$/m);
  expect(scripts.join('\n')).toMatch(/ release\/dist\/\* release\/sbom\.spdx\.json$/m);
  const subjects = [...text.matchAll(/subject-path: (?:\|\n)?((?: *release\/\S+\n)+)/g)].map(
    ([, paths = '']) => paths.split('\n').map((path) => path.trim()),
  );
  expect(subjects).toEqual([
    ['release/dist/*', 'release/sbom.spdx.json', ''],
    ['release/dist/*', ''],
  ]);
});

describe('the canary reports', () => {
  const { jobs } = workflow(textOf('.github/workflows/canary.yml'));

  test('also when its first job failed', () => {
    expect(jobs['report']?.if).toContain('!cancelled()');
    expect(jobs['report']?.if).not.toContain('needs.');
  });

  test('on a schedule, and on the default branch, by its whole name', () => {
    expect(jobs['report']?.if).toContain("github.event_name == 'schedule' ||");
    expect(jobs['report']?.if).not.toContain('ref_name');
  });
});

test('the end-to-end workflow uses every input and asserts every kind of output', () => {
  const text = textOf('.github/workflows/e2e-real.yml');
  const action = parse(textOf('action.yml')) as {
    inputs: Record<string, unknown>;
    outputs: Record<string, unknown>;
  };
  const given = stepsOf(text)
    .filter(({ uses }) => uses === './')
    .flatMap((step) => Object.keys(step.with ?? {}));
  const asserted = [...text.matchAll(/steps\.[\w-]+\.outputs\.([\w-]+)/g)].map(([, name]) => name);
  const single = Object.keys(action.outputs).filter(
    (name) => !name.endsWith('-path') || ['kubectl-path', 'bundle-path'].includes(name),
  );

  expect([...new Set(given)].sort()).toEqual(Object.keys(action.inputs).sort());
  expect(single.filter((name) => !asserted.includes(name))).toEqual([]);
});

function workflow(text: string): Workflow {
  return parse(text) as Workflow;
}

function stepsOf(text: string): Step[] {
  return Object.values(workflow(text).jobs).flatMap(({ steps = [] }) => steps);
}

function usesLines(text: string): string[] {
  return text.split('\n').flatMap((line) => /uses: .*$/.exec(line)?.[0] ?? []);
}
