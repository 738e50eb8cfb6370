import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from '@jest/globals';
import { fault, runAction } from '../../support/index.js';
import { MISSING, type Missing } from '../../support/skip.js';
import { expectInstalled } from '../expectations.js';

import {
  plain,
  type Attack,
  stageIn,
  testAttacks,
  useTrustedRoot,
  linkToDevice,
  linkToKernelLog,
  makePipe,
  writeLarge,
} from './stage.js';

const inputIs =
  (name: string, value: string): Attack['attack'] =>
  ({ inputs }) => {
    inputs[name] = value;
  };

const versionFileIs =
  (value: string): Attack['attack'] =>
  ({ inputs, workspace }) => {
    inputs['version'] = '';
    inputs['version-file'] = value;
    workspace['folder/file'] = '';
  };

const lockFileIs =
  (value: string): Attack['attack'] =>
  ({ inputs, workspace }) => {
    inputs['lock-file'] = value;
    workspace['folder/file'] = '';
  };

/** A lock file is read before anything is asked for, and nothing of it is repeated. */
const LOCK_FILES: Attack[] = [
  ...['../../../../../../etc/passwd', '/dev/zero', '/dev/stdin'].map((value): Attack => ({
    what: `lock-file ${value}`,
    outcome: 'INVALID_INPUT',
    needs: [MISSING.devices], // Windows has no such files, which is LOCK_INVALID.
    attack: lockFileIs(value),
  })),
  ...['folder', 'folder/file', 'folder/file/x', 'missing'].map((value): Attack => ({
    what: `lock-file ${value}`,
    outcome: 'LOCK_INVALID',
    attack: lockFileIs(value),
  })),
  {
    what: 'lock-file that is a link to a file outside of the workspace',
    outcome: 'INVALID_INPUT',
    needs: [MISSING.symbolicLinks],
    attack: (stage) => {
      const folder = join(stage.toolCache, 'workspace');
      mkdirSync(folder);
      writeFileSync(join(stage.toolCache, 'genuine.json'), stage.lock);
      symlinkSync(join(stage.toolCache, 'genuine.json'), join(folder, 'lock.json'));
      stage.env['GITHUB_WORKSPACE'] = folder;
      stage.inputs['lock-file'] = 'lock.json';
    },
  },
  {
    what: 'lock-file that is a pipe',
    outcome: 'LOCK_INVALID',
    needs: [MISSING.namedPipes],
    attack: (stage) => {
      stage.env['GITHUB_WORKSPACE'] = stage.toolCache;
      makePipe(join(stage.toolCache, 'pipe'));
      stage.inputs['lock-file'] = 'pipe';
    },
  },
  {
    what: 'lock-file of 2 GiB',
    outcome: 'LOCK_INVALID',
    attack: (stage) => {
      stage.env['GITHUB_WORKSPACE'] = stage.toolCache;
      writeLarge(join(stage.toolCache, 'large'));
      stage.inputs['lock-file'] = 'large';
    },
  },
  {
    what: 'lock-file with a secret in it',
    outcome: 'LOCK_INVALID',
    attack: ({ inputs, workspace }) => {
      inputs['lock-file'] = 'secret';
      workspace['secret'] = 'hunter2 ::add-path::/evil\n::add-path::/evil\n';
    },
    secret: 'hunter',
  },
  {
    what: 'lock-file with workflow commands in the name of a file',
    outcome: 'LOCK_INVALID',
    attack: ({ inputs, workspace, lock }) => {
      inputs['lock-file'] = 'lock.json';
      workspace['lock.json'] = lock.replace(
        '"bin/',
        '"\\n::add-path::/evil##[error]\\u001b[31m": null, "bin/',
      );
    },
  },
  {
    what: "lock-file's name with workflow commands",
    outcome: 'LOCK_INVALID',
    attack: lockFileIs('a\n::add-path::/evil ##[error]'),
  },
];

const PATHS: Attack[] = [
  ...[
    '../../etc',
    'v1.31.9/../../x',
    '1.31.9%2f..',
    '1.31.9\\..\\x',
    '1.31.9 /x',
    '//x/1.31.9',
  ].map((value): Attack => ({
    what: `version ${value}`,
    outcome: 'INVALID_INPUT',
    attack: inputIs('version', value),
  })),
  ...['../kubectl', 'kubectl/../../x', 'kubectl\\x', '/bin/sh', '__proto__', 'constructor'].map(
    (value): Attack => ({
      what: `tools ${value}`,
      outcome: 'INVALID_INPUT',
      attack: inputIs('tools', value),
    }),
  ),
  ...['../arm64', 'amd64/..', '__proto__', 'toString', 'amd64\n'.repeat(2)].map(
    (value): Attack => ({
      what: `architecture ${JSON.stringify(value)}`,
      outcome: 'INVALID_INPUT',
      attack: inputIs('architecture', value),
    }),
  ),
  ...['../../../../../../etc/passwd', 'folder', '/dev/zero', '/dev/stdin', 'folder/file/x'].map(
    (value): Attack => ({
      what: `version-file ${value}`,
      outcome: 'INVALID_INPUT',
      attack: versionFileIs(value),
    }),
  ),
  {
    what: 'version-file that is a pipe',
    outcome: 'INVALID_INPUT',
    needs: [MISSING.namedPipes],
    attack: (stage) => {
      const pipe = join(stage.toolCache, 'pipe');
      makePipe(pipe);
      return versionFileIs(pipe)(stage);
    },
  },
  {
    what: 'version-file that is a link to a device without end',
    outcome: 'INVALID_INPUT',
    needs: [MISSING.symbolicLinks, MISSING.devices],
    attack: (stage) => {
      const link = join(stage.toolCache, 'link');
      linkToDevice(link);
      return versionFileIs(link)(stage);
    },
  },
  ...['trusted-root', 'tuf-root'].flatMap((input): Attack[] => [
    ...(
      [
        ['a pipe', makePipe, MISSING.namedPipes],
        ['a folder', (path) => mkdirSync(path)],
        ['a link to a device without end', linkToDevice, MISSING.symbolicLinks, MISSING.devices],
        [
          'a link to the log of the kernel, which never ends',
          linkToKernelLog,
          MISSING.symbolicLinks,
          MISSING.proc,
          MISSING.root,
        ],
        ['a link to itself', (path) => symlinkSync(path, path), MISSING.symbolicLinks],
        ['a file of 2 GiB', (path) => writeLarge(path)],
      ] satisfies [string, (path: string) => void, ...Missing[]][]
    ).map(([what, put, ...needs]): Attack => ({
      what: `${input} that is ${what}`,
      outcome: 'INVALID_INPUT',
      needs,
      attack: ({ toolCache, inputs }) => {
        put(join(toolCache, 'root'));
        useTrustedRoot(inputs, '');
        inputs[input] = join(toolCache, 'root');
      },
    })),
    {
      what: `${input} that is a file which is not for the log`,
      outcome: 'TRUST_ROOT_UNAVAILABLE',
      attack: ({ toolCache, inputs }) => {
        writeFileSync(join(toolCache, 'secret'), 'hunter2');
        useTrustedRoot(inputs, '');
        inputs[input] = join(toolCache, 'secret');
      },
      secret: 'hunter',
    },
  ]),
  ...['v1.31.9/../../../evil', 'v1.31.9?x', 'v1.31.9#x', 'https://evil.test/', '../v1.31.9'].map(
    (text): Attack => ({
      what: `pointer to ${text}`,
      outcome: 'VERSION_NOT_FOUND',
      locked: 'without effect',
      attack: ({ world, inputs }) => {
        world.host.server.fail('stable.txt', fault.body(text), Infinity);
        inputs['version'] = 'stable';
      },
      leaves: ({ world }) => {
        expect(world.host.server.requests.map(({ path }) => path)).toEqual(['/release/stable.txt']);
      },
    }),
  ),
];

testAttacks('author of a pull request: paths', PATHS);
testAttacks('author of a pull request: lock files', LOCK_FILES, false);

test('without an attack: a trusted root from a file is accepted', async () => {
  const { version, inputs } = stageIn(plain);
  useTrustedRoot(inputs, plain.writeTrustedRoot());
  const run = await runAction({ inputs });
  expectInstalled(run, { world: plain, version });
  run.cleanup();
});
