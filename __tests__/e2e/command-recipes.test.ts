// The recipes in docs/commands.md, as written. Two things are replaced: the hosts, by those of the test world, and npx, by
// the command line of this repository (npx.test.ts runs the real one). Folders of the machine are below a temporary one.
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { cpSync, existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { parse } from 'yaml';
import { NATIVE_PLATFORM, World, filesBelow } from '../support/index.js';
import { MISSING, testUnless } from '../support/skip.js';
import { ROOT, textOf } from '../unit/repository.js';
import { STRANGER, requestedPaths } from './expectations.js';

const VERSION = 'v1.31.9';
const ENTRY = join(ROOT, 'bin', 'setup-verified-kubectl.js');

const help = spawnSync(process.execPath, [ENTRY, '--help'], { encoding: 'utf8' }).stdout;

const hasCommand = (name: string): string | undefined =>
  new RegExp(`^ {2}${name} `, 'm').test(help)
    ? undefined
    : `needs the command ${name}, which this commit does not have`;

const onPosix =
  process.platform === 'win32' ? 'needs a POSIX shell: the recipes are for one' : undefined;

const platforms = [...new Set([NATIVE_PLATFORM, 'linux/amd64'])];

let world: World;
let folder: string;

beforeAll(async () => {
  world = await World.start();
});
beforeEach(() => {
  world.reset();
  world.release.publish({ version: VERSION, platforms });
  folder = mkdtempSync(join(tmpdir(), 'recipes-'));
  for (const name of ['path', 'home']) mkdirSync(join(folder, name));
  writeFileSync(join(folder, 'path', 'npx'), NPX, { mode: 0o755 });
  writeFileSync(join(folder, 'path', 'npm'), NPM, { mode: 0o755 });
});
afterEach(() => rmSync(folder, { recursive: true }));
afterAll(() => world.stop());

/** Takes off what is for npx. With `--offline` no option names a host. */
const NPX = `#!/bin/bash
set -eu
hosts=$HOSTS
while [[ $1 == --* ]]; do
  case $1 in
    --yes) ;;
    --offline) hosts= ;;
    --package=./setup-verified-kubectl-1.0.0.tgz) [[ -e \${1#--package=} ]] ;;
    *) exit 64 ;;
  esac
  shift
done
[[ $1 == setup-verified-kubectl || $1 == setup-verified-kubectl@1 ]]
shift
exec "$NODE" "$ENTRY" "$@" $hosts
`;

/** Fetches the package, as \`npm pack <name>\` does. */
const NPM = `#!/bin/bash
set -eu
[[ $* == 'pack setup-verified-kubectl@1' ]]
touch setup-verified-kubectl-1.0.0.tgz
`;

/** The fenced blocks below a heading. */
function blocksOf(heading: string): string[] {
  const [, section = ''] = textOf('docs/commands.md').split(`\n### ${heading}\n`);
  const [text = ''] = section.split(/\n#{2,3} /);
  return [...text.matchAll(/^```\w+\n(.*?)^```$/gms)].map(([, block = '']) => block);
}

/** @returns the exit code */
async function shell(
  script: string,
  cwd: string,
  env: Readonly<Record<string, string>> = {},
): Promise<number | null> {
  mkdirSync(cwd, { recursive: true });
  // Not spawnSync(): the servers of the test world are in this process.
  const child = spawn('bash', ['-e', '-c', script], {
    cwd,
    stdio: 'ignore',
    env: {
      PATH: [join(folder, 'path'), process.env['PATH'] ?? ''].join(delimiter),
      HOME: join(folder, 'home'),
      TMPDIR: folder,
      NODE: process.execPath,
      ENTRY,
      HOSTS: Object.entries(world.inputs())
        .flatMap(([name, value]) => [`--${name}`, value])
        .join(' '),
      ...env,
    },
  });
  const [status] = (await once(child, 'close')) as [number | null];
  return status;
}

/** [the recipe, runs it and returns the exit code, the file that it installs] */
const RECIPES: readonly (readonly [
  heading: string,
  run: () => Promise<number | null>,
  file: string,
])[] = [
  [
    'Dockerfile',
    async () => {
      const [dockerfile = ''] = blocksOf('Dockerfile');
      const [, command = ''] = /^RUN (.*)$/m.exec(dockerfile) ?? [];
      const [, source = ''] = /^COPY --from=kubectl (\S+) /m.exec(dockerfile) ?? [];
      const status = await shell(command.replace('/verified', join(folder, 'verified')), folder);
      // With --no-cache, the layer has nothing else.
      if (status === 0) expect(filesBelow(join(folder, 'home'))).toEqual([]);
      expect(source).toBe('/verified/kubectl');
      return status;
    },
    'verified/kubectl',
  ],
  [
    'GitLab CI',
    async () => {
      const { deploy } = parse(blocksOf('GitLab CI')[0] ?? '') as {
        deploy: {
          variables: { XDG_CACHE_HOME: string };
          script: string[];
          cache: { paths: string[] };
        };
      };
      const project = join(folder, 'project');
      const cache = deploy.variables.XDG_CACHE_HOME.replace('$CI_PROJECT_DIR', project);
      const env = { CI: 'true', CI_PROJECT_DIR: project, XDG_CACHE_HOME: cache };
      const status = await shell(deploy.script.join('\n'), project, env);
      if (status === 0)
        expect(filesBelow(join(project, deploy.cache.paths[0] ?? ''))).not.toEqual([]);
      return status;
    },
    'project/bin/kubectl',
  ],
  [
    'Laptop',
    () => shell(blocksOf('Laptop')[0] ?? '', join(folder, 'anywhere')),
    'home/.local/bin/kubectl',
  ],
];

describe.each(RECIPES)('%s', (heading, run, file) => {
  const runs = testUnless(
    onPosix,
    hasCommand('install'),
    heading === 'GitLab CI' ? MISSING.executables : undefined,
  );

  runs('installs kubectl', async () => {
    expect(await run()).toBe(0);
    expect(existsSync(join(folder, file))).toBe(true);
  });

  runs('and not one that somebody else signed', async () => {
    for (const platform of platforms)
      world.release.artifact(VERSION, platform, 'kubectl').sign(STRANGER);
    expect(await run()).toBe(1);
    expect(existsSync(join(folder, file))).toBe(false);
  });
});

describe('Air gap', () => {
  const [connected = '', disconnected = ''] = blocksOf('Air gap');
  const runs = testUnless(
    onPosix,
    hasCommand('install'),
    hasCommand('mirror'),
    NATIVE_PLATFORM === 'linux/amd64' ? undefined : 'needs linux/amd64: the recipe mirrors that',
  );

  /** Runs the second part with what the first one made, and nothing else. */
  async function install(): Promise<number | null> {
    const there = join(folder, 'there');
    cpSync(join(folder, 'here'), there, { recursive: true });
    world.reset();
    const script = disconnected.replace('/usr/local/bin', join(folder, 'bin'));
    const status = await shell(script, there, { HOME: join(folder, 'other-home') });
    expect(requestedPaths(world)).toEqual([]);
    return status;
  }

  runs('installs kubectl without a request', async () => {
    expect(await shell(connected, join(folder, 'here'))).toBe(0);
    expect(await install()).toBe(0);
    expect(existsSync(join(folder, 'bin', 'kubectl'))).toBe(true);
  });

  runs('and not one that was changed on the way', async () => {
    expect(await shell(connected, join(folder, 'here'))).toBe(0);
    const kubectl = join(folder, 'here/kubernetes/release', VERSION, 'bin/linux/amd64/kubectl');
    writeFileSync(kubectl, 'another file');
    expect(await install()).toBe(1);
    expect(existsSync(join(folder, 'bin', 'kubectl'))).toBe(false);
  });
});

test('every recipe is tested', () => {
  const [, section = ''] = textOf('docs/commands.md').split('\n## Recipes\n');
  const headings = [...section.matchAll(/^### (.+)$/gm)].map(([, heading]) => heading);
  expect(headings).toEqual([...RECIPES.map(([heading]) => heading), 'Air gap']);
});
