// `npm run bench`: whole processes of dist/index.js against what they are to be compared with, in turn
// (A B C A B C …), on a loopback release host over TLS. Prints the tables of docs/performance.md.
import { fork, spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { cpus, tmpdir, totalmem } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { RELEASE_IDENTITY, RELEASE_ISSUER } from '../__tests__/support/index.js';
import { KUBECTL, fetchKubectl } from '../scripts/fetch-kubectl.js';
import type { Order, Reply } from './server.js';
import { median, range, ratios, table } from './statistics.js';

const ROOT = fileURLToPath(new URL('..', import.meta.url));
const BASELINE = join(ROOT, '.cache', 'bench-baseline', 'index.js');
const USAGE = new URL('usage.js', import.meta.url).href;
const RUNS = Number(process.env['BENCH_RUNS'] ?? '9');
const VERSION = KUBECTL.version.slice(1);

/** One finished run. */
interface Figures {
  /** Milliseconds from start to end of the process. */
  readonly wall: number;
  /** User and system time, in milliseconds; undefined where nobody measures it. */
  readonly cpu: number | undefined;
  /** Largest resident set, in MiB; undefined where nobody measures it. */
  readonly memory: number | undefined;
  readonly requests: number;
  /** Sent by all servers, in bytes. */
  readonly bytes: number;
}

/** One way to get a kubectl, and the folder that it keeps between runs. */
interface Contender {
  readonly name: string;
  readonly command: (folder: string, scenario: Scenario) => Command;
}

interface Command {
  readonly file: string;
  readonly args: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  /** Whether it is a Node process that can tell what it used. */
  readonly isNode: boolean;
}

interface Scenario {
  readonly name: string;
  readonly tools: readonly string[];
  /** The input `artifacts`; none unless given. */
  readonly artifacts?: string;
  readonly version: string;
  /** Whether the tool cache is kept from one run to the next. */
  readonly isWarm: boolean;
  /** Milliseconds per request. */
  readonly latency: number;
  /** Bytes per second; undefined for as fast as it goes. */
  readonly bandwidth: number | undefined;
}

const PLAIN = {
  version: VERSION,
  tools: ['kubectl'],
  isWarm: false,
  latency: 0,
  bandwidth: undefined,
};
const NETWORK = { latency: 20, bandwidth: 100e6 };
const SCENARIOS: readonly Scenario[] = [
  { ...PLAIN, name: 'cold' },
  { ...PLAIN, name: 'warm', isWarm: true },
  { ...PLAIN, name: 'three tools, cold', tools: ['kubectl', 'kubeadm', 'kubelet'] },
  { ...PLAIN, ...NETWORK, name: 'cold, 20 ms and 100 MB/s' },
  { ...PLAIN, ...NETWORK, name: 'warm, 20 ms and 100 MB/s', isWarm: true },
  {
    ...PLAIN,
    ...NETWORK,
    name: 'three tools, cold, 20 ms and 100 MB/s',
    tools: ['kubectl', 'kubeadm', 'kubelet'],
  },
];
const SIZES = [1, 10, 57, 150, 400].map((megabytes) => megabytes * 1e6);
/** A server tarball has about 400 MB; the other is there to compare its memory with. */
const TARBALL_SIZES = [4e6, 400e6];
/** Names of tables to measure; all of them unless given. */
const ONLY = process.env['BENCH_ONLY'];

const OURS: Contender = {
  name: 'this action',
  command: (folder, scenario) => action(join(ROOT, 'dist', 'index.js'), folder, scenario),
};
const UNVERIFIED: Contender = {
  name: 'unverified baseline',
  command: (folder, scenario) => action(BASELINE, folder, scenario),
};
const CURL: Contender = {
  name: 'curl + sha256sum (the floor)',
  command: (folder) =>
    shell(folder, `curl -fsS --cacert "$CA" -o kubectl "$BASE/kubectl" && sha256sum kubectl`),
};
const COSIGN: Contender = {
  name: 'curl + cosign verify-blob',
  command: (folder) =>
    shell(
      folder,
      `curl -fsS --cacert "$CA" -o kubectl "$BASE/kubectl" -o kubectl.sig "$BASE/kubectl.sig" -o kubectl.cert "$BASE/kubectl.cert" &&
       "$COSIGN" verify-blob kubectl --signature kubectl.sig --certificate kubectl.cert --rekor-url "$REKOR" \
         --certificate-identity ${RELEASE_IDENTITY} --certificate-oidc-issuer ${RELEASE_ISSUER}`,
    ),
};

const { server, ready } = await startServer();
try {
  buildBaseline();
  console.log(describeMachine());
  for (const scenario of SCENARIOS) {
    if (isWanted(scenario.name)) await measureScenario(scenario);
  }
  if (isWanted('size')) await measureSizes();
  if (isWanted('tarball')) await measureTarballs();
} finally {
  server.kill();
}

function isWanted(name: string): boolean {
  return ONLY === undefined || ONLY.split(';').includes(name);
}

async function measureScenario(scenario: Scenario): Promise<void> {
  await order({ kind: 'network', latency: scenario.latency, bandwidth: scenario.bandwidth });
  const isSingleCold = scenario.tools.length === 1 && !scenario.isWarm;
  const others = isSingleCold ? [CURL, ...(cosignEnvironment() === undefined ? [] : [COSIGN])] : [];
  const contenders = [OURS, UNVERIFIED, ...others];
  const figures = await inTurn(contenders, scenario);
  const baseline = figures.get(UNVERIFIED) ?? [];
  console.log(`\n### ${scenario.name}\n`);
  console.log(
    table(
      [
        '',
        'wall, ms',
        'CPU, ms',
        'peak memory, MiB',
        'requests',
        'MB',
        'wall ÷ baseline',
        'memory ÷ baseline',
      ],
      contenders.map((contender) => row(contender, figures.get(contender) ?? [], baseline)),
    ),
  );
}

function row(
  contender: Contender,
  runs: readonly Figures[],
  baseline: readonly Figures[],
): string[] {
  const of = (key: keyof Figures, from = runs): (number | undefined)[] =>
    from.map((run) => run[key]);
  const against = (key: keyof Figures): string => range(ratios(of(key), of(key, baseline)), 2);
  return [
    contender.name,
    range(of('wall')),
    range(of('cpu')),
    range(of('memory')),
    String(median(runs.map(({ requests }) => requests))),
    (median(runs.map(({ bytes }) => bytes)) / 1e6).toFixed(1),
    against('wall'),
    against('memory'),
  ];
}

async function measureSizes(): Promise<void> {
  await order({ kind: 'network', latency: 0, bandwidth: undefined });
  const rows: string[][] = [];
  for (const bytes of SIZES) {
    await order({ kind: 'size', bytes });
    const scenario = { ...PLAIN, name: '', version: `1.0.${String(bytes / 1e6)}` };
    const figures = await inTurn([OURS, UNVERIFIED], scenario);
    const [ours, theirs] = [figures.get(OURS) ?? [], figures.get(UNVERIFIED) ?? []];
    rows.push([
      String(bytes / 1e6),
      ...[ours, theirs].flatMap((runs) => [
        range(runs.map(({ wall }) => wall)),
        range(runs.map(({ memory }) => memory)),
      ]),
      range(ratios(ours.map(({ wall }) => wall), theirs.map(({ wall }) => wall)), 2), // prettier-ignore
    ]);
  }
  console.log('\n### Size of the artifact, cold\n');
  console.log(
    table(
      [
        'MB',
        'wall, ms',
        'peak memory, MiB',
        'baseline: wall, ms',
        'baseline: peak memory, MiB',
        'wall ÷ baseline',
      ],
      rows,
    ),
  );
}

/** A server tarball through `artifacts`: downloaded, then taken from the tool cache. */
async function measureTarballs(): Promise<void> {
  await order({ kind: 'network', latency: 0, bandwidth: undefined });
  const rows: string[][] = [];
  for (const [bytes, name] of TARBALL_SIZES.flatMap((size) => [
    [size, 'cold'] as const,
    [size, 'warm'] as const,
  ])) {
    await order({ kind: 'tarball', bytes });
    const version = `1.0.${String(bytes / 1e6)}`;
    const what = { version, tools: ['none'], artifacts: 'server', isWarm: name === 'warm' };
    const runs = (await inTurn([OURS], { ...PLAIN, ...what, name })).get(OURS) ?? [];
    rows.push([
      `${String(bytes / 1e6)}, ${name}`,
      range(runs.map(({ wall }) => wall)),
      range(runs.map(({ cpu }) => cpu)),
      range(runs.map(({ memory }) => memory)),
      String(median(runs.map(({ requests }) => requests))),
    ]);
  }
  console.log('\n### A server tarball through `artifacts`\n');
  console.log(table(['MB', 'wall, ms', 'CPU, ms', 'peak memory, MiB', 'requests'], rows));
}

/** A B C A B C …; the first round warms up the machine and is not counted. */
async function inTurn(
  contenders: readonly Contender[],
  scenario: Scenario,
): Promise<Map<Contender, Figures[]>> {
  const figures = new Map<Contender, Figures[]>(contenders.map((contender) => [contender, []]));
  const folders = new Map<Contender, string>();
  for (let round = 0; round <= RUNS; round++) {
    for (const contender of contenders) {
      const folder = folders.get(contender) ?? newFolder();
      const run = await measure(contender.command(folder, scenario));
      if (round > 0) figures.get(contender)?.push(run);
      if (scenario.isWarm) folders.set(contender, folder);
      else rmSync(folder, { recursive: true });
    }
  }
  for (const folder of folders.values()) rmSync(folder, { recursive: true });
  return figures;
}

async function measure({ file, args, env, isNode }: Command): Promise<Figures> {
  await order({ kind: 'count' });
  const started = performance.now();
  const { code, output } = await execute(file, args, env);
  const wall = performance.now() - started;
  if (code !== 0) throw new Error(`${file} ${args.join(' ')} failed:\n${output}`);
  const usage = isNode
    ? (JSON.parse(readFileSync(env['BENCH_USAGE'] ?? '', 'utf8')) as {
        cpu: number;
        memory: number;
      })
    : { cpu: undefined, memory: undefined };
  const { requests, bytes } = await count();
  return { wall, ...usage, requests, bytes };
}

function execute(
  file: string,
  args: readonly string[],
  env: Readonly<Record<string, string>>,
): Promise<{ code: number | null; output: string }> {
  return new Promise((resolve, reject) => {
    const child = spawn(file, args, { env, cwd: env['HOME'], stdio: ['ignore', 'pipe', 'pipe'] });
    let output = '';
    child.stdout.setEncoding('utf8').on('data', (text: string) => (output += text));
    child.stderr.setEncoding('utf8').on('data', (text: string) => (output += text));
    child.on('error', reject);
    child.on('close', (code) => {
      resolve({ code, output });
    });
  });
}

function newFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'bench-'));
  for (const name of ['temp', 'tool-cache']) mkdirSync(join(folder, name));
  for (const name of ['output', 'path', 'summary']) writeFileSync(join(folder, name), '');
  return folder;
}

/** As the runner starts an action, with nothing of this process's environment. */
function action(entry: string, folder: string, { tools, artifacts, version }: Scenario): Command {
  const inputs = {
    ...ready.inputs,
    version,
    tools: tools.join(','),
    ...(artifacts === undefined ? {} : { artifacts }),
    'certificate-identity': RELEASE_IDENTITY,
    'certificate-oidc-issuer': RELEASE_ISSUER,
  };
  const env = {
    ...ready.environment,
    ...Object.fromEntries(
      Object.entries(inputs).map(([name, value]) => [`INPUT_${name.toUpperCase()}`, value]),
    ),
    HOME: folder,
    RUNNER_TEMP: join(folder, 'temp'),
    RUNNER_TOOL_CACHE: join(folder, 'tool-cache'),
    GITHUB_OUTPUT: join(folder, 'output'),
    GITHUB_PATH: join(folder, 'path'),
    GITHUB_STEP_SUMMARY: join(folder, 'summary'),
    BENCH_USAGE: join(folder, 'usage.json'),
  };
  return { file: process.execPath, args: ['--import', USAGE, entry], env, isNode: true };
}

function shell(folder: string, script: string): Command {
  const env = {
    PATH: process.env['PATH'] ?? '',
    HOME: folder,
    CA: ready.environment['NODE_EXTRA_CA_CERTS'] ?? '',
    SSL_CERT_FILE: ready.environment['NODE_EXTRA_CA_CERTS'] ?? '', // for cosign
    BASE: `${ready.inputs['download-base-url'] ?? ''}/release/${KUBECTL.version}/bin/linux/amd64`,
    REKOR: ready.inputs['rekor-url'] ?? '',
    ...cosignEnvironment(),
  };
  return { file: '/bin/sh', args: ['-c', script], env, isNode: false };
}

/** What cosign needs to trust the test world; undefined where there is no cosign. */
function cosignEnvironment(): Record<string, string> | undefined {
  const cosign = process.env['COSIGN'];
  return cosign === undefined ? undefined : { COSIGN: cosign, ...ready.cosign };
}

function buildBaseline(): void {
  const folder = join(ROOT, '.cache', 'bench-baseline');
  const ncc = join(ROOT, 'node_modules', '@vercel', 'ncc', 'dist', 'ncc', 'cli.js');
  const args = [ncc, 'build', 'index.js', '-o', folder, '--target', 'es2024', '--quiet'];
  // ncc reads the tsconfig.json of the folder that it is started in.
  const cwd = join(ROOT, 'bench', 'baseline');
  const built = spawnSync(process.execPath, args, { cwd, stdio: ['ignore', 'ignore', 'inherit'] });
  if (built.status !== 0) throw new Error('the baseline could not be built');
}

async function startServer(): Promise<{
  server: ChildProcess;
  ready: Extract<Reply, { kind: 'ready' }>;
}> {
  const file = fetchKubectl();
  const entry = fileURLToPath(new URL('server.ts', import.meta.url));
  const child = fork(entry, [file], { execArgv: process.execArgv });
  const answer = await nextReply(child);
  if (answer.kind !== 'ready') throw new Error('the server did not start');
  return { server: child, ready: answer };
}

async function order(message: Order): Promise<Reply> {
  const answer = nextReply(server);
  server.send(message);
  return answer;
}

async function count(): Promise<{ requests: number; bytes: number }> {
  const answer = await order({ kind: 'count' });
  if (answer.kind !== 'counted') throw new Error('the server did not count');
  return answer;
}

function nextReply(child: ChildProcess): Promise<Reply> {
  return new Promise((resolve, reject) => {
    const end = (): void => {
      reject(new Error('the server has ended'));
    };
    child.once('exit', end);
    child.once('message', (message) => {
      child.off('exit', end);
      resolve(message as Reply);
    });
  });
}

function describeMachine(): string {
  const [cpu] = cpus();
  const memory = Math.round(totalmem() / 2 ** 30);
  return `${String(cpus().length)} × ${cpu?.model ?? 'unknown'}, ${String(memory)} GiB, ${process.platform} ${process.arch}, Node ${process.version}; ${String(RUNS)} runs of each, in turn; median (least to greatest)`;
}
