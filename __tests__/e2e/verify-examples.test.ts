// The commands of docs/verify.md and of `verify --help`, as written: only the hosts are replaced by those of the test world.
import { spawn } from 'node:child_process';
import { chmodSync, mkdirSync, writeFileSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { expect, test } from '@jest/globals';
import Ajv from 'ajv';
import { NATIVE_PLATFORM, filesBelow, findExecutable, lockOf, lockText } from '../support/index.js';
import { describeUnless, testUnless } from '../support/skip.js';
import { ROOT, textOf } from '../unit/repository.js';
import {
  VERSION,
  folder,
  kubectl,
  offline,
  put,
  putWithEvidence,
  run,
  useWorld,
  world,
} from './verify/stage.js';

const jq = findExecutable('JQ', 'jq');
const SERVER = 'kubernetes-server-linux-amd64.tar.gz';
const DOCUMENT = textOf('docs/verify.md');

useWorld();

const commandsOf = (text: string): string[] =>
  [...text.matchAll(/^```sh\n(.*?)^```$/gms)].map(([, command = '']) => command.trim());

/** Everything that the examples name. */
function putFiles(): void {
  world.release.publish({ version: VERSION, platforms: [NATIVE_PLATFORM], artifacts: [SERVER] });
  putWithEvidence(kubectl());
  putWithEvidence(world.release.sbom(VERSION), 'kubernetes-release.spdx');
  putWithEvidence(world.release.file(VERSION, SERVER), SERVER);
  put('server.sigstore.json', JSON.stringify(world.release.file(VERSION, SERVER).bundle()));
  put('kubernetes.lock.json', lockText(lockOf(world, VERSION)));
}

/** Puts a command `setup-verified-kubectl` on PATH that talks to the test world, and runs a script. */
async function shell(script: string): Promise<{ code: number | null; output: string }> {
  const bin = join(folder, 'bin');
  mkdirSync(bin);
  const flags = Object.entries(offline()).flatMap(([name, value]) => [`--${name}`, `'${value}'`]);
  const command = join(bin, 'setup-verified-kubectl');
  writeFileSync(
    command,
    `#!/bin/sh\nexec '${process.execPath}' '${join(ROOT, 'bin/setup-verified-kubectl.js')}' "$@" ${flags.join(' ')}\n`,
  );
  chmodSync(command, 0o755);
  const child = spawn('bash', ['-euo', 'pipefail', '-c', script], {
    cwd: folder,
    env: { HOME: folder, TMPDIR: folder, PATH: [bin, process.env['PATH']].join(delimiter) },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let output = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => (output += text));
  child.stderr.setEncoding('utf8').on('data', (text: string) => (output += text));
  return new Promise((resolve) => {
    child.on('close', (code) => {
      resolve({ code, output });
    });
  });
}

describeUnless(process.platform === 'win32' ? 'needs bash' : undefined)('docs/verify.md', () => {
  test('has examples', () => {
    expect(commandsOf(DOCUMENT).length).toBeGreaterThan(5);
  });

  test.each(commandsOf(DOCUMENT).filter((command) => !command.includes('jq')))(
    '%s',
    async (command) => {
      putFiles();
      const { code, output } = await shell(command);
      expect(output).toContain('\nVerified OK\n');
      expect(code).toBe(0);
      expect(filesBelow(folder).filter((file) => file.startsWith('setup-verified'))).toEqual([]);
    },
  );

  testUnless('absent' in jq ? jq.absent : undefined)(
    'the example with jq prints the path, and fails for a file that is refused',
    async () => {
      const [command = ''] = commandsOf(DOCUMENT).filter((one) => one.includes('jq'));
      putFiles();
      const good = await shell(command);
      expect(good).toEqual({ code: 0, output: `bin/${NATIVE_PLATFORM}/kubectl\n` });
    },
  );
});

test('the JSON in docs/verify.md is as the schema says, with every member', () => {
  const [, json = ''] = /^```json\n(.*?)^```$/ms.exec(DOCUMENT) ?? [];
  const schema = JSON.parse(textOf('schema/verify.schema.json')) as {
    definitions: { verified: { properties: object } };
  };
  const isValid = new Ajv().compile(schema);
  const shown = JSON.parse(json) as object;
  isValid(shown);
  expect(isValid.errors).toBeNull();
  expect(Object.keys(shown).sort()).toEqual(
    Object.keys(schema.definitions.verified.properties).sort(),
  );
});

test('the schema does not accept a release that was refused, nor half an answer', () => {
  const isValid = new Ajv().compile(JSON.parse(textOf('schema/verify.schema.json')) as object);
  const [, json = ''] = /^```json\n(.*?)^```$/ms.exec(DOCUMENT) ?? [];
  const shown = JSON.parse(json) as Record<string, unknown>;
  expect(isValid({ ...shown, verified: false })).toBe(false);
  expect(isValid({ ...shown, more: 1 })).toBe(false);
  for (const name of Object.keys(shown)) {
    expect(isValid({ ...shown, [name]: undefined })).toBe(false);
  }
});

describeUnless(process.platform === 'win32' ? 'needs bash' : undefined)('verify --help', () => {
  test('has examples that work as written', async () => {
    const { stdout } = await run(['verify', '--help']);
    const commands = [...stdout.matchAll(/^ {4}(setup-verified-kubectl verify .*)$/gm)].map(
      ([, command = '']) => command,
    );
    expect(commands.length).toBeGreaterThan(4);
    putFiles();
    const { code, output } = await shell(commands.join('\n'));
    expect(code).toBe(0);
    expect(output.match(/^Verified OK$/gm)).toHaveLength(commands.length - 1);
    expect(JSON.parse(output.slice(output.indexOf('{')))).toMatchObject({ verified: true });
  });
});
