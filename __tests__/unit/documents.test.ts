import { execFileSync } from 'node:child_process';
import { globSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { build } from 'esbuild';
import { parse } from 'yaml';
import type { Command } from '../../src/commands/command.js';
import { COMMANDS } from '../../src/commands/main.js';
import { TOOLS } from '../../src/kubernetes/platform.js';

const ROOT = join(import.meta.dirname, '..', '..');
const DOCUMENTS = ['README.md', ...globSync('docs/*.md', { cwd: ROOT })].sort();

/** What the action is called in `uses:`, wherever it will be published. */
const OURS = /(^|\/)setup-verified-kubectl(@|$)|^\.\/?$/;

const OUR_LOCK = /(^|\/)setup-verified-kubectl\/lock(@|$)|^\.\/lock$/;

interface Action {
  readonly inputs: Readonly<Record<string, object>>;
  readonly outputs: Readonly<Record<string, object>>;
}

const action = parse(readFileSync(join(ROOT, 'action.yml'), 'utf8')) as Action;
const lockAction = parse(readFileSync(join(ROOT, 'lock', 'action.yml'), 'utf8')) as Action;

interface Example {
  readonly where: string;
  readonly text: string;
}

/** Every YAML block of a document, except those that name another CI system's file. */
function examplesOf(document: string): Example[] {
  const text = readFileSync(join(ROOT, document), 'utf8');
  return [...text.matchAll(/^( *)```ya?ml\n(?!# \.gitlab-ci\.yml\n)(.*?)^ *```$/gms)].map(
    ({ 1: indent = '', 2: block = '', index }) => ({
      where: `${document}:${text.slice(0, index).split('\n').length}`,
      text: block.replaceAll(new RegExp(`^${indent}`, 'gm'), ''),
    }),
  );
}

const EXAMPLES = DOCUMENTS.flatMap(examplesOf);

const indented = (text: string, by: number): string => text.replaceAll(/^(?=.)/gm, ' '.repeat(by));

/** An example as a whole workflow: it may show one, its jobs, one job's keys, or steps alone. */
function workflowOf(text: string): string {
  const value: unknown = parse(text);
  const job = 'on: push\njobs:\n  example:\n    runs-on: ubuntu-latest\n';
  if (Array.isArray(value)) return `${job}    steps:\n${indented(text, 6)}`;
  const keys = Object.keys(value as object);
  if (keys.includes('on')) return text;
  if (keys.includes('jobs')) return `on: push\n${text}`;
  if (keys.includes('runs-on')) return `on: push\njobs:\n  example:\n${indented(text, 4)}`;
  if (keys.includes('steps')) return `${job}${indented(text, 4)}`;
  throw new Error(`neither a workflow nor a part of one: ${keys.join(', ')}`);
}

interface Step {
  readonly uses?: string;
  readonly with?: Readonly<Record<string, unknown>>;
}

function stepsOf(workflow: string): Step[] {
  const { jobs } = parse(workflow) as { jobs: Record<string, { steps?: Step[] }> };
  return Object.values(jobs).flatMap(({ steps }) => steps ?? []);
}

const unknownInputs = (workflow: string): string[] =>
  stepsOf(workflow).flatMap((step) => {
    const { inputs } = actionOf(step.uses ?? '') ?? {};
    const given = inputs === undefined ? [] : Object.keys(step.with ?? {});
    return given.filter((name) => inputs?.[name] === undefined);
  });

function actionOf(uses: string): Action | undefined {
  if (OURS.test(uses)) return action;
  return OUR_LOCK.test(uses) ? lockAction : undefined;
}

/** What `@actions/workflow-parser` finds wrong with a workflow, by GitHub's own schema. */
type Validate = (workflow: string) => string[];

interface WorkflowParser {
  readonly NoOperationTraceWriter: new () => object;
  parseWorkflow(
    file: { readonly name: string; readonly content: string },
    trace: object,
  ): { readonly context: { readonly errors: { getErrors(): { readonly message: string }[] } } };
}

let folder: string;
let validate: Validate;

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'documents-'));
  // The parser imports JSON without saying so, which only a bundler understands.
  const outfile = join(folder, 'workflow-parser.mjs');
  await build({
    entryPoints: [join(ROOT, 'node_modules/@actions/workflow-parser/dist/index.js')],
    bundle: true,
    format: 'esm',
    platform: 'node',
    outfile,
    banner: {
      js: "import { createRequire } from 'node:module'; const require = createRequire(import.meta.url);",
    },
    logLevel: 'error',
  });
  const parser = (await import(pathToFileURL(outfile).href)) as WorkflowParser;
  validate = (content) => {
    const { context } = parser.parseWorkflow(
      { name: 'example.yml', content },
      new parser.NoOperationTraceWriter(),
    );
    return context.errors.getErrors().map(({ message }) => message);
  };
}, 60_000);

afterAll(() => {
  rmSync(folder, { recursive: true });
});

describe('the examples', () => {
  test('are there', () => {
    expect(EXAMPLES.filter(({ where }) => where.startsWith('README.md'))).not.toEqual([]);
  });

  test.each(EXAMPLES)('$where is what GitHub accepts', ({ text }) => {
    expect(validate(workflowOf(text))).toEqual([]);
  });

  test.each(EXAMPLES)('$where names only inputs that exist', ({ text }) => {
    expect(unknownInputs(workflowOf(text))).toEqual([]);
  });

  test('outputs that are read from a step of ours exist', () => {
    const known = Object.keys(action.outputs);
    for (const { text } of EXAMPLES) {
      const ids = stepsOf(workflowOf(text)).flatMap((step) =>
        step.uses !== undefined && OURS.test(step.uses) && 'id' in step ? [String(step.id)] : [],
      );
      for (const id of ids) {
        const read = [...text.matchAll(new RegExp(`steps\\.${id}\\.outputs\\.([\\w-]+)`, 'g'))];
        expect(known).toEqual(expect.arrayContaining(read.map(([, name]) => name)));
      }
    }
  });
});

describe('the check itself refuses', () => {
  test.each([
    [
      'a key that no step has',
      '- uses: some/setup-verified-kubectl@v1\n  wiht:\n    version: "1"\n',
    ],
    ['a step that does nothing', '- name: nothing\n'],
    ['a job without runner', 'on: push\njobs:\n  a:\n    steps:\n      - run: "true"\n'],
    ['an expression that does not end', '- run: echo ${{ steps.a.outputs.b\n'],
  ])('%s', (_, text) => {
    expect(validate(workflowOf(text))).not.toEqual([]);
  });

  test('an input that does not exist', () => {
    const step = (name: string): string =>
      `- uses: some/setup-verified-kubectl@v1\n  with:\n    ${name}: x\n`;
    expect(unknownInputs(workflowOf(step('verify')))).toEqual(['verify']);
    expect(unknownInputs(workflowOf(step('version')))).toEqual([]);
  });
});

/** What a command takes that no action has. */
const ownOptionsOf = ({ argument, options }: Command): string[] => [
  ...(argument === undefined ? [] : [argument.name]),
  ...options.map(({ flags }) => /--([a-z-]+)/.exec(flags)?.[1] ?? ''),
];

describe('action.yml', () => {
  test('declares a path for each tool', () => {
    const paths = Object.keys(action.outputs).filter(
      (name) => name.endsWith('-path') && !['bundle-path', 'artifact-path'].includes(name),
    );
    expect(paths.sort()).toEqual(TOOLS.map((tool) => `${tool}-path`).sort());
  });

  test('and the commands: the inputs that the code reads are the same', () => {
    const files = ['src/inputs.ts', ...globSync('src/inputs/*.ts', { cwd: ROOT })];
    const code = files.map((file) => readFileSync(join(ROOT, file), 'utf8')).join('\n');
    const read = [
      ...code.matchAll(/inputs\s*\.(?:get|path|words)\('([a-z-]+)'\)/g),
      ...code.matchAll(
        /(?:readUrl|readRequired|readBoolean|readTrusted|readAge)\(inputs, '([a-z-]+)'/g,
      ),
    ].map(([, name]) => name);
    const declared = [
      ...Object.keys(action.inputs),
      ...Object.keys(lockAction.inputs),
      ...COMMANDS.flatMap(ownOptionsOf).filter((name) => read.includes(name)),
    ];
    expect([...new Set(read)].sort()).toEqual([...new Set(declared)].sort());
  });

  test("README's tables, and what to do by error code, are up to date", () => {
    const script = join(ROOT, 'scripts/readme-tables.js');
    expect(() => execFileSync(process.execPath, [script, '--check'])).not.toThrow();
  });

  test('README has every input and output, and one row for the paths of all other tools', () => {
    const readme = readFileSync(join(ROOT, 'README.md'), 'utf8');
    const rowsOf = (marker: string): (string | undefined)[] => {
      const [, table = ''] = readme.split(new RegExp(`<!-- /?${marker} -->`));
      return [...table.matchAll(/^\| `([^`]+)`/gm)].map(([, name]) => name);
    };
    const paths = TOOLS.filter((tool) => tool !== 'kubectl').map((tool) => `${tool}-path`);
    const outputs = Object.keys(action.outputs).filter((name) => !paths.includes(name));
    expect(rowsOf('inputs')).toEqual(Object.keys(action.inputs));
    expect(rowsOf('outputs').sort()).toEqual([...outputs, '<tool>-path'].sort());
  });
});
