// Runs dist/index.js as a runner does, against the real dl.k8s.io by default:
//
//   npm run action -- version=1.31 tools=kubectl,kubeadm
//
// Arguments are inputs, as `name=value`. Other inputs have their defaults from action.yml. Relative paths
// start at the current folder. The tool cache is in a temporary folder that is deleted at the end.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { parse } from 'yaml';
import { startAction } from '../__tests__/support/index.js';
import { logLine, resultsOf } from './show.js';

/** Environment variables that are passed to the action: network settings and debug logging. */
const PASSED_ON = [
  'https_proxy',
  'http_proxy',
  'no_proxy',
  'HTTPS_PROXY',
  'HTTP_PROXY',
  'NO_PROXY',
  'NODE_EXTRA_CA_CERTS',
  'RUNNER_DEBUG',
];
const LONGEST_RUN = 60 * 60_000;

const inputs = readInputs(process.argv.slice(2));
if (typeof inputs === 'string') {
  console.error(inputs);
  process.exitCode = 2;
} else {
  process.exitCode = await run(inputs);
}

async function run(given: Readonly<Record<string, string>>): Promise<number> {
  const { child, finished } = startAction({
    inputs: given,
    env: Object.fromEntries(PASSED_ON.map((name) => [name, process.env[name]])),
    workspace: process.env['INIT_CWD'] ?? process.cwd(),
    timeoutMs: LONGEST_RUN,
  });
  // Ctrl-C also reaches the action, which then ends. This process stays to clean up.
  process.on('SIGINT', () => child.kill('SIGINT'));
  process.on('SIGTERM', () => child.kill('SIGTERM'));
  for (const stream of [child.stdout, child.stderr]) {
    if (stream !== null) createInterface({ input: stream }).on('line', print);
  }
  const result = await finished;
  print(resultsOf(result));
  console.log(`\nExit code: ${result.exitCode ?? 1}. Deleted ${result.dirs.root}.`);
  result.cleanup();
  return result.exitCode ?? 1;
}

function print(line: string): void {
  const text = logLine(line);
  if (text !== '') console.log(text);
}

/** @returns an error message for an argument that is not an input of action.yml */
function readInputs(words: readonly string[]): Record<string, string> | string {
  const names = inputNames();
  const values: Record<string, string> = {};
  for (const word of words) {
    const [, name = '', value] = /^([^=]*)=(.*)$/s.exec(word) ?? [];
    if (value === undefined || !names.includes(name)) {
      return `Expected <input>=<value>, got ${JSON.stringify(word)}. Inputs: ${names.join(', ')}.`;
    }
    values[name] = value;
  }
  return values;
}

function inputNames(): string[] {
  const file = join(import.meta.dirname, '..', 'action.yml');
  const action = parse(readFileSync(file, 'utf8')) as { inputs: Record<string, unknown> };
  return Object.keys(action.inputs);
}
