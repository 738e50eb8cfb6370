import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { assertExecutableFor } from '../../../src/install/executable-format.js';
import {
  parseArchitecture,
  parseOperatingSystem,
  type Architecture,
  type OperatingSystem,
  type Platform,
} from '../../../src/kubernetes/platform.js';
import { executable } from '../../support/executables.js';

const DOS_STUB = `4d5a90000300000004000000ffff00008b000000000000004000000000000000${'0'.repeat(56)}800000000e1fba0e00b409cd21b8014ccd21546869732070726f6772616d2063616e6e6f742062652072756e20696e20444f53206d6f64652e0d0d0a2400000000000000`;

/** The first bytes of what Go 1.26.8 builds for each platform that kubectl is published for: `go build`, CGO_ENABLED=0. */
const HEADERS: readonly (readonly [OperatingSystem, Architecture, string])[] = [
  ['linux', 'amd64', '7f454c4602010100000000000000000002003e00'],
  ['linux', '386', '7f454c4601010100000000000000000002000300'],
  ['linux', 'arm', '7f454c4601010100000000000000000002002800'],
  ['linux', 'arm64', '7f454c460201010000000000000000000200b700'],
  ['linux', 'ppc64le', '7f454c4602010100000000000000000002001500'],
  ['linux', 's390x', '7f454c4602020100000000000000000000020016'],
  ['darwin', 'amd64', 'cffaedfe07000001'],
  ['darwin', 'arm64', 'cffaedfe0c000001'],
  ['windows', 'amd64', `${DOS_STUB}5045000064861000`],
  ['windows', '386', `${DOS_STUB}504500004c010e00`],
  ['windows', 'arm64', `${DOS_STUB}5045000064aa0e00`],
];
const PLATFORMS = HEADERS.map(([os, arch]): Platform => ({ os, arch }));

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'executable-format-'));
});
afterAll(() => rmSync(folder, { recursive: true }));

/** The platforms that a file of these bytes is an executable for. */
async function platformsOf(bytes: Buffer): Promise<Platform[]> {
  const file = join(folder, 'file');
  writeFileSync(file, bytes);
  const fits = await Promise.all(
    PLATFORMS.map((platform) =>
      assertExecutableFor(platform, file).then(
        () => true,
        () => false,
      ),
    ),
  );
  return PLATFORMS.filter((_, index) => fits[index]);
}

describe('an executable', () => {
  test.each(HEADERS)('for %s/%s is one for that platform alone', async (os, arch, hex) => {
    expect(await platformsOf(Buffer.from(hex, 'hex'))).toEqual([{ os, arch }]);
  });

  test('of this machine: the Node that runs this test', async () => {
    const os = parseOperatingSystem(process.platform);
    const arch = parseArchitecture(process.arch);
    if (os === undefined || arch === undefined) throw new Error('Kubernetes has none for it');
    await expect(assertExecutableFor({ os, arch }, process.execPath)).resolves.toBeUndefined();
    const other = arch === 'arm64' ? 'amd64' : 'arm64';
    await expect(assertExecutableFor({ os, arch: other }, process.execPath)).rejects.toThrow(
      `is not an executable for ${os}/${other}`,
    );
  });

  test.each(['linux/amd64', 'linux/arm64'])('of the test world, for %s', async (platform) => {
    const bytes = executable({ tool: 'kubectl', version: 'v1.31.9', platform });
    const [os, arch] = platform.split('/');
    expect(await platformsOf(bytes)).toEqual([{ os, arch }]);
  });
});

describe('no executable for any platform', () => {
  test.each([
    ['a script', Buffer.from('#!/bin/sh\nexit 0\n')],
    ['a text', Buffer.from('SPDXVersion: SPDX-2.3\n')],
    ['nothing', Buffer.alloc(0)],
    ['a universal Mach-O', Buffer.from('cafebabe00000002', 'hex')],
    ['ELF without a machine', Buffer.from('7f454c46', 'hex')],
    [
      'ELF of x86-64 with 32 bits (x32)',
      Buffer.from(`7f454c4601010100${'0'.repeat(16)}02003e00`, 'hex'),
    ],
    ['MS-DOS', Buffer.from('4d5a', 'hex')],
    [
      'a PE header outside of the file',
      Buffer.concat([Buffer.from(DOS_STUB, 'hex')]).fill(255, 60, 64),
    ],
    ['a PE header of another format', Buffer.from(`${DOS_STUB}4e45000064861000`, 'hex')],
  ])('%s', async (_, bytes) => {
    expect(await platformsOf(bytes)).toEqual([]);
  });
});
