import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

/** The folder of this repository. */
export const ROOT = join(import.meta.dirname, '..', '..');

/** Files of the repository by pattern, relative to it, with slashes, sorted. */
export function filesLike(...patterns: string[]): string[] {
  return globSync(patterns, { cwd: ROOT, exclude: ['node_modules/**', '.cache/**'] })
    .map((file) => file.replaceAll('\\', '/'))
    .sort();
}

export function textOf(file: string): string {
  return readFileSync(join(ROOT, file), 'utf8');
}
