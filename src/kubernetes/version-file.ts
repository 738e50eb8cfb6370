import { readFileSync, realpathSync, statSync } from 'node:fs';
import path from 'node:path';
import { parse as parseToml } from 'smol-toml';
import { SetupError, explain } from '../errors.js';

/** A version as a file gives it, not validated yet. */
export interface PinnedVersion {
  readonly version: string;
  /** Counted from 1. */
  readonly line: number;
}

const MAX_FILE_BYTES = 1 << 20;

/**
 * Reads the version that a repository pins in a file of its own: `.tool-versions` (asdf),
 * `mise.toml`, `go.mod`, or plain text such as `.kubectl-version`.
 *
 * Whoever opens a pull request chooses what the path leads to. So the file must be inside the
 * workspace when every link is resolved, and no message repeats anything that is in it.
 *
 * @param file its absolute path
 * @param shown the path as the user wrote it, for messages
 * @param workspace the folder that the file must be in, an absolute path
 * @throws {SetupError} INVALID_INPUT, naming file and line
 */
export function readVersionFile(file: string, shown: string, workspace: string): PinnedVersion {
  return parseVersionFile(path.basename(file), readText(file, shown, workspace), shown);
}

/**
 * @param name of the file, by which its format is known
 * @throws {SetupError} INVALID_INPUT, naming the line, and repeating nothing of the text
 */
export function parseVersionFile(name: string, text: string, shown: string): PinnedVersion {
  const lines = text.split(/\r?\n/);
  const pinned = parserFor(name)(lines, shown);
  if (pinned === undefined) {
    throw new SetupError(
      'INVALID_INPUT',
      `Input "version-file": ${JSON.stringify(shown)} specifies no kubectl version. Expected ${expectationFor(name)}.`,
    );
  }
  return pinned;
}

type Parser = (lines: readonly string[], shown: string) => PinnedVersion | undefined;

function parserFor(name: string): Parser {
  if (name === '.tool-versions') {
    return parseToolVersions;
  }
  if (name === 'go.mod') {
    return parseGoMod;
  }
  return isMise(name) ? parseMise : parsePlain;
}

function expectationFor(name: string): string {
  if (name === 'go.mod') {
    return `a requirement of one of ${STAGING_MODULES.slice(0, 3).join(', ')} … at v0.N.P`;
  }
  if (name === '.tool-versions') {
    return 'a line "kubectl 1.31.9"';
  }
  return isMise(name) ? 'kubectl = "1.31.9" under [tools]' : 'a line "1.31.9"';
}

function isMise(name: string): boolean {
  return /^\.?mise(\..+)?\.toml$/.test(name);
}

/** One version; `#` begins a comment. */
function parsePlain(lines: readonly string[]): PinnedVersion | undefined {
  return firstOf(lines, (line) => {
    const version = line.replace(/#.*/, '').trim();
    return version === '' ? undefined : version;
  });
}

/** asdf: a tool and its versions in order of preference. */
function parseToolVersions(lines: readonly string[]): PinnedVersion | undefined {
  return firstOf(lines, (line) => {
    const [tool, version] = line.replace(/#.*/, '').trim().split(/\s+/);
    return tool === 'kubectl' ? version : undefined;
  });
}

/** Names under which mise knows kubectl. */
const MISE_NAMES = [
  'kubectl',
  'core:kubectl',
  'aqua:kubernetes/kubectl',
  'aqua:kubernetes/kubernetes/kubectl',
  'asdf:kubectl',
  'asdf:asdf-community/asdf-kubectl',
  'ubi:kubernetes/kubectl',
  'vfox:kubectl',
];

/** mise: `[tools]`, each a version, a list of them, or a table with one. */
function parseMise(lines: readonly string[], shown: string): PinnedVersion | undefined {
  const tools = tableOf(parseTomlText(lines, shown)['tools']);
  const name = MISE_NAMES.find((candidate) => Object.hasOwn(tools, candidate));
  if (name === undefined) {
    return undefined;
  }
  const value = tools[name];
  const first: unknown = Array.isArray(value) ? value[0] : value;
  const version = typeof first === 'string' ? first : tableOf(first)['version'];
  const line = lineOfKey(lines, name);
  if (typeof version !== 'string' || version === '') {
    throw invalid(shown, line, `specifies no version for ${name}`);
  }
  return { version, line };
}

/**
 * Where a key stands: alone, as a table's own heading, or inside a table on one line.
 *
 * @param key without characters that mean something in a regular expression
 */
function lineOfKey(lines: readonly string[], key: string): number {
  const own = new RegExp(`^\\s*(?:\\[\\s*tools\\s*\\.\\s*)?["']?${key}["']?\\s*[.=\\]]`);
  const index = lines.findIndex((text) => own.test(text));
  return (index < 0 ? lines.findIndex((text) => text.includes(key)) : index) + 1;
}

function parseTomlText(lines: readonly string[], shown: string): Record<string, unknown> {
  try {
    return parseToml(lines.join('\n'));
  } catch (error) {
    // The error's own message, like the error itself, quotes the text.
    throw invalid(shown, lineOf(error), 'is not TOML');
  }
}

function lineOf(error: unknown): number {
  return error instanceof Error && 'line' in error ? Number(error.line) : 1;
}

function tableOf(value: unknown): Record<string, unknown> {
  return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {};
}

/** Modules that Kubernetes publishes from its own repository: v0.N.P belongs to v1.N.P. */
const STAGING_MODULES = [
  'k8s.io/client-go',
  'k8s.io/api',
  'k8s.io/apimachinery',
  'k8s.io/kubectl',
  'k8s.io/cli-runtime',
  'k8s.io/apiextensions-apiserver',
  'k8s.io/apiserver',
  'k8s.io/component-base',
  'k8s.io/controller-manager',
  'k8s.io/kubelet',
  'k8s.io/metrics',
  'k8s.io/code-generator',
  'k8s.io/kubernetes',
];

/** Go modules reference, §go.mod files: `require` and `replace`, alone or in a block. */
function parseGoMod(lines: readonly string[], shown: string): PinnedVersion | undefined {
  const statements = goModStatements(lines);
  const required = statements
    .filter(({ verb }) => verb === 'require')
    .map(({ words: [module = '', version = ''], line }) => ({ module, version, line }));
  for (const name of STAGING_MODULES) {
    const requirement = required.find(({ module }) => module === name);
    if (requirement !== undefined) {
      return kubernetesVersion(name, replaced(requirement, statements), shown);
    }
  }
  return undefined;
}

interface Statement {
  readonly verb: string;
  readonly words: readonly string[];
  readonly line: number;
}

interface Requirement {
  readonly module: string;
  readonly version: string;
  readonly line: number;
}

function goModStatements(lines: readonly string[]): Statement[] {
  const statements: Statement[] = [];
  let block: string | undefined;
  lines.forEach((text, index) => {
    const words = text
      .replace(/\/\/.*/, '')
      .trim()
      .split(/\s+/);
    const [first = ''] = words;
    if (block === undefined && words[1] === '(') {
      block = first;
    } else if (first === ')') {
      block = undefined;
    } else if (first !== '') {
      const isAlone = block === undefined;
      const verb = block ?? first;
      statements.push({ verb, words: isAlone ? words.slice(1) : words, line: index + 1 });
    }
  });
  return statements;
}

/** `replace old [version] => new [version]`; a path has no version. */
function replaced(requirement: Requirement, statements: readonly Statement[]): Requirement {
  for (const { verb, words, line } of statements) {
    const arrow = words.indexOf('=>');
    const [module, version] = words.slice(0, arrow);
    const isMeant =
      verb === 'replace' &&
      arrow > 0 &&
      module === requirement.module &&
      (version === undefined || version === requirement.version);
    if (isMeant) {
      const [target = '', targetVersion = ''] = words.slice(arrow + 1);
      return { module: target, version: targetVersion, line };
    }
  }
  return requirement;
}

/** @param name of the module that is required, one of ours: its replacement may have any name */
function kubernetesVersion(
  name: string,
  { version, line }: Requirement,
  shown: string,
): PinnedVersion {
  const [, major, rest] = /^v([01])\.(\d+\.\d+(?:-(?:alpha|beta|rc)\.\d+)?)$/.exec(version) ?? [];
  const isRelease = rest !== undefined && (major === '1' || !rest.startsWith('0.'));
  if (!isRelease) {
    throw invalid(shown, line, `requires ${name} at a version that matches no Kubernetes release`);
  }
  return { version: `1.${rest}`, line };
}

function firstOf(
  lines: readonly string[],
  versionOf: (line: string) => string | undefined,
): PinnedVersion | undefined {
  for (const [index, text] of lines.entries()) {
    const version = versionOf(text);
    if (version !== undefined) {
      return { version, line: index + 1 };
    }
  }
  return undefined;
}

function readText(file: string, shown: string, workspace: string): string {
  try {
    // The native one also gives names the case that they have on disk, where case makes no difference.
    const real = realpathSync.native(file);
    if (!isInside(real, realpathSync.native(workspace))) {
      throw new OutsideError();
    }
    const found = statSync(real);
    if (!found.isFile()) {
      throw new Error('it is not a file'); // To read a pipe or a device could take for ever.
    }
    if (found.size > MAX_FILE_BYTES) {
      throw new Error(`it is larger than ${String(MAX_FILE_BYTES)} bytes`);
    }
    return readFileSync(real, 'utf8');
  } catch (error) {
    const problem =
      error instanceof OutsideError ? error.message : `cannot be read: ${explain(error)}`;
    throw new SetupError(
      'INVALID_INPUT',
      `Input "version-file": ${JSON.stringify(shown)} ${problem}. Expected the path of a file in the repository, which must be checked out before this step.`,
      { cause: error },
    );
  }
}

/** Both without links. */
function isInside(file: string, folder: string): boolean {
  const relative = path.relative(folder, file);
  const [first] = relative.split(path.sep);
  return first !== '..' && !path.isAbsolute(relative); // Absolute: on another drive of Windows.
}

class OutsideError extends Error {
  constructor() {
    super('is outside the workspace');
  }
}

function invalid(shown: string, line: number, problem: string): SetupError {
  return new SetupError(
    'INVALID_INPUT',
    `Input "version-file": line ${String(line)} of ${JSON.stringify(shown)} ${problem}.`,
  );
}
