import { SetupError } from '../errors.js';
import { parseReleasePath } from '../kubernetes/named-file.js';
import { assertPublished, platformName, type Platform, type Tool } from '../kubernetes/platform.js';
import type { ReleaseFileRequest } from '../kubernetes/release-file.js';
import type { Lock } from '../lock/lock.js';
import { lockInvalid } from '../lock/read.js';
import { readArtifact } from './artifacts.js';
import type { Environment } from './environment.js';
import { readPlatforms } from './platform.js';
import type { RawInputs } from './raw-inputs.js';
import { readTools } from './tools.js';

/** Tools and artifacts × platforms, without the pairs that Kubernetes does not publish. */
export interface FilesToLock {
  readonly tools: readonly Tool[];
  readonly binaries: readonly { readonly tool: Tool; readonly platform: Platform }[];
  readonly artifacts: readonly ReleaseFileRequest[];
  /** The pairs that were left out, for messages: `kubelet for darwin/arm64`. */
  readonly unpublished: readonly string[];
}

/**
 * `tools`, `artifacts` and `platforms`.
 *
 * @param hasImages whether there is something to lock without any of them
 * @throws {SetupError} INVALID_INPUT; PLATFORM_NOT_PUBLISHED for a tool or an artifact that none of
 *   the platforms has
 */
export function readFilesToLock(
  inputs: RawInputs,
  environment: Environment,
  hasImages: boolean,
): FilesToLock {
  const names = inputs.words('artifacts');
  const tools = readTools(inputs, names.length > 0 || hasImages);
  const platforms = readPlatforms(inputs, environment);
  const unpublished: string[] = [];
  const binaries = tools.flatMap((tool) =>
    published(tool, platforms, unpublished, (platform) => {
      assertPublished(tool, platform);
      return { tool, platform };
    }),
  );
  const artifacts = names.flatMap((name) =>
    published(name, platforms, unpublished, (platform) => readArtifact(name, platform)),
  );
  return { tools, binaries, artifacts: unambiguous(artifacts), unpublished };
}

/**
 * Every file of a lock.
 *
 * @throws {SetupError} LOCK_INVALID for a file that no release has; PLATFORM_NOT_PUBLISHED
 */
export function filesOfLock(lock: Lock): FilesToLock {
  const binaries: { readonly tool: Tool; readonly platform: Platform }[] = [];
  const artifacts: ReleaseFileRequest[] = [];
  for (const path of lock.files.keys()) {
    const named = parseReleasePath(path);
    if (named === undefined) {
      throw lockInvalid(lock.name, `no release has ${JSON.stringify(path)}`);
    }
    if (named.kind === 'binary') {
      binaries.push(named);
    } else {
      artifacts.push(named.request);
    }
  }
  const tools = [...new Set(binaries.map(({ tool }) => tool))];
  return { tools, binaries, artifacts, unpublished: [] };
}

/** What `read` returns for each platform. @throws the first error if it throws for all of them */
function published<T>(
  name: string,
  platforms: readonly Platform[],
  unpublished: string[],
  read: (platform: Platform) => T,
): T[] {
  const found: T[] = [];
  const missing: string[] = [];
  let first: unknown;
  for (const platform of platforms) {
    try {
      found.push(read(platform));
    } catch (error) {
      if (!(error instanceof SetupError) || error.code !== 'PLATFORM_NOT_PUBLISHED') {
        throw error;
      }
      first ??= error;
      missing.push(`${name} for ${platformName(platform)}`);
    }
  }
  if (found.length === 0) {
    throw first;
  }
  unpublished.push(...missing);
  return found;
}

/** Each file once. Where `server` means several files, only the names of the files tell them apart. */
function unambiguous(requests: readonly ReleaseFileRequest[]): ReleaseFileRequest[] {
  const files = new Map(requests.map((request) => [request.name, request]));
  return [...files.values()].map((file) => {
    const isOne = requests.every(
      ({ requested, name }) => requested !== file.requested || name === file.name,
    );
    return isOne ? file : { ...file, requested: file.name };
  });
}
