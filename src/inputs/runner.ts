import { existsSync } from 'node:fs';
import path from 'node:path';
import { SetupError } from '../errors.js';
import type { Environment } from './environment.js';

/** What the runner tells an action about its machine. */
export interface Runner {
  /** RUNNER_TEMP, an absolute path. */
  readonly temp: string;
  /** RUNNER_TOOL_CACHE, an absolute path: what is installed there is added to PATH. */
  readonly toolCache: string;
  /** Folders of PATH. */
  readonly path: readonly string[];
  /** Names of functions that an earlier step exported to every bash. */
  readonly shellFunctions: readonly string[];
}

/** @throws {SetupError} INSTALL_FAILED if the runner did not name its folders, or names files that do not exist */
export function readRunner({ variables, platform }: Environment): Runner {
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
  // @actions/core writes to them when everything is installed, and its error has no code.
  for (const name of ['GITHUB_OUTPUT', 'GITHUB_PATH']) {
    const file = variables[name] ?? '';
    if (file !== '' && !existsSync(file)) {
      throw new SetupError('INSTALL_FAILED', `${name} names a file that does not exist: ${file}`, {
        situation: 'runner-variable-missing',
      });
    }
  }
  const separator = platform === 'win32' ? ';' : ':';
  const search = variables['PATH'] ?? variables['Path'] ?? '';
  return {
    temp: path.resolve(temp),
    toolCache: path.resolve(toolCache),
    path: search.split(separator).filter((folder) => folder !== ''),
    shellFunctions: Object.keys(variables).flatMap(
      // `export -f kubectl` in bash sets BASH_FUNC_kubectl%%.
      (name) => /^BASH_FUNC_(.+)%%$/.exec(name)?.[1] ?? [],
    ),
  };
}
