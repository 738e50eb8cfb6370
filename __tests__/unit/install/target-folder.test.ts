import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  chmodSync,
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { CacheEntry } from '../../../src/install/cache-entry.js';
import { assertCanPlace, placeAll } from '../../../src/install/target-folder.js';
import { binaryOf } from '../../../src/kubernetes/binary.js';
import type { Tool } from '../../../src/kubernetes/platform.js';
import { MISSING, describeUnless, testUnless } from '../../support/skip.js';
import { rejectionOf } from '../expect-error.js';

// What no test of the command can time: something changes between the verification and the last step.

let root: string;
let target: string;

beforeEach(() => {
  root = mkdtempSync(path.join(tmpdir(), 'target-folder-'));
  target = path.join(root, 'target');
  mkdirSync(target);
});

afterEach(() => rmSync(root, { recursive: true, force: true }));

/** A file in a tool cache, as a run leaves it. */
function cached(tool: Tool, bytes: Buffer): Parameters<typeof placeAll>[1][number] {
  const platform = { os: 'linux', arch: 'amd64' } as const;
  const artifact = binaryOf('v1.31.9', new URL('https://dl.k8s.io/'), tool, platform);
  const sha256 = createHash('sha256').update(bytes).digest();
  const toolCache = { folder: path.join(root, 'tool-cache'), trustKey: '0123456789abcdef' };
  const cacheEntry = new CacheEntry(toolCache, artifact, sha256.toString('hex'));
  mkdirSync(cacheEntry.folder, { recursive: true });
  writeFileSync(cacheEntry.files().file, bytes, { mode: 0o755 });
  return { artifact, cacheEntry, verified: { subject: { size: bytes.length, sha256 } } };
}

async function expectFailed(placing: Promise<unknown>, says: string): Promise<void> {
  const { code, message, situation } = await rejectionOf(placing);
  expect([code, message]).toEqual(['INSTALL_FAILED', expect.stringContaining(says)]);
  expect(['target-folder', 'changed-by-another-run']).toContain(situation);
}

const contents = (): Record<string, string> =>
  Object.fromEntries(
    readdirSync(target).map((name) => [name, readFileSync(path.join(target, name), 'utf8')]),
  );

describe('placeAll', () => {
  test('replaces every file', async () => {
    writeFileSync(path.join(target, 'kubectl'), 'old');
    const files = [
      cached('kubectl', Buffer.from('new')),
      cached('kubeadm', Buffer.from('new too')),
    ];
    expect(await placeAll(target, files)).toEqual([
      { path: path.join(target, 'kubectl'), wasThere: false },
      { path: path.join(target, 'kubeadm'), wasThere: false },
    ]);
    expect(contents()).toEqual({ kubectl: 'new', kubeadm: 'new too' });
  });

  test.each([0, 1])(
    'a copy that changed after it was verified: none is replaced (%i)',
    async (index) => {
      const listeners = process.listenerCount('exit');
      writeFileSync(path.join(target, 'kubectl'), 'old');
      const files = [
        cached('kubectl', Buffer.from('new')),
        cached('kubeadm', Buffer.from('new too')),
      ];
      writeFileSync(files[index]?.cacheEntry.files().file ?? '', 'evil');
      await expectFailed(placeAll(target, files), 'changed after it was verified');
      expect(contents()).toEqual({ kubectl: 'old' });
      expect(process.listenerCount('exit')).toBe(listeners);
    },
  );

  testUnless(MISSING.permissionBits).each([0o700, 0o4755])(
    'a copy with mode %o: the file has its own',
    async (mode) => {
      const file = cached('kubectl', Buffer.from('new'));
      chmodSync(file.cacheEntry.files().file, mode);
      await placeAll(target, [file]);
      expect(statSync(path.join(target, 'kubectl')).mode & 0o7777).toBe(0o755);
    },
  );

  test('a copy that is gone', async () => {
    const file = cached('kubectl', Buffer.from('new'));
    rmSync(file.cacheEntry.folder, { recursive: true });
    await expectFailed(placeAll(target, [file]), 'ENOENT');
    expect(contents()).toEqual({});
  });

  /** Removes partial copies as soon as they appear, as another process may that takes them for dead. */
  async function removePartials(atMost: number, until: Promise<unknown>): Promise<number> {
    let removed = 0;
    const over = until.then(
      () => true,
      () => true,
    );
    do {
      for (const name of removed < atMost ? readdirSync(target) : []) {
        if (name.startsWith('.') && existsSync(path.join(target, name))) {
          rmSync(path.join(target, name), { force: true });
          removed += 1;
        }
      }
    } while (!(await Promise.race([over, sleep(1, false)])));
    return removed;
  }

  const LARGE = Buffer.alloc(30_000_000, 'x');

  test('a partial copy that somebody removes is made again', async () => {
    const placing = placeAll(target, [cached('kubectl', LARGE)]);
    expect(await removePartials(1, placing)).toBe(1);
    await placing;
    expect(readdirSync(target)).toEqual(['kubectl']);
    expect(readFileSync(path.join(target, 'kubectl')).equals(LARGE)).toBe(true);
  });

  test('not for ever', async () => {
    writeFileSync(path.join(target, 'kubectl'), 'old');
    const placing = placeAll(target, [cached('kubectl', LARGE)]);
    placing.catch(() => undefined);
    expect(await removePartials(Infinity, placing)).toBe(5);
    await expectFailed(placing, 'cannot install into');
    expect(contents()).toEqual({ kubectl: 'old' });
  });

  /** Swaps each partial copy once it has so many bytes, as anyone can who may write to the folder. */
  async function swapPartials(
    placing: Promise<unknown>,
    from: number,
    swap: (partial: string) => void,
  ): Promise<number> {
    const swapped = new Set<string>();
    const over = placing.then(
      () => true,
      () => true,
    );
    do {
      for (const name of readdirSync(target)) {
        const partial = path.join(target, name);
        const size = name.startsWith('.')
          ? lstatSync(partial, { throwIfNoEntry: false })?.size
          : -1;
        if (!swapped.has(name) && (size ?? -1) >= from) {
          renameSync(partial, path.join(root, 'stolen'));
          swap(partial);
          swapped.add(name);
        }
      }
    } while (!(await Promise.race([over, sleep(1, false)])));
    return swapped.size;
  }

  describeUnless(MISSING.symbolicLinks)('a partial copy that somebody swaps for a link', () => {
    let victim: string;

    beforeEach(() => {
      victim = path.join(root, 'victim');
      writeFileSync(victim, LARGE, { mode: 0o600 });
      writeFileSync(path.join(target, 'kubectl'), 'old');
    });

    const toVictim = (partial: string): void => symlinkSync(victim, partial);
    const expectVictimUntouched = (): void => {
      expect(statSync(victim).mode & 0o7777).toBe(0o600);
      expect(readFileSync(victim).equals(LARGE)).toBe(true);
    };

    // Even a file with the verified bytes keeps its mode.
    test('while it is copied: nothing is placed', async () => {
      const placing = placeAll(target, [cached('kubectl', LARGE)]);
      placing.catch(() => undefined);
      expect(await swapPartials(placing, 0, toVictim)).toBe(1);
      await expectFailed(placing, 'was replaced by another process');
      expect(contents()).toEqual({ kubectl: 'old' });
      expectVictimUntouched();
    });

    test('when it is complete: the link is never placed', async () => {
      const placing = placeAll(target, [cached('kubectl', LARGE)]);
      placing.catch(() => undefined);
      if ((await swapPartials(placing, LARGE.length, toVictim)) > 0) {
        await expectFailed(placing, 'was replaced by another process');
        expect(contents()).toEqual({ kubectl: 'old' });
      }
      expectVictimUntouched();
    });
  });

  testUnless(MISSING.namedPipes)(
    'a partial copy that somebody swaps for a pipe: refused, without waiting for a writer',
    async () => {
      const placing = placeAll(target, [cached('kubectl', LARGE)]);
      placing.catch(() => undefined);
      const swap = (partial: string): unknown => execFileSync('mkfifo', [partial]);
      expect(await swapPartials(placing, 0, swap)).toBe(1);
      await expectFailed(placing, 'was replaced by another process');
      expect(readdirSync(target)).toEqual([]);
    },
  );

  test('a partial copy that somebody swaps for the same bytes: refused', async () => {
    const placing = placeAll(target, [cached('kubectl', LARGE)]);
    placing.catch(() => undefined);
    const swap = (partial: string): void => writeFileSync(partial, LARGE, { mode: 0o755 });
    expect(await swapPartials(placing, 0, swap)).toBe(1);
    await expectFailed(placing, 'was replaced by another process');
    expect(readdirSync(target)).toEqual([]);
  });

  test('a folder that appeared in the place of a file: no other file is replaced', async () => {
    mkdirSync(path.join(target, 'kubeadm'));
    const files = [
      cached('kubectl', Buffer.from('new')),
      cached('kubeadm', Buffer.from('new too')),
    ];
    await expectFailed(placeAll(target, files), 'is a folder');
    expect(readdirSync(target)).toEqual(['kubeadm']);
  });
});

describe('assertCanPlace', () => {
  test('accepts a folder that does not exist, and makes none', async () => {
    await assertCanPlace(path.join(target, 'a', 'b'), ['kubectl']);
    expect(readdirSync(target)).toEqual([]);
  });

  test('refuses one whose parent is a file', async () => {
    writeFileSync(path.join(target, 'a'), '');
    await expectFailed(assertCanPlace(path.join(target, 'a', 'b'), ['kubectl']), 'is not a folder');
  });
});
