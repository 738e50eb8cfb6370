import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import {
  existsSync,
  lstatSync,
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
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { OwnCopy } from '../../../src/files/own-copy.js';
import { MISSING, testUnless } from '../../support/skip.js';

// Somebody else can rename what is in the folder. Here they do it exactly between two steps.

const BYTES = Buffer.alloc((1 << 20) + 1, 'x'); // More than one piece.

let root: string;
let source: string;
let partial: string;
let target: string;
let stolen: string;
let victim: string;
let copies: OwnCopy[];

beforeEach(() => {
  root = mkdtempSync(path.join(tmpdir(), 'own-copy-'));
  [source = '', partial = '', target = '', stolen = '', victim = ''] = [
    'source',
    'partial',
    'target',
    'stolen',
    'victim',
  ].map((name) => path.join(root, name));
  writeFileSync(source, BYTES);
  writeFileSync(target, 'old');
  writeFileSync(victim, BYTES, { mode: 0o600 });
  copies = [];
});

afterEach(async () => {
  await Promise.all(copies.map((copy) => copy.close()));
  rmSync(root, { recursive: true });
});

async function create(maxBytes = BYTES.length): Promise<OwnCopy> {
  const copy = await OwnCopy.create(source, partial, maxBytes);
  copies.push(copy);
  return copy;
}

const mode = (file: string): number => lstatSync(file).mode & 0o7777;

test('has the bytes of the source and their digest, and takes the place of the target', async () => {
  const copy = await create();
  expect(copy.sha256).toEqual(createHash('sha256').update(BYTES).digest());
  await copy.finish(0o755);
  await copy.moveTo(target);
  expect(readFileSync(target).equals(BYTES)).toBe(true);
  expect(existsSync(partial)).toBe(false);
});

testUnless(MISSING.permissionBits)('is private until it is finished', async () => {
  const copy = await create();
  expect(mode(partial)).toBe(0o600);
  await copy.finish(0o755);
  expect(mode(partial)).toBe(0o755);
});

test('a source larger than allowed is refused', async () => {
  await expect(create(BYTES.length - 1)).rejects.toThrow('larger than 1048576 bytes');
});

describe('what is at its path already', () => {
  test('a file stays', async () => {
    writeFileSync(partial, 'other');
    await expect(create()).rejects.toThrow('EEXIST');
    expect(readFileSync(partial, 'utf8')).toBe('other');
  });

  testUnless(MISSING.symbolicLinks)('a link to nowhere stays, and nothing is there', async () => {
    symlinkSync(stolen, partial);
    await expect(create()).rejects.toThrow('EEXIST');
    expect(existsSync(stolen)).toBe(false);
  });
});

testUnless(MISSING.symbolicLinks)('a link as the source is refused', async () => {
  renameSync(source, stolen);
  symlinkSync(stolen, source);
  await expect(create()).rejects.toThrow('ELOOP');
});

describe('swapped by somebody else', () => {
  testUnless(MISSING.symbolicLinks)('for a link: what it leads to keeps its mode', async () => {
    const copy = await create();
    renameSync(partial, stolen);
    symlinkSync(victim, partial);
    await copy.finish(0o755);
    expect([mode(victim), mode(stolen)]).toEqual([0o600, 0o755]);
    await expect(copy.moveTo(target)).rejects.toThrow(`${partial} was replaced`);
    expect(readFileSync(target, 'utf8')).toBe('old');
  });

  testUnless(MISSING.symbolicLinks)('for a link to the copy itself: refused', async () => {
    const copy = await create();
    renameSync(partial, stolen);
    symlinkSync(stolen, partial);
    await expect(copy.moveTo(target)).rejects.toThrow(`${partial} was replaced`);
    expect(readFileSync(target, 'utf8')).toBe('old');
  });

  test('for a file with the same bytes: refused', async () => {
    const copy = await create();
    renameSync(partial, stolen);
    writeFileSync(partial, BYTES);
    await expect(copy.moveTo(target)).rejects.toThrow(`${partial} was replaced`);
    expect(readFileSync(target, 'utf8')).toBe('old');
  });

  test('for nothing: ENOENT', async () => {
    const copy = await create();
    rmSync(partial);
    await expect(copy.moveTo(target)).rejects.toThrow('ENOENT');
    expect(readFileSync(target, 'utf8')).toBe('old');
  });

  // Swaps every partial copy for a link and back, until the folder is gone.
  const ATTACKER = `
    const fs = require('node:fs');
    const [partial, stolen, victim] = process.argv.slice(1);
    const attempt = (step) => { try { step(); return true; } catch { return false; } };
    process.stdout.write('ready');
    while (fs.existsSync(victim)) {
      if (attempt(() => fs.renameSync(partial, stolen))) {
        attempt(() => fs.symlinkSync(victim, partial));
        attempt(() => fs.renameSync(stolen, partial));
      }
    }`;

  testUnless(MISSING.symbolicLinks)(
    'between the last look and the renaming: the link at the target is noticed',
    async () => {
      const attacker = spawn(process.execPath, ['-e', ATTACKER, partial, stolen, victim], {
        stdio: ['ignore', 'pipe', 'inherit'],
      });
      try {
        await once(attacker.stdout, 'data');
        let refused = 0;
        for (let i = 0; i < 300; i++) {
          rmSync(partial, { force: true });
          const copy = await OwnCopy.create(source, partial, BYTES.length).catch(() => undefined);
          if (copy === undefined) continue; // The attacker has just put something there.
          try {
            await copy.moveTo(target);
            expect(lstatSync(target).isFile()).toBe(true);
          } catch (error) {
            if (error instanceof Error && 'matcherResult' in error) throw error;
            refused += 1;
          } finally {
            await copy.close();
          }
        }
        expect(refused).toBeGreaterThan(0);
        expect([mode(victim), statSync(victim).size]).toEqual([0o600, BYTES.length]);
      } finally {
        attacker.kill();
        await once(attacker, 'exit');
      }
      expect(readdirSync(root)).toContain('victim');
    },
  );
});
