// "Conformance tests from a verified tarball" in the README, as written: only the action's hosts are replaced by those of
// the test world.
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect } from '@jest/globals';
import { parse } from 'yaml';
import { World, releaseFilePath, type ActionResult } from '../support/index.js';
import { testUnless } from '../support/skip.js';
import { NATIVE, STRANGER, expectArtifacts, expectRefused, runIn } from './expectations.js';

const HEADING = '\n### Conformance tests from a verified tarball\n';
const TARBALL = `kubernetes-test-${NATIVE.replace('/', '-')}.tar.gz`;
const onPosix = testUnless(
  process.platform === 'win32' ? 'needs bash: the recipe is for Linux and macOS' : undefined,
);

interface Step {
  readonly id?: string;
  readonly with?: Readonly<Record<string, string>>;
  readonly env?: Readonly<Record<string, string>>;
  readonly run?: string;
}

/** The steps of the recipe. */
function recipe(): Step[] {
  const readme = readFileSync(join(import.meta.dirname, '..', '..', 'README.md'), 'utf8');
  const [, section = ''] = readme.split(HEADING);
  const [, yaml = ''] = /```yaml\n([^]*?)```/.exec(section) ?? [];
  return (parse(yaml) as { steps: Step[] }).steps;
}

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
  folder = mkdtempSync(join(tmpdir(), 'recipe-'));
  world = await World.start();
});
afterAll(async () => {
  await world.stop();
  rmSync(folder, { recursive: true });
});

/** The first step, by `uses`. */
const firstStep = (step: Step | undefined): Promise<ActionResult> => runIn(world, step?.with);

/** The second step, as the runner starts it: `bash -e` in the workspace, expressions resolved. */
function secondStep(step: Step | undefined, id: string, { outputs, dirs }: ActionResult): string {
  const resolved = Object.entries(step?.env ?? {}).map(([name, value]) => [
    name,
    value.replaceAll(
      new RegExp(`\\$\\{\\{ steps\\.${id}\\.outputs\\.([a-z-]+) \\}\\}`, 'g'),
      (_, output: string) => outputs[output] ?? '',
    ),
  ]);
  const { status, stdout, stderr } = spawnSync('bash', ['-e', '-c', step?.run ?? 'false'], {
    cwd: dirs.workspace,
    env: { PATH: process.env['PATH'], HOME: dirs.home, ...Object.fromEntries(resolved) },
    encoding: 'utf8',
  });
  expect(stderr).toBe('');
  expect(status).toBe(0);
  return stdout;
}

onPosix('unpacks the tests from the verified tarball and runs them', async () => {
  const [first, second] = recipe();
  const version = `v${first?.with?.['version'] ?? ''}`;
  world.release.publish({ version, platforms: [NATIVE], sbom: false });
  world.release.putFile(releaseFilePath(version, TARBALL), testTarball());
  world.release.putSbom(version);
  const run = await firstStep(first);
  expectArtifacts(run, { version, artifacts: { test: TARBALL } });
  expect(secondStep(second, first?.id ?? '', run)).toBe(
    `ginkgo --focus=\\[Conformance\\] ./e2e.test -- --kubeconfig=${run.dirs.home}/.kube/config\n`,
  );
});

onPosix('does not get that far with a tarball of somebody else', async () => {
  const [first] = recipe();
  const version = `v${first?.with?.['version'] ?? ''}`;
  world.release.publish({ version, platforms: [NATIVE], artifacts: [TARBALL] });
  world.release.file(version, TARBALL).sign(STRANGER);
  expectRefused(await firstStep(first), 'IDENTITY_MISMATCH');
});
