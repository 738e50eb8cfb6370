// "Conformance tests from a verified tarball" in the README, as written: only the action's hosts are replaced by those of
// the test world.
import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect } from '@jest/globals';
import { World, releaseFilePath, type ActionResult } from '../support/index.js';
import { testUnless } from '../support/skip.js';
import { NATIVE, STRANGER, expectArtifacts, expectRefused } from './expectations.js';
import { recipeSteps, runRecipe } from './recipe.js';

const HEADING = 'Conformance tests from a verified tarball';
const VERSION = `v${recipeSteps(HEADING)[0]?.with?.['version'] ?? ''}`;
const TARBALL = `kubernetes-test-${NATIVE.replace('/', '-')}.tar.gz`;
const onPosix = testUnless(
  process.platform === 'win32' ? 'needs bash: the recipe is for Linux and macOS' : undefined,
);

/** Reports what it was started with. */
const script = (name: string): string => `#!/bin/sh\necho "${name}" "$@"\n`;

/**
 * Laid out as build/lib/release.sh of Kubernetes does (package_test_platform_tarballs): the test binaries are in
 * kubernetes/test/bin.
 */
function testTarball(): Buffer {
  const content = mkdtempSync(join(folder, 'content-'));
  const bin = join(content, 'kubernetes', 'test', 'bin');
  mkdirSync(bin, { recursive: true });
  for (const name of ['e2e.test', 'ginkgo']) {
    writeFileSync(join(bin, name), script(name), { mode: 0o755 });
  }
  const tarball = join(content, TARBALL);
  execFileSync('tar', ['-czf', tarball, '-C', content, 'kubernetes']);
  return readFileSync(tarball);
}

let folder: string;
let world: World;

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'conformance-'));
  world = await World.start();
  world.release.publish({ version: VERSION, platforms: [NATIVE], sbom: false });
  if (process.platform === 'win32') return;
  world.release.putFile(releaseFilePath(VERSION, TARBALL), testTarball());
  world.release.putSbom(VERSION);
});
afterAll(async () => {
  await world.stop();
  rmSync(folder, { recursive: true });
});

const sole = (runs: readonly ActionResult[]): ActionResult => {
  const [run] = runs;
  if (run === undefined || runs.length > 1) throw new Error('one run, please');
  return run;
};

onPosix('unpacks the tests from the verified tarball and runs them', async () => {
  const { runs, printed, home } = await runRecipe(world, HEADING);
  expectArtifacts(sole(runs), { version: VERSION, artifacts: { test: TARBALL } });
  expect(printed).toEqual([
    `ginkgo --focus=\\[Conformance\\] ./e2e.test -- --kubeconfig=${home}/.kube/config\n`,
  ]);
});

onPosix('does not get that far with a tarball of somebody else', async () => {
  world.release.file(VERSION, TARBALL).sign(STRANGER);
  const { runs, printed } = await runRecipe(world, HEADING);
  expectRefused(sole(runs), 'IDENTITY_MISMATCH');
  expect(printed).toEqual([]);
});
