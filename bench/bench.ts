// `npm run bench`: whole processes of dist/index.js against what they are to be compared with, in turn
// (A B C A B C …), on a loopback release host over TLS. Prints the tables of docs/performance.md.
//
// To measure something new, add a scenario to SCENARIOS: its inputs, who takes part, and to whom the others are compared.
import { fork, spawn, type ChildProcess } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { cpus, tmpdir, totalmem } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { KUBECTL, fetchKubectl } from '../scripts/fetch-kubectl.js';
import {
  BASELINE_ACTION,
  CURL,
  NODE_ALONE,
  OURS,
  OURS_LOCKED,
  OURS_REFUSED,
  buildBaseline,
  cosign,
  incumbent,
  variant,
  type Command,
  type Contender,
  type Inputs,
  type Ready,
} from './contenders.js';
import type { Order, Reply } from './server.js';
import { median, range, ratios, table } from './statistics.js';

const RUNS = Number(process.env['BENCH_RUNS'] ?? '9');
/** Only the scenarios whose names match. */
const ONLY = new RegExp(process.env['BENCH_ONLY'] ?? '');

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

interface Scenario {
  readonly name: string;
  readonly inputs: Inputs;
  readonly contenders: readonly Contender[];
  /** Each contender's time and memory is divided by theirs. */
  readonly references: readonly Contender[];
  /** Whether the tool cache is kept from one run to the next. */
  readonly isWarm?: boolean;
  readonly network?: Network;
}

interface Network {
  /** Milliseconds per request. */
  readonly latency: number;
  /** Bytes per second; undefined for as fast as it goes. */
  readonly bandwidth: number | undefined;
}

const LOOPBACK: Network = { latency: 0, bandwidth: undefined };
const FAST: Network = { latency: 20, bandwidth: 100e6 };

const KUBECTL_ALONE: Inputs = { version: KUBECTL.version.slice(1), tools: 'kubectl' };
const THREE_TOOLS: Inputs = { ...KUBECTL_ALONE, tools: 'kubectl,kubeadm,kubelet' };
/** Each by itself, then together. */
const KINDS: readonly (readonly [string, Record<string, string>])[] = [
  ['a tarball', { tools: 'none', artifacts: 'client' }],
  ['four images', { tools: 'none', images: 'control-plane' }],
  ['kubectl, a tarball and four images', { artifacts: 'client', images: 'control-plane' }],
];
const REFUSED: Inputs = { ...KUBECTL_ALONE, version: 'bad bad' };

const INCUMBENT = await incumbent();
const ACTIONS = [OURS, OURS_LOCKED, ...INCUMBENT, BASELINE_ACTION];
const WITHOUT_CACHE = [...ACTIONS, CURL, ...cosign()];
const ONE = { inputs: KUBECTL_ALONE, references: [...INCUMBENT, BASELINE_ACTION] };
const THREE = {
  inputs: THREE_TOOLS,
  contenders: [OURS, BASELINE_ACTION],
  references: [BASELINE_ACTION],
};
const SCENARIOS: readonly Scenario[] = [
  { ...ONE, name: 'cold', contenders: WITHOUT_CACHE },
  { ...ONE, name: 'warm', contenders: ACTIONS, isWarm: true },
  { ...ONE, name: 'cold, 20 ms and 100 MB/s', contenders: WITHOUT_CACHE, network: FAST },
  {
    ...ONE,
    name: 'warm, 20 ms and 100 MB/s',
    contenders: ACTIONS,
    isWarm: true,
    network: FAST,
  },
  { ...THREE, name: 'three tools, cold' },
  { ...THREE, name: 'three tools, cold, 20 ms and 100 MB/s', network: FAST },
  {
    name: 'tool, tarball and images, cold, 20 ms and 100 MB/s',
    inputs: KUBECTL_ALONE,
    contenders: [OURS, ...KINDS.map(([name, inputs]) => variant(name, inputs))],
    references: [OURS],
    network: FAST,
  },
  {
    name: 'a refused input',
    inputs: REFUSED,
    contenders: [OURS_REFUSED, NODE_ALONE],
    references: [NODE_ALONE],
  },
];

/** Of artifacts, in bytes. A binary may have 1 GiB. */
const SIZES = [1, 10, 57, 150, 400, 1000].map((megabytes) => megabytes * 1e6);
const SIZES_NAME = 'size of the artifact, cold';
/** A server tarball has about 400 MB; a file may have 2 GiB; the small one is there to compare its memory with. */
const TARBALL_SIZES = [4e6, 400e6, 1500e6];
const TARBALLS_NAME = 'a server tarball through `artifacts`';

const { server, ready } = await startServer();
try {
  buildBaseline();
  console.log(describeMachine());
  for (const scenario of SCENARIOS.filter(({ name }) => ONLY.test(name))) {
    await measureScenario(scenario);
  }
  if (ONLY.test(SIZES_NAME)) await measureSizes();
  if (ONLY.test(TARBALLS_NAME)) await measureTarballs();
} finally {
  server.kill();
}

async function measureScenario(scenario: Scenario): Promise<void> {
  const { contenders, references } = scenario;
  const figures = await inTurn(scenario);
  const of = (contender: Contender, key: keyof Figures): (number | undefined)[] =>
    (figures.get(contender) ?? []).map((run) => run[key]);
  const rows = contenders.map((contender) => [
    contender.name,
    range(of(contender, 'wall')),
    range(of(contender, 'cpu')),
    range(of(contender, 'memory')),
    String(median(of(contender, 'requests'))),
    (median(of(contender, 'bytes')) / 1e6).toFixed(1),
    ...references.flatMap((reference) =>
      (['wall', 'memory'] as const).map((key) =>
        range(ratios(of(contender, key), of(reference, key)), 2),
      ),
    ),
  ]);
  const compared = references.flatMap(({ name }) => [`wall ÷ ${name}`, `memory ÷ ${name}`]);
  const head = ['', 'wall, ms', 'CPU, ms', 'peak memory, MiB', 'requests', 'MB', ...compared];
  console.log(`\n### ${scenario.name}\n\n${table(head, rows)}`);
}

async function measureSizes(): Promise<void> {
  const rows: string[][] = [];
  for (const bytes of SIZES) {
    await order({ kind: 'size', bytes });
    const megabytes = String(bytes / 1e6);
    const figures = await inTurn({
      name: SIZES_NAME,
      inputs: { ...KUBECTL_ALONE, version: `1.0.${megabytes}` },
      contenders: [OURS, BASELINE_ACTION],
      references: [],
    });
    const [ours, theirs] = [OURS, BASELINE_ACTION].map((one) => figures.get(one) ?? []);
    const of = (runs: readonly Figures[] = [], key: keyof Figures): (number | undefined)[] =>
      runs.map((run) => run[key]);
    rows.push([
      megabytes,
      ...[ours, theirs].flatMap((runs) => [range(of(runs, 'wall')), range(of(runs, 'memory'))]),
      range(ratios(of(ours, 'wall'), of(theirs, 'wall')), 2),
    ]);
  }
  const head = [
    'MB',
    'wall, ms',
    'peak memory, MiB',
    'baseline: wall, ms',
    'baseline: peak memory, MiB',
    'wall ÷ baseline',
  ];
  console.log(`\n### ${SIZES_NAME}\n\n${table(head, rows)}`);
}

/** Downloaded, then taken from the tool cache. */
async function measureTarballs(): Promise<void> {
  const rows: string[][] = [];
  for (const bytes of TARBALL_SIZES) {
    await order({ kind: 'tarball', bytes });
    for (const isWarm of [false, true]) {
      const figures = await inTurn({
        name: TARBALLS_NAME,
        inputs: { version: `1.0.${String(bytes / 1e6)}`, tools: 'none', artifacts: 'server' },
        contenders: [OURS],
        references: [],
        isWarm,
      });
      const runs = figures.get(OURS) ?? [];
      rows.push([
        `${String(bytes / 1e6)}, ${isWarm ? 'warm' : 'cold'}`,
        range(runs.map(({ wall }) => wall)),
        range(runs.map(({ cpu }) => cpu)),
        range(runs.map(({ memory }) => memory)),
        String(median(runs.map(({ requests }) => requests))),
      ]);
    }
  }
  const head = ['MB', 'wall, ms', 'CPU, ms', 'peak memory, MiB', 'requests'];
  console.log(`\n### ${TARBALLS_NAME}\n\n${table(head, rows)}`);
}

/** A B C A B C …; the first round warms up the machine and is not counted. */
async function inTurn({
  inputs,
  contenders,
  isWarm = false,
  network = LOOPBACK,
}: Scenario): Promise<Map<Contender, Figures[]>> {
  await order({ kind: 'network', ...network });
  const figures = new Map<Contender, Figures[]>(contenders.map((contender) => [contender, []]));
  const folders = new Map<Contender, string>();
  for (let round = 0; round <= RUNS; round++) {
    for (const contender of contenders) {
      const folder = folders.get(contender) ?? newFolder();
      const run = await measure(contender.command(folder, inputs, ready));
      if (round > 0) figures.get(contender)?.push(run);
      if (isWarm) folders.set(contender, folder);
      else rmSync(folder, { recursive: true });
    }
  }
  for (const folder of folders.values()) rmSync(folder, { recursive: true });
  return figures;
}

async function measure({ file, args, env, usage, exitCode }: Command): Promise<Figures> {
  await order({ kind: 'count' });
  const started = performance.now();
  const { code, output } = await execute(file, args, env);
  const wall = performance.now() - started;
  if (code !== exitCode) {
    throw new Error(`${file} ${args.join(' ')} ended with ${String(code)}:\n${output}`);
  }
  const used =
    usage === undefined
      ? { cpu: undefined, memory: undefined }
      : (JSON.parse(readFileSync(usage, 'utf8')) as { cpu: number; memory: number });
  const { requests, bytes } = await count();
  return { wall, ...used, requests, bytes };
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

async function startServer(): Promise<{ server: ChildProcess; ready: Ready }> {
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
