import { accessSync, constants, readFileSync, statSync } from 'node:fs';
import { basename, dirname } from 'node:path';
import { afterEach, expect } from '@jest/globals';
import {
  NATIVE_PLATFORM,
  runAction,
  type ActionResult,
  type RunOptions,
  type World,
} from '../support/index.js';

/** The platform of this machine, in Kubernetes' words. */
export const NATIVE = NATIVE_PLATFORM;

/** Another architecture that kubectl is published for on this operating system. */
export const FOREIGN_ARCHITECTURE = NATIVE.endsWith('/arm64') ? 'amd64' : 'arm64';
export const FOREIGN = `${dirname(NATIVE)}/${FOREIGN_ARCHITECTURE}`;

/** `kubectl`, or `kubectl.exe`. */
export const fileNameOf = (tool: string): string =>
  process.platform === 'win32' ? `${tool}.exe` : tool;

/** Shortens every wait of the action, so that a test of a dead server does not take minutes. */
export const IMPATIENT = { SETUP_VERIFIED_KUBECTL_TIME_SCALE: '0.05' };

const finished: ActionResult[] = [];

afterEach(() => {
  for (const run of finished.splice(0)) run.cleanup();
});

/** Runs the action against a world; what it leaves on disk goes after the test. */
export async function runIn(
  world: World,
  inputs: Readonly<Record<string, string>> = {},
  options: Omit<RunOptions, 'inputs'> = {},
): Promise<ActionResult> {
  const run = await runAction({
    ...options,
    inputs: { ...world.inputs(), ...inputs },
    env: { ...world.environment(), ...options.env },
  });
  finished.push(run);
  return run;
}

/** Everything that must hold when a run says that it succeeded. */
export function expectInstalled(
  run: ActionResult,
  version: string,
  tools: readonly string[] = ['kubectl'],
): void {
  expect(errorsOf(run)).toEqual([]);
  expect(run.exitCode).toBe(0);
  expect(run.outputs['version']).toBe(version);
  expect(run.paths).toHaveLength(tools.length);
  for (const tool of tools) {
    const path = run.outputs[`${tool}-path`] ?? '';
    expect(run.paths).toContain(dirname(path));
    expect(basename(path)).toMatch(new RegExp(`^${tool}(\\.exe)?$`));
    accessSync(path, constants.X_OK);
    expect(statSync(path).isFile()).toBe(true);
    expect(readFileSync(path, 'utf8')).toContain(`# ${tool} ${version} `);
  }
  expect(run.tempFiles()).toEqual([]);
}

/** Everything that must hold when a run was refused; returns the annotation's text. */
export function expectFailure(run: ActionResult, code: string, ...words: string[]): string {
  expect(errorsOf(run).map(({ title }) => title)).toEqual([`setup-verified-kubectl: ${code}`]);
  const message = errorsOf(run)[0]?.message ?? '';
  for (const word of words) {
    expect(message).toContain(word);
  }
  expect(run.exitCode).toBe(1);
  expect(run.paths).toEqual([]);
  expect(run.outputs).toEqual({});
  expect(run.tempFiles()).toEqual([]);
  return message;
}

/** The tool cache holds no copy of any tool. */
export function expectNothingCached(run: ActionResult): void {
  expect(run.toolCacheFiles().filter((path) => !path.startsWith('verified-trust-root/'))).toEqual(
    [],
  );
}

const errorsOf = ({ annotations }: ActionResult): ActionResult['annotations'] =>
  annotations.filter(({ level }) => level === 'error');

/** Titles of the annotations of a level. */
export const titlesOf = (run: ActionResult, level: 'warning' | 'notice'): (string | undefined)[] =>
  run.annotations.filter((annotation) => annotation.level === level).map(({ title }) => title);

/** Paths that a world's servers were asked for, all of them together. */
export const requestsOf = (world: World): string[] =>
  Object.values(world.servers).flatMap(({ requests }) => requests.map(({ path }) => path));

/** The output `report`, parsed. */
export const reportOf = (run: ActionResult): Readonly<Record<string, unknown>>[] =>
  JSON.parse(run.outputs['report'] ?? '[]') as Readonly<Record<string, unknown>>[];
