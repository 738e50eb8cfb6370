import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, expect } from '@jest/globals';
import Ajv from 'ajv';
import {
  NATIVE_PLATFORM,
  World,
  filesBelow,
  lockOf,
  lockText,
  runCommand,
  type CommandOptions,
  type CommandResult,
  type PublishedFile,
} from '../../support/index.js';
import { textOf } from '../../unit/repository.js';

// What the tests of the command `verify` share.

export const VERSION = 'v1.31.9';
export const OLDER = 'v1.31.8';
export const LINUX = 'linux/amd64';
export const MAC = 'darwin/arm64';
export const WINDOWS = 'windows/amd64';
export const SBOM = 'kubernetes-release.spdx';
export const SOURCE = 'kubernetes-src.tar.gz';
export const CLIENT = 'kubernetes-client-darwin-arm64.tar.gz';

const isValid = new Ajv().compile(JSON.parse(textOf('schema/verify.schema.json')) as object);

/** {@link useWorld} makes it. */
export let world: World;
/** The working directory: a new one for each test. */
export let folder: string;
const finished: { cleanup(): void }[] = [];

/** For every test of a file: a world with two releases, and a folder. */
export function useWorld(): void {
  beforeAll(async () => {
    world = await World.start();
  });

  beforeEach(() => {
    world.reset();
    for (const version of [OLDER, VERSION]) {
      const platforms = [...new Set([LINUX, MAC, WINDOWS, NATIVE_PLATFORM])];
      world.release.publish({ version, platforms, artifacts: [SOURCE, CLIENT] });
      world.release.publish({ version, platforms: [LINUX], tools: ['kubeadm', 'kubectl-convert'] });
    }
    folder = mkdtempSync(join(tmpdir(), 'verify-'));
  });

  afterEach(() => {
    for (const run of finished.splice(0)) run.cleanup();
    rmSync(folder, { recursive: true });
  });

  afterAll(() => world.stop());
}

/** Images are not verified by this command. */
export const options = (): Record<string, string> =>
  Object.fromEntries(Object.entries(world.inputs()).filter(([name]) => name !== 'image-registry'));

/** The trust root from a file: no request is needed for it. */
export const offline = (): Record<string, string> => ({
  ...Object.fromEntries(Object.entries(options()).filter(([name]) => !name.startsWith('tuf-'))),
  'trusted-root': world.writeTrustedRoot(),
});

/** Any command, in {@link folder} unless told otherwise. */
export async function run(
  args: readonly string[],
  given: CommandOptions = {},
): Promise<CommandResult> {
  const result = await runCommand(args, { folder, ...given });
  finished.push(result);
  return result;
}

export async function verifyWith(
  inputs: Readonly<Record<string, string>>,
  args: readonly string[],
  env: Readonly<Record<string, string>> = {},
): Promise<CommandResult> {
  const flags = Object.entries(inputs).flatMap(([name, value]) => [`--${name}`, value]);
  const result = await run(['verify', ...flags, ...args], { env });
  expect(filesBelow(result.temp)).toEqual([]);
  return result;
}

export const verify = (...args: string[]): Promise<CommandResult> => verifyWith(options(), args);
export const verifyOffline = (...args: string[]): Promise<CommandResult> =>
  verifyWith(offline(), args);

export type Json = Readonly<Record<string, unknown>>;

export function jsonOf({ stdout }: CommandResult): Json {
  const json = JSON.parse(stdout) as Json;
  isValid(json);
  expect(isValid.errors).toBeNull();
  return json;
}

export function expectRefused(result: CommandResult, code: string, ...says: string[]): void {
  expect(result.stderr).toMatch(new RegExp(`^error\\[${code}\\]: `, 'm'));
  expect(result.stderr).toMatch(/^hint: [A-Z].*\.$/m);
  expect(result.stdout).toBe('');
  expect(result.exitCode).toBe(code === 'INVALID_INPUT' ? 2 : 1);
  for (const words of says) expect(result.stderr).toContain(words);
}

export function expectVerified(result: CommandResult, ...says: string[]): void {
  expect(result.stderr).not.toMatch(/^error/m);
  expect(result.exitCode).toBe(0);
  expect(result.stdout).toMatch(/^Verified OK$/m);
  for (const words of says) expect(result.stdout).toContain(words);
}

export function put(name: string, content: Buffer | string): string {
  writeFileSync(join(folder, name), content);
  return name;
}

export const kubectl = (version = VERSION, platform = NATIVE_PLATFORM): PublishedFile =>
  world.release.artifact(version, platform, 'kubectl');

/** The file, and beside it `.sig`, `.cert` and `.sigstore.json`. */
export function putWithEvidence(file: PublishedFile, name = 'kubectl'): void {
  put(name, file.bytes);
  put(`${name}.sig`, world.host.get(`${file.path}.sig`));
  put(`${name}.cert`, world.host.get(`${file.path}.cert`));
  put(`${name}.sigstore.json`, JSON.stringify(file.bundle()));
}

export function putLock(version = VERSION): void {
  const parts = { tools: ['kubectl'], platforms: [LINUX, MAC], artifacts: [SOURCE] };
  put('k.lock', lockText(lockOf(world, version, parts)));
}

/** As the log counts: ISO 8601. */
export const wholeSeconds = (time: Date): string =>
  new Date(Math.floor(time.getTime() / 1000) * 1000).toISOString();

export const PAIR = ['--signature', 'kubectl.sig', '--certificate', 'kubectl.cert'];
export const BUNDLE = ['--bundle', 'kubectl.sigstore.json'];
export const UNBOUND = ['--bind-release', 'false'];
export const AT = ['--version', VERSION];
