import { serializeLock } from './format.js';
import type { LockContent } from './lock.js';

/**
 * What is different in another lock, as a reviewer sees it: lines that go begin with `-`, lines
 * that come with `+`. Bundles are long, so only that they differ is said.
 *
 * @param before undefined for a lock that does not exist
 * @returns empty where both are the same
 */
export function compareLocks(before: LockContent | undefined, after: LockContent): string[] {
  if (before !== undefined && serializeLock(before) === serializeLock(after)) {
    return [];
  }
  const lines: string[] = [];
  if (before?.version !== after.version) {
    lines.push(...(before === undefined ? [] : [`-version: ${before.version}`]));
    lines.push(`+version: ${after.version}`);
  }
  const paths = new Set([...(before?.files.keys() ?? []), ...after.files.keys()]);
  for (const path of [...paths].sort()) {
    const [old, now] = [before?.files.get(path), after.files.get(path)];
    if (old?.sha256 !== now?.sha256) {
      lines.push(...(old === undefined ? [] : [`-${path}: ${old.sha256}`]));
      lines.push(...(now === undefined ? [] : [`+${path}: ${now.sha256}`]));
    } else if (JSON.stringify(old) !== JSON.stringify(now)) {
      lines.push(` ${path}: another bundle for the same bytes`);
    }
  }
  return lines;
}
