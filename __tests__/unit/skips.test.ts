// A test run says why tests were skipped: a run of jest itself, with the reporter of this repository.
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { FEATURES, MISSING, canRun, type Feature } from '../support/skip.js';
import { ROOT, filesLike, textOf } from './repository.js';

test.each(filesLike('__tests__/**/*.test.ts').filter((file) => !file.endsWith('/skips.test.ts')))(
  '%s gives a reason for every skip',
  (file) => {
    const bare =
      /\b(?:test|it|describe)\.(?:skip|only|todo)\b|\b(?:xit|xtest|xdescribe|fit|fdescribe)\(/;
    expect(textOf(file)).not.toMatch(bare);
  },
);

test('CONTRIBUTING.md lists what tests need, with the reasons', () => {
  const [, section = ''] =
    /### What does not run everywhere\n([^]*?)\n##/.exec(textOf('CONTRIBUTING.md')) ?? [];
  const rows = [...section.matchAll(/^\| (.+?) +\| (.+?) +\|$/gm)].map(([, what, why]) => [
    what,
    why,
  ]);
  expect(rows.slice(2)).toEqual(Object.values(FEATURES).map(({ what, why }) => [what, why]));
});

describe('on this machine', () => {
  test('nothing is missing for a test that needs nothing', () => {
    expect(canRun()).toBe(true);
    expect(canRun(undefined, undefined)).toBe(true);
  });

  test.each(Object.keys(FEATURES) as Feature[])(
    '%s: the reason says what is missing',
    (feature) => {
      const { what, why } = FEATURES[feature];
      expect([undefined, `needs ${what}: ${why}`]).toContain(MISSING[feature]);
      const isElsewhere = feature === 'root' || feature === 'executables';
      if (process.platform === 'linux' && !isElsewhere) expect(MISSING[feature]).toBeUndefined();
    },
  );
});

describe('the end of a test run', () => {
  let folder: string;

  beforeAll(() => {
    // Below the root, where jest finds ts-jest and the helper.
    folder = mkdtempSync(join(ROOT, '__tests__', 'skips-'));
  });

  afterAll(() => {
    rmSync(folder, { recursive: true });
  });

  /** What jest prints for one test file with this content. */
  function outputOf(content: string, ...words: string[]): string {
    writeFileSync(
      join(folder, 'sample.test.ts'),
      `import { describe, test } from '@jest/globals';
      import { canRun, describeUnless, testUnless } from '../support/skip.js';
      test('runs', () => {});
      ${content}`,
    );
    const config = {
      rootDir: ROOT,
      testMatch: [join(folder, '*.test.ts').replaceAll('\\', '/')],
      extensionsToTreatAsEsm: ['.ts'],
      moduleNameMapper: { '^(\\.{1,2}/.*)\\.js$': '$1' },
      transform: { '\\.ts$': ['ts-jest', { useESM: true, diagnostics: false }] },
      reporters: ['<rootDir>/scripts/tally-reporter.js'],
    };
    const jest = join(ROOT, 'node_modules', 'jest', 'bin', 'jest.js');
    const { stdout, stderr, status } = spawnSync(
      process.execPath,
      ['--experimental-vm-modules', jest, '--config', JSON.stringify(config), ...words],
      { cwd: ROOT, encoding: 'utf8' },
    );
    expect({ stderr, status }).toMatchObject({ status: 0 });
    return stdout;
  }

  const sample = (): string => `${relative(ROOT, folder).replaceAll('\\', '/')}/sample.test.ts`;

  test('names each reason, once, with the number of tests', () => {
    const output = outputOf(`
      testUnless('no cosign')('a', () => {});
      describeUnless('no cosign')('b', () => { test('c', () => {}); });
      describeUnless('only root can')('d', () => { test('e', () => {}); });
    `);
    expect(output).toContain(`  ${sample()} (3): no cosign; only root can\n`);
  });

  test('names the first of several reasons', () => {
    const output = outputOf(`testUnless(undefined, 'no cosign', 'only root can')('a', () => {});`);
    expect(output).toContain(`  ${sample()} (1): no cosign\n`);
  });

  test('names the reason for tests that are not defined', () => {
    const output = outputOf(`if (canRun('needs Linux')) test('a', () => {});`);
    expect(output).toContain(`  ${sample()} (0): needs Linux\n`);
  });

  test('shows that a skip has no reason', () => {
    const output = outputOf(`test.skip('a', () => {});`);
    expect(output).toContain(`  ${sample()} (1): no reason given`);
  });

  test('says nothing where all tests ran', () => {
    const output = outputOf(`
      testUnless(undefined)('a', () => {});
      describeUnless(undefined)('b', () => { test('c', () => {}); });
    `);
    expect(output).not.toContain('Skipped');
  });

  test('says nothing of tests that were not asked for', () => {
    expect(outputOf(`test('a', () => {});`, '-t', 'runs')).not.toContain('Skipped');
  });
});
