import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { cachedVersions, type ToolCache } from '../../../src/install/tool-cache.js';

const PLATFORM = { os: 'linux', arch: 'amd64' } as const;
const HEX = 'ab'.repeat(32);

let root: string;
let cache: ToolCache;

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'tool-cache-'));
  cache = { folder: join(root, 'cache'), trustKey: 'trust' };
});

afterEach(() => rmSync(root, { recursive: true }));

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
    const versions = await cachedVersions(cache, { name: 'kubectl', platform: PLATFORM });
    expect(versions.sort()).toEqual(['v1.31.9', 'v1.32.0-rc.1']);
  });

  test('names versions of a file that is the same for all platforms', async () => {
    for (const folder of [`1.31.9/any-trust-${HEX}`, `1.30.0/linux-amd64-trust-${HEX}`]) {
      mkdirSync(join(cache.folder, 'verified-provenance.json', folder), { recursive: true });
    }
    const file = { name: 'provenance.json', platform: undefined };
    expect(await cachedVersions(cache, file)).toEqual(['v1.31.9']);
  });

  test('is empty where there is no tool cache', async () => {
    expect(
      await cachedVersions(
        { folder: join(root, 'none'), trustKey: 'trust' },
        { name: 'kubectl', platform: PLATFORM },
      ),
    ).toEqual([]);
  });
});
