import { mkdtemp } from 'node:fs/promises';
import path from 'node:path';
import { SetupError } from './errors.js';
import { currentEnvironment, loadInputs, type Inputs } from './inputs.js';
import {
  NoBinder,
  SbomBinder,
  type BindingContext,
  type ReleaseBinder,
} from './install/binding.js';
import { CacheAccess } from './install/cache-access.js';
import { assertUnchanged, commitAll } from './install/commit.js';
import type { InstallContext } from './install/context.js';
import { LockedImages, RegistryImages, type ImageSource } from './install/image-source.js';
import { isOfRelease, verifyImages, type VerifiedImage } from './install/images.js';
import { LockedBinder } from './install/locked-binding.js';
import type { Logger } from './install/logger.js';
import { allFromCache, obtainAll } from './install/obtain.js';
import { checkPathLookup } from './install/path-lookup.js';
import { warnOfOldPointer } from './install/old-pointer.js';
import {
  resolveAgain,
  resolveFromHost,
  resolveRelease,
  type ResolvedRelease,
} from './install/resolve-release.js';
import { namedFailure } from './install/install-failed.js';
import { trustKey } from './install/trust-key.js';
import type { VerifiedArtifact } from './install/verified-artifact.js';
import type { Artifact } from './kubernetes/artifact.js';
import { imageOf } from './kubernetes/image.js';
import { requestedNames, type Release } from './kubernetes/release.js';
import { assertSupportedSkew } from './kubernetes/skew.js';
import { RegistryClient } from './registry/client.js';
import { Report, type Results, type SharedDurations } from './report.js';
import {
  httpClient,
  keepTrustRoot,
  noticeEndedSupport,
  noticeIgnoredFile,
  trustRootSource,
  withScratchFolder,
  withTransfers,
} from './session.js';
import { TransparencyLog } from './sigstore/evidence/rekor.js';
import { loadTrustRoot, type TrustRoot } from './sigstore/trust/trusted-root.js';
import type { BackgroundTasks } from './transfer/background-tasks.js';
import type { HttpClient } from './transfer/http.js';

/** Runs the action. A failure is reported, and never thrown. */
export async function run(): Promise<void> {
  const report = new Report();
  try {
    const inputs = await loadInputs(currentEnvironment());
    report.mask(inputs.downloadToken); // Before anything else is logged.
    noticeIgnoredFile(inputs, report);
    await withScratchFolder(inputs.runner.temp, (scratch) =>
      setUp(inputs, report, scratch, async (results, durations) => {
        await checkPathLookup(results.files, inputs.runner, report);
        await assertUnchanged(results.files);
        await report.success(inputs, results, durations);
        report.addToPath(results.files);
      }),
    );
  } catch (error) {
    await report.failure(namedFailure(error));
  }
}

/** What becomes of the verified files, which are in the tool cache: on `PATH`, or in a folder. */
type Deliver = (results: Results, durations: SharedDurations) => Promise<void>;

/**
 * The story of a run of the action, and of the command `install`. Every file is verified before the
 * first one is installed.
 */
export async function setUp(
  inputs: Inputs,
  logger: Logger,
  scratch: string,
  deliver: Deliver,
): Promise<void> {
  await withTransfers(async ({ signal, background }) => {
    const http = httpClient(inputs, signal, logger);
    const trust = background.start(loadTrustRoot(trustRootSource(inputs, scratch), http));
    const started = performance.now();

    const cacheAccess = cacheAccessOf(inputs, logger);
    const resolved = await resolveRelease(inputs, await cacheAccess.lookIn(), http, logger);
    const resolvedAt = performance.now();

    const shared = { inputs, logger, scratch, http, background, trust, cacheAccess };
    const { context, verified, images } = await obtainRelease(shared, resolved);
    const { version } = context.release;
    const obtainedAt = performance.now();
    noticeEndedSupport(version, inputs.clusterVersion, logger);

    const files = await commitAll(context, verified);
    const installedAt = performance.now();

    await keepTrustRoot(await trust, logger);
    await deliver(
      { version, files, images },
      { resolve: resolvedAt - started, install: installedAt - obtainedAt },
    );
  });
}

/** What every attempt of a run shares. */
interface Shared {
  readonly inputs: Inputs;
  readonly logger: Logger;
  readonly scratch: string;
  readonly http: HttpClient;
  readonly background: BackgroundTasks;
  readonly trust: Promise<TrustRoot>;
  readonly cacheAccess: CacheAccess;
}

interface ObtainedRelease {
  readonly context: InstallContext;
  readonly verified: readonly VerifiedArtifact[];
  readonly images: readonly VerifiedImage[];
}

/** Verifies what was asked for, of this release; where that is not found, of the one that {@link resolveAgain} names. */
async function obtainRelease(shared: Shared, first: ResolvedRelease): Promise<ObtainedRelease> {
  const { inputs, logger, http } = shared;
  for (let resolved = first; ;) {
    const { release } = resolved;
    logger.info(`Version: ${release.version} (requested: ${inputs.versionSource})`);
    if (resolved.namedBy !== 'tool-cache') {
      assertSkew(release, inputs);
    }
    const context = await installContext(shared, release);
    const artifacts = release.requested(inputs);
    try {
      if (resolved.namedBy === 'tool-cache') {
        const cached = await youngFromCache(context, artifacts);
        if (cached !== undefined) {
          assertSkew(release, inputs);
          return { context, verified: cached, images: await obtainImages(context, inputs) };
        }
        // A folder's name alone must not choose a version: ask the host, as for an empty cache.
        logger.info(`${release.version} in the tool cache cannot be used; asking for the newest`);
        resolved = await resolveFromHost(inputs, http, logger);
        continue;
      }
      // All kinds of things are verified at the same time, and nothing is kept unless all pass. Tools are
      // awaited first: they tell whether the release is there at all.
      const arrivingImages = shared.background.start(obtainImages(context, inputs));
      const verified = await obtainAll(context, artifacts);
      const images = await arrivingImages;
      if (resolved.namedBy === 'host' || resolved.namedBy === 'folder') {
        await warnOfOldPointer(context, inputs, [...verified, ...images.filter(isOfRelease)]);
      }
      return { context, verified, images };
    } catch (error) {
      if (!(error instanceof SetupError) || error.code !== 'VERSION_NOT_FOUND') {
        throw error;
      }
      resolved = await resolveAgain(resolved, error, http, logger);
    }
  }
}

function assertSkew({ version }: Release, { tools, clusterVersion }: Inputs): void {
  if (clusterVersion !== undefined) {
    assertSupportedSkew(version, tools, clusterVersion);
  }
}

/** Like {@link allFromCache}, but also undefined if a copy is too old: the host may have a newer version. */
async function youngFromCache(
  context: InstallContext,
  artifacts: readonly Artifact[],
): Promise<VerifiedArtifact[] | undefined> {
  try {
    return await allFromCache(context, artifacts);
  } catch (error) {
    if (error instanceof SetupError && error.code === 'RELEASE_TOO_OLD') {
      return undefined;
    }
    throw error;
  }
}

/** Verifies every image, with the identity that signs images. Nothing is pulled. */
function obtainImages(context: InstallContext, inputs: Inputs): Promise<VerifiedImage[]> {
  return verifyImages(
    { ...context, images: imageSource(context, inputs) },
    inputs.images.map((request) => imageOf(request, context.release.version)),
  );
}

function imageSource(context: InstallContext, inputs: Inputs): ImageSource {
  const { lock, http, log } = context;
  const policy = { ...context.policy, identity: inputs.imageIdentity };
  return lock === undefined
    ? new RegistryImages(new RegistryClient(http, inputs.imageRegistry), log, policy)
    : new LockedImages(lock, policy);
}

async function installContext(shared: Shared, release: Release): Promise<InstallContext> {
  const { inputs, logger, http, background, trust, cacheAccess } = shared;
  const scratch = await mkdtemp(path.join(shared.scratch, 'release-'));
  const context = {
    http,
    background,
    log: new TransparencyLog(http, inputs.rekorUrl),
    policy: {
      trust: background.start(trust.then(({ material }) => material)),
      identity: inputs.identity,
    },
    release,
    scratch,
    logger,
    isNative: inputs.isNative,
  };
  return {
    ...context,
    lock: inputs.lock,
    binder: binderFor(inputs, context),
    secondFactors: inputs.secondFactors,
    toolCache: await cacheAccess.lookIn(release.version),
    cacheAccess,
    searchPaths: inputs.searchPaths,
  };
}

function binderFor({ bindRelease, lock }: Inputs, context: BindingContext): ReleaseBinder {
  if (!bindRelease) {
    return new NoBinder();
  }
  return lock === undefined ? new SbomBinder(context) : new LockedBinder(context, lock);
}

function cacheAccessOf(inputs: Inputs, logger: Logger): CacheAccess {
  const { runner, identity, trustRoot, bindRelease, downloadBaseUrl } = inputs;
  const toolCache = {
    folder: runner.toolCache,
    trustKey: trustKey(identity, trustRoot, bindRelease ? undefined : downloadBaseUrl),
  };
  const names = requestedNames(inputs).map(({ name }) => name);
  return new CacheAccess(toolCache, names, runner.temp, logger);
}
