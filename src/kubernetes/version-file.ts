import { realpathSync } from 'node:fs';
import path from 'node:path';
import { parse as parseToml } from 'smol-toml';
import { SetupError, explain } from '../errors.js';
import { readPlainFile } from '../files/plain-file.js';
import { STAGING_MODULES, parseGoMod } from './go-mod.js';
import { invalidLine, type PinnedVersion } from './pinned-version.js';

const MAX_FILE_BYTES = 1 << 20;

/**
 * Reads the version that a repository pins in a file of its own: `.tool-versions` (asdf),
 * `mise.toml`, `go.mod`, or plain text such as `.kubectl-version`.
 *
 * The author of a pull request can put a link at the path. So the file must be inside the workspace
 * after all links are resolved, and no message repeats anything from it.
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
 * @param name of the file, which tells its format
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
    throw invalidLine(shown, line, `specifies no version for ${name}`);
  }
  return { version, line };
}

/**
 * The line of a key: alone, in the heading of a table, or in an inline table.
 *
 * @param key without characters that are special in a regular expression
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
    throw invalidLine(shown, lineOf(error), 'is not TOML');
  }
}

function lineOf(error: unknown): number {
  return error instanceof Error && 'line' in error ? Number(error.line) : 1;
}

function tableOf(value: unknown): Record<string, unknown> {
  return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {};
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
    // The native variant also corrects the case of names on file systems that ignore case.
    const real = realpathSync.native(file);
    if (!isInside(real, realpathSync.native(workspace))) {
      throw new OutsideError();
    }
    return readPlainFile(real, MAX_FILE_BYTES).toString('utf8');
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

/** Both paths must be real ones, with all links resolved. */
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
