// default.json: what `"extends": ["github>org/setup-verified-kubectl"]` gives to Renovate.
import { spawnSync } from 'node:child_process';
import { copyFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { parse } from 'yaml';
import { describeUnless } from '../support/skip.js';
import { ROOT, filesLike, textOf } from './repository.js';

interface CustomManager {
  readonly managerFilePatterns: readonly string[];
  readonly matchStrings: readonly string[];
}

const { customManagers } = JSON.parse(textOf('default.json')) as {
  readonly customManagers: readonly CustomManager[];
};

/**
 * As Renovate's regex manager does, by file name and content. The only flag is `g`: `^` and `$` mean the whole file
 * (renovate 44.121.2, dist/modules/manager/custom/regex/strategies.js).
 */
function versionsIn(file: string, content: string): string[] {
  return customManagers
    .filter(({ managerFilePatterns }) =>
      managerFilePatterns.some((pattern) => new RegExp(pattern.slice(1, -1)).test(file)),
    )
    .flatMap(({ matchStrings }) => matchStrings)
    .flatMap((pattern) => [...content.matchAll(new RegExp(pattern, 'g'))])
    .map(({ groups }) => groups?.['currentValue'] ?? '');
}

const WORKFLOW = '.github/workflows/cluster.yml';

const step = (...lines: readonly string[]): string =>
  [
    'on: push',
    'jobs:',
    '  one:',
    '    runs-on: ubuntu-latest',
    '    steps:',
    ...lines.map((line) => `      ${line}`),
    '',
  ].join('\n');

const OURS = '- uses: org/setup-verified-kubectl@v1';

describe('a workflow', () => {
  test.each<[what: string, text: string]>([
    ['quoted', step(OURS, '  with:', "    version: '1.31.9'")],
    ['with v', step(OURS, '  with:', '    version: v1.31.9')],
    ['with a comment', step(OURS, '  with:', '    version: "1.31.9" # as the cluster has it')],
    ['at the end of a file', step(OURS, '  with:', '    version: 1.31.9').trimEnd()],
    [
      'with Windows line ends',
      step(OURS, '  with:', '    version: 1.31.9').replaceAll('\n', '\r\n'),
    ],
    [
      'behind other inputs and comments',
      step(
        '- name: Tools',
        '  id: tools',
        '  uses: somebody/setup-verified-kubectl@0123456789abcdef0123456789abcdef01234567 # v1.2.3',
        '  if: github.ref_name == github.event.repository.default_branch',
        '  # All of them.',
        '  with: # inputs',
        '    tools: |',
        '      kubectl',
        '      kubeadm',
        '    # The version of the cluster.',
        "    cluster-version: '1.32'",
        '    version: 1.31.9',
      ),
    ],
    [
      'of the lock',
      step('- uses: org/setup-verified-kubectl/lock@v1', '  with:', '    version: 1.31.9'),
    ],
  ])('%s', (_what, text) => {
    expect(versionsIn(WORKFLOW, text)).toEqual(['1.31.9']);
  });

  test.each<[what: string, text: string]>([
    ['a minor', step(OURS, '  with:', "    version: '1.31'")],
    ['a range', step(OURS, '  with:', "    version: '~1.31.2'")],
    ['another input', step(OURS, '  with:', "    cluster-version: '1.31.9'")],
    [
      'another action',
      step('- uses: org/setup-verified-kubectl-fork@v1', '  with:', '    version: 1.31.9'),
    ],
    [
      'the next step',
      step(OURS, '- uses: azure/setup-kubectl@v4', '  with:', '    version: 1.31.9'),
    ],
    [
      'the next step, behind inputs',
      step(
        OURS,
        '  with:',
        '    tools: kubectl',
        '- uses: azure/setup-kubectl@v4',
        '  with:',
        '    version: 1.31.9',
      ),
    ],
    [
      'the next job',
      `${step(OURS, '  with:', '    tools: kubectl')}  two:\n    uses: org/other/.github/workflows/a.yml@v1\n    with:\n      version: 1.31.9\n`,
    ],
  ])('not %s', (_what, text) => {
    expect(versionsIn(WORKFLOW, text)).toEqual([]);
  });

  test('one version for each step', () => {
    const text = step(
      OURS,
      '  with:',
      '    version: 1.31.9',
      OURS,
      OURS,
      '  with:',
      '    version: 1.30.14',
    );
    expect(versionsIn(WORKFLOW, text)).toEqual(['1.31.9', '1.30.14']);
  });
});

test('the examples in the documents', () => {
  const found = filesLike('README.md', 'docs/*.md').flatMap((file) => {
    const examples = [
      ...textOf(file).matchAll(/^```ya?ml\n(?!# \.gitlab-ci\.yml\n)(.*?)^```$/gms),
    ].map(([, text = '']) => text);
    return examples.map((text) => [versionsIn(WORKFLOW, text), exactVersions(parse(text))]);
  });
  expect(found.flatMap(([versions]) => versions)).toContain('1.31.9');
  for (const [versions, expected] of found) expect(versions).toEqual(expected);
});

/** Of the steps that use this action. */
function exactVersions(value: unknown): string[] {
  if (typeof value !== 'object' || value === null) return [];
  const { uses, with: inputs } = value as { uses?: unknown; with?: { version?: string | number } };
  if (typeof uses === 'string' && /\/setup-verified-kubectl(?:\/lock)?@/.test(uses)) {
    const version = `${inputs?.version ?? ''}`;
    return /^v?\d+\.\d+\.\d+$/.test(version) ? [version.replace(/^v/, '')] : [];
  }
  return Object.values(value).flatMap(exactVersions);
}

describe('other files', () => {
  test('a lock file', () => {
    const text = textOf('__tests__/fixtures/lock-v1/kubernetes.lock.json');
    const { version } = JSON.parse(text) as { readonly version: string };
    expect(versionsIn('deploy/kubernetes.lock.json', text)).toEqual([version.slice(1)]);
    expect(versionsIn('kubernetes.lock.json', text.replaceAll('\n', '\r\n'))).toEqual([
      version.slice(1),
    ]);
    expect(versionsIn('package-lock.json', text)).toEqual([]);
  });

  test('.kubectl-version', () => {
    expect(versionsIn('.kubectl-version', '1.31.9\n')).toEqual(['1.31.9']);
    expect(versionsIn('.kubectl-version', 'v1.31.9')).toEqual(['1.31.9']);
    expect(versionsIn('.kubectl-version', '1.31\n')).toEqual([]);
    expect(versionsIn('.kubectl-version', '1.31.9 1.31.8\n')).toEqual([]);
  });

  test.each([
    ['Dockerfile', 'RUN npx setup-verified-kubectl@1 install /usr/local/bin --version 1.31.9\n'],
    [
      'docker/Dockerfile.ci',
      'RUN npx setup-verified-kubectl install /opt \\\n    --version=v1.31.9\n',
    ],
    ['.gitlab-ci.yml', '    - npx setup-verified-kubectl install bin --version "1.31.9"\n'],
    [
      'scripts/tools.sh',
      'npx github:org/setup-verified-kubectl lock --tools kubectl --version 1.31.9\n',
    ],
  ])('a command in %s', (file, text) => {
    expect(versionsIn(file, text)).toEqual(['1.31.9']);
    expect(versionsIn(file, text.replace('1.31.9', '1.31'))).toEqual([]);
    expect(versionsIn(file, text.replace('setup-verified-kubectl', 'something-else'))).toEqual([]);
    // Of the next command.
    expect(versionsIn(file, text.replace(/(?:\\\n +)?--version/, '\nhelm --version'))).toEqual([]);
  });
});

test('RE2, which Renovate uses, knows all that the expressions use', () => {
  // github.com/google/re2/wiki/Syntax
  for (const pattern of customManagers.flatMap(({ matchStrings }) => matchStrings)) {
    expect(pattern).not.toMatch(/\(\?(?!:|<\w+>)|\\[1-9]|[*+?}]\+/);
  }
});

const validator = process.env['RENOVATE_CONFIG_VALIDATOR'];

describeUnless(
  validator === undefined
    ? 'needs RENOVATE_CONFIG_VALIDATOR, the path of renovate-config-validator'
    : undefined,
)("Renovate's own judgment", () => {
  let folder: string;

  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'renovate-'));
  });
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  const validate = (text: string): number | null => {
    writeFileSync(join(folder, 'default.json'), text);
    const args = ['--strict', '--no-global', 'default.json'];
    return spawnSync(validator ?? '', args, { cwd: folder }).status;
  };

  test('accepts the preset', () => {
    expect(validate(textOf('default.json'))).toBe(0);
  }, 60_000);

  test.each([
    ['matchStrings', 'matchString'],
    ['(?<currentValue>', '('],
  ])(
    'refuses it with %s as %s',
    (from, to) => {
      expect(validate(textOf('default.json').replaceAll(from, to))).not.toBe(0);
    },
    60_000,
  );

  test('finds what the preset promises', () => {
    const repository = join(folder, 'repository');
    mkdirSync(join(repository, dirname(WORKFLOW)), { recursive: true });
    writeFileSync(join(repository, WORKFLOW), step(OURS, '  with:', "    version: '1.31.9'"));
    writeFileSync(join(repository, '.kubectl-version'), '1.31.8\n');
    writeFileSync(join(repository, '.tool-versions'), 'kubectl 1.31.7\n');
    writeFileSync(join(repository, 'mise.toml'), '[tools]\nkubectl = "1.31.6"\n');
    writeFileSync(
      join(repository, 'go.mod'),
      'module m\n\ngo 1.24\n\nrequire k8s.io/client-go v0.31.5\n',
    );
    writeFileSync(join(repository, 'renovate.json'), textOf('default.json'));
    copyFileSync(
      join(ROOT, '__tests__/fixtures/lock-v1/kubernetes.lock.json'),
      join(repository, 'kubernetes.lock.json'),
    );
    for (const args of [
      ['init', '--quiet'],
      ['add', '--all'],
    ]) {
      spawnSync('git', args, { cwd: repository });
    }
    const renovate = join(dirname(validator ?? ''), 'renovate');
    const { stdout } = spawnSync(renovate, ['--platform=local', '--dry-run=extract'], {
      cwd: repository,
      encoding: 'utf8',
      env: { ...process.env, LOG_LEVEL: 'debug', LOG_FORMAT: 'json' },
      maxBuffer: 64 << 20,
    });
    const lines = stdout.split('\n').filter((line) => line.startsWith('{'));
    const extracted = lines
      .map((line) => JSON.parse(line) as { msg: string; packageFiles?: Extracted })
      .find(({ msg }) => msg === 'Extracted dependencies')?.packageFiles;
    const kubernetes = Object.values(extracted ?? {})
      .flat()
      .flatMap(({ packageFile, deps }) => deps.map((dep) => ({ ...dep, packageFile })))
      .filter(({ packageName }) => /^kubernetes\/kubernetes$|^k8s\.io\//.test(packageName))
      .map(({ packageFile, currentValue, datasource }) => [packageFile, currentValue, datasource]);
    const lock = JSON.parse(readFileSync(join(repository, 'kubernetes.lock.json'), 'utf8')) as {
      version: string;
    };
    expect(kubernetes.sort()).toEqual(
      [
        [WORKFLOW, '1.31.9', 'github-releases'],
        ['.kubectl-version', '1.31.8', 'github-releases'],
        ['.tool-versions', '1.31.7', 'github-tags'],
        ['go.mod', 'v0.31.5', 'go'],
        ['kubernetes.lock.json', lock.version.slice(1), 'github-releases'],
        ['mise.toml', '1.31.6', 'github-tags'],
      ].sort(),
    );
  }, 120_000);
});

type Extracted = Readonly<
  Record<
    string,
    readonly {
      readonly packageFile: string;
      readonly deps: readonly {
        readonly packageName: string;
        readonly currentValue: string;
        readonly datasource: string;
      }[];
    }[]
  >
>;
