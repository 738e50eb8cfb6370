import { createHash } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { SetupError } from '../../../src/errors.js';
import {
  checkNamespace,
  checkRelease,
  checkReleaseImage,
  readSbom,
  type ImageLayer,
  type ReleaseSbom,
} from '../../../src/kubernetes/sbom.js';
import { codeOf } from '../sigstore/errors.js';
import { releaseSbom } from '../../support/sbom.js';

const A = 'a'.repeat(64);
const B = 'b'.repeat(64);
const C = 'c'.repeat(64);
const NAME = 'bin/linux/amd64/kubectl';
const NAMESPACE = 'https://sbom.k8s.io/v1.31.9/release';

/** Written by krel over placeholder binaries. */
const GENUINE = readFileSync(
  join(import.meta.dirname, '../../fixtures/sbom/kubernetes-release-v1.35.3.bom-v0.7.1.spdx'),
  'utf8',
);

/** Every file entry of a document, read with a parser of its own. */
const entriesOf = (text: string): { name: string; sha256: string }[] =>
  [...text.matchAll(/^FileName: (.+)\n(?:.+\n)*?FileChecksum: SHA256: ([0-9a-f]{64})$/gm)].map(
    ([, name = '', digest = '']) => ({ name, sha256: digest }),
  );

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'sbom-'));
});
afterAll(() => rmSync(folder, { recursive: true }));

function read(text: string | Buffer): Promise<ReleaseSbom> {
  const path = join(folder, 'sbom.spdx');
  writeFileSync(path, text);
  return readSbom({ path, sha256: sha256(text) });
}

const sha256 = (text: string | Buffer): Buffer => createHash('sha256').update(text).digest();

const file = (name: string, digest: string): string =>
  `FileName: ${name}\nSPDXID: SPDXRef-1\nFileChecksum: SHA256: ${digest}\n`;

describe('readSbom', () => {
  test('reads what a release publishes', async () => {
    const bytes = Buffer.from('kubectl');
    const sbom = await read(releaseSbom({ version: 'v1.31.9', files: [{ name: NAME, bytes }] }));
    expect(sbom.documentNamespace).toBe(NAMESPACE);
    expect([...sbom.digests.keys()]).toContain(NAME);
    expect(sbom.digests.get(NAME)).toEqual(new Set([sha256(bytes).toString('hex')]));
  });

  test('refuses what is no longer what was verified', async () => {
    const path = join(folder, 'sbom.spdx');
    const text = releaseSbom({ version: 'v1.31.9', files: [] });
    writeFileSync(path, `${text.toString()}\n`);
    const reading = readSbom({ path, sha256: sha256(text) });
    await expect(reading).rejects.toMatchObject({ code: 'RELEASE_MISMATCH' });
  });

  test('reads characters that the pieces of a large file cut in two', async () => {
    const long = `FileComment: ${'€'.repeat(1 << 20)}\n`;
    expect((await read(`${long}${file(NAME, A)}`)).digests.get(NAME)).toEqual(new Set([A]));
    const name = `${'€'.repeat(349_525)}${'ü'.repeat(5)}`; // Around the first MiB.
    expect([...(await read(file(name, A))).digests.keys()]).toEqual([name]);
  });

  test.each<[string, string, readonly string[] | undefined]>([
    ['a file', file(NAME, A), [A]],
    ['a file with ./ in front', file(`./${NAME}`, A), [A]],
    ['lines that end in CR LF', file(NAME, A).replaceAll('\n', '\r\n'), [A]],
    ['no line feed at the end', file(NAME, A).trimEnd(), [A]],
    ['blank lines between', file(NAME, A).replaceAll('\n', '\n\n'), [A]],
    ['comments between', file(NAME, A).replaceAll('\n', '\n# a comment\n'), [A]],
    ['two digests for a file', file(NAME, A) + file(NAME, B), [A, B]],
    ['a file that is listed twice with one digest', file(NAME, A) + file(NAME, A), [A]],
    ['a file whose entry has its digest twice', file(NAME, A) + file(NAME, A).slice(-73), [A]],
    ['a text on one line', `FileComment: <text>FileName: x</text>\n${file(NAME, A)}`, [A]],
    ['inside a text', `FileComment: <text>\n${file(NAME, A)}</text>\n`, undefined],
    ['in a text that begins with a line', `FileNotice: <text>x\n${file(NAME, A)}`, undefined],
    ['after a text', `FileNotice: <text>x\ny</text>\n${file(NAME, A)}`, [A]],
    [
      'on the line on which a text ends',
      `FileNotice: <text>\n</text>FileName: ${NAME}\nFileChecksum: SHA256: ${A}`,
      undefined,
    ],
    ['after U+2028 in a value', `FileComment: x\u2028FileName: ${NAME}\n`, undefined],
    [
      'after U+2029 and a lone CR in values',
      `FileName: x\nFileComment: \u2029FileName: ${NAME}\rFileName: ${NAME}\nFileChecksum: SHA256: ${A}`,
      undefined,
    ],
    ['indented', ` FileName: ${NAME}\nFileChecksum: SHA256: ${A}`, undefined],
    ['SHA-1 alone', `FileName: ${NAME}\nFileChecksum: SHA1: ${A.slice(0, 40)}`, undefined],
    ['a digest that is too long', file(NAME, `${A}0`), undefined],
    ['a digest of a package', `${file('x', B)}PackageName: y\n${file('', A).slice(10)}`, undefined],
  ])('%s', async (_, text, digests) => {
    expect((await read(text)).digests.get(NAME)).toEqual(
      digests === undefined ? undefined : new Set(digests),
    );
  });

  test('the digest of a package is not that of the file before it', async () => {
    const text = `${file(NAME, A)}PackageName: x\nFileChecksum: SHA256: ${B}\n`;
    expect((await read(text)).digests.get(NAME)).toEqual(new Set([A]));
  });

  test('two namespaces are none', async () => {
    const line = `DocumentNamespace: ${NAMESPACE}\n`;
    expect((await read(line)).documentNamespace).toBe(NAMESPACE);
    expect((await read(line + line)).documentNamespace).toBeUndefined();
  });

  test('a value that spans several reads is whole', async () => {
    const long = `FileComment: ${'x'.repeat((1 << 20) - 40)}\n`;
    expect((await read(long + file(NAME, A))).digests.get(NAME)).toEqual(new Set([A]));
  });
});

describe('checkRelease', () => {
  const sbom = (namespace: string | undefined, ...files: [string, string[]][]): ReleaseSbom => ({
    documentNamespace: namespace,
    digests: new Map(files.map(([name, digests]) => [name, new Set(digests)])),
    packageDigests: new Map(),
    contained: new Map(),
  });
  const check = (given: ReleaseSbom): void =>
    checkRelease(given, 'v1.31.9', NAME, { sha256: A, signedAt: new Date(0) });

  test('accepts the file with its digest', () => {
    expect(() => check(sbom(NAMESPACE, [NAME, [A]]))).not.toThrow();
  });

  test.each<[string, ReleaseSbom, string]>([
    ['another version', sbom(NAMESPACE.replace('9', '8'), [NAME, [A]]), 'is for v1.31.8'],
    ['a longer namespace', sbom(`${NAMESPACE}/x`, [NAME, [A]]), 'no Kubernetes release'],
    ['no namespace', sbom(undefined, [NAME, [A]]), 'no Kubernetes release'],
    ['no such file', sbom(NAMESPACE), 'lists no such file'],
    ['another digest', sbom(NAMESPACE, [NAME, [B]]), 'lists it with a different SHA-256'],
    ['two digests', sbom(NAMESPACE, [NAME, [A, B]]), 'with 2 different SHA-256 digests'],
    ['two digests, none of them right', sbom(NAMESPACE, [NAME, [B, C]]), 'contradicts itself'],
    [
      'the digest of another file',
      sbom(NAMESPACE, [NAME, [B]], ['bin/linux/amd64/kubelet', [A]]),
      'these bytes are bin/linux/amd64/kubelet of v1.31.9',
    ],
  ])('refuses %s', (_, given, message) => {
    expect(() => check(given)).toThrow(
      expect.objectContaining({
        code: 'RELEASE_MISMATCH',
        message: expect.stringContaining(message),
      }),
    );
    expect(() => check(given)).toThrow(SetupError);
  });
});

describe('a document that krel wrote', () => {
  const entries = entriesOf(GENUINE);
  const signedAt = new Date(0);
  const check = (sbom: ReleaseSbom, file: string, digest: string): void =>
    checkRelease(sbom, 'v1.35.3', file, { sha256: digest, signedAt });

  test('has 93 entries for 91 files, and lists the clients of windows/amd64 twice', () => {
    const names = entries.map(({ name }) => name);
    const twice = names.filter((name, index) => names.indexOf(name) !== index);
    expect(names).toHaveLength(93);
    expect(new Set(names).size).toBe(91);
    expect(twice.sort()).toEqual([
      'bin/windows/amd64/kubectl-convert.exe',
      'bin/windows/amd64/kubectl.exe',
    ]);
  });

  test('proves each of its files, and no other bytes', async () => {
    const sbom = await read(GENUINE);
    expect(sbom.documentNamespace).toBe('https://sbom.k8s.io/v1.35.3/release');
    expect([...sbom.digests.keys()].sort()).toEqual(
      [...new Set(entries.map(({ name }) => name))].sort(),
    );
    for (const { name, sha256: digest } of entries) {
      expect(() => check(sbom, name, digest)).not.toThrow();
      expect(() => check(sbom, name, A)).toThrow('lists it with a different SHA-256');
    }
  });

  test('does not list its packages as files', async () => {
    const packages = [...GENUINE.matchAll(/^PackageChecksum: SHA256: (.+)$/gm)];
    expect(packages).toHaveLength(72);
    const { digests } = await read(GENUINE);
    const listed = new Set([...digests.values()].flatMap((values) => [...values]));
    expect(packages.filter(([, digest = '']) => listed.has(digest))).toEqual([]);
  });

  test('is a contradiction when one of two entries for a file is changed', async () => {
    const file = 'bin/windows/amd64/kubectl.exe';
    const digest = entries.find(({ name }) => name === file)?.sha256 ?? '';
    const changed = await read(GENUINE.replace(digest, A));
    for (const found of [digest, A]) {
      expect(() => check(changed, file, found)).toThrow(
        `the SBOM of v1.35.3 contradicts itself: it lists ${file} with 2 different SHA-256 digests`,
      );
    }
  });

  test('and one of the test world differ in digests, in the date and in the order alone', () => {
    const files = [...new Set(entries.map(({ name }) => name))]
      .filter((name) => name.startsWith('bin/'))
      .map((name) => ({ name, bytes: Buffer.from(name) }));
    const ours = releaseSbom({ version: 'v1.35.3', files }).toString();
    // krel walks Go maps: elements come in any order. bom separates them by blank lines.
    const elements = (text: string): string[] =>
      text
        .replaceAll(
          /\b(?:[0-9a-f]{128}|[0-9a-f]{64}|[0-9a-f]{40})\b/g,
          ({ length }) => `<${length}>`,
        )
        .replace(/^Created: .+$/m, 'Created: <date>')
        // Behind the last file, whichever that is, there is one more blank line.
        .replace('NOASSERTION\n\n\nRelationship:', 'NOASSERTION\n\nEnd of files\n\nRelationship:')
        .split(/(?<=\n\n)(?=\S)/)
        .sort();
    expect(elements(ours)).toEqual(elements(GENUINE));
  });
});

describe('checkNamespace', () => {
  const check = (sbom: Pick<ReleaseSbom, 'documentNamespace'>): void => {
    checkNamespace(sbom, NAMESPACE, 'v1.31.9', 'kubernetes-release.spdx');
  };

  test('accepts the namespace that krel writes', async () => {
    const sbom = await read(GENUINE);
    expect(() => {
      checkNamespace(
        sbom,
        'https://sbom.k8s.io/v1.35.3/release',
        'v1.35.3',
        'kubernetes-release.spdx',
      );
    }).not.toThrow();
  });

  test.each([
    ['another version', 'https://sbom.k8s.io/v1.31.8/release'],
    ['the source code', 'https://sbom.k8s.io/v1.31.9/source'],
    ['more behind it', `${NAMESPACE}/`],
    ['none', undefined],
  ])('refuses %s', (_, documentNamespace) => {
    expect(() => check({ documentNamespace })).toThrow(SetupError);
    expect(() => check({ documentNamespace: NAMESPACE })).not.toThrow();
  });

  test('refuses two', async () => {
    const sbom = await read(`DocumentNamespace: ${NAMESPACE}\nDocumentNamespace: ${NAMESPACE}\n`);
    expect(() => check(sbom)).toThrow(SetupError);
  });
});

describe('checkReleaseImage', () => {
  const VERSION = 'v1.35.3';
  const APISERVER = 'SPDXRef-Package-registry.k8s.io-kube-apiserver-amd64-v1.35.3';
  /** Of the placeholder of kube-apiserver for amd64 that krel's code listed. */
  const BASE = 'f87e732e0fa3a4c0cc5eaa704e4a39bc8c7d563dd3e68f14505a9b9a17e410dc';
  const BINARY = '3e786aa350abaca4f2425520e58d30df428ada79cc326cb8c3bca748fdf2b20c';
  /** Of kubectl's. */
  const OTHER = 'f97e8fe81560c2bb64816884555c6ac0e0b76d839d09edfee0e17e2e4a3d4202';
  const stored = (...digests: string[]): ImageLayer[] =>
    digests.map((uncompressed) => ({ uncompressed, compressed: A }));

  let sbom: ReleaseSbom;
  beforeAll(async () => {
    sbom = await read(GENUINE);
  });

  const check = (
    layers: readonly ImageLayer[],
    image = 'kube-apiserver',
    arch = 'amd64',
  ): boolean => checkReleaseImage(sbom, VERSION, image, arch, layers);

  test('what krel lists is accepted', () => {
    expect(check(stored(BASE, BINARY))).toBe(true);
    expect(check(stored(BINARY, BASE))).toBe(true);
    expect(check(stored(BASE, BINARY), 'kube-apiserver-amd64')).toBe(true);
    expect(check([{ uncompressed: A, compressed: BASE }, ...stored(BINARY)])).toBe(true);
    expect(check(stored(BASE, OTHER), 'kubectl')).toBe(true);
  });

  test.each([
    ['the layer of another binary', [BASE, OTHER]],
    ['one layer more', [BASE, BINARY, B]],
    ['a layer of another image more', [BASE, BINARY, OTHER]],
    ['one layer less', [BASE]],
    ['no layer', []],
  ])('%s is refused', (_what, digests) => {
    expect(codeOf(() => check(stored(...digests)))).toBe('IMAGE_MISMATCH');
  });

  test('an image that the SBOM does not list proves nothing', () => {
    expect(check(stored(BASE, BINARY), 'kube-apiserver', 'riscv64')).toBe(false);
    expect(check(stored(BASE, BINARY), 'kube-proxy-windows')).toBe(false);
  });

  test('the SBOM of another release is refused', () => {
    const other = (): boolean =>
      checkReleaseImage(sbom, 'v1.35.2', 'kube-apiserver', 'amd64', stored(BASE, BINARY));
    expect(codeOf(other)).toBe('RELEASE_MISMATCH');
  });

  test.each([
    [
      'a layer without a digest',
      (spdx: string): string =>
        spdx.replace(`${APISERVER}-sha256-${BINARY}\nPackageChecksum`, (id) => `${id}-x`),
    ],
    [
      'a layer listed twice with different digests',
      (spdx: string): string =>
        `${spdx}\nPackageName: x\nSPDXID: ${APISERVER}-sha256-${BINARY}\nPackageChecksum: SHA256: ${B}\n`,
    ],
    [
      'another layer that it contains',
      (spdx: string): string => `${spdx}\nRelationship: ${APISERVER} CONTAINS SPDXRef-Package-x\n`,
    ],
  ])('%s is a contradiction', async (_what, change) => {
    const changed = change(GENUINE);
    expect(changed).not.toBe(GENUINE);
    sbom = await read(changed.replace(/(-x: SHA1: .*\n)PackageChecksum: SHA256.*\n/, '$1'));
    expect(codeOf(() => check(stored(BASE, BINARY)))).toBe('IMAGE_MISMATCH');
    sbom = await read(GENUINE);
  });

  test('the fields of a file are none of the package before it', async () => {
    const file = `PackageName: x\nFileName: y\nSPDXID: SPDXRef-y\nPackageChecksum: SHA256: ${A}\n`;
    expect([...(await read(file)).packageDigests]).toEqual([]);
    const own = `PackageName: x\nSPDXID: SPDXRef-x\nPackageChecksum: SHA256: ${A}\n`;
    expect([...(await read(own)).packageDigests]).toEqual([['SPDXRef-x', new Set([A])]]);
  });
});
