import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { parseVersionFile, readVersionFile } from '../../../src/kubernetes/version-file.js';
import { MISSING, describeUnless, testUnless } from '../../support/skip.js';
import { errorOf } from '../expect-error.js';

/** [what, name of the file, its text, the version, its line] */
const ACCEPTED: [what: string, name: string, text: string, version: string, line: number][] = [
  ['one line', '.kubectl-version', '1.31.9', '1.31.9', 1],
  ['one line with v and line feed', '.kubectl-version', 'v1.31.9\n', 'v1.31.9', 1],
  ['comments and blank lines', 'K8S_VERSION', '# pinned\r\n\r\n 1.31 # minor\r\n', '1.31', 3],
  ['a range', '.kubectl-version', '>=1.30 <1.32\n', '>=1.30 <1.32', 1],
  ['asdf', '.tool-versions', 'nodejs 24.1.0\nkubectl 1.31.9\n', '1.31.9', 2],
  ['asdf, several versions', '.tool-versions', 'kubectl 1.31.9 1.30.2\n', '1.31.9', 1],
  ['asdf, a comment', '.tool-versions', '# kubectl 1.1.1\nkubectl\t1.31.9 # x', '1.31.9', 2],
  ['mise', 'mise.toml', '[tools]\nnode = "24"\nkubectl = "1.31.9"\n', '1.31.9', 3],
  ['mise, hidden', '.mise.toml', '[tools]\nkubectl = "1.31"\n', '1.31', 2],
  ['mise, local', 'mise.local.toml', '[tools]\nkubectl = "1.31"\n', '1.31', 2],
  ['mise, a list', 'mise.toml', '[tools]\nkubectl = ["1.31.9", "1.30.2"]\n', '1.31.9', 2],
  ['mise, a table', 'mise.toml', '[tools]\nkubectl = { version = "1.31.9" }\n', '1.31.9', 2],
  ['mise, dotted', 'mise.toml', '[tools.kubectl]\nversion = "1.31.9"\n', '1.31.9', 1],
  ['mise, aqua', 'mise.toml', '[tools]\n"aqua:kubernetes/kubectl" = "1.31.9"\n', '1.31.9', 2],
  ['mise, asdf', 'mise.toml', '[tools]\n"asdf:kubectl" = "1.31.9"\n', '1.31.9', 2],
  ['mise, a comment above', 'mise.toml', '# kubectl\n[tools]\nkubectl = "1.31.9"\n', '1.31.9', 3],
  [
    'mise, another tool with a similar name above',
    'mise.toml',
    '[tools]\nkubectl-convert = "1.30.0"\nkubectl = "1.31.9"\n',
    '1.31.9',
    3,
  ],
  ['go.mod', 'go.mod', 'module x\n\nrequire k8s.io/client-go v0.31.4\n', '1.31.4', 3],
  [
    'go.mod, a block',
    'go.mod',
    'module x\n\nrequire (\n\tgithub.com/a/b v1.2.3\n\tk8s.io/api v0.31.4 // indirect\n)\n',
    '1.31.4',
    5,
  ],
  [
    'go.mod, client-go before its siblings',
    'go.mod',
    'require (\n\tk8s.io/api v0.30.0\n\tk8s.io/client-go v0.31.4\n)\n',
    '1.31.4',
    3,
  ],
  ['go.mod, a pre-release', 'go.mod', 'require k8s.io/api v0.36.0-rc.1\n', '1.36.0-rc.1', 1],
  ['go.mod, kubernetes itself', 'go.mod', 'require k8s.io/kubernetes v1.31.4\n', '1.31.4', 1],
  [
    'go.mod, replaced by another version',
    'go.mod',
    'require k8s.io/client-go v0.31.4\nreplace k8s.io/client-go => k8s.io/client-go v0.30.2\n',
    '1.30.2',
    2,
  ],
  [
    'go.mod, replaced in a block',
    'go.mod',
    'require k8s.io/client-go v0.31.4\nreplace (\n\tk8s.io/client-go v0.31.4 => example.com/fork v0.29.0\n)\n',
    '1.29.0',
    3,
  ],
  [
    'go.mod, a replacement of another version',
    'go.mod',
    'require k8s.io/client-go v0.31.4\nreplace k8s.io/client-go v0.20.0 => example.com/fork v0.29.0\n',
    '1.31.4',
    1,
  ],
  [
    'go.mod, a comment that looks like a requirement',
    'go.mod',
    '// require k8s.io/client-go v0.1.1\nrequire k8s.io/client-go v0.31.4\n',
    '1.31.4',
    2,
  ],
];

test.each(ACCEPTED)('%s', (_, name, text, version, line) => {
  expect(parseVersionFile(name, text, name)).toEqual({ version, line });
});

/** [what, name of the file, its text, the line that is named, words of the message] */
const REFUSED: [what: string, name: string, text: string, line: number, words: string][] = [
  ['an empty file', '.kubectl-version', '', 1, 'a line "1.31.9"'],
  ['nothing but comments', '.kubectl-version', '# 1.31.9\n\n', 3, 'specifies no kubectl version'],
  ['asdf without kubectl', '.tool-versions', 'nodejs 24\n', 2, 'a line "kubectl 1.31.9"'],
  ['asdf without a version', '.tool-versions', 'kubectl\n', 2, 'specifies no kubectl version'],
  [
    'asdf, a longer name',
    '.tool-versions',
    'kubectl-convert 1.31.9\n',
    2,
    'specifies no kubectl version',
  ],
  ['mise without kubectl', 'mise.toml', '[tools]\nnode = "24"\n', 3, 'under [tools]'],
  ['mise outside [tools]', 'mise.toml', 'kubectl = "1.31.9"\n', 2, 'under [tools]'],
  ['mise with a number', 'mise.toml', '[tools]\nkubectl = 1.31\n', 2, 'specifies no version'],
  ['mise with an empty list', 'mise.toml', '[tools]\nkubectl = []\n', 2, 'specifies no version'],
  ['mise that is no TOML', 'mise.toml', '[tools]\nkubectl = \n', 2, 'is not TOML'],
  ['mise that is no TOML further down', 'mise.toml', 'a = 1\n\nSECRET\n', 3, 'is not TOML'],
  ['go.mod without Kubernetes', 'go.mod', 'module x\n', 2, 'k8s.io/client-go'],
  [
    'go.mod, replaced by a path',
    'go.mod',
    'require k8s.io/api v0.31.4\nreplace k8s.io/api => ../api\n',
    2,
    'matches no Kubernetes release',
  ],
  [
    'go.mod, a pseudo-version',
    'go.mod',
    'require k8s.io/api v0.0.0-20240101000000-abcdefabcdef\n',
    1,
    'matches no Kubernetes release',
  ],
  [
    'go.mod, a version from before the modules',
    'go.mod',
    'require k8s.io/client-go v11.0.0+incompatible\n',
    1,
    'matches no Kubernetes release',
  ],
];

test.each(REFUSED)('%s is refused', (_, name, text, line, words) => {
  const error = errorOf(() => parseVersionFile(name, text, `sub/${name}`));
  expect(error.code).toBe('INVALID_INPUT');
  expect(error.message).toContain('Input "version-file"');
  const where = error.message.includes('specifies no kubectl version')
    ? `"sub/${name}" `
    : `line ${line} of "sub/${name}" `;
  expect(error.message).toContain(where);
  expect(error.message).toContain(words);
});

describe('what stands in the file is never repeated', () => {
  test.each([
    ['mise.toml', '[tools]\nkubectl = SECRET\n'],
    ['mise.toml', 'SECRET\n'],
    ['mise.toml', '[SECRET\n'],
    ['mise.toml', '"SECRET" = 1\n"SECRET" = 2\n'],
    ['mise.toml', '[tools]\nkubectl = { path = "SECRET" }\n'],
    ['go.mod', 'require k8s.io/api v0.1.0-SECRET\n'],
    ['go.mod', 'require k8s.io/api v0.31.4\nreplace k8s.io/api => SECRET v1.0.0-SECRET\n'],
    ['go.mod', 'require k8s.io/api v0.31.4\nreplace k8s.io/api => ../SECRET\n'],
    ['go.mod', 'SECRET\n'],
    ['.tool-versions', 'SECRET SECRET\n'],
  ])('%s: %j', (name, text) => {
    const { code, message, cause } = errorOf(() => parseVersionFile(name, text, name));
    expect(code).toBe('INVALID_INPUT');
    expect(message).not.toContain('SECRET');
    expect(cause).toBeUndefined();
  });
});

describe('a file on disk', () => {
  /** `<root>/workspace` is the workspace, `<root>/workspace-evil` its neighbor. */
  let root: string;
  let workspace: string;

  beforeAll(() => {
    root = mkdtempSync(join(tmpdir(), 'version-file-'));
    workspace = join(root, 'workspace');
    mkdirSync(join(workspace, 'folder'), { recursive: true });
    mkdirSync(join(root, 'workspace-evil'));
    for (const folder of ['workspace', 'workspace/folder', 'workspace-evil', '.']) {
      writeFileSync(join(root, folder, 'pin'), '1.31.9\n');
    }
    writeFileSync(join(workspace, '..pin'), '1.31.9\n');
    writeFileSync(join(workspace, 'large.txt'), '#'.repeat(1 << 21));
  });

  afterAll(() => {
    rmSync(root, { recursive: true });
  });

  const read = (name: string, inside = workspace): unknown =>
    readVersionFile(resolve(workspace, name), name, inside);
  const refused = (name: string): string => {
    const { code, message } = errorOf(() => read(name));
    expect(code).toBe('INVALID_INPUT');
    expect(message).toContain(`Input "version-file": ${JSON.stringify(name)} `);
    return message;
  };

  test.each(['pin', './pin', 'folder/pin', 'folder/../pin', '..pin'])('%s is read', (name) => {
    expect(read(name)).toEqual({ version: '1.31.9', line: 1 });
  });

  test('in a folder of any workspace is read, also by its whole path', () => {
    expect(read(join(workspace, 'pin'))).toEqual({ version: '1.31.9', line: 1 });
    expect(read('folder/pin', join(workspace, 'folder'))).toEqual({ version: '1.31.9', line: 1 });
  });

  test.each(['absent.txt', 'large.txt', 'folder', '.'])('%s is refused by its name', (name) => {
    expect(refused(name)).toContain('cannot be read');
  });

  testUnless(MISSING.namedPipes)('a pipe is refused, and not waited for', () => {
    execFileSync('mkfifo', [join(workspace, 'pipe')]);
    expect(refused('pipe')).toContain('cannot be read: it is not a file');
  });

  const OUTSIDE = 'is outside the workspace';

  test.each(['../pin', '../workspace-evil/pin', 'folder/../../pin', '../absent'])(
    '%s is refused',
    (name) => {
      expect(refused(name)).toContain(name.endsWith('absent') ? 'cannot be read' : OUTSIDE);
    },
  );

  test('by a whole path outside of the workspace is refused', () => {
    expect(refused(join(root, 'pin'))).toContain(OUTSIDE);
  });

  describeUnless(MISSING.symbolicLinks)('behind a link', () => {
    const link = (target: string, name: string): string => {
      symlinkSync(target, join(workspace, name));
      return name;
    };

    test('that leads to a file inside is read, and has the format of its own name', () => {
      expect(read(link('folder/pin', 'inside'))).toEqual({ version: '1.31.9', line: 1 });
      writeFileSync(join(workspace, 'tools.txt'), 'kubectl 1.31.9\n');
      expect(read(link('tools.txt', '.tool-versions'))).toEqual({ version: '1.31.9', line: 1 });
    });

    test('to a folder inside is read through', () => {
      expect(read(`${link('folder', 'shortcut')}/pin`)).toEqual({ version: '1.31.9', line: 1 });
    });

    test('that is the workspace itself is read through', () => {
      symlinkSync(workspace, join(root, 'alias'));
      const pinned = { version: '1.31.9', line: 1 };
      expect(readVersionFile(join(root, 'alias', 'pin'), 'pin', join(root, 'alias'))).toEqual(
        pinned,
      );
      expect(readVersionFile(join(workspace, 'pin'), 'pin', join(root, 'alias'))).toEqual(pinned);
    });

    test.each([
      ['to a file outside, by its whole path', () => join(root, 'pin'), ''],
      ['to a file outside, by a relative path', () => '../pin', ''],
      ['to a file of a neighbor with a longer name', () => '../workspace-evil/pin', ''],
      ['to a folder outside, in a parent folder', () => '..', '/pin'],
      ['to a folder of a neighbor, in a parent folder', () => '../workspace-evil', '/pin'],
    ])('that leads %s is refused', (what, target, rest) => {
      const name = link(target(), what.replaceAll(/\W+/g, '-'));
      expect(refused(`${name}${rest}`)).toContain(OUTSIDE);
    });

    test('to a link that leads outside is refused', () => {
      link('../pin', 'second');
      expect(refused(link('second', 'first'))).toContain(OUTSIDE);
    });

    test('that leads to the workspace itself, to a folder, nowhere or in a circle is refused', () => {
      for (const [target, name] of [
        ['.', 'itself'],
        ['folder', 'to-folder'],
        ['nowhere', 'dangling'],
        ['circle', 'circle'],
      ] as const) {
        expect(refused(link(target, name))).toContain('cannot be read');
      }
    });
  });
});
