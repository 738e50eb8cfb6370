import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { parseVersionFile, readVersionFile } from '../../../src/kubernetes/version-file.js';
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
  ['nothing but comments', '.kubectl-version', '# 1.31.9\n\n', 3, 'names no version'],
  ['asdf without kubectl', '.tool-versions', 'nodejs 24\n', 2, 'a line "kubectl 1.31.9"'],
  ['asdf without a version', '.tool-versions', 'kubectl\n', 2, 'names no version'],
  ['asdf, a longer name', '.tool-versions', 'kubectl-convert 1.31.9\n', 2, 'names no version'],
  ['mise without kubectl', 'mise.toml', '[tools]\nnode = "24"\n', 3, 'under [tools]'],
  ['mise outside [tools]', 'mise.toml', 'kubectl = "1.31.9"\n', 2, 'under [tools]'],
  ['mise with a number', 'mise.toml', '[tools]\nkubectl = 1.31\n', 2, 'no version'],
  ['mise with an empty list', 'mise.toml', '[tools]\nkubectl = []\n', 2, 'no version'],
  ['mise that is no TOML', 'mise.toml', '[tools]\nkubectl = \n', 2, 'is not TOML'],
  ['go.mod without Kubernetes', 'go.mod', 'module x\n', 2, 'k8s.io/client-go'],
  [
    'go.mod, replaced by a path',
    'go.mod',
    'require k8s.io/api v0.31.4\nreplace k8s.io/api => ../api\n',
    2,
    'belongs to no Kubernetes release',
  ],
  [
    'go.mod, a pseudo-version',
    'go.mod',
    'require k8s.io/api v0.0.0-20240101000000-abcdefabcdef\n',
    1,
    'belongs to no Kubernetes release',
  ],
  [
    'go.mod, a version from before the modules',
    'go.mod',
    'require k8s.io/client-go v11.0.0+incompatible\n',
    1,
    'belongs to no Kubernetes release',
  ],
];

test.each(REFUSED)('%s is refused', (_, name, text, line, words) => {
  const error = errorOf(() => parseVersionFile(name, text, `sub/${name}`));
  expect(error.code).toBe('INVALID_INPUT');
  expect(error.message).toContain('input "version-file"');
  expect(error.message).toContain(`"sub/${name}", line ${line},`);
  expect(error.message).toContain(words);
});

describe('a file on disk', () => {
  let folder: string;

  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'version-file-'));
  });

  afterAll(() => {
    rmSync(folder, { recursive: true });
  });

  test('is read', () => {
    const file = join(folder, '.tool-versions');
    writeFileSync(file, 'kubectl 1.31.9\n');
    expect(readVersionFile(file, '.tool-versions')).toEqual({ version: '1.31.9', line: 1 });
  });

  test.each([
    ['missing', 'absent.txt', undefined],
    ['larger than any such file', 'large.txt', '#'.repeat(1 << 21)],
  ])('that is %s is refused by its name', (_, name, text) => {
    const file = join(folder, name);
    if (text !== undefined) writeFileSync(file, text);
    const error = errorOf(() => readVersionFile(file, name));
    expect(error.code).toBe('INVALID_INPUT');
    expect(error.message).toContain(`input "version-file": "${name}" cannot be read`);
  });

  test('that is a folder is refused', () => {
    expect(errorOf(() => readVersionFile(folder, 'folder')).code).toBe('INVALID_INPUT');
  });
});
