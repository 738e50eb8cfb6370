// Writes the tables of inputs and outputs in README.md from action.yml, between their markers.
// `node scripts/readme-tables.js --check` changes nothing, and fails if a table is not current.
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import * as prettier from 'prettier';
import { parse } from 'yaml';

const ROOT = join(import.meta.dirname, '..');
const README = join(ROOT, 'README.md');

/**
 * @typedef {object} Action
 * @property {Record<string, { description: string, default: string }>} inputs
 * @property {Record<string, { description: string }>} outputs
 */

const readme = readFileSync(README, 'utf8');
const action = /** @type {Action} */ (parse(readFileSync(join(ROOT, 'action.yml'), 'utf8')));

const inputs = Object.entries(action.inputs).map(([name, input]) => [
  code(name),
  code(input.default),
  input.description,
]);
const outputs = Object.entries(action.outputs).map(([name, output]) => [
  code(name),
  output.description,
]);

const filled = [
  { marker: 'inputs', rows: [['Input', 'Default', 'Meaning'], ...inputs] },
  { marker: 'outputs', rows: [['Output', 'Meaning'], ...outputs] },
].reduce((text, { marker, rows }) => between(text, marker, table(rows)), readme);
const options = await prettier.resolveConfig(README);
const current = await prettier.format(filled, { ...options, filepath: README });

if (!process.argv.includes('--check')) {
  writeFileSync(README, current);
} else if (current !== readme) {
  console.error('README.md is not current: run `npm run docs`.');
  process.exitCode = 1;
}

/** @param {string} text */
function code(text) {
  return text === '' ? '' : `\`${text}\``;
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
