import { randomUUID } from 'node:crypto';
import { mkdir } from 'node:fs/promises';
import path from 'node:path';
import { SetupError } from '../errors.js';
import {
  platformName,
  platformNotPublished,
  type Platform,
  type Tool,
} from '../kubernetes/platform.js';
import { fileName, type Release } from '../kubernetes/release.js';
import { isPublished } from '../kubernetes/version.js';
import { download } from '../transfer/download.js';
import { downloadFailed } from '../transfer/download-failed.js';
import type { DigestedFile } from '../files/digested-file.js';
import type { HttpClient } from '../transfer/http.js';
import { TransferError } from '../transfer/errors.js';
import type { Logger } from './logger.js';
import { preinstalledCopies, type SearchPaths } from './preinstalled.js';
import { installFailed, cacheEntries, type ToolCache } from './tool-cache.js';

/** The largest binary of a release has 130 MB; a server tarball, which is none, 400 MB. */
export const MAX_BINARY_BYTES = 1 << 30;

/** What fetching a binary needs, and all of it can be loaded before anything that verifies. */
export interface Sources {
  readonly http: HttpClient;
  readonly release: Release;
  /** Where `release/` is, ending in a slash. */
  readonly base: URL;
  readonly platform: Platform;
  /** Where copies are looked for. */
  readonly toolCache: ToolCache;
  /** Where new copies go. */
  readonly installIn: () => Promise<ToolCache>;
  readonly searchPaths: SearchPaths;
  /** A folder below RUNNER_TEMP that goes with this run. */
  readonly scratch: string;
  readonly logger: Logger;
}

/** A binary on its way. */
export interface PendingDownload {
  /** Holds the binary, and nothing else yet. */
  readonly folder: string;
  /** Rejects with a {@link SetupError}, or with the reason of an abort. */
  readonly file: Promise<DigestedFile>;
  /** Resolves when the first bytes are here, or will never be. Until then nothing else is asked. */
  readonly firstByte: Promise<undefined>;
}

/**
 * Begins the download of a tool, unless a copy of it may be on this machine already.
 *
 * Whether that copy is any good is found out later; then the download begins later, too.
 */
export async function startDownloadIfNeeded(
  sources: Sources,
  tool: Tool,
): Promise<PendingDownload | undefined> {
  const { toolCache, searchPaths: searchPaths, release, platform } = sources;
  const cached = await cacheEntries(toolCache, tool, release.version, platform);
  const copies = await preinstalledCopies(searchPaths, tool, release.version, platform);
  const isNeeded = copies.length === 0 && cached.length === 0;
  return isNeeded ? startDownload(sources, tool) : undefined;
}

/** Begins the download of a tool into a new folder. */
export async function startDownload(sources: Sources, tool: Tool): Promise<PendingDownload> {
  const { http, release, platform, logger: logger } = sources;
  await sources.installIn(); // What is wrong there is said before the download, not after it.
  const { folder, binary } = await newFolder(sources, tool);
  const { promise: firstByte, resolve } = Promise.withResolvers<undefined>();
  const onFirstByte = (): void => {
    resolve(undefined);
  };
  const file = download(http, release.binary(tool, platform).url, binary, {
    maxBytes: MAX_BINARY_BYTES,
    onProgress: (received, total) => {
      onFirstByte();
      logger.progress(tool, received, total);
    },
  }).catch(async (error: unknown) => {
    throw await whyNotDownloaded(sources, tool, error);
  });
  // Awaited later: until then a failure has no other listener.
  file.catch(() => undefined).finally(onFirstByte);
  return { folder, file, firstByte: firstByte };
}

/** @throws {SetupError} INSTALL_FAILED */
export async function newFolder(
  { scratch, platform }: Sources,
  tool: Tool,
): Promise<{ readonly folder: string; readonly binary: string }> {
  const folder = path.join(scratch, randomUUID());
  try {
    await mkdir(folder, { mode: 0o700 });
  } catch (error) {
    throw installFailed(`cannot make ${folder}`, error);
  }
  return { folder, binary: path.join(folder, fileName(tool, platform)) };
}

async function whyNotDownloaded(sources: Sources, tool: Tool, error: unknown): Promise<unknown> {
  const { http, release, platform, base } = sources;
  const { version } = release;
  if (!(error instanceof TransferError && error.notFound)) {
    return downloadFailed(error, `${tool} ${version}`);
  }
  if (await isPublished(version, http, base)) {
    return platformNotPublished(tool, platformName(platform), version);
  }
  return new SetupError(
    'VERSION_NOT_FOUND',
    `Kubernetes ${version} is not at ${base.href}`,
    'See https://kubernetes.io/releases/ for the versions that exist. A version that was announced minutes ago may not be everywhere yet.',
    error,
  );
}
