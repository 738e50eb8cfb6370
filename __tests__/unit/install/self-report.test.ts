import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { readSelfReport, checkSelfReport } from '../../../src/install/self-report.js';
import type { Tool } from '../../../src/kubernetes/platform.js';
import { executable } from '../../support/executables.js';
import { MISSING, describeUnless } from '../../support/skip.js';

const AMD64 = { os: 'linux', arch: 'amd64' } as const;
const ARM64 = { os: 'linux', arch: 'arm64' } as const;
const posix = describeUnless(MISSING.shellScripts);

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'ask-binary-'));
});
afterAll(() => rmSync(folder, { recursive: true }));

function sample(bytes: Buffer | string): string {
  const file = join(mkdtempSync(join(folder, 'sample-')), 'binary');
  writeFileSync(file, bytes, { mode: 0o755 });
  return file;
}

const binary = (tool: string, version = 'v1.31.9'): string =>
  sample(executable({ tool, version, platform: 'linux/amd64' }));

posix('a binary', () => {
  test.each<Tool>(['kubectl', 'kubeadm', 'kubelet', 'kube-apiserver', 'kube-proxy'])(
    '%s tells its version, its platform and its name',
    async (tool) => {
      expect(await readSelfReport(binary(tool), tool)).toEqual({
        version: 'v1.31.9',
        platform: 'linux/amd64',
        isTool: true,
      });
      expect(await checkSelfReport(binary(tool), tool, 'v1.31.9', AMD64)).toBeUndefined();
    },
  );

  test('of another version', async () => {
    const complaint = await checkSelfReport(binary('kubectl'), 'kubectl', 'v1.31.8', AMD64);
    expect(complaint).toContain('kubectl v1.31.8');
    expect(complaint).toContain('kubectl v1.31.9');
  });

  test('of a version that begins in the same way', async () => {
    const pre = binary('kubectl', 'v1.31.9-rc.1');
    expect(await checkSelfReport(pre, 'kubectl', 'v1.31.9', AMD64)).toContain('v1.31.9-rc.1');
  });

  test('for another platform', async () => {
    const complaint = await checkSelfReport(binary('kubectl'), 'kubectl', 'v1.31.9', ARM64);
    expect(complaint).toContain('linux/arm64');
    expect(complaint).toContain('linux/amd64');
  });

  test('that is another tool', async () => {
    const complaint = await checkSelfReport(binary('kube-proxy'), 'kubelet', 'v1.31.9', AMD64);
    expect(complaint).toContain('another tool v1.31.9');
  });

  test.each([
    ['does not know the question', '#!/bin/sh\nexit 1\n'],
    ['cannot be executed', 'no executable'],
    ['says nothing', '#!/bin/sh\nexit 0\n'],
    ['says too much', '#!/bin/sh\nyes\n'],
  ])('that %s', async (_, text) => {
    const complaint = await checkSelfReport(sample(text), 'kubectl', 'v1.31.9', AMD64);
    expect(complaint).not.toBeUndefined();
  });

  test('sees nothing of the environment', async () => {
    process.env['SECRET_OF_THIS_TEST'] = 'secret';
    const script = '#!/bin/sh\necho "gitVersion: \\"v1.31.9$SECRET_OF_THIS_TEST\\""\n';
    const self = await readSelfReport(sample(script), 'kubectl');
    delete process.env['SECRET_OF_THIS_TEST'];
    expect(self.version).toBe('v1.31.9');
  });

  test('that is no program is not handed to a shell', async () => {
    const trace = join(folder, 'trace');
    const text = sample(`SPDXVersion: SPDX-2.3\n$(touch ${trace})\n`);
    const complaint = await checkSelfReport(text, 'kubectl', 'v1.31.9', AMD64);
    expect(complaint).toContain('is not a program');
    expect(existsSync(trace)).toBe(false);
  });

  test.each([
    ['names the tool in its usage line', 'kubelet', true],
    ['names it in passing', 'kube-apiserver', false],
  ])('whose help %s', async (_, name, isTool) => {
    const script = `#!/bin/sh\necho "Timeout for kubelet operations."\necho\necho "Usage:"\necho "  ${name} [flags]"\n`;
    expect((await readSelfReport(sample(script), 'kubelet')).isTool).toBe(isTool);
  });
});
