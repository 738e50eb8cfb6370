import { execFileSync } from 'node:child_process';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { parse } from 'yaml';
import { World } from '../support/index.js';
import { MISSING, canRun } from '../support/skip.js';
import { NATIVE, expectInstalled, runIn } from './expectations.js';

let world: World;

beforeAll(async () => {
  world = await World.start({
    publish: ['v1.30.0', 'v1.30.13', 'v1.32.5', 'v1.33.0-rc.1'].map((version) => ({
      version,
      platforms: [NATIVE],
    })),
  });
});

afterAll(async () => {
  await world.stop();
});

/** Steps as the documentation of Azure/setup-kubectl has them, with what they install there. */
const STEPS: [step: string, version: string][] = [
  ["- uses: azure/setup-kubectl@v4\n  with:\n    version: 'latest'\n  id: install\n", 'v1.32.5'],
  ["- uses: azure/setup-kubectl@v4\n  with:\n    version: 'v1.30.0'\n  id: install\n", 'v1.30.0'],
  ["- uses: azure/setup-kubectl@v4\n  with:\n    version: '1.30'\n  id: install\n", 'v1.30.13'],
  ["- uses: azure/setup-kubectl@v4\n  with:\n    version: 'v1.30'\n  id: install\n", 'v1.30.13'],
  ['- uses: azure/setup-kubectl@v4\n  id: install\n', 'v1.32.5'],
];

test.each(STEPS)('%j', async (text, version) => {
  const [step] = parse(text) as [{ uses: string; with?: Record<string, string> }];
  const run = await runIn(world, step.with);
  expectInstalled(run, { version });
  const path = run.outputs['kubectl-path'] ?? '';
  if (canRun(MISSING.executables)) {
    const said = execFileSync(path, ['version', '--client'], { encoding: 'utf8' });
    expect(said).toContain(`Client Version: ${version}`);
  }
});
