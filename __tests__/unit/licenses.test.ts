import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, test } from '@jest/globals';
import { parse } from 'yaml';
import { BUNDLED_PACKAGES } from '../../scripts/bundled-packages.js';
import { foldersIn, packagesOf } from '../../scripts/licenses.js';
import { ROOT, textOf } from './repository.js';

interface LockedPackage {
  readonly version: string;
  readonly license?: string;
  readonly dev?: boolean;
  readonly devOptional?: boolean;
  readonly resolved?: string;
  readonly integrity?: string;
  readonly hasInstallScript?: boolean;
}

const lock = JSON.parse(textOf('package-lock.json')) as {
  packages: Record<string, LockedPackage>;
};
const manifest = JSON.parse(textOf('package.json')) as {
  devDependencies: Record<string, string>;
  allowScripts: Record<string, boolean>;
};
const locked = Object.entries(lock.packages).filter(([path]) => path !== '');

describe('dist/licenses.txt', () => {
  const folders = foldersInBundle();
  const shipped = [
    ...new Set(folders.map((path) => `${nameOf(path)}@${lock.packages[path]?.version ?? ''}`)),
  ].sort();
  const licenses = textOf('dist/licenses.txt');

  test('names every package that is in dist, in its version, and no other', () => {
    expect(shipped).toContainEqual(expect.stringMatching(/^tuf-js@\d/));
    expect(packagesOf(licenses)).toEqual(shipped);
  });

  test.each(shipped)('holds the text of the licence of %s', (name) => {
    const [, section = ''] = `\n${licenses}`.split(`\n${name}\n`);

    expect(section.split(/\n@?[a-z0-9][\w./-]*@\d\S*\n[A-Z][\w.-]+\n/)[0]).toMatch(
      /Permission|Apache License|Redistribution|Blue Oak/,
    );
  });

  test('has what src/ may import, and of what else package.json names, nothing', () => {
    const direct = Object.keys(manifest.devDependencies).filter((name) =>
      folders.includes(`node_modules/${name}`),
    );
    expect(direct).toEqual(BUNDLED_PACKAGES);
  });

  test('is what the SBOM of a release lists', () => {
    const printed = execFileSync(process.execPath, [join(ROOT, 'scripts', 'sbom.js')], {
      encoding: 'utf8',
    });
    const { packages, relationships } = JSON.parse(printed) as {
      packages: { name: string; versionInfo: string; SPDXID: string }[];
      relationships: { relationshipType: string; relatedSpdxElement: string }[];
    };
    const [root, ...others] = packages;
    expect(root?.name).toBe('setup-verified-kubectl');
    expect(others.map(({ name, versionInfo }) => `${name}@${versionInfo}`)).toEqual(
      packagesOf(licenses),
    );
    const contained = relationships.filter((one) => one.relationshipType === 'CONTAINS');
    expect(contained.map((one) => one.relatedSpdxElement)).toEqual(
      others.map(({ SPDXID }) => SPDXID),
    );
    expect(relationships).toHaveLength(others.length + 1);
  });
});

test('Dependabot proposes updates of what is shipped apart from the others', () => {
  const { updates } = parse(textOf('.github/dependabot.yml')) as {
    updates: { 'package-ecosystem': string; groups: Record<string, Record<string, string[]>> }[];
  };
  const { groups } = updates.find((one) => one['package-ecosystem'] === 'npm') ?? {};
  expect(groups).toEqual({
    shipped: { patterns: BUNDLED_PACKAGES },
    development: { patterns: ['*'], 'exclude-patterns': BUNDLED_PACKAGES },
  });
});

/** Of the packages of which the bundler puts anything into dist, sorted. */
function foldersInBundle(): string[] {
  const folder = mkdtempSync(join(tmpdir(), 'licenses-'));
  try {
    const stats = join(folder, 'stats.json');
    const build = join(ROOT, 'scripts', 'build.js');
    execFileSync(process.execPath, [build, '--out', folder, '--stats-out', stats]);
    return foldersIn(readFileSync(stats, 'utf8'));
  } finally {
    rmSync(folder, { recursive: true });
  }
}

describe('package-lock.json', () => {
  test('holds every package by its hash, and names no host', () => {
    const loose = locked.filter(([, one]) => one.integrity?.startsWith('sha512-') !== true);

    expect(loose.map(([path]) => path)).toEqual([]);
    expect(locked.filter(([, { resolved }]) => resolved !== undefined)).toEqual([]);
    expect(textOf('package-lock.json')).not.toMatch(/https?:\/\/(?!\S*(?:fund|sponsor))[^"]*\.tgz/);
  });

  test('is exact, as package.json is', () => {
    for (const [name, version] of Object.entries(manifest.devDependencies)) {
      expect([name, lock.packages[`node_modules/${name}`]?.version]).toEqual([name, version]);
    }
  });
});

test('package.json decides on the install script of every package that has one, CONTRIBUTING.md says why', () => {
  const scripted = locked.filter(([, one]) => one.hasInstallScript).map(([path]) => nameOf(path));

  expect(Object.keys(manifest.allowScripts).sort()).toEqual([...new Set(scripted)].sort());
  const [, reasons = ''] = textOf('CONTRIBUTING.md').split('\n## Dependencies\n');
  for (const name of scripted) expect(reasons).toContain(`\`${name}\``);
});

function nameOf(path: string): string {
  return path.slice(path.lastIndexOf('node_modules/') + 'node_modules/'.length);
}
