import { homedir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, test } from '@jest/globals';
import { parse } from 'yaml';
import { commandEnvironment } from '../../src/inputs/command-line.js';
import { INPUT_OPTIONS } from '../../src/inputs/options.js';
import { actionErrors } from './github-schema.js';
import { textOf } from './repository.js';

interface Action {
  readonly inputs: Readonly<
    Record<string, { readonly default: string; readonly description: string }>
  >;
  readonly runs: { readonly using: string };
}

const action = parse(textOf('action.yml'), { schema: 'failsafe' }) as Action;
const lockAction = parse(textOf('lock/action.yml'), { schema: 'failsafe' }) as Action;

test('every input of action.yml is an option of the same name, with the same default', () => {
  const inputs = Object.entries(action.inputs).map(([name, input]) => [name, input.default]);
  expect(INPUT_OPTIONS.map((option) => [option.name, option.default])).toEqual(inputs);
});

describe('lock/action.yml', () => {
  test("is accepted by GitHub's own schema", () => {
    expect(actionErrors('lock/action.yml', textOf('lock/action.yml'))).toEqual([]);
  });

  test('runs on the same Node', () => {
    expect(lockAction.runs.using).toBe(action.runs.using);
  });

  const shared = Object.keys(lockAction.inputs).filter(
    (name) =>
      name in action.inputs && !['lock-file', 'tools', 'artifacts', 'images'].includes(name),
  );

  test.each(shared)('%s is the same as in action.yml', (name) => {
    expect(lockAction.inputs[name]).toEqual(action.inputs[name]);
  });

  test('leaves out only what makes no sense for a lock', () => {
    const others = Object.keys(action.inputs).filter((name) => !(name in lockAction.inputs));
    expect(others).toEqual(['architecture', 'bind-release', 'check-latest']);
  });
});

describe('the environment of a command', () => {
  const given = {
    platform: 'linux',
    arch: 'x64',
    variables: {
      HOME: '/home/me',
      https_proxy: 'http://proxy',
      INPUT_VERSION: 'of a workflow',
      'INPUT_CERTIFICATE-IDENTITY': 'of a workflow',
      GITHUB_WORKSPACE: '/workspace',
      XDG_CACHE_HOME: '/caches',
    },
  };

  test('has the options, and no input or workspace of a workflow', () => {
    const { variables } = commandEnvironment(given, { tools: 'kubectl' });
    expect(variables).toMatchObject({
      https_proxy: 'http://proxy',
      INPUT_TOOLS: 'kubectl',
      RUNNER_TOOL_CACHE: join('/caches', 'setup-verified-kubectl'),
    });
    expect(Object.keys(variables).filter((name) => /^INPUT_|WORKSPACE/.test(name))).toEqual([
      'INPUT_TOOLS',
    ]);
    expect(variables['RUNNER_TEMP']).not.toBe('');
  });

  test("keeps a runner's folders", () => {
    const variables = { ...given.variables, RUNNER_TEMP: '/temp', RUNNER_TOOL_CACHE: '/cache' };
    expect(commandEnvironment({ ...given, variables }, {}).variables).toMatchObject({
      RUNNER_TEMP: '/temp',
      RUNNER_TOOL_CACHE: '/cache',
    });
  });

  test('ignores a relative XDG_CACHE_HOME, as the specification says', () => {
    const variables = { ...given.variables, XDG_CACHE_HOME: 'caches' };
    expect(commandEnvironment({ ...given, variables }, {}).variables['RUNNER_TOOL_CACHE']).toBe(
      join(homedir(), '.cache', 'setup-verified-kubectl'),
    );
  });
});
