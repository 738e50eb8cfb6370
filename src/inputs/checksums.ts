import { binaryPath } from '../kubernetes/binary.js';
import type { Platform, Tool } from '../kubernetes/platform.js';
import type { ReleaseFileRequest } from '../kubernetes/release-file.js';
import { invalidInput, type RawInputs } from './raw-inputs.js';

/** The names of the files that are asked for. */
export interface FileNames {
  readonly tools: readonly Tool[];
  readonly artifacts: readonly Pick<ReleaseFileRequest, 'requested' | 'name'>[];
  /** Every binary, where a tool may be asked for for several platforms. */
  readonly binaries?: readonly { readonly tool: Tool; readonly platform: Platform }[];
}

/**
 * `checksum`: SHA-256 by the name of the file, 64 lowercase hex digits.
 *
 * An artifact has two names: the one that the user gave it in `artifacts`, and that of the file. A
 * tool for several platforms is several files, which only their paths inside the release tell apart.
 */
export function readChecksums(
  inputs: RawInputs,
  { tools, artifacts, binaries = [] }: FileNames,
): Readonly<Partial<Record<string, string>>> {
  const ofTools = tools.flatMap((tool) => {
    const platforms = binaries.filter((binary) => binary.tool === tool);
    return platforms.length > 1
      ? platforms.map(({ platform }) => binaryPath(tool, platform))
      : [tool];
  });
  const names: string[] = [...new Set([...ofTools, ...artifacts.map(({ name }) => name)])];
  const fileNames = new Map<string, string>([
    ...artifacts.map(({ requested, name }) => [requested, name] as const),
    ...names.map((name) => [name, name] as const),
  ]);
  const checksums = new Map<string, string>();
  for (const item of inputs
    .get('checksum')
    .split(/[\s,]+/)
    .filter((text) => text !== '')) {
    const [, given, hex] = /^(?:([a-z0-9./-]+)=)?(?:sha256:)?([0-9a-fA-F]{64})$/.exec(item) ?? [];
    const sole = names.length === 1 ? names[0] : undefined;
    const name = given === undefined ? sole : fileNames.get(given);
    if (hex === undefined || name === undefined) {
      throw invalidInput(
        'checksum',
        item,
        names.length === 0
          ? 'none, because neither "tools" nor "artifacts" names a file'
          : `a SHA-256 of 64 hex digits, or <name>=<SHA-256> for each of ${names.join(', ')}`,
      );
    }
    if (checksums.has(name)) {
      throw invalidInput('checksum', item, `one SHA-256 for ${name}`);
    }
    checksums.set(name, hex.toLowerCase());
  }
  // Without a prototype: a file may be called `constructor`.
  return Object.assign(
    Object.create(null) as Record<string, string>,
    Object.fromEntries(checksums),
  );
}
