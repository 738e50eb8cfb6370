import { existsSync } from 'node:fs';
import { delimiter, join } from 'node:path';

/** An executable, or why there is none to use. */
export type ExecutableFound = { readonly executable: string } | { readonly absent: string };

/** The executable that a variable names (`CRANE`), or else the one on `PATH` (`crane`). */
export function findExecutable(
  variable: string,
  name: string,
  environment: NodeJS.ProcessEnv = process.env,
): ExecutableFound {
  const named = environment[variable] ?? '';
  const file = process.platform === 'win32' ? `${name}.exe` : name;
  const executable =
    named === ''
      ? (environment['PATH'] ?? '')
          .split(delimiter)
          .map((folder) => join(folder, file))
          .find((candidate) => existsSync(candidate))
      : named;
  return executable === undefined
    ? { absent: `no ${name} in ${variable} or on PATH` }
    : { executable };
}
