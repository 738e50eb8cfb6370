import { rmSync } from 'node:fs';
import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import path from 'node:path';
import pLimit from 'p-limit';
import { currentEnvironment, loadInputs, type Inputs } from './inputs.js';
import { install, obtain, type Installed, type Proven, type Workshop } from './install/obtain.js';
import { ReleaseProver } from './install/release-proof.js';
import { cachedVersions, installFailed } from './install/tool-cache.js';
import { Release } from './kubernetes/release.js';
import { newestSatisfying, resolveVersion } from './kubernetes/version.js';
import { Report } from './report.js';
import { TransparencyLog } from './sigstore/rekor.js';
import { loadTrustRoot, type TrustRoot, type TrustRootSource } from './sigstore/trusted-root.js';
import { HttpClient } from './transfer/http.js';

/** So many tools at once: more would share the same line anyway. */
const CONCURRENT_TOOLS = 4;

/** The whole story: inputs, version, proof of every tool, installation, report. */
export async function run(): Promise<void> {
  const report = new Report();
  try {
    const inputs = await loadInputs(currentEnvironment());
    if (inputs.downloadToken !== undefined) {
      report.secret(inputs.downloadToken);
    }
    if (inputs.ignoredVersionFile !== undefined) {
      report.notice(
        'version-file is not read',
        `"version" is given, so ${inputs.ignoredVersionFile} does not count.`,
      );
    }
    await withScratch(inputs.runner.temp, (scratch) => setUp(inputs, scratch, report));
  } catch (error) {
    report.failure(error);
  }
}

async function setUp(inputs: Inputs, scratch: string, report: Report): Promise<void> {
  const abort = new AbortController();
  const http = httpClient(inputs, abort.signal, report);
  const trust = loadTrustRoot(trustRootSource(inputs, scratch), http);
  const tasks: Promise<unknown>[] = [trust];
  try {
    const version = await chooseVersion(inputs, http, report);
    report.info(`Version: ${version} (asked for: ${inputs.versionSource})`);
    const shop = workshop(inputs, version, http, trust, scratch, report);
    const limit = pLimit(CONCURRENT_TOOLS);
    const obtained = inputs.tools.map((tool) => limit(() => obtain(shop, tool)));
    tasks.push(...obtained);
    const proven = await Promise.all(obtained);
    const installed = await installAll(shop, proven);
    await keepTrustRoot(await trust, report);
    await report.success(inputs, installed);
  } finally {
    // Nothing may still write to the scratch folder when it is removed.
    abort.abort();
    await Promise.allSettled(tasks);
  }
}

/** Every tool was proven before the first one is installed: all or nothing. */
async function installAll(shop: Workshop, proven: readonly Proven[]): Promise<Installed[]> {
  const installed: Installed[] = [];
  for (const tool of proven) {
    installed.push(await install(shop, tool));
  }
  return installed;
}

/** A version that is not exact may be answered from the tool cache, unless `check-latest` is set. */
async function chooseVersion(inputs: Inputs, http: HttpClient, report: Report): Promise<string> {
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
      report.info(`${newest} is in the tool cache; "check-latest: true" would ask for a newer one`);
      return newest;
    }
  }
  return resolveVersion(request, http, inputs.downloadBaseUrl);
}

function workshop(
  inputs: Inputs,
  version: string,
  http: HttpClient,
  trust: Promise<TrustRoot>,
  scratch: string,
  report: Report,
): Workshop {
  const release = new Release(version, inputs.downloadBaseUrl);
  const material = trust.then(({ material: keys }) => keys);
  material.catch(() => undefined); // Whoever needs it hears of the failure.
  const prover = {
    http,
    log: new TransparencyLog(http, inputs.rekorUrl),
    trust: material,
    expected: inputs.identity,
  };
  return {
    release,
    base: inputs.downloadBaseUrl,
    platform: inputs.platform,
    isNative: inputs.isNative,
    prover,
    releaseProver: inputs.bindRelease
      ? new ReleaseProver(prover, release, scratch, report)
      : undefined,
    conditions: inputs.conditions,
    surroundings: inputs.runner,
    scratch,
    journal: report,
  };
}

function httpClient(inputs: Inputs, signal: AbortSignal, report: Report): HttpClient {
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
    onRequest: (record) => {
      report.request(record);
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
async function keepTrustRoot(trust: TrustRoot, report: Report): Promise<void> {
  report.info(`Trust root: ${trust.origin}`);
  try {
    await trust.keep();
  } catch (error) {
    report.debug(`the trust root is not kept for later runs: ${String(error)}`);
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
