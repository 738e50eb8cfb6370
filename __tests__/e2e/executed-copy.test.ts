// On macOS the first execution of a file can change its ctime. Here the binary does that itself, when it is asked.
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { NATIVE_PLATFORM, World, artifactPath, executable } from '../support/index.js';
import { MISSING, describeUnless } from '../support/skip.js';
import { expectInstalled, runIn, warningsOf } from './expectations.js';

let world: World;
beforeAll(async () => {
  world = await World.start();
});
afterAll(() => world.stop());

describeUnless(MISSING.executables)(
  'a copy without SBOM whose ctime changes when it is asked',
  () => {
    test.each([
      ['and nothing else: it is used', 'v1.31.1', 0o755, true],
      ['and that others can write to afterwards: it is refused', 'v1.31.2', 0o777, false],
    ])('%s', async (_, version, mode, isUsed) => {
      const before = [{ call: 'chmod', path: '/proc/self/exe', mode }] as const;
      const bytes = executable({ tool: 'kubectl', version, platform: NATIVE_PLATFORM, before });
      world.release.putFile(artifactPath(version, NATIVE_PLATFORM, 'kubectl'), bytes);
      const first = await runIn(world, { version });
      expectInstalled(first, { warnings: ['Release proven without SBOM'] });
      const second = await runIn(world, { version }, { toolCache: first.dirs.toolCache });
      expect(second.exitCode).toBe(0);
      expect(second.outputs['cache-hit']).toBe(String(isUsed));
      const titles = warningsOf(second).map(({ title }) => title);
      expect(titles.includes('Cached copy refused')).toBe(!isUsed);
      expect(second.paths).toEqual([join(first.dirs.toolCache, world.cacheEntry(version))]);
    });
  },
);
