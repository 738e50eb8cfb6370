import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { checkSelfReport } from '../../../src/install/self-report.js';
import {
  TOOLS,
  parseArchitecture,
  type Platform,
  type Tool,
} from '../../../src/kubernetes/platform.js';
import { executable, type ExecutableOptions } from '../../support/executables.js';
import { NATIVE_PLATFORM } from '../../support/native-platform.js';
import { MISSING, describeUnless, testUnless } from '../../support/skip.js';

const ARCH = parseArchitecture(process.arch) ?? 'amd64';
const NATIVE: Platform = { os: 'linux', arch: ARCH };
const FOREIGN: Platform = { os: 'linux', arch: ARCH === 'arm64' ? 'amd64' : 'arm64' };

/** They have a `version` command, or component-base's `--version=raw` (verflag.go). */
const TELLING: readonly Tool[] = [
  'kubectl',
  'kubeadm',
  'kubelet',
  'kube-proxy',
  'kube-apiserver',
  'kube-controller-manager',
  'kube-scheduler',
];

let folder: string;
let scratch: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'self-report-'));
});
beforeEach(() => {
  scratch = mkdtempSync(join(folder, 'scratch-'));
});
afterEach(() => rmSync(scratch, { recursive: true }));
afterAll(() => rmSync(folder, { recursive: true }));

function sample(bytes: Buffer | string): string {
  const file = join(mkdtempSync(join(folder, 'sample-')), 'binary');
  writeFileSync(file, bytes, { mode: 0o755 });
  return file;
}

const binary = (tool: string, options: Partial<ExecutableOptions> = {}): string =>
  sample(executable({ tool, version: 'v1.31.9', platform: NATIVE_PLATFORM, ...options }));

const ask = (
  file: string,
  tool: Tool = 'kubectl',
  platform = NATIVE,
): Promise<string | undefined> => checkSelfReport(file, tool, 'v1.31.9', platform, { scratch });

describeUnless(MISSING.executables)('a binary', () => {
  test.each(TELLING)('%s is the one that was asked for', async (tool) => {
    expect(await ask(binary(tool), tool)).toBeUndefined();
  });

  test.each<[string, Tool, Partial<ExecutableOptions>, string]>([
    ['another version', 'kubectl', { version: 'v1.31.8' }, 'reports kubectl v1.31.8'],
    [
      'a version that begins in the same way',
      'kubectl',
      { version: 'v1.31.9-rc.1' },
      'v1.31.9-rc.1',
    ],
    [
      'another platform, by its own word',
      'kubectl',
      { reportedPlatform: 'linux/s390x' },
      'for linux/s390x',
    ],
    ['another tool', 'kubelet', { tool: 'kube-proxy' }, 'another tool v1.31.9'],
    [
      'another tool whose help speaks of this one',
      'kubelet',
      { tool: 'kube-apiserver', help: 'For kubelet.\n\nUsage:\n  kube-apiserver [flags]' },
      'another tool v1.31.9',
    ],
    ['a tool that does not know the question', 'kubectl', { tool: 'kubelet' }, 'exit code 1'],
  ])('is %s', async (_, tool, difference, said) => {
    expect(await ask(binary(tool, difference), tool)).toContain(said);
  });

  test('prints without end', async () => {
    const before = [{ call: 'write', text: 'gitVersion: "v1.31.9"\n', forever: true }] as const;
    expect(await ask(binary('kubectl', { before }))).toContain('bytes of output');
  });

  function executableOf(pid: string): string | undefined {
    try {
      return readlinkSync(`/proc/${pid}/exe`);
    } catch {
      return undefined; // It has ended, or is somebody else's.
    }
  }

  /** The process that runs a file, once it is there. */
  async function processOf(file: string): Promise<string> {
    for (;;) {
      for (const pid of readdirSync('/proc').filter((name) => /^\d+$/.test(name))) {
        if (executableOf(pid) === file) return `/proc/${pid}`;
      }
      await sleep(10);
    }
  }

  test('runs in an empty folder, with an empty home, without kuberc, and with no other variable', async () => {
    const file = binary('kubectl', { before: [{ call: 'sleepForever' }] });
    const failure = checkSelfReport(file, 'kubectl', 'v1.31.9', NATIVE, { scratch, timeout: 1500 });
    const proc = await processOf(file);
    // Between fork and exec the variables are still those of this process.
    await sleep(200);
    const variables = readFileSync(`${proc}/environ`, 'utf8').split('\0').filter(Boolean);
    const cwd = readlinkSync(`${proc}/cwd`);
    const home = /^HOME=(.*)$/m.exec(variables.join('\n'))?.[1] ?? '';
    expect(variables.sort()).toEqual([`HOME=${home}`, 'KUBERC=off', `USERPROFILE=${home}`]);
    for (const place of [cwd, home]) {
      expect(dirname(place)).toBe(scratch);
      expect(readdirSync(place)).toEqual([]);
    }
    expect(cwd).not.toBe(home);
    expect(await failure).toContain('did not finish within 1.5 s');
  });
});

describe('is not executed', () => {
  /** Leaves a trace when it is executed, whatever it is asked. */
  const tracing = (tool: string, platform: string, trace: string): string =>
    sample(
      executable({ tool, version: 'v1.31.9', platform, before: [{ call: 'create', path: trace }] }),
    );

  // The twin of every test below.
  testUnless(MISSING.executables)('what is executed leaves a trace', async () => {
    const trace = join(scratch, 'trace');
    expect(await ask(tracing('kubectl', NATIVE_PLATFORM, trace))).toBeUndefined();
    expect(existsSync(trace)).toBe(true);
  });

  test.each(TOOLS.filter((tool) => !TELLING.includes(tool)))(
    '%s, which cannot tell its version',
    async (tool) => {
      const trace = join(scratch, 'trace');
      const failure = await ask(tracing(tool, NATIVE_PLATFORM, trace), tool);
      expect(failure).toBe(`${tool} does not report its version`);
      expect(existsSync(trace)).toBe(false);
    },
  );

  test('a binary for another machine', async () => {
    const trace = join(scratch, 'trace');
    const foreign = `linux/${FOREIGN.arch}`;
    const failure = await ask(tracing('kubectl', foreign, trace));
    expect(failure).toContain(`is not an executable for linux/${NATIVE.arch}`);
    expect(existsSync(trace)).toBe(false);
  });

  test.each([
    ['a script', '#!/bin/sh\n'],
    ['a text', 'SPDXVersion: SPDX-2.3\n'],
  ])('%s', async (_, start) => {
    const trace = join(scratch, 'trace');
    const answers = `: > ${trace}\nprintf 'gitVersion:"v1.31.9" platform:"${NATIVE_PLATFORM}"\\nUsage:\\n  kubectl\\n'\n`;
    expect(await ask(sample(start + answers))).toContain('is not an executable');
    expect(existsSync(trace)).toBe(false);
  });

  test('a folder', async () => {
    const place = join(scratch, 'folder');
    mkdirSync(place);
    expect(await ask(place)).toContain('did not report its version');
  });
});
