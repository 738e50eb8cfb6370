import { homedir, tmpdir } from 'node:os';
import path from 'node:path';
import type { Environment } from './environment.js';

/** What the process was started with, after the script: none for a step of a workflow. */
export function commandArguments(): readonly string[] {
  return process.argv.slice(2);
}

/** `node lock/index.js` passes this on, for the action in lock/. */
export const LOCK_ACTION = '--lock-action';

/**
 * The environment of a command, for the readers of the action's inputs: options in place of the
 * runner's variables. Relative paths are below the current directory, which is the workspace.
 *
 * @param inputs values by the name of the input
 */
export function commandEnvironment(
  { variables, ...machine }: Environment,
  inputs: Readonly<Record<string, string>>,
): Environment {
  const others = Object.entries(variables).filter(
    ([name]) => !name.toUpperCase().startsWith('INPUT_') && name !== 'GITHUB_WORKSPACE',
  );
  const options = Object.entries(inputs).map(([name, value]) => [
    `INPUT_${name.toUpperCase()}`,
    value,
  ]);
  return {
    ...machine,
    variables: {
      RUNNER_TEMP: tmpdir(),
      RUNNER_TOOL_CACHE: cacheFolder({ variables, ...machine }),
      ...(Object.fromEntries([...others, ...options]) as Environment['variables']),
    },
  };
}

/** Where a user's programs keep what they can get again. */
function cacheFolder({ variables, platform }: Environment): string {
  const name = 'setup-verified-kubectl';
  switch (platform) {
    case 'win32':
      return path.join(variables['LOCALAPPDATA'] ?? homedir(), name);
    case 'darwin':
      return path.join(homedir(), 'Library', 'Caches', name);
    default:
      // XDG Base Directory Specification 0.8: a relative path is ignored.
      return path.join(
        path.isAbsolute(variables['XDG_CACHE_HOME'] ?? '')
          ? (variables['XDG_CACHE_HOME'] ?? '')
          : path.join(homedir(), '.cache'),
        name,
      );
  }
}
