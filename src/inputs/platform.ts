import { SetupError } from '../errors.js';
import {
  ARCHITECTURES,
  OPERATING_SYSTEMS,
  parseArchitecture,
  parseOperatingSystem,
  parsePlatform,
  type Platform,
} from '../kubernetes/platform.js';
import type { Environment } from './environment.js';
import { invalidInput, type RawInputs } from './raw-inputs.js';

/**
 * The platform to install for: this machine's operating system, and `architecture`.
 *
 * @returns `isNative`: whether binaries for that platform run on this machine
 * @throws {SetupError} PLATFORM_NOT_PUBLISHED, INVALID_INPUT
 */
export function readPlatform(
  inputs: RawInputs,
  environment: Environment,
): { platform: Platform; isNative: boolean } {
  const os = parseOperatingSystem(environment.platform);
  if (os === undefined) {
    throw new SetupError(
      'PLATFORM_NOT_PUBLISHED',
      `Kubernetes does not publish binaries for ${environment.platform}, only for ${OPERATING_SYSTEMS.join(', ')}.`,
      { situation: 'operating-system-not-published' },
    );
  }
  const native = parseArchitecture(environment.arch);
  const given = inputs.get('architecture');
  const arch = given === '' ? native : parseArchitecture(given);
  if (arch === undefined && given === '') {
    throw new SetupError(
      'PLATFORM_NOT_PUBLISHED',
      `Kubernetes does not publish binaries for ${os}/${environment.arch}. It publishes binaries for ${ARCHITECTURES.join(', ')}.`,
    );
  }
  if (arch === undefined) {
    throw invalidInput(
      'architecture',
      given,
      'amd64 (x64), arm64, arm, 386 (x86), ppc64le or s390x',
    );
  }
  return { platform: { os, arch }, isNative: arch === native };
}

/**
 * `platforms`: `<os>/<arch>`, separated by commas, spaces or lines, without duplicates; the one of
 * {@link readPlatform} if it is empty.
 *
 * @throws {SetupError} PLATFORM_NOT_PUBLISHED, INVALID_INPUT
 */
export function readPlatforms(inputs: RawInputs, environment: Environment): Platform[] {
  const names = inputs.words('platforms');
  if (names.length === 0) {
    return [readPlatform(inputs, environment).platform];
  }
  if (inputs.get('architecture') !== '') {
    throw new SetupError('INVALID_INPUT', 'Set either "platforms" or "architecture", not both.');
  }
  return names.map((name) => {
    const platform = parsePlatform(name);
    if (platform === undefined) {
      throw invalidInput('platforms', name, 'platforms such as linux/amd64,darwin/arm64');
    }
    return platform;
  });
}

/**
 * `platform`: one `<os>/<arch>`; the platform of {@link readPlatform} if it is empty.
 *
 * @throws {SetupError} PLATFORM_NOT_PUBLISHED, INVALID_INPUT
 */
export function readOnePlatform(inputs: RawInputs, environment: Environment): Platform {
  const name = inputs.get('platform');
  if (name === '') {
    return readPlatform(inputs, environment).platform;
  }
  if (inputs.get('architecture') !== '') {
    throw new SetupError('INVALID_INPUT', 'Set either "platform" or "architecture", not both.');
  }
  const platform = parsePlatform(name);
  if (platform === undefined) {
    throw invalidInput('platform', name, 'a platform such as linux/amd64 or darwin/arm64');
  }
  return platform;
}
