import { readFileSync } from 'node:fs';
import comments from '@eslint-community/eslint-plugin-eslint-comments/configs';
import js from '@eslint/js';
import { defineConfig } from 'eslint/config';
import tseslint from 'typescript-eslint';
import { BUNDLED_PACKAGES } from './scripts/bundled-packages.js';

/**
 * @typedef {object} Layer
 * @property {string} files which files it speaks of
 * @property {string[]} imports what of src/ they may import; a path ending in `/` allows what is below it
 * @property {string[]} [packages] which of the guarded packages they may import
 * @property {boolean} [environment] whether they may read `process.env`
 * @property {boolean} [args] whether they may read `process.argv`
 */

const BELOW_LOCK = [
  './',
  '../errors.js',
  '../files/',
  '../transfer/',
  '../kubernetes/',
  '../sigstore/',
  '../registry/',
];
const BELOW_INSTALL = [...BELOW_LOCK, '../lock/'];
const BELOW_TOP = [
  './errors.js',
  './files/',
  './transfer/',
  './kubernetes/',
  './sigstore/',
  './registry/',
  './lock/',
  './install/',
];
/** From a folder inside sigstore/: what its folders share, and the layers below. */
const BELOW_SIGSTORE = [
  './',
  '../base64.js',
  '../bundle.js',
  '../checkpoint.js',
  '../detached.js',
  '../hashedrekord.js',
  '../image-payload.js',
  '../json.js',
  '../trust/',
  '../evidence/',
  '../verify/',
  '../../errors.js',
  '../../strict-json.js',
  '../../files/',
  '../../transfer/',
];

/**
 * Who may import whom in src/. A file takes the last entry that matches it, so a file that only the first
 * one matches may import nothing of src/.
 *
 * @type {Layer[]}
 */
const LAYERS = [
  { files: 'src/**/*.ts', imports: [] },
  { files: 'src/files/**/*.ts', imports: ['./', '../errors.js'] },
  { files: 'src/transfer/**/*.ts', imports: ['./', '../errors.js', '../files/'] },
  {
    files: 'src/kubernetes/**/*.ts',
    imports: ['./', '../errors.js', '../files/', '../transfer/'],
  },
  {
    files: 'src/sigstore/*.ts',
    imports: ['./', '../errors.js', '../strict-json.js', '../files/', '../transfer/'],
  },
  { files: 'src/sigstore/*/*.ts', imports: BELOW_SIGSTORE },
  { files: 'src/sigstore/verify/ecdsa.ts', imports: [], packages: ['@noble/curves'] },
  { files: 'src/lock/**/*.ts', imports: BELOW_LOCK },
  {
    files: 'src/registry/**/*.ts',
    imports: ['./', '../errors.js', '../strict-json.js', '../files/', '../transfer/'],
  },
  { files: 'src/install/**/*.ts', imports: BELOW_INSTALL },
  {
    files: 'src/install/preinstalled.ts',
    imports: BELOW_INSTALL,
    packages: ['@actions/tool-cache'],
  },
  { files: 'src/inputs/**/*.ts', imports: [...BELOW_INSTALL, '../install/'] },
  {
    files: 'src/inputs.ts',
    imports: [...BELOW_TOP, './inputs/'],
    packages: ['node:process'],
    environment: true,
  },
  { files: 'src/inputs/command-line.ts', imports: ['./environment.js'], args: true },
  { files: 'src/hints.ts', imports: ['./errors.js'] },
  {
    files: 'src/report.ts',
    imports: [...BELOW_TOP, './inputs.js', './report/', './escape.js', './hints.js'],
    packages: ['@actions/core'],
  },
  {
    files: 'src/report/**/*.ts',
    imports: [...BELOW_INSTALL, '../install/', '../inputs.js', '../escape.js'],
  },
  {
    files: 'src/session.ts',
    imports: [...BELOW_TOP, './inputs.js'],
  },
  {
    files: 'src/setup.ts',
    imports: [...BELOW_TOP, './inputs.js', './report.js', './session.js'],
  },
  {
    files: 'src/commands/**/*.ts',
    imports: [
      ...BELOW_INSTALL,
      '../install/',
      '../inputs.js',
      '../inputs/',
      '../escape.js',
      '../hints.js',
      '../report.js',
      '../report/',
      '../session.js',
      '../setup.js',
    ],
  },
  {
    files: 'src/start.ts',
    imports: ['./setup.js', './commands/main.js', './inputs/command-line.js'],
  },
  { files: 'src/index.ts', imports: ['./start.js'] },
];

/** Packages that only some files of src/ may import, and why. */
const GUARDED_PACKAGES = {
  '@actions/core': 'Only report.ts talks to the runner.',
  '@actions/tool-cache':
    'Only install/preinstalled.ts asks it; our own copies are kept by tool-cache.ts.',
  '@noble/curves':
    'Only verify/ecdsa.ts uses it, where node:crypto has nothing that does the same.',
  'node:process': 'Use the global `process`; its environment is read in inputs.ts alone.',
  process: 'Use the global `process`; its environment is read in inputs.ts alone.',
};

/** Those that are not bundled are for tests and tools; the action must not ship them. */
const { devDependencies } = /** @type {{ devDependencies: Record<string, string> }} */ (
  JSON.parse(readFileSync(new URL('package.json', import.meta.url), 'utf8'))
);

const NO_ENVIRONMENT = 'Only inputs.ts reads the environment; take the value as an argument.';

const NO_ARGUMENTS = 'Only inputs/command-line.ts reads the arguments.';

/** Syntax that is refused everywhere, whatever the layer. */
const SWALLOWED_ERRORS = [
  {
    selector: 'CatchClause > BlockStatement[body.length=0]',
    message: 'An empty catch swallows the error.',
  },
  {
    selector:
      'CallExpression[callee.property.name="catch"] > :function > BlockStatement[body.length=0]',
    message: 'An empty catch swallows the error.',
  },
];

/**
 * Turns one entry of LAYERS into the lint rules that hold it.
 *
 * @param {Layer} layer
 * @returns {import('eslint').Linter.Config}
 */
function layer({ files, imports, packages = [], environment = false, args = false }) {
  const forbidden = forbiddenImports(imports, packages);
  return {
    files: [files],
    rules: {
      'no-restricted-imports': [
        'error',
        { patterns: forbidden.map((pattern) => ({ ...pattern, caseSensitive: true })) },
      ],
      'no-restricted-properties': environment
        ? 'off'
        : [
            'error',
            { object: 'process', property: 'env', message: NO_ENVIRONMENT },
            { object: 'globalThis', property: 'process', message: NO_ENVIRONMENT },
            { object: 'global', property: 'process', message: NO_ENVIRONMENT },
            ...(args ? [] : [{ object: 'process', property: 'argv', message: NO_ARGUMENTS }]),
          ],
      'no-restricted-syntax': [
        'error',
        ...SWALLOWED_ERRORS,
        // no-restricted-imports sees neither `import('x')` nor the type `import('x').T`.
        ...forbidden.flatMap(({ regex, message }) => [
          { selector: `ImportExpression[source.value=/${regex}/]`, message },
          { selector: `TSImportType[source.value=/${regex}/]`, message },
        ]),
        {
          selector: 'ImportExpression[source.type!="Literal"]',
          message: 'Name the module in a plain string, so that the layers can be checked.',
        },
        ...(environment
          ? []
          : [
              {
                selector: 'VariableDeclarator[init.name="process"]',
                message: 'Use `process` directly, so that reads of its environment can be seen.',
              },
            ]),
      ],
    },
  };
}

/**
 * The imports that a file is refused, each as a regular expression and the reason.
 *
 * @param {string[]} imports
 * @param {string[]} packages
 */
function forbiddenImports(imports, packages) {
  const allowed = imports.map((path) => (path.endsWith('/') ? escape(path) : `${escape(path)}$`));
  const guarded = Object.entries(GUARDED_PACKAGES).filter(([name]) => !packages.includes(name));
  return [
    {
      regex: allowed.length === 0 ? '^\\.' : `^(?!${allowed.join('|')})\\.`,
      message: 'This import goes up or across a layer: see LAYERS in eslint.config.js.',
    },
    {
      regex: '^\\.\\/\\.\\.|[^.]\\/\\.\\.(?:\\/|$)',
      message: 'Write the path without detours, so that the layers can be checked.',
    },
    ...guarded.map(([name, message]) => ({ regex: packageRegex([name]), message })),
    {
      regex: packageRegex(
        Object.keys(devDependencies).filter(
          (name) => !packages.includes(name) && !BUNDLED_PACKAGES.includes(name),
        ),
      ),
      message: 'A development dependency: the action must not ship it.',
    },
  ];
}

/** @param {string[]} names */
function packageRegex(names) {
  return `^(?:${names.map(escape).join('|')})(?:\\/|$)`;
}

/**
 * Escapes a string for a regular expression, slashes too, because selectors stand between slashes.
 *
 * @param {string} text
 */
function escape(text) {
  return text.replace(/[.*+?^${}()|[\]\\/]/g, '\\$&');
}

export default defineConfig(
  { ignores: ['dist/', 'coverage/', '.cache/', '**/fixtures/', '**/vectors/'] },
  {
    linterOptions: { reportUnusedDisableDirectives: 'error', reportUnusedInlineConfigs: 'error' },
  },
  js.configs.recommended,
  tseslint.configs.strictTypeChecked,
  tseslint.configs.stylisticTypeChecked,
  comments.recommended,
  {
    languageOptions: {
      parserOptions: { projectService: true, tsconfigRootDir: import.meta.dirname },
    },
    rules: {
      '@eslint-community/eslint-comments/require-description': 'error',
      '@eslint-community/eslint-comments/no-restricted-disable': [
        'error',
        'no-restricted-*',
        '@typescript-eslint/no-explicit-any',
        '@typescript-eslint/no-non-null-assertion',
      ],
      '@typescript-eslint/restrict-template-expressions': ['error', { allowNumber: true }],
      'no-restricted-syntax': ['error', ...SWALLOWED_ERRORS],
      eqeqeq: 'error',
    },
  },
  {
    // TypeScript checks these files too: it knows Node's globals and, unlike the linter, the casts
    // in JSDoc comments.
    files: ['**/*.js'],
    rules: { 'no-undef': 'off', '@typescript-eslint/no-unsafe-assignment': 'off' },
  },
  ...LAYERS.map(layer),
  {
    files: ['__tests__/**/*.ts'],
    rules: {
      // `expect.any(String)` and its like are typed `any`, and fakes keep the shape of what they fake.
      '@typescript-eslint/no-unsafe-assignment': 'off',
      '@typescript-eslint/no-confusing-void-expression': ['error', { ignoreArrowShorthand: true }],
      '@typescript-eslint/no-empty-function': 'off',
      '@typescript-eslint/require-await': 'off',
      '@typescript-eslint/unbound-method': 'off',
    },
  },
);
