import { rmSync } from 'node:fs';
import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import path from 'node:path';
import pLimit from 'p-limit';
import { currentEnvironment, loadInputs, type Inputs } from './inputs.js';
import { beginIfNeeded, type Arrival, type Sources } from './install/begin.js';
import { EarlyJournal } from './install/journal.js';
import type { Installed, Proven, Workshop } from './install/obtain.js';
import { cachedVersions, installFailed, namedFailure } from './install/tool-cache.js';
import type { Tool } from './kubernetes/platform.js';
import { Release } from './kubernetes/release.js';
import { newestSatisfying, resolveVersion } from './kubernetes/version.js';
import type { TrustRoot, TrustRootSource } from './sigstore/trusted-root.js';
import { HttpClient } from './transfer/http.js';

/** So many tools at once: more would share the same line anyway. */
const CONCURRENT_TOOLS = 4;

/** The whole story: inputs; version and downloads; proof of every tool; installation; report. */
export async function run(): Promise<void> {
  try {
    const inputs = await loadInputs(currentEnvironment());
    await withScratch(inputs.runner.temp, (scratch) => setUp(inputs, scratch));
  } catch (error) {
    const { Report } = await loadReport();
    new Report().failure(namedFailure(error));
  }
}

async function setUp(inputs: Inputs, scratch: string): Promise<void> {
  const abort = new AbortController();
  const journal = new EarlyJournal();
  const http = httpClient(inputs, abort.signal, journal);
  const tasks: Promise<unknown>[] = [];
  try {
    const beginning = begin(inputs, http, scratch, journal);
    tasks.push(beginning.then(({ arrivals }) => Promise.allSettled(filesOf(arrivals))));
    const verification = await loadVerification();
    const trust = verification.loadTrustRoot(trustRootSource(inputs, scratch), http);
    tasks.push(trust);
    const { Report } = await loadReport();
    const report = new Report();
    report.begin(inputs, journal);
    const shop = workshop(inputs, await beginning, trust, verification);
    const limit = pLimit(CONCURRENT_TOOLS);
    const obtained = inputs.tools.map((tool) => limit(() => verification.obtain(shop, tool)));
    tasks.push(...obtained);
    const proven = await Promise.all(obtained);
    const installed = await installAll(shop, proven, verification);
    await keepTrustRoot(await trust, journal);
    await report.success(inputs, installed);
  } finally {
    // Nothing may still write to the scratch folder when it is removed.
    abort.abort();
    await Promise.allSettled(tasks);
  }
}

/**
 * What verifies and reports is most of the code. It is loaded while the first bytes are on their
 * way: evaluating it takes about as long as opening the connection.
 */
async function loadVerification() {
  const [{ install, obtain }, { ReleaseProver }, { TransparencyLog }, { loadTrustRoot }] =
    await Promise.all([
      import(/* webpackMode: "eager" */ './install/obtain.js'),
      import(/* webpackMode: "eager" */ './install/release-proof.js'),
      import(/* webpackMode: "eager" */ './sigstore/rekor.js'),
      import(/* webpackMode: "eager" */ './sigstore/trusted-root.js'),
    ]);
  return { install, obtain, ReleaseProver, TransparencyLog, loadTrustRoot };
}

type Verification = Awaited<ReturnType<typeof loadVerification>>;

function loadReport() {
  return import(/* webpackMode: "eager" */ './report.js');
}

interface Beginning {
  readonly sources: Sources;
  readonly arrivals: ReadonlyMap<Tool, Arrival>;
}

/** Finds the version, and begins the downloads that are sure to be needed. */
async function begin(
  inputs: Inputs,
  http: HttpClient,
  scratch: string,
  journal: EarlyJournal,
): Promise<Beginning> {
  const version = await chooseVersion(inputs, http, journal);
  journal.info(`Version: ${version} (asked for: ${inputs.versionSource})`);
  const sources: Sources = {
    http,
    release: new Release(version, inputs.downloadBaseUrl),
    base: inputs.downloadBaseUrl,
    platform: inputs.platform,
    surroundings: inputs.runner,
    scratch,
    journal,
  };
  const arrivals = new Map<Tool, Arrival>();
  for (const tool of inputs.tools.slice(0, CONCURRENT_TOOLS)) {
    const arrival = await beginIfNeeded(sources, tool);
    if (arrival !== undefined) {
      arrivals.set(tool, arrival);
    }
  }
  return { sources, arrivals };
}

function filesOf(arrivals: ReadonlyMap<Tool, Arrival>): Promise<unknown>[] {
  return [...arrivals.values()].map(({ file }) => file);
}

/** A version that is not exact may be answered from the tool cache, unless `check-latest` is set. */
async function chooseVersion(
  inputs: Inputs,
  http: HttpClient,
  journal: EarlyJournal,
): Promise<string> {
  const { version: request, checkLatest, tools, platform, runner } = inputs;
  const isAlwaysAsked =
    (request.kind === 'stable' || request.kind === 'prerelease') && request.minor === undefined;
  if (request.kind !== 'exact' && !isAlwaysAsked && !checkLatest) {
    const cached = await Promise.all(
      tools.map((tool) => cachedVersions(runner.toolCache, tool, platform)),
    );
    const inAll = cached.reduce((some, more) => some.filter((version) => more.includes(version)));
    const newest = await newestSatisfying(inAll, request);
    if (newest !== undefined) {
      journal.info(
        `${newest} is in the tool cache; "check-latest: true" would ask for a newer one`,
      );
      return newest;
    }
  }
  return resolveVersion(request, http, inputs.downloadBaseUrl);
}

function workshop(
  inputs: Inputs,
  { sources, arrivals }: Beginning,
  trust: Promise<TrustRoot>,
  { ReleaseProver, TransparencyLog }: Verification,
): Workshop {
  const { http, release, scratch, journal } = sources;
  const material = trust.then(({ material: keys }) => keys);
  material.catch(() => undefined); // Whoever needs it hears of the failure.
  const prover = {
    http,
    log: new TransparencyLog(http, inputs.rekorUrl),
    trust: material,
    expected: inputs.identity,
  };
  return {
    ...sources,
    begun: arrivals,
    isNative: inputs.isNative,
    prover,
    releaseProver: inputs.bindRelease
      ? new ReleaseProver(prover, release, scratch, journal)
      : undefined,
    conditions: inputs.conditions,
  };
}

/** Every tool was proven before the first one is installed: all or nothing. */
async function installAll(
  shop: Workshop,
  proven: readonly Proven[],
  { install }: Verification,
): Promise<Installed[]> {
  const installed: Installed[] = [];
  for (const tool of proven) {
    installed.push(await install(shop, tool));
  }
  return installed;
}

function httpClient(inputs: Inputs, signal: AbortSignal, journal: EarlyJournal): HttpClient {
  const { downloadToken, downloadBaseUrl } = inputs;
  return new HttpClient({
    userAgent: 'setup-verified-kubectl',
    proxyEnvironment: inputs.proxyEnvironment,
    patience: inputs.patience,
    token:
      downloadToken === undefined
        ? undefined
        : { origin: downloadBaseUrl.origin, value: downloadToken },
    signal,
    onRequest: ({ method, url, outcome, duration }) => {
      journal.debug(`${method} ${url}: ${outcome} after ${String(Math.round(duration))} ms`);
    },
  });
}

function trustRootSource({ trustRoot, runner }: Inputs, scratch: string): TrustRootSource {
  if (trustRoot.kind !== 'tuf') {
    return trustRoot;
  }
  return { ...trustRoot, cache: path.join(runner.toolCache, 'verified-trust-root'), scratch };
}

/** Without it the next run asks the network again; this one has succeeded all the same. */
async function keepTrustRoot(trust: TrustRoot, journal: EarlyJournal): Promise<void> {
  journal.info(`Trust root: ${trust.origin}`);
  try {
    await trust.keep();
  } catch (error) {
    journal.debug(`the trust root is not kept for later runs: ${String(error)}`);
  }
}

/** A folder that goes when the work ends, however it ends. */
async function withScratch(temp: string, work: (scratch: string) => Promise<void>): Promise<void> {
  const scratch = await makeScratch(temp);
  const end = (): never => {
    rmSync(scratch, { force: true, recursive: true });
    process.exit(143);
  };
  process.once('SIGTERM', end).once('SIGINT', end);
  try {
    await work(scratch);
  } finally {
    await rm(scratch, { force: true, recursive: true, maxRetries: 3 });
  }
}

async function makeScratch(temp: string): Promise<string> {
  try {
    await mkdir(temp, { recursive: true });
    return await mkdtemp(path.join(temp, 'setup-verified-kubectl-'));
  } catch (error) {
    throw installFailed(`cannot make a temporary folder in ${temp}`, error);
  }
}
