import { dirname } from 'node:path';
import { afterEach, expect } from '@jest/globals';
import {
  NATIVE_PLATFORM,
  runAction,
  type ActionResult,
  type PublishedFile,
  type RunOptions,
  type World,
} from '../support/index.js';

/** This machine's platform, as Kubernetes names it. */
export const NATIVE = NATIVE_PLATFORM;
/** An architecture that this machine cannot execute. */
export const FOREIGN_ARCH = process.arch === 'arm64' ? 'amd64' : 'arm64';
export const FOREIGN = `${dirname(NATIVE)}/${FOREIGN_ARCH}`;

/** The first pause between two tries is half a second; tests of broken servers need not wait. */
export const IMPATIENT = { SETUP_VERIFIED_KUBECTL_TIME_SCALE: '0.02' };

const finished: ActionResult[] = [];

afterEach(() => {
  for (const run of finished.splice(0)) {
    run.cleanup();
  }
});

/** Runs the action in a world; what it leaves on the disk goes when the test ends. */
export async function runIn(
  world: World,
  inputs: Readonly<Record<string, string>>,
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

/** Everything that a run said of a tool in its output `report`. */
export function reportOf(run: ActionResult, tool = 'kubectl'): Record<string, string | null> {
  const reports = JSON.parse(run.outputs['report'] ?? '[]') as Record<string, string | null>[];
  const report = reports.find((one) => one['tool'] === tool);
  if (report === undefined) {
    throw new Error(`nothing is reported of ${tool}:\n${run.stdout}\n${run.stderr}`);
  }
  return report;
}

/** The run succeeded, and warned of exactly this: the titles of its warnings. */
export function expectInstalled(run: ActionResult, ...warnings: readonly string[]): void {
  expect(errorsOf(run)).toEqual([]);
  expect(warningsOf(run).map(({ title }) => title)).toEqual(warnings);
  expect(run.exitCode).toBe(0);
  expect(run.paths).not.toEqual([]);
  expect(run.tempFiles()).toEqual([]);
}

/**
 * The run failed with this one error; nothing is on PATH, in the outputs, in a temporary folder,
 * or in the tool cache.
 *
 * @returns the message of the annotation
 */
export function expectRefused(run: ActionResult, code: string): string {
  const errors = errorsOf(run);
  expect(errors.map(({ title }) => title)).toEqual([`setup-verified-kubectl: ${code}`]);
  expect(run.exitCode).toBe(1);
  expect(run.paths).toEqual([]);
  expect(run.outputs).toEqual({});
  expect(run.tempFiles()).toEqual([]);
  expect(cachedFiles(run)).toEqual([]);
  return errors[0]?.message ?? '';
}

/** Files in the tool cache, without those of the trust root and of other actions' kubectl. */
export const cachedFiles = (run: ActionResult): string[] =>
  run.toolCacheFiles().filter((file) => !/^(?:verified-trust-root|kubectl)\//.test(file));

export const warningsOf = (run: ActionResult): ActionResult['annotations'] =>
  run.annotations.filter(({ level }) => level === 'warning');

export const errorsOf = (run: ActionResult): ActionResult['annotations'] =>
  run.annotations.filter(({ level }) => level === 'error');

/** Serves a file with everything beside it in the place of another, as a lying mirror would. */
export function serveAs(world: World, genuine: PublishedFile, path: string): void {
  for (const suffix of ['', '.sig', '.cert', '.sha256', '.sha512']) {
    world.host.put(`${path}${suffix}`, world.host.get(`${genuine.path}${suffix}`));
  }
}

/** All requests that the world has seen, in short: `GET /release/…`. */
export const requestsTo = (world: World): string[] =>
  Object.values(world.servers).flatMap(({ requests }) =>
    requests.map(({ method, path }) => `${method} ${path}`),
  );

/** Nobody answers any more. */
export const stopServers = async (world: World): Promise<void> => {
  await Promise.all(Object.values(world.servers).map((server) => server.stop()));
};

export const startServers = async (world: World): Promise<void> => {
  await Promise.all(Object.values(world.servers).map((server) => server.start()));
};

/** Versions that no other test of the file publishes: `v1.36.0`, `v1.36.1`, … */
export function freshVersions(minor = '1.36'): () => string {
  let patch = 0;
  return () => `v${minor}.${patch++}`;
}

/** Somebody whose certificate the authority issued like any other. */
export const STRANGER = {
  certificate: { subjectAlternativeName: { email: 'stranger@example.com' } },
} as const;
