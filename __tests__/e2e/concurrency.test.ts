import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { NATIVE_PLATFORM, World, filesBelow, runAction, tally } from '../support/index.js';
import { expectInstalled } from './expectations.js';

const VERSIONS = ['v1.31.9', 'v1.32.5', 'v1.33.1', 'v1.34.0'];
const PROCESSES = 8;

let world: World;
let folder: string;

beforeAll(async () => {
  world = await World.start({
    publish: VERSIONS.map((version) => ({ version, platforms: [NATIVE_PLATFORM] })),
  });
  folder = mkdtempSync(join(tmpdir(), 'concurrency-'));
});

afterAll(async () => {
  await world.stop();
  rmSync(folder, { recursive: true, force: true });
});

test.each([
  ['the same version', 1, true],
  ['two versions', 2, true],
  ['four versions', 4, true],
  ['the same version, each with a temporary folder of its own', 1, false],
])('eight processes install %s into one tool cache', async (_what, versions, isTempShared) => {
  const toolCache = mkdtempSync(join(folder, 'tool-cache-'));
  const temp = mkdtempSync(join(folder, 'temp-'));
  // All of them wait for the same digest file, so that all get to the tool cache together.
  world.host.server.latency = ({ path }) => (path.endsWith('.sha256') ? 300 : 0);
  const runs = await Promise.all(
    Array.from({ length: PROCESSES }, (_, index) =>
      runAction({
        inputs: { ...world.inputs(), version: VERSIONS[index % versions] ?? '' },
        toolCache,
        ...(isTempShared ? { temp } : {}),
      }),
    ),
  );
  world.reset();
  for (const [index, run] of runs.entries()) {
    expectInstalled(run, { world, version: VERSIONS[index % versions] ?? '' });
  }
  expect(readdirSync(temp)).toEqual([]);
  const copies = filesBelow(join(toolCache, 'verified-kubectl'));
  // Binary, SBOM, evidence for each of them, and the marker; nothing else.
  expect(copies).toHaveLength(versions * 5);
  const hidden = filesBelow(toolCache).filter((path) => /(^|\/)\./.test(path));
  expect(hidden).toEqual([]);
  for (const run of runs) run.cleanup();
  tally('concurrent installs', PROCESSES);
});
