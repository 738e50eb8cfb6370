// `npm run docs`: writes what other files already say into the documents.
//
// - The tables of inputs and outputs in README.md, from action.yml.
// - The first paragraph of each "What to do" in docs/troubleshooting.md, from src/hints.ts.
//
// With `--check` it changes nothing, and fails if a document is out of date.
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import * as prettier from 'prettier';
import { parse } from 'yaml';

await import('./typescript.js');
const { HINTS } = await import('../src/hints.js');

const ROOT = join(import.meta.dirname, '..');

/**
 * @typedef {object} Action
 * @property {Record<string, { description: string, default: string }>} inputs
 * @property {Record<string, { description: string }>} outputs
 */

const action = /** @type {Action} */ (parse(readFileSync(join(ROOT, 'action.yml'), 'utf8')));

await update('README.md', (readme) =>
  [
    { marker: 'inputs', rows: [['Input', 'Meaning'], ...inputRows()] },
    { marker: 'outputs', rows: [['Output', 'Meaning'], ...outputRows()] },
  ].reduce((text, { marker, rows }) => between(text, marker, table(rows)), readme),
);
await update('docs/troubleshooting.md', (text) =>
  Object.entries(HINTS).reduce(
    (before, [errorCode, hint]) => withHint(before, errorCode, hint),
    text,
  ),
);

/**
 * @param {string} document
 * @param {(text: string) => string} fill
 */
async function update(document, fill) {
  const file = join(ROOT, document);
  const text = readFileSync(file, 'utf8');
  const options = await prettier.resolveConfig(file);
  const current = await prettier.format(fill(text), { ...options, filepath: file });
  if (!process.argv.includes('--check')) {
    writeFileSync(file, current);
  } else if (current !== text) {
    console.error(`${document} is out of date: run "npm run docs".`);
    process.exitCode = 1;
  }
}

/** The default is part of the meaning: a column of its own leaves little room on a narrow page. */
function inputRows() {
  return Object.entries(action.inputs).map(([name, input]) => [
    code(name),
    input.default === ''
      ? input.description
      : `${input.description} Default: ${code(input.default)}.`,
  ]);
}

/** One row stands for the paths of all tools but kubectl. */
function outputRows() {
  const others = Object.keys(action.outputs).filter(
    (name) =>
      name.endsWith('-path') && !['kubectl-path', 'artifact-path', 'bundle-path'].includes(name),
  );
  const tools = others.map((name) => code(name.replace(/-path$/, '')));
  const folded = [
    code('<tool>-path'),
    `The same for ${tools.slice(0, -1).join(', ')} and ${tools.at(-1)}.`,
  ];
  const rows = Object.entries(action.outputs)
    .filter(([name]) => !others.includes(name))
    .map(([name, output]) => [code(name), output.description]);
  return rows.flatMap((row) => (row[0] === code('kubectl-path') ? [row, folded] : [row]));
}

/**
 * @param {string} text
 * @param {string} errorCode
 * @param {string} hint
 */
function withHint(text, errorCode, hint) {
  const paragraph = new RegExp(
    `(^## \`${errorCode}\`\n(?:(?!^## )[^])*?^\\*\\*What to do:\\*\\* ).*$`,
    'm',
  );
  if (!paragraph.test(text)) {
    throw new Error(`docs/troubleshooting.md has no "What to do" for ${errorCode}`);
  }
  const markdown = hint.replaceAll(/"([^"]+)"/g, '`$1`');
  return text.replace(paragraph, (_, /** @type {string} */ before) => `${before}${markdown}`);
}

/** @param {string} text */
function code(text) {
  return `\`${text}\``;
}

/** @param {string[][]} rows the first one is the heading */
function table([heading = [], ...rows]) {
  return [heading, heading.map(() => '---'), ...rows]
    .map((cells) => `| ${cells.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |`)
    .join('\n');
}

/**
 * @param {string} text
 * @param {string} marker
 * @param {string} content
 */
function between(text, marker, content) {
  const [start, end] = [`<!-- ${marker} -->`, `<!-- /${marker} -->`];
  const [from, to] = [text.indexOf(start), text.indexOf(end)];
  if (from < 0 || to < from) {
    throw new Error(`README.md has no ${start} … ${end}`);
  }
  return `${text.slice(0, from + start.length)}\n\n${content}\n\n${text.slice(to)}`;
}
