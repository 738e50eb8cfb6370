import { readFileSync, globSync } from 'node:fs';
import { join, posix } from 'node:path';
import { ESLint } from 'eslint';
import ts from 'typescript';
import tseslint from 'typescript-eslint';

/** The rules of eslint.config.js that keep a promise of this project; the rest is good taste. */
const PROJECT_RULES = new Set([
  'no-restricted-imports',
  'no-restricted-properties',
  'no-restricted-syntax',
  '@typescript-eslint/ban-ts-comment',
  '@typescript-eslint/no-explicit-any',
  '@typescript-eslint/no-non-null-assertion',
  '@eslint-community/eslint-comments/no-restricted-disable',
  '@eslint-community/eslint-comments/no-unlimited-disable',
  '@eslint-community/eslint-comments/require-description',
]);

const ROOT = join(import.meta.dirname, '..', '..');

// The samples are no files, so there is no type information; no rule above needs it.
const eslint = new ESLint({
  cwd: ROOT,
  overrideConfig: [tseslint.configs.disableTypeChecked],
  ruleFilter: ({ ruleId }) => PROJECT_RULES.has(ruleId),
});

/** Lints `code` as if it stood in the file `filePath`; returns the rules that it breaks. */
async function rulesBrokenBy(code: string, filePath: string): Promise<(string | null)[]> {
  const [result] = await eslint.lintText(code, { filePath });
  return (result?.messages ?? []).map((message) => message.ruleId ?? message.message);
}

// The first run loads the linter, which takes a slow machine longer than one test may take.
beforeAll(async () => {
  await eslint.lintText('', { filePath: 'src/setup.ts' });
}, 60_000);

const importOf = (specifier: string): string => `import { x } from '${specifier}';\nx();\n`;

/** [the boundary, the file, an import that is refused there, its twin that is accepted] */
const IMPORTS: [boundary: string, file: string, refused: string, accepted: string][] = [
  ['errors is the ground', 'src/errors.ts', './transfer/http.js', 'node:util'],
  ['transfer is the ground', 'src/transfer/http.ts', '../inputs.js', '../errors.js'],
  [
    'transfer knows no release',
    'src/transfer/http.ts',
    '../kubernetes/release.js',
    './download.js',
  ],
  [
    'transfer knows no signature',
    'src/transfer/http.ts',
    '../sigstore/verify/verify.js',
    'node:http',
  ],
  [
    'no release below a signature',
    'src/sigstore/bundle.ts',
    '../kubernetes/sbom.js',
    './base64.js',
  ],
  [
    'no signature below a release',
    'src/kubernetes/sbom.ts',
    '../sigstore/evidence/rekor.js',
    './release.js',
  ],
  [
    'kubernetes stands on transfer',
    'src/kubernetes/sbom.ts',
    '../install/obtain.js',
    '../transfer/http.js',
  ],
  [
    'sigstore stands on transfer',
    'src/sigstore/bundle.ts',
    '../install/obtain.js',
    '../transfer/http.js',
  ],
  [
    'no signature below a registry',
    'src/registry/client.ts',
    '../sigstore/verify/verify.js',
    '../strict-json.js',
  ],
  [
    'no release below a registry',
    'src/registry/client.ts',
    '../kubernetes/image.js',
    '../transfer/http.js',
  ],
  [
    'no registry below a signature',
    'src/sigstore/evidence/image-signatures.ts',
    '../../registry/client.js',
    '../../strict-json.js',
  ],
  [
    'no registry below a release',
    'src/kubernetes/image.ts',
    '../registry/client.js',
    '../errors.js',
  ],
  ['strict JSON is the ground', 'src/strict-json.ts', './registry/manifest.js', 'node:util'],
  [
    'install is below the top',
    'src/install/obtain.ts',
    '../report.js',
    '../sigstore/verify/verify.js',
  ],
  ['inputs are read before the rest', 'src/inputs.ts', './report.js', './kubernetes/version.js'],
  ['a single input stands alone', 'src/inputs/urls.ts', '../inputs.js', '../transfer/transport.js'],
  ['a single input is not reported', 'src/inputs/tools.ts', '../report.js', './raw-inputs.js'],
  ['nothing below reads an input', 'src/install/obtain.ts', '../inputs/runner.js', './context.js'],
  ['a report starts nothing', 'src/report.ts', './setup.js', './inputs.js'],
  ['a part of a report is not the whole', 'src/report/tools.ts', '../report.js', './proof.js'],
  ['nothing below is a report', 'src/install/images.ts', '../report/images.js', './context.js'],
  ['setup is not the entry point', 'src/setup.ts', './index.js', './report.js'],
  ['the entry point only starts', 'src/index.ts', './setup.js', './start.js'],
  ['what starts a run only runs it', 'src/start.ts', './report.js', './setup.js'],
  ['a new file has no rights yet', 'src/new.ts', './inputs.js', 'node:path'],
  [
    'no release below evidence',
    'src/sigstore/evidence/rekor.ts',
    '../../kubernetes/sbom.js',
    '../bundle.js',
  ],
  [
    'no way up from a folder of sigstore',
    'src/sigstore/verify/verify.ts',
    '../../install/obtain.js',
    '../../files/digested-file.js',
  ],
  ['files know no network', 'src/files/digested-file.ts', '../transfer/http.js', './errors.js'],
  ['nothing leaves src', 'src/setup.ts', '../__tests__/support/world.js', './inputs.js'],
  ['no detour out of a folder', 'src/sigstore/bundle.ts', './../kubernetes/sbom.js', './base64.js'],
  [
    'no detour by a folder',
    'src/install/obtain.ts',
    '../sigstore/../setup.js',
    '../sigstore/verify/verify.js',
  ],
  ['no second tool cache', 'src/install/tool-cache.ts', '@actions/tool-cache', './logger.js'],
  ['nothing that only tests use', 'src/sigstore/verify/verify.ts', 'sigstore', '@sigstore/verify'],
  [
    'lock is below install',
    'src/lock/read.ts',
    '../install/obtain.js',
    '../sigstore/verify/verify.js',
  ],
  ['no signature below a lock', 'src/sigstore/bundle.ts', '../lock/lock.js', './base64.js'],
  ['commands are at the top', 'src/install/obtain.ts', '../commands/lock.js', '../lock/lock.js'],
  ['a run starts no command', 'src/setup.ts', './commands/lock.js', './session.js'],
  ['a command runs no other entry point', 'src/commands/install.ts', '../start.js', '../setup.js'],
  ['a session starts nothing', 'src/session.ts', './setup.js', './inputs.js'],
  ['the environment by import', 'src/setup.ts', 'node:process', 'node:os'],
];

describe.each(IMPORTS)('%s: %s', (_boundary, file, refused, accepted) => {
  it(`refuses ${refused}`, async () => {
    expect(await rulesBrokenBy(importOf(refused), file)).toContain('no-restricted-imports');
  });

  it(`accepts ${accepted}`, async () => {
    expect(await rulesBrokenBy(importOf(accepted), file)).toEqual([]);
  });
});

describe('a boundary holds for every way to import', () => {
  it.each([
    ['a type', "import type { X } from '$';\nexport type Y = X;\n", 'no-restricted-imports'],
    ['a re-export', "export { x } from '$';\n", 'no-restricted-imports'],
    ['everything', "export * from '$';\n", 'no-restricted-imports'],
    ['a side effect', "import '$';\n", 'no-restricted-imports'],
    ['a dynamic import', "export const x = await import('$');\n", 'no-restricted-syntax'],
    ['an import type', "export type X = import('$').X;\n", 'no-restricted-syntax'],
    ['a typeof import', "export type X = typeof import('$');\n", 'no-restricted-syntax'],
  ])('%s', async (_way, template, rule) => {
    const across = template.replace('$', '../kubernetes/sbom.js');
    const within = template.replace('$', './base64.js');

    expect(await rulesBrokenBy(across, 'src/sigstore/bundle.ts')).toContain(rule);
    expect(await rulesBrokenBy(within, 'src/sigstore/bundle.ts')).toEqual([]);
  });

  it('refuses an import whose module cannot be read off', async () => {
    const code = 'export const load = (name: string) => import(name);\n';

    expect(await rulesBrokenBy(code, 'src/sigstore/bundle.ts')).toContain('no-restricted-syntax');
  });
});

describe('packages that only some files may import', () => {
  it.each(['src/report.ts'])('%s: @actions/core', async (file) => {
    expect(await rulesBrokenBy(importOf('@actions/core'), file)).toEqual([]);
  });

  it.each([
    'src/setup.ts',
    'src/inputs.ts',
    'src/errors.ts',
    'src/install/tool-cache.ts',
    'src/report/tools.ts',
  ])('%s: no @actions/core', async (file) => {
    const broken = await rulesBrokenBy(importOf('@actions/core'), file);

    expect(broken).toContain('no-restricted-imports');
  });
});

describe('the environment', () => {
  it.each([
    ['export const x = process.env;\n', 'no-restricted-properties'],
    ["export const x = process['env'];\n", 'no-restricted-properties'],
    ['export const x = globalThis.process.platform;\n', 'no-restricted-properties'],
    ['const { env } = process;\nenv();\n', 'no-restricted-properties'],
    ['const p = process;\np.exit();\n', 'no-restricted-syntax'],
    ["import { env } from 'node:process';\nenv();\n", 'no-restricted-imports'],
    ["import { env } from 'process';\nenv();\n", 'no-restricted-imports'],
  ])('%j', async (code, rule) => {
    expect(await rulesBrokenBy(code, 'src/setup.ts')).toContain(rule);
    expect(await rulesBrokenBy(code, 'src/inputs/runner.ts')).toContain(rule);
  });

  it('is read in inputs.ts', async () => {
    const code = "import { env } from 'node:process';\nexport const x = [env, process.env];\n";

    expect(await rulesBrokenBy(code, 'src/inputs.ts')).toEqual([]);
  });

  it('is not the whole of `process`', async () => {
    expect(await rulesBrokenBy('export const x = process.platform;\n', 'src/setup.ts')).toEqual([]);
  });
});

test('the arguments are read in one file', async () => {
  const code = 'export const x = process.argv;\n';

  expect(await rulesBrokenBy(code, 'src/inputs/command-line.ts')).toEqual([]);
  for (const file of ['src/index.ts', 'src/commands/main.ts', 'src/inputs/tools.ts']) {
    expect(await rulesBrokenBy(code, file)).toContain('no-restricted-properties');
  }
});

describe('errors', () => {
  it.each([
    'try { f(); } catch {}\n',
    'try { f(); } catch { /* never mind */ }\n',
    'promise.catch(() => {});\n',
    'promise.catch(function () { /* never mind */ });\n',
  ])('are not swallowed: %j', async (code) => {
    expect(await rulesBrokenBy(code, 'src/setup.ts')).toContain('no-restricted-syntax');
    expect(await rulesBrokenBy(code, '__tests__/unit/x.test.ts')).toContain('no-restricted-syntax');
  });

  it('are handled', async () => {
    const code = 'try { f(); } catch (error) { g(error); }\npromise.catch((error) => g(error));\n';

    expect(await rulesBrokenBy(code, 'src/setup.ts')).toEqual([]);
  });
});

describe('a way around the linter or the type checker', () => {
  it.each([
    ['any', 'export const x: any = 1;\n', 'no-explicit-any'],
    ['an assertion', 'export const x = y!;\n', 'no-non-null-assertion'],
    ['a type error ignored', '// @ts-ignore: wrong\nexport const x = 1;\n', 'ban-ts-comment'],
    ['a rule off, no reason', '/* eslint-disable no-empty */\n', 'require-description'],
    ['every rule off', '/* eslint-disable -- today only */\n', 'no-unlimited-disable'],
    [
      'a boundary off',
      '/* eslint-disable no-restricted-imports -- x */\n',
      'no-restricted-disable',
    ],
  ])('%s is refused', async (_way, code, rule) => {
    const broken = await rulesBrokenBy(code, 'src/setup.ts');

    expect(broken).toContainEqual(expect.stringContaining(rule));
  });

  it('that says why is accepted', async () => {
    const code =
      '// eslint-disable-next-line no-control-regex -- the log is cleaned of exactly these\n' +
      'export const x = /\\x00/;\n';

    expect(await rulesBrokenBy(code, 'src/setup.ts')).toEqual([]);
  });
});

describe('no circle of imports', () => {
  it('in a toy that has one', () => {
    const toy = { 'a.ts': ['b.ts'], 'b.ts': ['c.ts'], 'c.ts': ['b.ts'] };

    expect(circleIn(toy)).toEqual(['b.ts', 'c.ts', 'b.ts']);
    expect(circleIn({ ...toy, 'c.ts': [] })).toBeUndefined();
  });

  it('in src', () => {
    expect(circleIn(importsOfSources())).toBeUndefined();
  });
});

/** Maps each file of src/ to the files of src/ that it imports, all relative to the repository. */
function importsOfSources(): Record<string, string[]> {
  const files = globSync('src/**/*.ts', { cwd: ROOT }).map((file) => file.replaceAll('\\', '/'));
  return Object.fromEntries(
    files.map((file) => {
      const { importedFiles } = ts.preProcessFile(readFileSync(join(ROOT, file), 'utf8'));
      const targets = importedFiles
        .filter(({ fileName }) => fileName.startsWith('.'))
        .map(({ fileName }) => posix.join(posix.dirname(file), fileName.replace(/\.js$/, '.ts')));
      return [file, targets];
    }),
  );
}

/** The first circle found, as the way round it from a file back to the same file. */
function circleIn(imports: Record<string, string[]>): string[] | undefined {
  const finished = new Set<string>();
  const visit = (file: string, way: string[]): string[] | undefined => {
    if (way.includes(file)) return [...way.slice(way.indexOf(file)), file];
    if (finished.has(file)) return undefined;
    for (const target of imports[file] ?? []) {
      const circle = visit(target, [...way, file]);
      if (circle) return circle;
    }
    finished.add(file);
    return undefined;
  };
  for (const file of Object.keys(imports)) {
    const circle = visit(file, []);
    if (circle) return circle;
  }
  return undefined;
}
