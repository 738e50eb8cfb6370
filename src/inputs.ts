import { readFileSync, statSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { SetupError, explain } from './errors.js';
import type { SecondFactors } from './install/second-factors.js';
import {
  ARCHITECTURES,
  OPERATING_SYSTEMS,
  TOOLS,
  assertPublished,
  isTool,
  parseArchitecture,
  parseOperatingSystem,
  type Platform,
  type Tool,
} from './kubernetes/platform.js';
import {
  ACCEPTED_VERSIONS,
  parseVersionRequest,
  type VersionRequest,
} from './kubernetes/version.js';
import { readVersionFile } from './kubernetes/version-file.js';
import type { ExpectedIdentity } from './sigstore/verify/identity.js';
import { PUBLIC_MIRROR } from './sigstore/trust/public-instance.js';
import type { TrustRootChoice } from './sigstore/trust/trusted-root.js';
import { isTransportAllowed, type ProxyEnvironment } from './transfer/http.js';
import { TRANSFER_LIMITS, scaled, type TransferLimits } from './transfer/limits.js';

/** Everything that a run depends on, validated. */
export interface Inputs {
  readonly version: VersionRequest;
  /** For the log: what was asked for, and where that stood. */
  readonly versionSource: string;
  /** Set when `version` and `version-file` are both given: the file does not count. */
  readonly ignoredVersionFile: string | undefined;
  readonly tools: readonly Tool[];
  readonly platform: Platform;
  /** Whether binaries for that platform run on this machine. */
  readonly isNative: boolean;
  /** Ends in a slash; https, http on loopback, or file. */
  readonly downloadBaseUrl: URL;
  readonly downloadToken: string | undefined;
  readonly secondFactors: SecondFactors;
  readonly identity: ExpectedIdentity;
  /** Ends in a slash. */
  readonly rekorUrl: URL;
  readonly trustRoot: TrustRootChoice;
  readonly bindRelease: boolean;
  readonly checkLatest: boolean;
  readonly runner: Runner;
  readonly proxyEnvironment: ProxyEnvironment;
  readonly limits: TransferLimits;
}

/** What the runner tells an action of its machine. */
export interface Runner {
  /** RUNNER_TEMP */
  readonly temp: string;
  /** RUNNER_TOOL_CACHE */
  readonly toolCache: string;
  /** Folders of PATH. */
  readonly path: readonly string[];
  /** Names of functions that an earlier step exported to every bash. */
  readonly shellFunctions: readonly string[];
}

/** The environment of a run, so that everything can be tested on any platform's behalf. */
export interface Environment {
  readonly variables: Readonly<Record<string, string | undefined>>;
  /** `process.platform` */
  readonly platform: string;
  /** `process.arch` */
  readonly arch: string;
}

/** The one place where the process's environment is read. */
export function currentEnvironment(): Environment {
  return { variables: process.env, platform: process.platform, arch: process.arch };
}

const DEFAULT_BASE_URL = 'https://dl.k8s.io';
const DEFAULT_REKOR_URL = 'https://rekor.sigstore.dev';
/** For a trusted_root.json or an initial root.json; the public ones have 7 KiB. */
const MAX_TRUST_BYTES = 1 << 20;

/**
 * Reads and validates every input.
 *
 * @throws {SetupError} INVALID_INPUT, naming the input, what was given and what is accepted;
 *   PLATFORM_NOT_PUBLISHED
 */
export async function loadInputs(environment: Environment): Promise<Inputs> {
  const inputs = new RawInputs(environment);
  const { platform, isNative } = readPlatform(inputs, environment);
  const tools = readTools(inputs);
  for (const tool of tools) {
    assertPublished(tool, platform);
  }
  const downloadBaseUrl = readUrl(inputs, 'download-base-url', DEFAULT_BASE_URL, true);
  return {
    ...(await readVersion(inputs)),
    tools,
    platform,
    isNative,
    downloadBaseUrl,
    downloadToken: readToken(inputs, downloadBaseUrl),
    secondFactors: { checksums: readChecksums(inputs, tools), ...readAges(inputs) },
    identity: {
      subjectAlternativeName: readRequired(inputs, 'certificate-identity'),
      issuer: readRequired(inputs, 'certificate-oidc-issuer'),
    },
    rekorUrl: readUrl(inputs, 'rekor-url', DEFAULT_REKOR_URL),
    trustRoot: readTrustRoot(inputs),
    bindRelease: readBoolean(inputs, 'bind-release', true),
    checkLatest: readBoolean(inputs, 'check-latest', false),
    runner: readRunner(environment),
    proxyEnvironment: environment.variables,
    limits: readLimits(environment.variables),
  };
}

/** Inputs as the runner passes them: `INPUT_<NAME>` in the environment, white space trimmed. */
class RawInputs {
  readonly isWindows: boolean;
  readonly #variables: Environment['variables'];

  constructor({ variables, platform }: Environment) {
    this.isWindows = platform === 'win32';
    this.#variables = variables;
  }

  /** Empty where it is not given. */
  get(name: string): string {
    return (this.#variables[`INPUT_${name.toUpperCase()}`] ?? '').trim();
  }

  /** An absolute path: GITHUB_WORKSPACE, or the current directory where there is none. */
  get workspace(): string {
    return path.resolve(this.#variables['GITHUB_WORKSPACE'] ?? '');
  }

  /** The path that an input gives; relative ones begin at the workspace. */
  path(name: string): string {
    return path.resolve(this.workspace, this.get(name));
  }
}

function readPlatform(
  inputs: RawInputs,
  environment: Environment,
): { platform: Platform; isNative: boolean } {
  const os = parseOperatingSystem(environment.platform);
  if (os === undefined) {
    throw new SetupError(
      'PLATFORM_NOT_PUBLISHED',
      `Kubernetes publishes nothing for ${environment.platform}. It publishes for ${OPERATING_SYSTEMS.join(', ')}.`,
      { situation: 'operating-system-not-published' },
    );
  }
  const native = parseArchitecture(environment.arch);
  const given = inputs.get('architecture');
  const arch = given === '' ? native : parseArchitecture(given);
  if (arch === undefined && given === '') {
    throw new SetupError(
      'PLATFORM_NOT_PUBLISHED',
      `Kubernetes publishes nothing for ${os}/${environment.arch}. It publishes for ${ARCHITECTURES.join(', ')}.`,
    );
  }
  if (arch === undefined) {
    throw invalid('architecture', given, 'amd64 (x64), arm64, arm, 386 (x86), ppc64le or s390x');
  }
  return { platform: { os, arch }, isNative: arch === native };
}

function readTools(inputs: RawInputs): Tool[] {
  const names = new Set(
    inputs
      .get('tools')
      .split(/[\s,]+/)
      .filter((name) => name !== ''),
  );
  const tools = [...names].map((name) => {
    if (!isTool(name)) {
      throw invalid(
        'tools',
        name,
        `one or more of ${TOOLS.join(', ')}, separated by commas, spaces or lines`,
      );
    }
    return name;
  });
  return tools.length === 0 ? ['kubectl'] : tools;
}

async function readVersion(
  inputs: RawInputs,
): Promise<Pick<Inputs, 'version' | 'versionSource' | 'ignoredVersionFile'>> {
  const given = inputs.get('version');
  const file = inputs.get('version-file');
  if (given === '' && file !== '') {
    const pinned = readVersionFile(inputs.path('version-file'), file, inputs.workspace);
    const { version, line } = pinned;
    const request = await parseVersionRequest(version);
    if (request === undefined) {
      // The file may hold anything, a secret too: nothing of it is repeated.
      throw new SetupError(
        'INVALID_INPUT',
        `Input "version-file": line ${String(line)} of ${JSON.stringify(file)} is not a version. Expected ${ACCEPTED_VERSIONS}.`,
      );
    }
    return {
      version: request,
      versionSource: `${version} (${file}, line ${String(line)})`,
      ignoredVersionFile: undefined,
    };
  }
  const text = given === '' ? 'stable' : given;
  const request = await parseVersionRequest(text);
  if (request === undefined) {
    throw invalid('version', text, ACCEPTED_VERSIONS);
  }
  return {
    version: request,
    versionSource: text,
    ignoredVersionFile: file === '' ? undefined : file,
  };
}

function readUrl(inputs: RawInputs, name: string, otherwise: string, mayBeFile = false): URL {
  const given = inputs.get(name);
  const accepted = mayBeFile
    ? `an https URL, http on loopback, or a file URL such as ${inputs.isWindows ? 'file:///C:/mirror' : 'file:///srv/mirror'}, without credentials, query or fragment`
    : 'an https URL, or http on loopback, without credentials, query or fragment';
  const url = URL.parse(given === '' ? otherwise : given);
  const isAllowed =
    url !== null && (isTransportAllowed(url) || (mayBeFile && url.protocol === 'file:'));
  if (!isAllowed) {
    throw invalid(name, given, accepted);
  }
  if (url.username !== '' || url.password !== '') {
    // Not repeated in the message: it holds a secret.
    throw invalid(name, '(a URL with credentials)', `${accepted}; see "download-token"`);
  }
  if (url.search !== '' || url.hash !== '') {
    throw invalid(name, given, accepted);
  }
  if (url.protocol === 'file:' && !isLocalPath(url, inputs.isWindows)) {
    throw invalid(name, given, accepted);
  }
  url.pathname = url.pathname.replace(/\/*$/, '/');
  return url;
}

/** Whether a file URL is a path on this machine: it names no host, and on Windows a drive. */
function isLocalPath(url: URL, windows: boolean): boolean {
  // Windows would open a share on that host, and send it the credentials of the runner's account.
  if (url.host !== '') {
    return false;
  }
  try {
    return fileURLToPath(url, { windows }) !== '';
  } catch {
    return false; // The caller says what is wrong with it.
  }
}

function readToken(inputs: RawInputs, base: URL): string | undefined {
  const token = inputs.get('download-token');
  if (token === '') {
    return undefined;
  }
  if (!/^[\x21-\x7e]+$/.test(token) || base.protocol === 'file:') {
    throw invalid(
      'download-token',
      '(not shown)',
      'a bearer token of printable ASCII characters, for a "download-base-url" with https',
    );
  }
  return token;
}

function readChecksums(
  inputs: RawInputs,
  tools: readonly Tool[],
): Readonly<Partial<Record<Tool, string>>> {
  const checksums: Partial<Record<Tool, string>> = {};
  for (const item of inputs
    .get('checksum')
    .split(/[\s,]+/)
    .filter((text) => text !== '')) {
    const [, name, hex] = /^(?:([a-z-]+)=)?(?:sha256:)?([0-9a-fA-F]{64})$/.exec(item) ?? [];
    const tool = name ?? (tools.length === 1 ? tools[0] : undefined);
    if (hex === undefined || tool === undefined || !isTool(tool) || !tools.includes(tool)) {
      throw invalid(
        'checksum',
        item,
        `a SHA-256 of 64 hex digits, or <tool>=<SHA-256> for each of ${tools.join(', ')}`,
      );
    }
    if (checksums[tool] !== undefined) {
      throw invalid('checksum', item, `one SHA-256 for ${tool}`);
    }
    checksums[tool] = hex.toLowerCase();
  }
  return checksums;
}

const UNITS: Readonly<Record<string, number>> = {
  m: 60_000,
  h: 3_600_000,
  d: 86_400_000,
  w: 604_800_000,
};

function readAges(inputs: RawInputs): Pick<SecondFactors, 'minimumAge' | 'maximumAge'> {
  const minimumAge = readAge(inputs, 'minimum-release-age');
  const maximumAge = readAge(inputs, 'maximum-release-age');
  if (minimumAge !== undefined && maximumAge !== undefined && maximumAge <= minimumAge) {
    throw invalid(
      'maximum-release-age',
      inputs.get('maximum-release-age'),
      'an age above "minimum-release-age"',
    );
  }
  return { minimumAge, maximumAge };
}

/** @returns milliseconds */
function readAge(inputs: RawInputs, name: string): number | undefined {
  const given = inputs.get(name);
  if (given === '') {
    return undefined;
  }
  const [, count, unit] = /^(\d{1,4})([mhdw])$/.exec(given) ?? [];
  const milliseconds = UNITS[unit ?? ''];
  if (count === undefined || milliseconds === undefined) {
    throw invalid(name, given, 'a number and a unit: 90m, 12h, 3d, 1w');
  }
  return Number(count) * milliseconds;
}

/** These have defaults in action.yml; left empty on purpose they are refused, never skipped. */
function readRequired(inputs: RawInputs, name: string): string {
  const given = inputs.get(name);
  if (given === '') {
    throw invalid(
      name,
      given,
      'the whole name that the certificate must carry; it cannot be left out',
    );
  }
  return given;
}

function readTrustRoot(inputs: RawInputs): TrustRootChoice {
  const trustedRoot = inputs.get('trusted-root');
  const mirror = readUrl(inputs, 'tuf-mirror-url', PUBLIC_MIRROR);
  const root = inputs.get('tuf-root');
  if (trustedRoot !== '') {
    if (root !== '') {
      throw new SetupError('INVALID_INPUT', 'Set either "trusted-root" or "tuf-root", not both.');
    }
    return trustedRoot === 'embedded'
      ? { kind: 'embedded' }
      : {
          kind: 'file',
          path: inputs.path('trusted-root'),
          json: readTrusted(inputs, 'trusted-root', ', or "embedded"'),
        };
  }
  if (root !== '') {
    return { kind: 'tuf', mirror, root: readTrusted(inputs, 'tuf-root') };
  }
  if (mirror.origin !== PUBLIC_MIRROR || mirror.pathname !== '/') {
    throw invalid(
      'tuf-mirror-url',
      mirror.href,
      '"tuf-root", the path of the initial root.json, beside a mirror other than Sigstore\'s',
    );
  }
  return { kind: 'tuf', mirror };
}

/** Read once, so that what names the trust of a run is what it trusts. */
function readTrusted(inputs: RawInputs, name: string, otherwise = ''): Buffer {
  const file = inputs.path(name);
  try {
    const found = statSync(file);
    if (!found.isFile() || found.size > MAX_TRUST_BYTES) {
      throw new Error('it is no file, or too large');
    }
    return readFileSync(file);
  } catch (error) {
    const accepted = `the path of a file of at most 1 MiB${otherwise}`;
    throw invalid(name, inputs.get(name), `${accepted} (${explain(error)})`);
  }
}

function readBoolean(inputs: RawInputs, name: string, otherwise: boolean): boolean {
  const given = inputs.get(name);
  if (given === '') {
    return otherwise;
  }
  // The YAML 1.2 core schema, as in getBooleanInput of @actions/core.
  if (!['true', 'True', 'TRUE', 'false', 'False', 'FALSE'].includes(given)) {
    throw invalid(name, given, 'true or false');
  }
  return given.toLowerCase() === 'true';
}

function readRunner({ variables, platform }: Environment): Runner {
  const temp = variables['RUNNER_TEMP'] ?? '';
  const toolCache = variables['RUNNER_TOOL_CACHE'] ?? '';
  const missing = [
    ...(temp === '' ? ['RUNNER_TEMP'] : []),
    ...(toolCache === '' ? ['RUNNER_TOOL_CACHE'] : []),
  ];
  if (missing.length > 0) {
    throw new SetupError(
      'INSTALL_FAILED',
      `${missing.join(' and ')} ${missing.length === 1 ? 'is' : 'are'} not set`,
      { situation: 'runner-variable-missing' },
    );
  }
  const separator = platform === 'win32' ? ';' : ':';
  const search = variables['PATH'] ?? variables['Path'] ?? '';
  return {
    temp,
    toolCache,
    path: search.split(separator).filter((folder) => folder !== ''),
    shellFunctions: Object.keys(variables).flatMap(
      // `export -f kubectl` makes bash hand on BASH_FUNC_kubectl%%.
      (name) => /^BASH_FUNC_(.+)%%$/.exec(name)?.[1] ?? [],
    ),
  };
}

/** For tests of slow and dead servers: every wait times a factor, which can only shorten it. */
function readLimits(variables: Environment['variables']): TransferLimits {
  const factor = Number(variables['SETUP_VERIFIED_KUBECTL_TIME_SCALE'] ?? '1');
  return factor > 0 && factor < 1 ? scaled(TRANSFER_LIMITS, factor) : TRANSFER_LIMITS;
}

/** Characters of an input that is refused. */
const LONGEST_SHOWN = 100;

function invalid(name: string, given: string, expected: string): SetupError {
  const shown = given.length > LONGEST_SHOWN ? `${given.slice(0, LONGEST_SHOWN)}…` : given;
  return new SetupError(
    'INVALID_INPUT',
    `Input "${name}": ${given === '' ? 'an empty value' : JSON.stringify(shown)} is not valid. Expected ${expected}.`,
  );
}
