import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import {
  chmodSync,
  chownSync,
  existsSync,
  linkSync,
  lstatSync,
  lutimesSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  renameSync,
  readdirSync,
  rmSync,
  rmdirSync,
  statSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { CacheEntry, filesIn, cacheEntries } from '../../../src/install/cache-entry.js';
import type { ToolCache } from '../../../src/install/tool-cache.js';
import { assertUnchanged, commitAll } from '../../../src/install/commit.js';
import type { InstallContext } from '../../../src/install/context.js';
import type {
  InstalledArtifact,
  VerifiedArtifact,
} from '../../../src/install/verified-artifact.js';
import { digestFile } from '../../../src/files/digested-file.js';
import type { Platform } from '../../../src/kubernetes/platform.js';
import { Release } from '../../../src/kubernetes/release.js';
import { CacheAccess } from '../../../src/install/cache-access.js';
import type { Logger } from '../../../src/install/logger.js';
import { MISSING, testUnless } from '../../support/skip.js';

const PLATFORM = { os: 'linux', arch: 'amd64' } as const;
const kubectl = (version = 'v1.31.9', platform: Platform = PLATFORM) =>
  new Release(version, new URL('https://dl.k8s.io/')).binary('kubectl', platform);
const posix = testUnless(MISSING.permissionBits, MISSING.symbolicLinks);

const silent: Logger = {
  info: () => {},
  debug: () => {},
  notice: () => {},
  warning: () => {},
  progress: () => {},
};

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

  posix.each([
    ['a binary that the group can write to', () => chmodSync(entry.files().file, 0o775)],
    ['evidence that everybody can write to', () => chmodSync(entry.files().bundle, 0o646)],
    ['a folder that the group can write to', () => chmodSync(entry.folder, 0o775)],
    ['a binary of two names', () => linkSync(entry.files().file, join(root, 'other name'))],
    ['a link in it', () => symlinkSync(entry.files().file, join(entry.folder, 'link'))],
    ['a folder in it', () => mkdirSync(join(entry.folder, 'folder'))],
  ])('refuses %s', async (_, spoil) => {
    await entry.commit(finished('one'));
    spoil();
    await expect(entry.assertOwned()).rejects.toMatchObject({ code: 'INSTALL_FAILED' });
  });

  test('a file in the place of the folder is INSTALL_FAILED', async () => {
    mkdirSync(join(entry.folder, '..'), { recursive: true });
    writeFileSync(entry.folder, '');
    await expect(entry.assertOwned()).rejects.toMatchObject({ code: 'INSTALL_FAILED' });
  });
});

/** A tool cache that others could write to: what they left there, and links to what is not theirs. */
describe('what others planted', () => {
  let elsewhere: string;
  let partial: string;

  beforeEach(() => {
    elsewhere = join(root, 'elsewhere');
    mkdirSync(elsewhere);
    writeFileSync(join(elsewhere, 'kept'), 'kept');
    partial = join(entry.folder, '..', '.partial-planted');
    mkdirSync(partial, { recursive: true });
  });

  /** Fills a folder with everything that is deleted by its name alone. */
  function plantFlat(folder: string): void {
    writeFileSync(join(folder, 'file'), '');
    linkSync(join(elsewhere, 'kept'), join(folder, 'other name'));
    symlinkSync(elsewhere, join(folder, 'link to a folder'));
    symlinkSync(join(elsewhere, 'kept'), join(folder, 'link to a file'));
    symlinkSync(join(root, 'nowhere'), join(folder, 'link to nothing'));
  }

  /** Its owner could exchange a folder in there for a link, while somebody deletes what is in it. */
  function plantFolder(folder: string): string {
    const inner = join(folder, 'inner');
    mkdirSync(inner);
    plantFlat(inner);
    return inner;
  }

  function makeStale(path: string): void {
    const twoHoursAgo = Date.now() / 1000 - 7_200;
    lutimesSync(path, twoHoursAgo, twoHoursAgo);
  }

  function expectUntouched(): void {
    expect(readdirSync(elsewhere)).toEqual(['kept']);
    expect(readFileSync(join(elsewhere, 'kept'), 'utf8')).toBe('kept');
  }

  posix('files and links in a stale copy are deleted, and nothing that they lead to', async () => {
    plantFlat(partial);
    makeStale(partial);
    expect(await entry.commit(finished('one'))).toBe(true);
    expect(existsSync(partial)).toBe(false);
    expectUntouched();
  });

  posix('a folder in a stale copy is left, and all that is in it', async () => {
    plantFlat(partial);
    const inner = plantFolder(partial);
    const planted = readdirSync(inner);
    makeStale(partial);
    expect(await entry.commit(finished('one'))).toBe(true);
    expect(readdirSync(partial)).toEqual(['inner']);
    expect(readdirSync(inner)).toEqual(planted);
    expectUntouched();
  });

  posix('a link in place of a stale copy is deleted, and nothing that it leads to', async () => {
    rmdirSync(partial);
    symlinkSync(elsewhere, partial);
    makeStale(partial);
    expect(await entry.commit(finished('one'))).toBe(true);
    expect(() => lstatSync(partial)).toThrow('ENOENT');
    expectUntouched();
  });

  testUnless(MISSING.root).each([
    ['of another user is left', 1002, ['file']],
    ['of this user is deleted', 0, undefined],
  ])('a stale copy %s', async (_, uid, left) => {
    writeFileSync(join(partial, 'file'), '');
    chownSync(partial, uid, uid);
    makeStale(partial);
    expect(await entry.commit(finished('one'))).toBe(true);
    expect(existsSync(partial) ? readdirSync(partial) : undefined).toEqual(left);
  });

  posix('a copy with links in it is removed, and nothing that they lead to', async () => {
    await entry.commit(finished('one'));
    plantFlat(entry.folder);
    await entry.remove(await entry.fingerprint());
    expect(readdirSync(join(entry.folder, '..'))).toEqual(['.partial-planted']);
    expectUntouched();
  });

  posix('a copy with a folder in it is removed from its place, but for that folder', async () => {
    await entry.commit(finished('one'));
    const planted = readdirSync(plantFolder(entry.folder));
    await entry.remove(await entry.fingerprint());
    const version = join(entry.folder, '..');
    const [aside = '', ...more] = readdirSync(version).filter((name) => name !== basename(partial));
    expect(more).toEqual([]);
    expect(aside).toMatch(/^\.partial-/);
    expect(readdirSync(join(version, aside))).toEqual(['inner']);
    expect(readdirSync(join(version, aside, 'inner'))).toEqual(planted);
    expectUntouched();
    expect(await entry.commit(finished('two'))).toBe(true);
  });

  posix('nothing is deleted below a folder that others can write to', async () => {
    await entry.commit(finished('one'));
    const version = join(entry.folder, '..');
    chmodSync(version, 0o777);
    await entry.remove(await entry.fingerprint());
    expect(await entry.exists()).toBe(false);
    const asides = readdirSync(version).filter(
      (name) => name.startsWith('.partial-') && name !== basename(partial),
    );
    expect(asides).toHaveLength(1);
    expect(readdirSync(join(version, asides[0] ?? '')).sort()).toEqual(
      ['kubectl', 'kubectl.sigstore.json'].sort(),
    );
  });
});

/** Links to folders take a privilege on Windows. */
const BEHIND_A_LINK: [string, (binary: string, folder: string) => void] = [
  'is behind a link to another folder',
  (_binary, folder) => {
    renameSync(folder, `${folder}-aside`);
    symlinkSync(finished('two'), folder);
  },
];

describe('commit', () => {
  /** Moves a folder whose binary was proven, after somebody has done something to it. */
  async function installAfter(change: (binary: string, folder: string) => void): Promise<unknown> {
    const folder = finished('one');
    const { file: binary } = filesIn(folder, kubectl());
    const file = await digestFile(binary, 1000);
    change(binary, folder);
    const cacheAccess = new CacheAccess(cache, ['kubectl'], root, silent);
    const proven = {
      cacheEntry: entry,
      folder,
      fingerprint: undefined,
      verified: { subject: file },
    };
    return commitAll({ cacheAccess } as InstallContext, [proven as unknown as VerifiedArtifact]);
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
    ...(process.platform === 'win32' ? [] : [BEHIND_A_LINK]),
  ])('refuses one that %s on its way', async (_, change) => {
    await expect(installAfter(change)).rejects.toMatchObject({ code: 'INSTALL_FAILED' });
    expect(await entry.exists()).toBe(false);
  });
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
