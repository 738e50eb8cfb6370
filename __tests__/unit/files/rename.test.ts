import {
  chmodSync,
  closeSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { renameHeld } from '../../../src/files/rename.js';
import { describeUnless, MISSING, testUnless } from '../../support/skip.js';

let root: string;
let from: string;
let to: string;

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'rename-'));
  [from, to] = [join(root, 'from'), join(root, 'closed', 'to')];
  mkdirSync(from);
  mkdirSync(join(root, 'closed'));
  writeFileSync(join(from, 'kubectl'), '');
  chmodSync(root, 0o777);
});
afterEach(() => rmSync(root, { recursive: true }));

test('a folder is renamed', async () => {
  await renameHeld(from, to);
  expect(existsSync(join(to, 'kubectl'))).toBe(true);
});

describeUnless(MISSING.permissionBits)(
  'a folder that cannot be renamed yet (EACCES, as Windows says)',
  () => {
    // Root may rename everything: as somebody else, then.
    const isRoot = process.getuid?.() === 0;

    beforeEach(() => {
      chmodSync(join(root, 'closed'), 0o555);
      if (isRoot) process.seteuid?.(65534);
    });
    afterEach(() => {
      if (isRoot) process.seteuid?.(0);
      chmodSync(join(root, 'closed'), 0o755);
    });

    let timer: NodeJS.Timeout | undefined;
    afterEach(() => {
      clearTimeout(timer);
    });

    /** Lets go a moment later. */
    function openSoon(): void {
      timer = setTimeout(() => {
        process.seteuid?.(process.getuid?.() ?? 0);
        chmodSync(join(root, 'closed'), 0o777);
      }, 300);
    }

    test('is renamed once it can be', async () => {
      openSoon();
      await renameHeld(from, to, { isPatient: true });
      expect(existsSync(to)).toBe(true);
    });

    test('is not waited for where nothing holds files', async () => {
      openSoon();
      await expect(renameHeld(from, to, { isPatient: false })).rejects.toMatchObject({
        code: 'EACCES',
      });
      expect(existsSync(from)).toBe(true);
    });

    test('is not waited for when that is pointless', async () => {
      openSoon();
      const isFinal = (): Promise<boolean> => Promise.resolve(true);
      await expect(renameHeld(from, to, { isPatient: true, isFinal })).rejects.toMatchObject({
        code: 'EACCES',
      });
    });

    test('is given up after a while', async () => {
      const started = performance.now();
      const renamed = renameHeld(from, to, { isPatient: true, patience: 600 });
      await expect(renamed).rejects.toMatchObject({ code: 'EACCES' });
      expect(performance.now() - started).toBeGreaterThan(400);
      expect(performance.now() - started).toBeLessThan(5000);
    });
  },
);

test('another error is not waited for', async () => {
  const started = performance.now();
  const renamed = renameHeld(join(root, 'none'), to, { isPatient: true });
  await expect(renamed).rejects.toMatchObject({ code: 'ENOENT' });
  expect(performance.now() - started).toBeLessThan(5000);
});

describe('on Windows', () => {
  const missing =
    process.platform === 'win32'
      ? undefined
      : 'only Windows keeps a folder in place while a file in it is open';
  testUnless(missing)('a folder with an open file is renamed once the file is closed', async () => {
    const file = openSync(join(from, 'kubectl'), 'r');
    setTimeout(() => closeSync(file), 500);
    await renameHeld(from, to);
    expect(existsSync(to)).toBe(true);
  });
});
