import path from 'node:path';
import { SetupError, explain } from '../errors.js';
import { readPlainFile } from '../files/plain-file.js';
import {
  ACCEPTED_NAMED_FILES,
  parseNamedFile,
  readFileName,
  type NamedFile,
} from '../kubernetes/named-file.js';
import { platformName, type Platform } from '../kubernetes/platform.js';
import type { Lock } from '../lock/lock.js';
import { MAX_LOCK_BYTES, lockInvalid, parseLock } from '../lock/read.js';
import { MAX_BUNDLE_BYTES } from '../sigstore/bundle.js';
import { MAX_CERTIFICATE_BYTES, MAX_SIGNATURE_BYTES } from '../sigstore/detached.js';
import type { Environment } from './environment.js';
import { lockedVersion } from './lock-file.js';
import { readOnePlatform } from './platform.js';
import { invalidInput, type RawInputs } from './raw-inputs.js';
import { readVersion, type VersionChoice } from './version.js';

/** A file on this machine. */
export interface FileToVerify {
  /** As the user wrote it, for messages. */
  readonly name: string;
  /** Absolute. */
  readonly path: string;
}

/** Evidence on this machine, for this file alone. */
export type OwnEvidence =
  | { readonly kind: 'signature'; readonly signature: Buffer; readonly certificate: Buffer }
  | { readonly kind: 'bundle'; readonly json: Buffer };

/** The one source of evidence that decides. */
export type GivenEvidence =
  | OwnEvidence
  | { readonly kind: 'lock'; readonly lock: Lock }
  /** What the release host and the log have. */
  | { readonly kind: 'published' };

/** What is to be proven about the file. */
export type Claim =
  | {
      readonly kind: 'file-of-release';
      readonly choice: VersionChoice;
      /** Undefined for whichever file the lock has. */
      readonly file: NamedFile | undefined;
    }
  /** That it was signed: `bind-release: false`. */
  | { readonly kind: 'signed'; readonly evidence: OwnEvidence };

/** An SBOM on this machine, and the evidence for it. */
export interface GivenSbom extends FileToVerify {
  readonly evidence: Extract<GivenEvidence, { readonly kind: 'bundle' | 'lock' }>;
}

/** The argument `file`. Nothing is trimmed: a name may end in a space. */
export function readFile({ variables }: Environment, inputs: RawInputs): FileToVerify {
  const name = variables['INPUT_FILE'] ?? '';
  if (name === '') {
    throw invalidInput('file', name, 'the path of a file');
  }
  return { name, path: path.resolve(inputs.workspace, name) };
}

/**
 * `signature` with `certificate`, `bundle`, or `lock-file`; else what is published.
 *
 * @throws {SetupError} INVALID_INPUT, LOCK_INVALID, LOCK_MISMATCH
 */
export function readEvidence(inputs: RawInputs): GivenEvidence {
  const has = {
    signature: inputs.get('signature') !== '',
    certificate: inputs.get('certificate') !== '',
    bundle: inputs.get('bundle') !== '',
    lock: inputs.get('lock-file') !== '',
  };
  const sources = [has.signature || has.certificate, has.bundle, has.lock];
  if (sources.filter(Boolean).length > 1) {
    throw new SetupError(
      'INVALID_INPUT',
      'Set only one of "signature" with "certificate", "bundle", and "lock-file".',
    );
  }
  if (has.signature !== has.certificate) {
    throw new SetupError('INVALID_INPUT', 'Set both "signature" and "certificate", or neither.');
  }
  if (has.signature) {
    return {
      kind: 'signature',
      signature: readGiven(inputs, 'signature', MAX_SIGNATURE_BYTES),
      certificate: readGiven(inputs, 'certificate', MAX_CERTIFICATE_BYTES),
    };
  }
  if (has.bundle) {
    return { kind: 'bundle', json: readGiven(inputs, 'bundle', MAX_BUNDLE_BYTES) };
  }
  return has.lock ? { kind: 'lock', lock: readLock(inputs) } : { kind: 'published' };
}

/**
 * `version`, `version-file`, `artifact`, `platform` and `architecture`. Only the name of the file is
 * a default, and only for what the file is: no name chooses the version.
 *
 * @throws {SetupError} INVALID_INPUT, PLATFORM_NOT_PUBLISHED, LOCK_MISMATCH
 */
export async function readClaim(
  inputs: RawInputs,
  environment: Environment,
  { file, evidence, bindRelease }: ClaimContext,
): Promise<Claim> {
  const has = {
    version: inputs.get('version') !== '' || inputs.get('version-file') !== '',
    file: ['artifact', 'platform', 'architecture'].some((name) => inputs.get(name) !== ''),
  };
  const platform = (): Platform => readOnePlatform(inputs, environment);
  if (evidence.kind === 'lock') {
    return {
      kind: 'file-of-release',
      choice: await lockedVersion(evidence.lock, inputs, await readVersion(inputs, undefined)),
      file: has.file ? readNamed(inputs, file, platform) : undefined,
    };
  }
  if (!bindRelease) {
    if (evidence.kind === 'published') {
      throw new SetupError(
        'INVALID_INPUT',
        'Name the evidence ("bundle", "signature" with "certificate", or "lock-file") where "bind-release" is false: nothing would check that published evidence is for this release.',
      );
    }
    if (has.version || has.file) {
      throw new SetupError(
        'INVALID_INPUT',
        'Set neither a version nor "artifact", "platform" and "architecture" while "bind-release" is false: nothing would check them.',
      );
    }
    return { kind: 'signed', evidence };
  }
  if (!has.version) {
    throw noVersion(file, evidence, platform);
  }
  return {
    kind: 'file-of-release',
    choice: await readVersion(inputs, undefined),
    file: readNamed(inputs, file, platform),
  };
}

export interface ClaimContext {
  readonly file: FileToVerify;
  readonly evidence: GivenEvidence;
  readonly bindRelease: boolean;
}

/** @throws {SetupError} INVALID_INPUT, PLATFORM_NOT_PUBLISHED */
function readNamed(inputs: RawInputs, file: FileToVerify, platform: () => Platform): NamedFile {
  const named = readArtifactName(inputs, file, platform);
  const input = ['platform', 'architecture'].find((name) => inputs.get(name) !== '');
  if (input !== undefined) {
    assertFor(named, input, inputs.get(input), platform());
  }
  return named;
}

/**
 * The author of a file chooses its name, so the name never wins over an input.
 *
 * @throws {SetupError} INVALID_INPUT
 */
function assertFor(named: NamedFile, input: string, given: string, asked: Platform): void {
  const found = named.kind === 'binary' ? named.platform : named.request.platform;
  if (found?.arch === asked.arch && (input === 'architecture' || found.os === asked.os)) {
    return;
  }
  const said = found === undefined ? 'none: the file is the same for all' : platformName(found);
  throw invalidInput(input, given, `what the name of the file or "artifact" says, ${said}`);
}

/** @throws {SetupError} INVALID_INPUT, PLATFORM_NOT_PUBLISHED */
function readArtifactName(
  inputs: RawInputs,
  { name }: FileToVerify,
  platform: () => Platform,
): NamedFile {
  const given = inputs.get('artifact');
  if (given === '') {
    const claim = readFileName(path.basename(name), platform);
    if (claim === undefined) {
      throw new SetupError(
        'INVALID_INPUT',
        `The name ${JSON.stringify(path.basename(name))} does not say which file of a release it is. Set "artifact" to ${ACCEPTED_NAMED_FILES}.`,
      );
    }
    return claim.file;
  }
  const named = parseNamedFile(given, platform);
  if (named === undefined) {
    throw invalidInput('artifact', given, ACCEPTED_NAMED_FILES);
  }
  return named;
}

function noVersion(
  { name }: FileToVerify,
  { kind }: GivenEvidence,
  platform: () => Platform,
): SetupError {
  const version = readFileName(path.basename(name), platform)?.version;
  const hints = [
    ...(version === undefined ? [] : [` Its name says ${version}.`]),
    ...(kind === 'published'
      ? []
      : [' To verify the signature alone, set "bind-release" to false.']),
  ];
  return new SetupError(
    'INVALID_INPUT',
    `Set "version" or "version-file" to the release that ${JSON.stringify(name)} must be from.${hints.join('')}`,
  );
}

/**
 * `sbom` and `sbom-bundle`.
 *
 * @throws {SetupError} INVALID_INPUT
 */
export function readSbomInput(
  inputs: RawInputs,
  { evidence, bindRelease }: ClaimContext,
): GivenSbom | undefined {
  const has = { sbom: inputs.get('sbom') !== '', bundle: inputs.get('sbom-bundle') !== '' };
  if (!has.sbom && !has.bundle) {
    return undefined;
  }
  if (!bindRelease) {
    throw new SetupError('INVALID_INPUT', 'Set either "sbom" or "bind-release: false", not both.');
  }
  if (!has.sbom || has.bundle === (evidence.kind === 'lock')) {
    throw new SetupError(
      'INVALID_INPUT',
      'Set both "sbom" and "sbom-bundle". With "lock-file", set "sbom" alone: the lock file has the evidence.',
    );
  }
  return {
    name: inputs.get('sbom'),
    path: inputs.path('sbom'),
    evidence:
      evidence.kind === 'lock'
        ? evidence
        : { kind: 'bundle', json: readGiven(inputs, 'sbom-bundle', MAX_BUNDLE_BYTES) },
  };
}

function readLock(inputs: RawInputs): Lock {
  const name = JSON.stringify(inputs.get('lock-file'));
  let json: Buffer;
  try {
    json = readPlainFile(inputs.path('lock-file'), MAX_LOCK_BYTES);
  } catch (error) {
    throw lockInvalid(name, explain(error), error);
  }
  return parseLock(json, name);
}

/** Reads a small file that an input names. */
function readGiven(inputs: RawInputs, name: string, maxBytes: number): Buffer {
  try {
    return readPlainFile(inputs.path(name), maxBytes);
  } catch (error) {
    const accepted = `the path of a file of at most ${String(maxBytes)} bytes (${explain(error)})`;
    throw invalidInput(name, inputs.get(name), accepted);
  }
}
