import {
  existsSync,
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
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { placeFile } from '../../../src/files/place-file.js';
import { MISSING, testUnless } from '../../support/skip.js';

let folder: string;
let partial: string;
let target: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'place-'));
  partial = join(folder, 'partial');
  target = join(folder, 'target');
  writeFileSync(partial, 'new');
});

afterEach(() => {
  rmSync(folder, { recursive: true });
});

describe('placeFile', () => {
  test('moves the file, over another one', async () => {
    writeFileSync(target, 'old');
    const entry = statSync(partial);
    await placeFile(partial, target, entry);
    expect(readFileSync(target, 'utf8')).toBe('new');
    expect(readdirSync(folder)).toEqual(['target']);
  });

  test('refuses another file with its name', async () => {
    const entry = statSync(partial);
    renameSync(partial, join(folder, 'ours'));
    writeFileSync(partial, 'theirs');
    await expect(placeFile(partial, target, entry)).rejects.toThrow('was replaced');
    expect(existsSync(target)).toBe(false);
  });

  testUnless(MISSING.symbolicLinks)('refuses a link, even one to the file', async () => {
    const entry = statSync(partial);
    renameSync(partial, join(folder, 'ours'));
    symlinkSync('ours', partial);
    await expect(placeFile(partial, target, entry)).rejects.toThrow('ELOOP');
    expect(existsSync(target)).toBe(false);
  });
});
