import { rmSync } from 'node:fs';
import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import path from 'node:path';
import { setImmediate as nextTurn, setTimeout as sleep } from 'node:timers/promises';
import pLimit from 'p-limit';
import { SetupError } from './errors.js';
import { currentEnvironment, loadInputs, type Inputs } from './inputs.js';
import { awaitPublication } from './install/await-publication.js';
import { CacheAccess, TRUST_ROOT_FOLDER } from './install/cache-access.js';
import { startDownloadIfNeeded, type PendingDownload, type Sources } from './install/begin.js';
import { BufferedLogger, type Logger } from './install/logger.js';
import type { InstalledTool, VerifiedTool, InstallContext } from './install/obtain.js';
import {
  cachedVersions,
  installFailed,
  namedFailure,
  type ToolCache,
} from './install/tool-cache.js';
import { trustKey } from './install/trust-key.js';
import type { Tool } from './kubernetes/platform.js';
import { Release } from './kubernetes/release.js';
import { newestSatisfying, resolveVersion } from './kubernetes/version.js';
import type { TrustRoot, TrustRootSource } from './sigstore/trust/trusted-root.js';
import { HttpClient } from './transfer/http.js';

/** Before verification is loaded, in milliseconds. */
const LONGEST_HEAD_START = 50;
/** So many tools at once: more would share the same line anyway. */
const CONCURRENT_TOOLS = 4;

/** The whole story: inputs; version and downloads; proof of every tool; installation; report. */
export async function run(): Promise<void> {
  try {
    const inputs = await loadInputs(currentEnvironment());
    await withScratch(inputs.runner.temp, (scratch) => setUp(inputs, scratch));
  } catch (error) {
    const { Report } = await loadReport();
    await new Report().failure(namedFailure(error));
  }
}

async function setUp(inputs: Inputs, scratch: string): Promise<void> {
  const abort = new AbortController();
  const logger = new BufferedLogger();
  const http = httpClient(inputs, abort.signal, logger);
  const tasks: Promise<unknown>[] = [];
  const track: Track = (task) => {
    task.catch(() => undefined); // Whoever awaits it hears of the failure, perhaps later.
    tasks.push(task);
  };
  try {
    const started = performance.now();
    const beginning = begin(inputs, http, scratch, logger, cacheAccess(inputs, logger));
    track(
      beginning.then(({ pendingDownloads: pendingDownloads }) =>
        Promise.allSettled(filesOf(pendingDownloads)),
      ),
    );
    await headStart(beginning);
    const verification = await loadVerification();
    const { Report } = await loadReport();
    const report = new Report();
    report.begin(inputs, logger);
    const begun = await beginning;
    await Promise.all(
      [...begun.pendingDownloads.values()].map(({ firstByte: underWay }) => underWay),
    );
    const trust = verification.loadTrustRoot(trustRootSource(inputs, scratch), http);
    track(trust);
    const { context: context, verified: verified } = await obtainAll(
      inputs,
      begun,
      trust,
      verification,
      track,
    );
    const obtained = performance.now();
    const installed = await installAll(context, verified, verification);
    const resolve = begun.resolvedAt - started;
    const durations = { resolve, install: performance.now() - obtained };
    await keepTrustRoot(await trust, logger);
    await verification.checkPrecedence(installed, inputs.runner, report);
    await verification.assertUnchanged(installed);
    await report.success(inputs, installed, durations);
  } finally {
    // Nothing may still write to the scratch folder when it is removed.
    abort.abort();
    await Promise.allSettled(tasks);
  }
}

/**
 * Loading does not let the event loop turn, so the first request has to leave before; but while a
 * host is slow to name a version, there may be something to report.
 */
async function headStart(beginning: Promise<unknown>): Promise<void> {
  const isBegun = beginning.catch(() => undefined); // Its failure is thrown by who awaits it later.
  await Promise.race([isBegun, sleep(LONGEST_HEAD_START, undefined, { ref: false })]);
  await nextTurn();
}

/**
 * What verifies and reports is most of the code. It is loaded while the first bytes are on their
 * way.
 */
async function loadVerification() {
  return {
    ...(await import(/* webpackMode: "eager" */ './install/obtain.js')),
    ...(await import(/* webpackMode: "eager" */ './install/path-lookup.js')),
    ...(await import(/* webpackMode: "eager" */ './install/release-proof.js')),
    ...(await import(/* webpackMode: "eager" */ './sigstore/evidence/rekor.js')),
    ...(await import(/* webpackMode: "eager" */ './sigstore/trust/trusted-root.js')),
  };
}

type Verification = Awaited<ReturnType<typeof loadVerification>>;

function loadReport() {
  return import(/* webpackMode: "eager" */ './report.js');
}

interface Beginning {
  readonly cacheAccess: CacheAccess;
  readonly sources: Sources;
  readonly pendingDownloads: ReadonlyMap<Tool, PendingDownload>;
  /** Whether the release host itself has just named the version; a folder has what it has. */
  readonly isAnnounced: boolean;
  /** Whether the tool cache named it. */
  readonly isCached: boolean;
  /** When the version was known, on the clock of `performance.now()`. */
  readonly resolvedAt: number;
}

/** Finds the version, and begins the downloads that are sure to be needed. */
async function begin(
  inputs: Inputs,
  http: HttpClient,
  scratch: string,
  logger: Logger,
  cacheAccess: CacheAccess,
): Promise<Beginning> {
  const { version, isAnnounced, isCached } = await chooseVersion(
    inputs,
    await cacheAccess.lookIn(),
    http,
    logger,
  );
  const resolvedAt = performance.now();
  logger.info(`Version: ${version} (asked for: ${inputs.versionSource})`);
  const sources: Sources = {
    http,
    release: new Release(version, inputs.downloadBaseUrl),
    base: inputs.downloadBaseUrl,
    platform: inputs.platform,
    toolCache: await cacheAccess.lookIn(version),
    installIn: () => cacheAccess.installIn(version),
    searchPaths: inputs.runner,
    scratch,
    logger: logger,
  };
  const pendingDownloads = new Map<Tool, PendingDownload>();
  for (const tool of inputs.tools.slice(0, CONCURRENT_TOOLS)) {
    const arrival = await startDownloadIfNeeded(sources, tool);
    if (arrival !== undefined) {
      pendingDownloads.set(tool, arrival);
    }
  }
  return {
    cacheAccess,
    sources,
    pendingDownloads: pendingDownloads,
    isAnnounced,
    isCached,
    resolvedAt,
  };
}

function cacheAccess(inputs: Inputs, logger: Logger): CacheAccess {
  const toolCache: ToolCache = {
    folder: inputs.runner.toolCache,
    trustKey: trustKey(
      inputs.identity,
      inputs.trustRoot,
      inputs.bindRelease ? undefined : inputs.downloadBaseUrl,
    ),
  };
  return new CacheAccess(toolCache, inputs.tools, inputs.runner.temp, logger);
}

function filesOf(pendingDownloads: ReadonlyMap<Tool, PendingDownload>): Promise<unknown>[] {
  return [...pendingDownloads.values()].map(({ file }) => file);
}

/** Takes note of work that must have ended before the run does. */
type Track = (task: Promise<unknown>) => void;

interface Obtained {
  readonly context: InstallContext;
  readonly verified: readonly VerifiedTool[];
}

/**
 * Proves every tool. A release that was announced a moment ago is waited for, and one that the tool
 * cache alone knows is given up for one that the release host names.
 *
 * @param track gets what may still be running when another tool has failed
 */
async function obtainAll(
  inputs: Inputs,
  beginning: Beginning,
  trust: Promise<TrustRoot>,
  verification: Verification,
  track: Track,
): Promise<Obtained> {
  const limit = pLimit(CONCURRENT_TOOLS);
  const once = async ({
    sources,
    pendingDownloads: pendingDownloads,
  }: Beginning): Promise<Obtained> => {
    const context = workshop(inputs, sources, pendingDownloads, trust, verification);
    const obtained = inputs.tools.map((tool) => limit(() => verification.obtain(context, tool)));
    obtained.forEach(track);
    return { context: context, verified: await Promise.all(obtained) };
  };
  try {
    return await once(beginning);
  } catch (error) {
    if (!isNotFound(error)) {
      throw error;
    }
    const { http, release, base, logger: logger } = beginning.sources;
    const scratch = await mkdtemp(path.join(beginning.sources.scratch, 'again-'));
    if (beginning.isCached) {
      // What the tool cache holds of that version is no good, and the host does not know it.
      const asked = begin(
        { ...inputs, checkLatest: true },
        http,
        scratch,
        logger,
        beginning.cacheAccess,
      );
      track(
        asked.then(({ pendingDownloads: pendingDownloads }) =>
          Promise.allSettled(filesOf(pendingDownloads)),
        ),
      );
      return obtainAll(inputs, await asked, trust, verification, track);
    }
    if (!beginning.isAnnounced) {
      throw error;
    }
    await awaitPublication(release.version, http, base, logger);
    const sources = { ...beginning.sources, scratch };
    return once({ ...beginning, sources, pendingDownloads: new Map() });
  }
}

function isNotFound(error: unknown): boolean {
  return error instanceof SetupError && error.code === 'VERSION_NOT_FOUND';
}

interface ChosenVersion {
  /** With `v`. */
  readonly version: string;
  readonly isAnnounced: boolean;
  readonly isCached: boolean;
}

/**
 * A minor or a range may be answered from the tool cache, unless `check-latest` is set; the newest
 * of all is always asked for.
 */
async function chooseVersion(
  inputs: Inputs,
  toolCache: ToolCache,
  http: HttpClient,
  logger: Logger,
): Promise<ChosenVersion> {
  const { version: request, checkLatest, tools, platform } = inputs;
  const isAlwaysAsked =
    (request.kind === 'stable' || request.kind === 'prerelease') && request.minor === undefined;
  if (request.kind !== 'exact' && !isAlwaysAsked && !checkLatest) {
    const cached = await Promise.all(
      tools.map((tool) => cachedVersions(toolCache, tool, platform)),
    );
    const inAll = cached.reduce((some, more) => some.filter((version) => more.includes(version)));
    const newest = await newestSatisfying(inAll, request);
    if (newest !== undefined) {
      logger.info(`${newest} is in the tool cache; "check-latest: true" would ask for a newer one`);
      return { version: newest, isAnnounced: false, isCached: true };
    }
  }
  const { downloadBaseUrl } = inputs;
  const isAnnounced = request.kind !== 'exact' && downloadBaseUrl.protocol !== 'file:';
  const version = await resolveVersion(request, http, downloadBaseUrl);
  return { version, isAnnounced, isCached: false };
}

function workshop(
  inputs: Inputs,
  sources: Sources,
  pendingDownloads: ReadonlyMap<Tool, PendingDownload>,
  trust: Promise<TrustRoot>,
  { ReleaseProver, TransparencyLog }: Verification,
): InstallContext {
  const { http, release, scratch, logger: logger } = sources;
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
    pendingDownloads: pendingDownloads,
    isNative: inputs.isNative,
    verification: prover,
    releaseProver: inputs.bindRelease
      ? new ReleaseProver(prover, release, scratch, logger)
      : undefined,
    secondFactors: inputs.secondFactors,
  };
}

/** Every tool was proven before the first one is installed: all or nothing. */
async function installAll(
  context: InstallContext,
  verified: readonly VerifiedTool[],
  { install }: Verification,
): Promise<InstalledTool[]> {
  const installed: InstalledTool[] = [];
  for (const tool of verified) {
    installed.push(await install(context, tool));
  }
  return installed;
}

function httpClient(inputs: Inputs, signal: AbortSignal, logger: BufferedLogger): HttpClient {
  const { downloadToken, downloadBaseUrl } = inputs;
  return new HttpClient({
    userAgent: 'setup-verified-kubectl',
    proxyEnvironment: inputs.proxyEnvironment,
    limits: inputs.limits,
    token:
      downloadToken === undefined
        ? undefined
        : { origin: downloadBaseUrl.origin, value: downloadToken },
    signal,
    onRequest: ({ method, url, outcome, duration }) => {
      logger.debug(`${method} ${url}: ${outcome} after ${String(Math.round(duration))} ms`);
    },
  });
}

function trustRootSource({ trustRoot, runner }: Inputs, scratch: string): TrustRootSource {
  if (trustRoot.kind !== 'tuf') {
    return trustRoot;
  }
  return { ...trustRoot, cache: path.join(runner.toolCache, TRUST_ROOT_FOLDER), scratch };
}

/** Without it the next run asks the network again; this one has succeeded all the same. */
async function keepTrustRoot(trust: TrustRoot, logger: BufferedLogger): Promise<void> {
  logger.info(`Trust root: ${trust.origin}`);
  try {
    await trust.keep();
  } catch (error) {
    logger.debug(`the trust root is not kept for later runs: ${String(error)}`);
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
    // The runner empties RUNNER_TEMP: a folder that resists is no reason to fail after success.
    await rm(scratch, { force: true, recursive: true, maxRetries: 3 }).catch(() => undefined);
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
