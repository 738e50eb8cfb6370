import { readFileSync, statSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { SetupError, explain } from './errors.js';
import type { SecondFactors } from './install/second-factors.js';
import {
  ACCEPTED_IMAGES,
  isRepositoryPath,
  parseImageRequest,
  type ImageRequest,
} from './kubernetes/image.js';
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
  /** None with `none`. */
  readonly tools: readonly Tool[];
  readonly images: readonly ImageRequest[];
  /** Ends in a slash; https, or http on loopback. A path is put in front of every repository. */
  readonly imageRegistry: URL;
  /** Who must have signed the images. */
  readonly imageIdentity: ExpectedIdentity;
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
const DEFAULT_IMAGE_REGISTRY = 'https://registry.k8s.io';
/** A list of kubeadm has seven. */
const MAX_IMAGES = 100;
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
  const inputs = new RawInputs(environment.variables);
  const { platform, isNative } = readPlatform(inputs, environment);
  const images = readImages(inputs);
  const tools = readTools(inputs, images.length > 0);
  for (const tool of tools) {
    assertPublished(tool, platform);
  }
  const downloadBaseUrl = readUrl(inputs, 'download-base-url', DEFAULT_BASE_URL, true);
  const issuer = readRequired(inputs, 'certificate-oidc-issuer');
  return {
    ...(await readVersion(inputs)),
    tools,
    images,
    imageRegistry: readImageRegistry(inputs),
    imageIdentity: {
      subjectAlternativeName: readRequired(inputs, 'image-certificate-identity'),
      issuer,
    },
    platform,
    isNative,
    downloadBaseUrl,
    downloadToken: readToken(inputs, downloadBaseUrl),
    secondFactors: { checksums: readChecksums(inputs, tools), minimumAge: readAge(inputs) },
    identity: {
      subjectAlternativeName: readRequired(inputs, 'certificate-identity'),
      issuer,
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
  readonly #variables: Environment['variables'];

  constructor(variables: Environment['variables']) {
    this.#variables = variables;
  }

  /** Empty where it is not given. */
  get(name: string): string {
    return (this.#variables[`INPUT_${name.toUpperCase()}`] ?? '').trim();
  }

  /** Separated by commas, spaces or lines; each once. */
  words(name: string): Set<string> {
    return new Set(
      this.get(name)
        .split(/[\s,]+/)
        .filter((word) => word !== ''),
    );
  }

  /** A path given in an input; relative ones begin at the workspace. */
  path(name: string): string {
    return path.resolve(this.#variables['GITHUB_WORKSPACE'] ?? '', this.get(name));
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
      `Kubernetes publishes nothing for ${environment.platform}`,
      `Run the job on one of ${OPERATING_SYSTEMS.join(', ')}.`,
    );
  }
  const native = parseArchitecture(environment.arch);
  const given = inputs.get('architecture');
  const arch = given === '' ? native : parseArchitecture(given);
  if (arch === undefined && given === '') {
    throw new SetupError(
      'PLATFORM_NOT_PUBLISHED',
      `Kubernetes publishes nothing for ${os}/${environment.arch}`,
      `Run the job on one of ${ARCHITECTURES.join(', ')}, or set the input "architecture".`,
    );
  }
  if (arch === undefined) {
    throw invalid('architecture', given, 'amd64 (x64), arm64, arm, 386 (x86), ppc64le or s390x');
  }
  return { platform: { os, arch }, isNative: arch === native };
}

/** @param hasImages whether there is something to do without a tool */
function readTools(inputs: RawInputs, hasImages: boolean): Tool[] {
  const names = inputs.words('tools');
  if (names.size === 1 && names.has('none')) {
    if (!hasImages) {
      throw invalid('tools', 'none', 'none only together with "images"');
    }
    return [];
  }
  const tools = [...names].map((name) => {
    if (!isTool(name)) {
      throw invalid(
        'tools',
        name,
        `one or more of ${TOOLS.join(', ')}, separated by commas, spaces or lines; or none, alone`,
      );
    }
    return name;
  });
  return tools.length === 0 ? ['kubectl'] : tools;
}

function readImages(inputs: RawInputs): ImageRequest[] {
  const images = new Map<string, ImageRequest>();
  for (const word of inputs.words('images')) {
    const requests = parseImageRequest(word);
    if (requests === undefined) {
      throw invalid('images', word, ACCEPTED_IMAGES);
    }
    for (const request of requests) {
      images.set(request.requested, request);
    }
  }
  if (images.size > MAX_IMAGES) {
    throw invalid('images', `${String(images.size)} images`, `at most ${String(MAX_IMAGES)}`);
  }
  return [...images.values()];
}

function readImageRegistry(inputs: RawInputs): URL {
  const url = readUrl(inputs, 'image-registry', DEFAULT_IMAGE_REGISTRY);
  const path = url.pathname.slice(1, -1);
  if (path !== '' && !isRepositoryPath(path)) {
    throw invalid(
      'image-registry',
      url.href,
      'a registry, perhaps with a path of lower-case names in front of its repositories',
    );
  }
  return url;
}

async function readVersion(
  inputs: RawInputs,
): Promise<Pick<Inputs, 'version' | 'versionSource' | 'ignoredVersionFile'>> {
  const given = inputs.get('version');
  const file = inputs.get('version-file');
  if (given === '' && file !== '') {
    const { version, line } = readVersionFile(inputs.path('version-file'), file);
    const request = await parseVersionRequest(version);
    if (request === undefined) {
      throw invalid(
        'version-file',
        version,
        `${ACCEPTED_VERSIONS}; it stands in ${file}, line ${String(line)}`,
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
    ? 'an https URL, http on loopback, or a file URL, without credentials, query or fragment'
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
  if (url.protocol === 'file:') {
    const folder = folderUrl(url);
    if (folder === undefined) {
      throw invalid(name, given, accepted);
    }
    return folder;
  }
  url.pathname = url.pathname.replace(/\/*$/, '/');
  return url;
}

/** Undefined for a URL that is no path on this machine, such as one with a host name. */
function folderUrl(url: URL): URL | undefined {
  try {
    return pathToFileURL(`${fileURLToPath(url)}${path.sep}`);
  } catch {
    return undefined; // The caller says what is wrong with it.
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

/** @returns milliseconds */
function readAge(inputs: RawInputs): number | undefined {
  const given = inputs.get('minimum-release-age');
  if (given === '') {
    return undefined;
  }
  const [, count, unit] = /^(\d{1,4})([mhdw])$/.exec(given) ?? [];
  const milliseconds = UNITS[unit ?? ''];
  if (count === undefined || milliseconds === undefined) {
    throw invalid('minimum-release-age', given, 'a number and a unit: 90m, 12h, 3d, 1w');
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
      throw invalid(
        'trusted-root',
        trustedRoot,
        'nothing beside "tuf-root": only one can be trusted',
      );
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
      'another mirror than Sigstore\'s only together with "tuf-root", the path of its initial root.json',
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
  if (temp === '' || toolCache === '') {
    throw new SetupError(
      'INSTALL_FAILED',
      'RUNNER_TEMP and RUNNER_TOOL_CACHE are not set',
      'The runner sets them for every action. To try the action by hand, see "npm run action" in CONTRIBUTING.md.',
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

function invalid(name: string, given: string, accepted: string): SetupError {
  // A file may be long, and a link in a repository may lead to one that is not for the log.
  const shown = given.length > LONGEST_SHOWN ? `${given.slice(0, LONGEST_SHOWN)}…` : given;
  return new SetupError(
    'INVALID_INPUT',
    `input "${name}": ${given === '' ? 'nothing' : JSON.stringify(shown)} was given`,
    `Accepted is ${accepted}.`,
  );
}
