import type { PublishedFile } from './kubernetes-release.js';
import { NATIVE_PLATFORM } from './native-platform.js';
import type { BundleJson } from './sigstore-bundle.js';
import type { World } from './world.js';

/** A lock file as JSON, written without the code that is tested. */
export interface LockJson {
  lockVersion: number;
  version: string;
  files: Record<string, LockedFileJson>;
}

export interface LockedFileJson {
  sha256: string;
  bundle: BundleJson;
}

export interface LockedParts {
  readonly tools?: readonly string[];
  readonly platforms?: readonly string[];
  /** Names of other files of the release. */
  readonly artifacts?: readonly string[];
  /** The bundle of a file; what was signed and logged last unless given. */
  readonly bundleOf?: (file: PublishedFile) => BundleJson;
}

/** Locks whatever is published now, genuine or not: nothing is verified. */
export function lockOf(world: World, version: string, parts: LockedParts = {}): LockJson {
  const { tools = ['kubectl'], platforms = [NATIVE_PLATFORM], artifacts = [] } = parts;
  const bundleOf = parts.bundleOf ?? ((file: PublishedFile) => file.bundle());
  const files = [
    ...platforms.flatMap((platform) =>
      tools.map((tool) => world.release.artifact(version, platform, tool)),
    ),
    ...artifacts.map((name) => world.release.file(version, name)),
    world.release.sbom(version),
  ];
  const prefix = `release/${version}/`;
  const entries = files.map((file): [string, LockedFileJson] => [
    file.path.slice(prefix.length),
    { sha256: file.sha256, bundle: bundleOf(file) },
  ]);
  entries.sort(([a], [b]) => (a < b ? -1 : 1));
  return { lockVersion: 1, version, files: Object.fromEntries(entries) };
}

/** The text of a lock file: each bundle is on one line. */
export function lockText({ lockVersion, version, files }: LockJson): string {
  const entries = Object.entries(files).map(
    ([path, { sha256, bundle }]) =>
      `    ${JSON.stringify(path)}: {\n      "sha256": ${JSON.stringify(sha256)},\n      "bundle": ${JSON.stringify(bundle)}\n    }`,
  );
  return `{\n  "lockVersion": ${String(lockVersion)},\n  "version": ${JSON.stringify(version)},\n  "files": {\n${entries.join(',\n')}\n  }\n}\n`;
}
