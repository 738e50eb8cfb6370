import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, test } from '@jest/globals';
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
  dependencies: Record<string, string>;
  devDependencies: Record<string, string>;
  allowScripts: Record<string, boolean>;
};
const locked = Object.entries(lock.packages).filter(([path]) => path !== '');

describe('dist/licenses.txt', () => {
  const shipped = packagesInBundle();
  const licenses = textOf('dist/licenses.txt');

  test('names every package that is in dist, and no other', () => {
    const named = [...licenses.matchAll(/^(@?[a-z0-9][\w./-]*)\n(?=[A-Z][\w.-]+\n)/gm)];

    expect(shipped).toContain('tuf-js');
    expect(named.map(([, name]) => name).sort()).toEqual(shipped);
  });

  test.each(shipped)('holds the text of the licence of %s', (name) => {
    const [, section = ''] = `\n${licenses}`.split(`\n${name}\n`);

    expect(section.split(/\n@?[a-z0-9][\w./-]*\n[A-Z][\w.-]+\n/)[0]).toMatch(
      /Permission|Apache License|Redistribution|Blue Oak/,
    );
  });

  test('every package in dist is a dependency of the action, and so in its SBOM', () => {
    const production = locked.filter(([, { dev }]) => dev !== true).map(([path]) => nameOf(path));

    expect(shipped.filter((name) => !production.includes(name))).toEqual([]);
  });
});

/** The packages of which the bundler puts anything into dist, sorted. */
function packagesInBundle(): string[] {
  const folder = mkdtempSync(join(tmpdir(), 'licenses-'));
  try {
    const stats = join(folder, 'stats.json');
    const build = join(ROOT, 'scripts', 'build.js');
    execFileSync(process.execPath, [build, '--out', folder, '--stats-out', stats]);
    // Paths of modules, of those that were put together into one, and of what asked for them.
    const names = readFileSync(stats, 'utf8').matchAll(/"name": ?"([^"]*node_modules[^"]*)"/g);
    const packages = [...names].flatMap(([, name = '']) => {
      const [, found] = /.*node_modules\/((?:@[^/]+\/)?[^/ ]+)/.exec(name) ?? [];
      return found ?? [];
    });
    return [...new Set(packages)].sort();
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
    const wanted = { ...manifest.dependencies, ...manifest.devDependencies };
    for (const [name, version] of Object.entries(wanted)) {
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
