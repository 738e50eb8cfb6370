import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { afterEach } from '@jest/globals';
import { parse } from 'yaml';
import { commandFileValues, type ActionResult, type World } from '../support/index.js';
import { runIn } from './expectations.js';

// Runs a recipe of the README as GitHub would: its steps in order, their outputs, variables and PATH.

interface Step {
  readonly id?: string;
  readonly uses?: string;
  readonly with?: Readonly<Record<string, string>>;
  readonly run?: string;
  readonly env?: Readonly<Record<string, string>>;
}

export interface RecipeResult {
  /** The runs of this action, in order. */
  readonly runs: readonly ActionResult[];
  /** What the `docker` of the recipe was called with, one line for each call. */
  readonly docker: readonly string[];
  /** What its scripts printed, in order. */
  readonly printed: readonly string[];
  /** HOME of its scripts. */
  readonly home: string;
}

const README = new URL('../../README.md', import.meta.url);

/** The steps below a heading of the README. */
export function recipeSteps(heading: string): Step[] {
  const [, section = ''] = readFileSync(README, 'utf8').split(`\n### ${heading}\n`);
  const [, yaml = ''] = /```yaml\n(.*?)```/s.exec(section) ?? [];
  const { steps } = parse(yaml) as { steps: Step[] };
  return steps;
}

const folders: string[] = [];

afterEach(() => {
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true });
});

/** Ends with the first step that fails, as a job does. */
export async function runRecipe(world: World, heading: string): Promise<RecipeResult> {
  const folder = mkdtempSync(join(tmpdir(), 'recipe-'));
  folders.push(folder);
  const outputs = new Map<string, Readonly<Record<string, string>>>();
  const runs: ActionResult[] = [];
  const printed: string[] = [];
  const path = [dockerIn(folder)];
  for (const step of recipeSteps(heading)) {
    const resolved = (values: Readonly<Record<string, string>> = {}): Record<string, string> =>
      Object.fromEntries(
        Object.entries(values).map(([name, value]) => [name, evaluated(value, outputs)]),
      );
    if (step.uses?.startsWith('org/setup-verified-kubectl@') === true) {
      const run = await runIn(world, resolved(step.with));
      runs.push(run);
      path.unshift(...run.paths);
      if (step.id !== undefined) outputs.set(step.id, run.outputs);
      if (run.exitCode !== 0) break;
    } else {
      const ended = shell(step.run ?? '', { path, env: resolved(step.env), folder });
      printed.push(ended.printed);
      if (step.id !== undefined) outputs.set(step.id, ended.outputs);
    }
  }
  return {
    runs,
    docker: readFileSync(join(folder, 'docker.log'), 'utf8').split('\n').slice(0, -1),
    printed,
    home: folder,
  };
}

/** `${{ steps.<id>.outputs.<name> }}`: the one expression that the recipes use. */
function evaluated(
  value: string,
  outputs: ReadonlyMap<string, Readonly<Record<string, string>>>,
): string {
  return value.replaceAll(
    /\$\{\{ steps\.([\w-]+)\.outputs\.([\w-]+) \}\}/g,
    (_, id: string, name: string) => outputs.get(id)?.[name] ?? '',
  );
}

/** `bash -e`, as the runner starts a step without `shell` (actions/runner, ScriptHandlerHelpers.cs). */
function shell(
  script: string,
  step: {
    readonly path: readonly string[];
    readonly env: Readonly<Record<string, string>>;
    readonly folder: string;
  },
): { readonly outputs: Record<string, string>; readonly printed: string } {
  const file = join(step.folder, 'output');
  writeFileSync(file, '');
  const { status, stdout, stderr } = spawnSync('bash', ['-e', '-c', script], {
    cwd: step.folder,
    encoding: 'utf8',
    env: {
      HOME: step.folder,
      ...step.env,
      PATH: [...step.path, process.env['PATH'] ?? ''].join(delimiter),
      GITHUB_OUTPUT: file,
    },
  });
  if (status !== 0) throw new Error(`${script}: ${stderr}`);
  return { outputs: commandFileValues(readFileSync(file, 'utf8')), printed: stdout };
}

/** A machine has no docker, and no test pulls an image: this one writes down what it was asked. */
function dockerIn(folder: string): string {
  const log = join(folder, 'docker.log');
  writeFileSync(log, '');
  writeFileSync(join(folder, 'docker'), `#!/bin/sh\necho "$@" >> '${log}'\n`, { mode: 0o755 });
  return folder;
}
