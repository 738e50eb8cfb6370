import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterAll, beforeAll, beforeEach, expect, jest, test } from '@jest/globals';
import {
  NATIVE_PLATFORM,
  RELEASE_IDENTITY,
  RELEASE_ISSUER,
  World,
  filesBelow,
  tally,
} from '../../support/index.js';

// The real run and the real check, in this process, because there are thousands: the bytes of every file in a mirror are
// changed, one at a time, while every server is gone.

const VERSION = 'v1.31.9';
const KUBECTL = process.platform === 'win32' ? 'kubectl.exe' : 'kubectl';
const BINARY = `release/${VERSION}/bin/${NATIVE_PLATFORM}/${KUBECTL}`;
const SBOM = `release/${VERSION}/kubernetes-release.spdx`;
const ROOT = 'trusted_root.json';

/** What a run tells the runner. */
const told = { errors: [] as string[], warnings: [] as string[], paths: [] as string[] };
const outputs = new Map<string, string>();
const summary = {
  addHeading: () => summary,
  addRaw: () => summary,
  addTable: () => summary,
  emptyBuffer: () => summary,
  stringify: () => '',
  write: () => Promise.resolve(summary),
};
const titled =
  (list: string[]) =>
  (_: string, properties: { title?: string }): void => {
    list.push(properties.title ?? '');
  };
jest.unstable_mockModule('@actions/core', () => ({
  ExitCode: { Success: 0, Failure: 1 },
  info: () => undefined,
  debug: () => undefined,
  notice: () => undefined,
  warning: titled(told.warnings),
  error: titled(told.errors),
  setOutput: (name: string, value: string) => outputs.set(name, value),
  addPath: (folder: string) => told.paths.push(folder),
  setSecret: () => undefined,
  startGroup: () => undefined,
  endGroup: () => undefined,
  summary,
}));

const { run } = await import('../../../src/setup.js');
const { loadMirrorInputs } = await import('../../../src/commands/inputs.js');
const { commandEnvironment } = await import('../../../src/inputs/command-line.js');
const { checkMirror } = await import('../../../src/commands/mirror-check.js');
const { mirrorRelease } = await import('../../../src/commands/mirror.js');

jest.setTimeout(1_800_000);

const logger = {
  info: () => undefined,
  debug: () => undefined,
  notice: () => undefined,
  warning: () => undefined,
  progress: () => undefined,
};

let world: World;
let root: string;
let folder: string;
/** A trust root that did not come from the folder. */
let trusted: string;
let genuine: Buffer;

const common = {
  'image-certificate-identity': RELEASE_IDENTITY,
  tools: 'kubectl',
  version: '1.31',
  'certificate-identity': RELEASE_IDENTITY,
  'certificate-oidc-issuer': RELEASE_ISSUER,
};

beforeAll(async () => {
  root = mkdtempSync(join(tmpdir(), 'changed-mirror-'));
  folder = join(root, 'mirror');
  trusted = join(root, 'trusted.json');
  mkdirSync(join(root, 'temp'));
  world = await World.start({
    baseEntries: 1,
    publish: [
      {
        version: VERSION,
        platforms: [NATIVE_PLATFORM],
        size: 1000,
        sbom: { images: 0, tarballs: 0 },
      },
    ],
  });
  const json = world.trustedRoot();
  const last = <T>(list: readonly T[]): T[] => list.slice(-1); // The others take no part.
  writeFileSync(
    trusted,
    JSON.stringify({
      ...json,
      tlogs: last(json.tlogs),
      ctlogs: last(json.ctlogs),
      certificateAuthorities: last(json.certificateAuthorities),
      timestampAuthorities: last(json.timestampAuthorities),
    }),
  );
  const inputs = {
    ...world.inputs(),
    ...common,
    folder,
    'tuf-root': '',
    'tuf-mirror-url': '',
    'trusted-root': trusted,
  };
  await mirrorRelease(await loadMirrorInputs(environment(inputs)), logger);
  genuine = world.release.artifact(VERSION, NATIVE_PLATFORM, 'kubectl').bytes;
  await world.stop();
  const variables: Record<string, string> = {
    ...Object.fromEntries(
      Object.entries({
        ...common,
        'download-base-url': pathToFileURL(folder).href,
        'trusted-root': join(folder, ROOT),
        'rekor-url': world.logServer.url,
        'tuf-mirror-url': '',
      }).map(([name, value]) => [`INPUT_${name.toUpperCase()}`, value]),
    ),
    RUNNER_TEMP: join(root, 'temp'),
    RUNNER_TOOL_CACHE: join(root, 'tool-cache'),
    SETUP_VERIFIED_KUBECTL_TIME_SCALE: '0.02',
    PATH: '',
    GITHUB_OUTPUT: '',
    GITHUB_PATH: '',
  };
  Object.assign(process.env, variables);
});

beforeEach(reset);

afterAll(() => {
  rmSync(root, { recursive: true });
});

function environment(inputs: Record<string, string>): Parameters<typeof loadMirrorInputs>[0] {
  const variables = { RUNNER_TEMP: join(root, 'temp'), RUNNER_TOOL_CACHE: join(root, 'cache') };
  const { platform, arch } = process;
  return commandEnvironment({ variables, platform, arch }, inputs);
}

function reset(): void {
  for (const list of Object.values(told)) list.length = 0;
  outputs.clear();
  process.exitCode = undefined;
  // Each run waits for signals, and is the last thing in its process.
  for (const signal of ['SIGINT', 'SIGTERM']) process.removeAllListeners(signal);
}

/** `refused`, `without effect`, or what went wrong. */
async function outcomeOfRun(): Promise<string> {
  reset();
  await run();
  const failed = process.exitCode === 1;
  process.exitCode = undefined;
  if (failed) {
    const [title = ''] = told.errors;
    const isNamed =
      told.errors.length === 1 && /^setup-verified-kubectl: (?!UNEXPECTED)/.test(title);
    const left = ['tool-cache', 'temp'].flatMap((one) =>
      existsSync(join(root, one)) ? readdirSync(join(root, one)) : [],
    );
    return isNamed && told.paths.length === 0 && outputs.size === 0 && left.length === 0
      ? 'refused'
      : `failed with ${told.errors.join()}, and left ${told.paths.join()} ${left.join()}`;
  }
  const installed = readFileSync(outputs.get('kubectl-path') ?? '');
  rmSync(join(root, 'tool-cache'), { recursive: true });
  return installed.equals(genuine) &&
    outputs.get('version') === VERSION &&
    told.warnings.length === 0
    ? 'without effect'
    : `installed ${outputs.get('version') ?? ''} with ${told.warnings.join()}`;
}

async function outcomeOfCheck(): Promise<string> {
  reset();
  const inputs = { ...common, folder, check: 'true', 'trusted-root': trusted };
  const verdict = await checkMirror(await loadMirrorInputs(environment(inputs)), logger);
  return verdict.differences.length === 0 ? 'not noticed' : 'noticed';
}

/** Every file of the mirror; the test below compares with what is there. */
const FILES = [
  BINARY,
  `${BINARY}.sha256`,
  `${BINARY}.sigstore.json`,
  SBOM,
  `${SBOM}.sha256`,
  `${SBOM}.sigstore.json`,
  'release/stable-1.31.txt',
  ROOT,
].sort();

test('unchanged, it installs, and passes the check', async () => {
  expect(filesBelow(folder)).toEqual(FILES);
  expect([await outcomeOfRun(), await outcomeOfCheck()]).toEqual(['without effect', 'not noticed']);
});

/** Files of which no byte may change without a refusal; of the others, some bytes mean nothing to a run. */
const SIGNED = [BINARY, SBOM];
/** A real kubectl has 60 MB: of the binary, these many offsets are tried, the first and the last among them. */
const SAMPLES = 200;
/** All bytes take minutes, so a usual run takes one in sixteen. `EVERY_BYTE=true npm test -- changed-mirror` takes all. */
const STEP = process.env['EVERY_BYTE'] === 'true' ? 1 : 16;
/** The check is run for one in so many of the changes: it takes as long as the run. */
const CHECK_INTERVAL = 50;

test.each(FILES)('bytes of %s, changed', async (name) => {
  const file = join(folder, name);
  const bytes = readFileSync(file);
  const step = name === BINARY ? (bytes.length - 1) / SAMPLES : STEP;
  const outcomes = new Map<string, string>();
  let count = 0;
  for (let next = 0; next < bytes.length; next += step) {
    const offset = Math.floor(next);
    const changed = Buffer.from(bytes);
    changed.writeUInt8(changed.readUInt8(offset) ^ 1, offset);
    writeFileSync(file, changed);
    outcomes.set(await outcomeOfRun(), `offset ${offset}`);
    if (count++ % CHECK_INTERVAL === 0) outcomes.set(await outcomeOfCheck(), `offset ${offset}`);
  }
  writeFileSync(file, bytes);
  const harmless = SIGNED.includes(name) ? [] : ['without effect'];
  // Base64 has several spellings of the same key.
  const unnoticed = name === ROOT ? ['not noticed'] : [];
  const allowed = ['refused', 'noticed', ...harmless, ...unnoticed];
  expect([...outcomes].filter(([outcome]) => !allowed.includes(outcome))).toEqual([]);
  expect(outcomes.has('noticed')).toBe(true);
  expect(await outcomeOfRun()).toBe('without effect');
  tally('changed bytes of a mirror refused or without effect', count);
});
