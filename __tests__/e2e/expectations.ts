import { createHash } from 'node:crypto';
import { lstatSync, readFileSync } from 'node:fs';
import { basename, dirname, relative, sep } from 'node:path';
import { afterEach, expect } from '@jest/globals';
import {
  NATIVE_PLATFORM,
  runAction,
  type ActionResult,
  type PublishedFile,
  type RunOptions,
  type World,
} from '../support/index.js';

// What an end-to-end test runs, and what must be true of the run: one way for all of them.

/** The platform of this machine, as Kubernetes names it. */
export const NATIVE = NATIVE_PLATFORM;

/** Another architecture that kubectl is published for on this operating system. */
export const FOREIGN_ARCH = NATIVE.endsWith('/arm64') ? 'amd64' : 'arm64';
export const FOREIGN = `${dirname(NATIVE)}/${FOREIGN_ARCH}`;

/** `kubectl`, or `kubectl.exe`. */
export const fileNameOf = (tool: string): string =>
  process.platform === 'win32' ? `${tool}.exe` : tool;

/** All waits of the action are scaled by this, so that a test of a dead server does not take minutes. */
export const TIME_SCALE = 0.05;

export const IMPATIENT = { SETUP_VERIFIED_KUBECTL_TIME_SCALE: String(TIME_SCALE) };

const finished: ActionResult[] = [];
/** The world that a run of {@link runIn} talked to. */
const worlds = new WeakMap<ActionResult, World>();

afterEach(() => {
  for (const run of finished.splice(0)) run.cleanup();
});

/** Runs the action in a world; what it leaves on the disk goes when the test ends. */
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
  worlds.set(run, world);
  return run;
}

export interface Installed {
  /** With `v`. */
  readonly version?: string;
  /** All of them, in the order of the input; kubectl alone unless given. */
  readonly tools?: readonly string[];
  /** Titles of all warnings, in order. */
  readonly warnings?: readonly string[];
  /** Titles of all notices, in order. */
  readonly notices?: readonly string[];
  /** Where the files were published; that of {@link runIn} unless given. */
  readonly world?: World;
  /** The bytes of a tool, where they are not those that its release publishes for this platform. */
  readonly bytes?: Readonly<Record<string, Buffer>>;
  /** Names of the files in the release, by the names in the input `artifacts`, in its order. */
  readonly artifacts?: Readonly<Record<string, string>>;
}

/**
 * The run succeeded, with exactly these annotations; on PATH and in the outputs are exactly these tools, and each of
 * them is a plain, executable file with the published bytes. No temporary file is left.
 */
export function expectInstalled(run: ActionResult, expected: Installed = {}): void {
  const { version, tools = ['kubectl'], warnings = [], notices = [], bytes = {} } = expected;
  const { artifacts = {} } = expected;
  expect(titlesOf(run, 'error')).toEqual([]);
  expect(titlesOf(run, 'warning')).toEqual(warnings);
  expect(titlesOf(run, 'notice')).toEqual(notices);
  expect(run.exitCode).toBe(0);
  expect(run.variables).toEqual({});
  if (version !== undefined) expect(run.outputs['version']).toBe(version);
  const reports = reportsOf(run);
  const tested = reports.flatMap(({ tool }) => tool ?? []);
  expect(tested).toEqual(tools);
  expect(reports.flatMap(({ artifact }) => artifact ?? [])).toEqual([
    ...new Set(Object.values(artifacts)),
  ]);
  const files = tools.map((tool) => run.outputs[`${tool}-path`] ?? '');
  expect(run.paths).toEqual(files.map((file) => dirname(file)));
  for (const tool of tools) {
    expectFile(run, tool, bytes[tool] ?? publishedBytes(run, tool, expected.world));
  }
  expectArtifactPaths(run, artifacts, expected);
  expectNoTempFiles(run);
}

/** The same for a run with `tools: none`. */
export function expectArtifacts(run: ActionResult, expected: Omit<Installed, 'tools'>): void {
  expectInstalled(run, { ...expected, tools: [] });
}

/** In the outputs are exactly these artifacts: plain files with the published bytes, which nobody can execute. */
function expectArtifactPaths(
  run: ActionResult,
  artifacts: Readonly<Record<string, string>>,
  { bytes = {}, world = worlds.get(run) }: Installed,
): void {
  const paths = JSON.parse(run.outputs['artifacts'] ?? '{}') as Record<string, string>;
  expect(Object.keys(paths)).toEqual(Object.keys(artifacts));
  expect(run.outputs['artifact-path']).toBe(Object.values(paths)[0]);
  for (const [requested, name] of Object.entries(artifacts)) {
    const file = paths[requested] ?? '';
    const report = reportsOf(run).find(({ artifact }) => artifact === name) ?? {};
    const published = bytes[name] ?? world?.release.file(report['version'] ?? '', name).bytes;
    expect(report['path']).toBe(file);
    expect(basename(file)).toBe(name);
    expect(lstatSync(file).isFile()).toBe(true);
    if (process.platform !== 'win32') expect(lstatSync(file).mode & 0o777).toBe(0o644);
    expect(sha256Of(readFileSync(file))).toBe(sha256Of(published ?? Buffer.of()));
    expect(report['sha256']).toBe(sha256Of(published ?? Buffer.of()));
  }
}

/** A plain file with these bytes, which this user can execute and others cannot change. */
function expectFile(run: ActionResult, tool: string, bytes: Buffer): void {
  const file = run.outputs[`${tool}-path`] ?? '';
  const { platform, sha256 } = reportOf(run, tool);
  expect(basename(file)).toBe(platform?.startsWith('windows/') === true ? `${tool}.exe` : tool);
  const stat = lstatSync(file);
  expect(stat.isFile()).toBe(true);
  if (process.platform !== 'win32') expect(stat.mode & 0o777).toBe(0o755);
  const content = readFileSync(file);
  expect(sha256Of(content)).toBe(sha256Of(bytes));
  expect(sha256).toBe(sha256Of(bytes));
}

const sha256Of = (bytes: Buffer): string => createHash('sha256').update(bytes).digest('hex');

function publishedBytes(run: ActionResult, tool: string, given: World | undefined): Buffer {
  const world = given ?? worlds.get(run);
  if (world === undefined) throw new Error('which world? The run is not one of runIn()');
  const { platform, version } = reportOf(run, tool);
  return world.release.artifact(version ?? '', platform ?? '', tool).bytes;
}

/** None, but for tools that were installed below RUNNER_TEMP. */
function expectNoTempFiles(run: ActionResult): void {
  const installed = run.paths.map((folder) => slashed(relative(run.dirs.temp, folder)));
  const isOf = (file: string, folder: string): boolean =>
    file.startsWith(`${folder}/`) || file === `${folder}.complete`;
  const others = run.tempFiles().filter((file) => !installed.some((one) => isOf(file, one)));
  expect(others).toEqual([]);
}

const slashed = (path: string): string => path.replaceAll(sep, '/');

export interface Refused {
  /** What the message contains. */
  readonly says?: readonly string[];
  /** Titles of all warnings, in order. */
  readonly warnings?: readonly string[];
  /** What the run adds to the tool cache all the same; nothing unless given. */
  readonly keeps?: RegExp;
}

/**
 * The run failed with this one error; nothing is on PATH, in the outputs, in a temporary folder, or in the tool cache
 * that was not there before.
 *
 * @returns the message of the annotation
 */
export function expectRefused(
  run: ActionResult,
  code: string,
  { says = [], warnings = [], keeps }: Refused = {},
): string {
  expect(titlesOf(run, 'error')).toEqual([`setup-verified-kubectl: ${code}`]);
  expect(titlesOf(run, 'warning')).toEqual(warnings);
  expect(titlesOf(run, 'notice')).toEqual([]);
  expect(run.exitCode).toBe(1);
  expect(run.paths).toEqual([]);
  expect(run.outputs).toEqual({});
  expect(run.variables).toEqual({});
  expect(run.tempFiles()).toEqual([]);
  expect(addedToCache(run).filter((path) => keeps?.test(path) !== true)).toEqual([]);
  const message = errorsOf(run)[0]?.message ?? '';
  for (const words of says) expect(message).toContain(words);
  return message;
}

/** Files and folders in the tool cache that were not there when the run began, relative, with slashes. */
const addedToCache = (run: ActionResult): string[] =>
  run.toolCacheEntries().filter((path) => !run.toolCacheBefore.includes(path));

/** Files in the tool cache, without those of the trust root and of other actions' kubectl. */
export const cachedFiles = (run: ActionResult): string[] =>
  run.toolCacheFiles().filter((file) => !/^(?:verified-trust-root|kubectl)\//.test(file));

/** Titles of the annotations of a level. */
export const titlesOf = (
  { annotations }: ActionResult,
  wanted: 'error' | 'warning' | 'notice',
): (string | undefined)[] =>
  annotations.filter(({ level }) => level === wanted).map(({ title }) => title);

export const warningsOf = (run: ActionResult): ActionResult['annotations'] =>
  run.annotations.filter(({ level }) => level === 'warning');

export const errorsOf = (run: ActionResult): ActionResult['annotations'] =>
  run.annotations.filter(({ level }) => level === 'error');

/** The output `report`, parsed: one object for each tool and each image. */
export const reportsOf = (run: ActionResult): Readonly<Record<string, string | null>>[] =>
  JSON.parse(run.outputs['report'] ?? '[]') as Readonly<Record<string, string | null>>[];

/** Everything that a run said of a tool in its output `report`. */
export function reportOf(
  run: ActionResult,
  tool = 'kubectl',
): Readonly<Record<string, string | null>> {
  const report = reportsOf(run).find((one) => one['tool'] === tool);
  if (report === undefined) {
    throw new Error(`nothing is reported of ${tool}:\n${run.stdout}\n${run.stderr}`);
  }
  return report;
}

/** A summary as a reader sees it: no tags, entities resolved. */
export function textOf(summary: string): string {
  return summary
    .replaceAll(/<[^>]*>/g, ' ')
    .replaceAll(/&#(\d+);/g, (_, code: string) => String.fromCharCode(Number(code)));
}

/** All requests that a world has seen, in short: `GET /release/…`. */
export const requestsTo = (world: World): string[] =>
  Object.values(world.servers).flatMap(({ requests }) =>
    requests.map(({ method, path }) => `${method} ${path}`),
  );

/** Paths that a world's servers were asked for, all of them together. */
export const requestedPaths = (world: World): string[] =>
  Object.values(world.servers).flatMap(({ requests }) => requests.map(({ path }) => path));

/** Serves a file with everything beside it in the place of another, as a lying mirror would. */
export function serveAs(world: World, genuine: PublishedFile, path: string): void {
  for (const suffix of ['', '.sig', '.cert', '.sha256', '.sha512']) {
    world.host.put(`${path}${suffix}`, world.host.get(`${genuine.path}${suffix}`));
  }
}

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
