import { SetupError } from '../errors.js';
import type { TrustRootChoice } from '../sigstore/trust/trusted-root.js';
import { invalidInput, readBoolean, type RawInputs } from './raw-inputs.js';
import type { VersionChoice } from './version.js';

/**
 * The folder of the command `mirror`, an absolute path.
 *
 * @throws {SetupError} INVALID_INPUT for an empty one, and for inputs that a mirror cannot honor
 */
export function readMirrorFolder(inputs: RawInputs): string {
  if (inputs.get('images') !== '') {
    throw invalidInput('images', inputs.get('images'), 'none: a mirror holds files, not images');
  }
  if (!readBoolean(inputs, 'bind-release', true)) {
    throw invalidInput('bind-release', 'false', 'true: a mirror holds nothing unproven');
  }
  if (inputs.get('folder') === '') {
    throw invalidInput('folder', '', 'the path of a folder, which need not exist');
  }
  return inputs.path('folder');
}

/**
 * A lock says itself which files it has. All of them are mirrored.
 *
 * @throws {SetupError} INVALID_INPUT
 */
export function assertNoFilter(inputs: RawInputs): void {
  const isGiven = (name: string): boolean =>
    // The default of the option cannot be told from the same text by the user, and takes nothing away.
    !['', ...(name === 'tools' ? ['kubectl'] : [])].includes(inputs.get(name));
  const given = ['tools', 'artifacts', 'platforms', 'architecture'].find(isGiven);
  if (given !== undefined) {
    throw new SetupError(
      'INVALID_INPUT',
      `Set either "lock-file" or "${given}", not both: every file of the lock file is mirrored.`,
    );
  }
}

/** @throws {SetupError} INVALID_INPUT for a range: the pointers that it takes are not mirrored */
export function assertResolvableOffline({ version, versionSource }: VersionChoice): void {
  if (version.kind === 'range') {
    throw invalidInput(
      'version',
      versionSource,
      'an exact version, or one that has a pointer in the folder (1.31, stable, prerelease), with "check"',
    );
  }
}

/**
 * The trust root for a check that asks nobody: without a choice, the embedded one. Never the one in
 * the folder, unless the user names it: a folder cannot vouch for itself.
 *
 * @throws {SetupError} INVALID_INPUT
 */
export function withoutNetwork(choice: TrustRootChoice): TrustRootChoice {
  if (choice.kind !== 'tuf') {
    return choice;
  }
  if (choice.root !== undefined) {
    throw new SetupError(
      'INVALID_INPUT',
      'Input "tuf-root" cannot be combined with "check", which asks nobody. Set "trusted-root" to a file.',
    );
  }
  return { kind: 'embedded' };
}
