import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import {
  chmodSync,
  existsSync,
  linkSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  renameSync,
  readdirSync,
  rmSync,
  statSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import {
  CacheEntry,
  cachedVersions,
  filesIn,
  cacheEntries,
  type ToolCache,
} from '../../../src/install/tool-cache.js';
import { assertUnchanged, commitAll } from '../../../src/install/commit.js';
import type { InstallContext } from '../../../src/install/context.js';
import type {
  InstalledArtifact,
  VerifiedArtifact,
} from '../../../src/install/verified-artifact.js';
import { digestFile } from '../../../src/files/digested-file.js';
import type { Platform } from '../../../src/kubernetes/platform.js';
import { Release } from '../../../src/kubernetes/release.js';
import { MISSING, linkFolder, testUnless, type Missing } from '../../support/skip.js';

const PLATFORM = { os: 'linux', arch: 'amd64' } as const;
const kubectl = (version = 'v1.31.9', platform: Platform = PLATFORM) =>
  new Release(version, new URL('https://dl.k8s.io/')).binary('kubectl', platform);

let root: string;
const HEX = 'ab'.repeat(32);
let cache: ToolCache;
let entry: CacheEntry;

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'tool-cache-'));
  cache = { folder: join(root, 'cache'), trustKey: 'trust' };
  entry = new CacheEntry(cache, kubectl(), HEX);
});
afterEach(() => rmSync(root, { recursive: true }));

/** A finished folder, ready to be moved. */
function finished(content: string): string {
  const folder = mkdtempSync(join(root, 'finished-'));
  const files = filesIn(folder, kubectl());
  writeFileSync(files.file, content, { mode: 0o644 });
  writeFileSync(files.bundle, '{}', { mode: 0o644 });
  return folder;
}

/** The same bytes, in another folder. */
function replaceEntry(): void {
  const bytes = readFileSync(entry.files().file);
  renameSync(entry.folder, `${entry.folder}-aside`);
  mkdirSync(entry.folder);
  writeFileSync(entry.files().file, bytes);
}

describe('CacheEntry', () => {
  test('is where the tool cache of a runner would have it', () => {
    expect(entry.folder).toBe(
      join(root, 'cache', 'verified-kubectl', '1.31.9', `linux-amd64-trust-${HEX}`),
    );
    const platform = { os: 'windows', arch: 'amd64' } as const;
    const windows = new CacheEntry(cache, kubectl('v1.31.9', platform), HEX);
    expect(windows.files().file).toMatch(/kubectl\.exe$/);
  });

  test('is filled in one step, executable and marked', async () => {
    const folder = finished('one');
    expect(await entry.exists()).toBe(false);
    expect(await entry.commit(folder)).toBe(true);
    expect(await entry.exists()).toBe(true);
    expect(existsSync(folder)).toBe(false);
    expect(existsSync(`${entry.folder}.complete`)).toBe(true);
    expect(statSync(entry.files().file).mode & 0o100).toBe(
      process.platform === 'win32' ? 0 : 0o100,
    );
    await expect(entry.assertOwned()).resolves.toBeUndefined();
  });

  test('is not filled twice: the first one stays', async () => {
    await entry.commit(finished('one'));
    const second = finished('two');
    expect(await entry.commit(second)).toBe(false);
    expect(existsSync(second)).toBe(true);
    expect(readFileSync(entry.files().file, 'utf8')).toBe('one');
  });

  test.each([
    ['left alone', () => undefined, true],
    ['written to', () => writeFileSync(entry.files().file, 'other'), false],
    ['replaced', () => replaceEntry(), false],
    ['emptied', () => rmSync(entry.folder, { recursive: true }), false],
  ])('tells by its trace that it was %s', async (_, change, isUnchanged) => {
    await entry.commit(finished('one'));
    const trace = await entry.fingerprint();
    change();
    const unchanged = assertUnchanged([
      { cacheEntry: entry, fingerprint: trace } as InstalledArtifact,
    ]);
    if (isUnchanged) await expect(unchanged).resolves.toBeUndefined();
    else await expect(unchanged).rejects.toMatchObject({ code: 'INSTALL_FAILED' });
  });

  test('is removed with its marker, and may then be filled again', async () => {
    await entry.commit(finished('one'));
    await entry.remove(await entry.fingerprint());
    expect(readdirSync(join(entry.folder, '..'))).toEqual([]);
    expect(await entry.exists()).toBe(false);
    expect(existsSync(`${entry.folder}.complete`)).toBe(false);
    expect(await entry.commit(finished('two'))).toBe(true);
  });

  test.each([
    ['written to', () => writeFileSync(entry.files().file, 'other')],
    ['replaced', () => replaceEntry()],
    ['given another file', () => writeFileSync(join(entry.folder, 'another'), '')],
  ])('is not removed when it has been %s since it was judged', async (_, change) => {
    await entry.commit(finished('one'));
    const judged = await entry.fingerprint();
    change();
    await entry.remove(judged);
    expect(existsSync(entry.files().file)).toBe(true);
  });

  test('may be removed by several runs at once', async () => {
    await entry.commit(finished('one'));
    const judged = await entry.fingerprint();
    await Promise.all([1, 2, 3, 4].map(() => entry.remove(judged)));
    expect(readdirSync(join(entry.folder, '..'))).toEqual([]);
  });

  test('sweeps away what died an hour ago, and nothing younger', async () => {
    const parent = join(entry.folder, '..');
    const [old, young] = [join(parent, '.partial-old'), join(parent, '.partial-young')];
    for (const partial of [old, young]) {
      mkdirSync(partial, { recursive: true });
    }
    const twoHoursAgo = Date.now() / 1000 - 7_200;
    utimesSync(old, twoHoursAgo, twoHoursAgo);
    await entry.commit(finished('one'));
    expect(readdirSync(parent).sort()).toEqual(
      ['.partial-young', basename(entry.folder), `${basename(entry.folder)}.complete`].sort(),
    );
  });

  const SPOILED: [string, () => void, ...Missing[]][] = [
    [
      'a binary that the group can write to',
      () => chmodSync(entry.files().file, 0o775),
      MISSING.permissionBits,
    ],
    [
      'evidence that everybody can write to',
      () => chmodSync(entry.files().bundle, 0o646),
      MISSING.permissionBits,
    ],
    [
      'a folder that the group can write to',
      () => chmodSync(entry.folder, 0o775),
      MISSING.permissionBits,
    ],
    ['a binary of two names', () => linkSync(entry.files().file, join(root, 'other name'))],
    [
      'a link in it',
      () => symlinkSync(entry.files().file, join(entry.folder, 'link')),
      MISSING.symbolicLinks,
    ],
    ['a folder in it', () => mkdirSync(join(entry.folder, 'folder'))],
  ];
  for (const [what, spoil, ...needs] of SPOILED) {
    testUnless(...needs)(`refuses ${what}`, async () => {
      await entry.commit(finished('one'));
      spoil();
      await expect(entry.assertOwned()).rejects.toMatchObject({ code: 'INSTALL_FAILED' });
    });
  }

  test('a file in the place of the folder is INSTALL_FAILED', async () => {
    mkdirSync(join(entry.folder, '..'), { recursive: true });
    writeFileSync(entry.folder, '');
    await expect(entry.assertOwned()).rejects.toMatchObject({ code: 'INSTALL_FAILED' });
  });
});

describe('commit', () => {
  /** Moves a folder whose binary was proven, after somebody has done something to it. */
  async function installAfter(change: (binary: string, folder: string) => void): Promise<unknown> {
    const folder = finished('one');
    const { file: binary } = filesIn(folder, kubectl());
    const file = await digestFile(binary, 1000);
    change(binary, folder);
    const proven = {
      cacheEntry: entry,
      folder,
      fingerprint: undefined,
      verified: { subject: file },
    };
    return commitAll({} as InstallContext, [proven as unknown as VerifiedArtifact]);
  }

  test.each<[string, (binary: string, folder: string) => void]>([
    ['is left alone', () => undefined],
    ['is copied, as to another file system', (binary) => replace(binary, 'one')],
  ])('takes a binary that %s', async (_, change) => {
    expect(await installAfter(change)).toMatchObject([{ folder: entry.folder }]);
  });

  test.each<[string, (binary: string, folder: string) => void]>([
    ['is exchanged', (binary) => replace(binary, 'two')],
    ['gets a neighbour', (_binary, folder) => writeFileSync(join(folder, 'git'), '')],
    ['gets another name', (binary) => linkSync(binary, join(root, 'other name'))],
  ])('refuses one that %s on its way', async (_, change) => {
    await expectRefusedAfter(change);
  });

  testUnless(MISSING.folderLinks)('refuses one that is behind a link on its way', async () => {
    await expectRefusedAfter((_binary, folder) => {
      renameSync(folder, `${folder}-aside`);
      linkFolder(finished('two'), folder);
    });
  });

  async function expectRefusedAfter(
    change: (binary: string, folder: string) => void,
  ): Promise<void> {
    await expect(installAfter(change)).rejects.toMatchObject({ code: 'INSTALL_FAILED' });
    expect(await entry.exists()).toBe(false);
  }
});

function replace(path: string, content: string): void {
  rmSync(path);
  writeFileSync(`${path}-other`, '');
  writeFileSync(path, content);
  rmSync(`${path}-other`);
}

describe('cacheEntries', () => {
  test('finds every copy of a version, by the digest in its name', async () => {
    await entry.commit(finished('one'));
    const other = new CacheEntry(cache, kubectl(), 'cd'.repeat(32));
    await other.commit(finished('two'));
    const found = await cacheEntries(cache, kubectl());
    expect(found.map(({ folder }) => folder)).toEqual([entry.folder, other.folder]);
    expect(await cacheEntries(cache, kubectl('v1.31.8'))).toEqual([]);
  });
});

describe('cachedVersions', () => {
  test('names versions that are there for platform and trust, and nothing else', async () => {
    for (const folder of [
      `1.31.9/linux-amd64-trust-${HEX}`,
      `1.32.0-rc.1/linux-amd64-trust-${HEX}`,
      `1.30.0/linux-arm64-trust-${HEX}`,
      `1.29.0/linux-amd64-other-${HEX}`,
      '1.28.0/linux-amd64-trust-',
      `1.27.0/linux-amd64-trust-${HEX}0`,
      `1.26.0/linux-amd64-trust-${HEX}.complete`,
      '1.25.0/linux-amd64',
      `../../x/linux-amd64-trust-${HEX}`,
      `latest/linux-amd64-trust-${HEX}`,
    ]) {
      mkdirSync(join(cache.folder, 'verified-kubectl', folder), { recursive: true });
    }
    const versions = await cachedVersions(cache, 'kubectl', PLATFORM);
    expect(versions.sort()).toEqual(['v1.31.9', 'v1.32.0-rc.1']);
  });

  test('is empty where there is no tool cache', async () => {
    expect(
      await cachedVersions({ folder: join(root, 'none'), trustKey: 'trust' }, 'kubectl', PLATFORM),
    ).toEqual([]);
  });
});
