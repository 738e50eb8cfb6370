import { rmSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import path from 'node:path';
import { makeFolders } from './files/make-folders.js';
import type { Inputs } from './inputs.js';
import { TRUST_ROOT_FOLDER } from './install/cache-access.js';
import { installFailed } from './install/install-failed.js';
import type { Logger } from './install/logger.js';
import type { ClusterVersion } from './kubernetes/cluster-version.js';
import { describeEndedSupport } from './kubernetes/end-of-support.js';
import { minorOf } from './kubernetes/skew.js';
import type { TrustRoot, TrustRootSource } from './sigstore/trust/trusted-root.js';
import { BackgroundTasks } from './transfer/background-tasks.js';
import { HttpClient } from './transfer/http.js';
import { describeRetry, describeWait } from './transfer/retry.js';

// What a run of the action and a command have in common: connections, trust root, temporary folder.

type TransferInputs = Pick<
  Inputs,
  'downloadToken' | 'downloadBaseUrl' | 'proxyEnvironment' | 'limits'
>;

/** The one HTTP client of a run. */
export function httpClient(
  inputs: TransferInputs,
  signal: AbortSignal,
  logger: Logger,
  isOffline = false,
): HttpClient {
  const { downloadToken, downloadBaseUrl } = inputs;
  return new HttpClient({
    userAgent: 'setup-verified-kubectl',
    proxyEnvironment: inputs.proxyEnvironment,
    limits: inputs.limits,
    isOffline,
    token:
      downloadToken === undefined
        ? undefined
        : { origin: downloadBaseUrl.origin, value: downloadToken },
    signal,
    onRequest: ({ method, url, outcome, duration }) => {
      logger.debug(`${method} ${url}: ${outcome} after ${String(Math.round(duration))} ms`);
    },
    onRetry: (retry) => {
      logger.info(describeRetry(retry));
    },
    onWait: (wait) => {
      logger.info(describeWait(wait));
    },
  });
}

/** @param scratch a folder that is removed when the run ends */
export function trustRootSource(
  { trustRoot, runner }: Pick<Inputs, 'trustRoot' | 'runner'>,
  scratch: string,
): TrustRootSource {
  if (trustRoot.kind !== 'tuf') {
    return trustRoot;
  }
  return { ...trustRoot, cache: path.join(runner.toolCache, TRUST_ROOT_FOLDER), scratch };
}

/** Keeps the metadata for later runs. If that fails, the next run fetches it again. */
export async function keepTrustRoot(trust: TrustRoot, logger: Logger): Promise<void> {
  logger.info(`Trust root: ${trust.origin}`);
  try {
    await trust.keep();
  } catch (error) {
    logger.debug(`cannot cache the trust root: ${String(error)}`);
  }
}

/** A notice for a `version-file` that was not read. */
export function noticeIgnoredFile(
  { ignoredVersionFile }: Pick<Inputs, 'ignoredVersionFile'>,
  logger: Logger,
): void {
  if (ignoredVersionFile !== undefined) {
    logger.notice(
      'version-file ignored',
      `"version" is set, so ${ignoredVersionFile} is not read.`,
    );
  }
}

/**
 * One notice for each minor that Kubernetes no longer supports.
 *
 * @param version of the release, with `v`
 */
export function noticeEndedSupport(
  version: string,
  cluster: ClusterVersion | undefined,
  logger: Logger,
): void {
  const now = new Date();
  const minors = [minorOf(version), cluster?.minor].filter((minor) => minor !== undefined);
  for (const minor of new Set(minors)) {
    const notice = describeEndedSupport(minor, now);
    if (notice !== undefined) {
      logger.notice(`Kubernetes 1.${String(minor)} is no longer supported`, notice);
    }
  }
}

/** As shells report a process that a signal ended: 128 and the number of the signal. */
const EXIT_CODES = { SIGTERM: 143, SIGINT: 130 } as const;

/**
 * A folder that is removed when the work ends, however it ends.
 *
 * @param prefix of its name
 */
export async function withScratchFolder<T>(
  temp: string,
  work: (scratch: string) => Promise<T>,
  prefix = 'setup-verified-kubectl-',
): Promise<T> {
  const scratch = await makeScratchFolder(temp, prefix);
  for (const [signal, exitCode] of Object.entries(EXIT_CODES)) {
    process.once(signal, () => {
      rmSync(scratch, { force: true, recursive: true });
      process.exit(exitCode);
    });
  }
  try {
    return await work(scratch);
  } finally {
    // The runner empties RUNNER_TEMP, so a folder that resists is no reason to fail after success.
    await rm(scratch, { force: true, recursive: true, maxRetries: 3 }).catch(() => undefined);
  }
}

/** What transfers in the background need. */
export interface Transfers {
  /** Ends every transfer when it is aborted. */
  readonly signal: AbortSignal;
  readonly background: BackgroundTasks;
}

/** Ends all transfers when the work ends: nothing may still write to a folder that is about to be removed. */
export async function withTransfers<T>(work: (transfers: Transfers) => Promise<T>): Promise<T> {
  const abort = new AbortController();
  const background = new BackgroundTasks();
  try {
    return await work({ signal: abort.signal, background });
  } finally {
    abort.abort();
    await background.ended();
  }
}

async function makeScratchFolder(temp: string, prefix: string): Promise<string> {
  try {
    await makeFolders(temp);
    return await mkdtemp(path.join(temp, prefix));
  } catch (error) {
    throw installFailed(`cannot create a temporary folder in ${temp}`, error);
  }
}
