// What the bench compares: ways to get a kubectl, each as a command.
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { RELEASE_IDENTITY, RELEASE_ISSUER, readAction } from '../__tests__/support/index.js';
import { KUBECTL } from '../scripts/fetch-kubectl.js';
import { fetchSetupKubectl } from '../scripts/fetch-setup-kubectl.js';
import type { Reply } from './server.js';

const ROOT = fileURLToPath(new URL('..', import.meta.url));
const BASELINE = join(ROOT, '.cache', 'bench-baseline', 'index.js');
const USAGE = new URL('usage.js', import.meta.url).href;
const REDIRECT = new URL('redirect.js', import.meta.url).href;

/** The servers, ready for requests. */
export type Ready = Extract<Reply, { kind: 'ready' }>;

/** One way to get a kubectl. */
export interface Contender {
  readonly name: string;
  /**
   * @param folder of its own: temporary folder, tool cache, files of the runner
   * @param inputs of the action; the ones that another contender knows are read from them
   */
  readonly command: (folder: string, inputs: Inputs, ready: Ready) => Command;
}

export interface Inputs {
  readonly version: string;
  /** Separated by commas. */
  readonly tools: string;
  readonly [name: string]: string;
}

export interface Command {
  readonly file: string;
  readonly args: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  /** Where the process writes what it used; undefined where it does not. */
  readonly usage?: string;
  readonly exitCode: number;
}

export const OURS: Contender = {
  name: 'this action',
  command: (folder, inputs, ready) =>
    measured(folder, [join(ROOT, 'dist', 'index.js')], runnerEnvironment(folder, inputs, ready)),
};

/** Other inputs than those of the scenario. */
export function variant(name: string, changes: Readonly<Record<string, string>>): Contender {
  return {
    name: `this action, ${name}`,
    command: (folder, inputs, ready) => OURS.command(folder, { ...inputs, ...changes }, ready),
  };
}

/** With a lock file, and without TUF. */
export const OURS_LOCKED: Contender = {
  name: 'this action, with a lock file',
  command: (folder, inputs, ready) => {
    const { env, ...command } = OURS.command(folder, { ...inputs, ...ready.locked.inputs }, ready);
    return { ...command, env: { ...env, GITHUB_WORKSPACE: ready.locked.workspace } };
  },
};

/** With inputs that are refused. Nothing is preloaded: the time of Node itself is compared. */
export const OURS_REFUSED: Contender = {
  name: 'this action',
  command: (folder, inputs, ready) => ({
    file: process.execPath,
    args: [join(ROOT, 'dist', 'index.js')],
    env: runnerEnvironment(folder, inputs, ready),
    exitCode: 1,
  }),
};

export const NODE_ALONE: Contender = {
  name: 'node, an empty module',
  command: (folder, inputs, ready) => ({
    file: process.execPath,
    args: [fileURLToPath(new URL('empty.js', import.meta.url))],
    env: runnerEnvironment(folder, inputs, ready),
    exitCode: 0,
  }),
};

export const BASELINE_ACTION: Contender = {
  name: 'baseline',
  command: (folder, inputs, ready) =>
    measured(folder, [BASELINE], runnerEnvironment(folder, inputs, ready)),
};

export const CURL: Contender = {
  name: 'curl + sha256sum',
  command: (folder, _, ready) =>
    shell(
      folder,
      `curl -fsS --cacert "$CA" -o kubectl "$BASE/kubectl" && sha256sum kubectl`,
      ready,
    ),
};

const COSIGN: Contender = {
  name: 'curl + cosign verify-blob',
  command: (folder, _, ready) =>
    shell(
      folder,
      `curl -fsS --cacert "$CA" -o kubectl "$BASE/kubectl" -o kubectl.sig "$BASE/kubectl.sig" -o kubectl.cert "$BASE/kubectl.cert" &&
       "$COSIGN" verify-blob kubectl --signature kubectl.sig --certificate kubectl.cert --rekor-url "$REKOR" \
         --certificate-identity ${RELEASE_IDENTITY} --certificate-oidc-issuer ${RELEASE_ISSUER}`,
      ready,
    ),
};

/** Where the environment names a cosign. */
export function cosign(): Contender[] {
  return process.env['COSIGN'] === undefined ? [] : [COSIGN];
}

/** azure/setup-kubectl v5.1.0, where it is here or can be fetched. */
export async function incumbent(): Promise<Contender[]> {
  let entry: string;
  try {
    entry = await fetchSetupKubectl();
  } catch (error) {
    console.error(`Without azure/setup-kubectl, which could not be fetched: ${String(error)}`);
    return [];
  }
  return [
    {
      name: 'azure/setup-kubectl',
      command: (folder, inputs, ready) => {
        const { port } = new URL(ready.inputs['download-base-url'] ?? '');
        const env = { ...runnerEnvironment(folder, inputs, ready), BENCH_PORT: port };
        return measured(folder, ['--import', REDIRECT, entry], env);
      },
    },
  ];
}

/** Bundles the baseline. */
export function buildBaseline(): void {
  const folder = join(ROOT, '.cache', 'bench-baseline');
  const ncc = join(ROOT, 'node_modules', '@vercel', 'ncc', 'dist', 'ncc', 'cli.js');
  const args = [ncc, 'build', 'index.js', '-o', folder, '--target', 'es2024', '--quiet'];
  // ncc reads the tsconfig.json of the folder that it is started in.
  const cwd = join(ROOT, 'bench', 'baseline');
  const built = spawnSync(process.execPath, args, { cwd, stdio: ['ignore', 'ignore', 'inherit'] });
  if (built.status !== 0) throw new Error('the baseline could not be built');
}

function measured(
  folder: string,
  args: readonly string[],
  env: Readonly<Record<string, string>>,
): Command {
  const usage = join(folder, 'usage.json');
  return {
    file: process.execPath,
    args: ['--import', USAGE, ...args],
    env: { ...env, BENCH_USAGE: usage },
    usage,
    exitCode: 0,
  };
}

/** As the runner starts an action, with nothing of this process's environment. */
function runnerEnvironment(folder: string, inputs: Inputs, ready: Ready): Record<string, string> {
  const all = {
    ...readAction(ROOT).defaults,
    ...ready.inputs,
    ...inputs,
  };
  return {
    ...ready.environment,
    ...Object.fromEntries(
      Object.entries(all).map(([name, value]) => [`INPUT_${name.toUpperCase()}`, value]),
    ),
    HOME: folder,
    RUNNER_TEMP: join(folder, 'temp'),
    RUNNER_TOOL_CACHE: join(folder, 'tool-cache'),
    GITHUB_OUTPUT: join(folder, 'output'),
    GITHUB_PATH: join(folder, 'path'),
    GITHUB_STEP_SUMMARY: join(folder, 'summary'),
  };
}

function shell(folder: string, script: string, ready: Ready): Command {
  const env = {
    PATH: process.env['PATH'] ?? '',
    HOME: folder,
    CA: ready.environment['NODE_EXTRA_CA_CERTS'] ?? '',
    SSL_CERT_FILE: ready.environment['NODE_EXTRA_CA_CERTS'] ?? '', // for cosign
    BASE: `${ready.inputs['download-base-url'] ?? ''}/release/${KUBECTL.version}/bin/linux/amd64`,
    REKOR: ready.inputs['rekor-url'] ?? '',
    // What cosign needs to trust the test world.
    ...ready.cosign,
    COSIGN: process.env['COSIGN'] ?? '',
  };
  return { file: '/bin/sh', args: ['-c', script], env, exitCode: 0 };
}
