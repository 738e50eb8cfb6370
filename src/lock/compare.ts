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
  const files = compareEntries(before?.files, after.files, {
    digestOf: ({ sha256 }) => sha256,
    changed: 'another bundle for the same bytes',
  });
  const images = compareEntries(before?.images, after.images, {
    digestOf: ({ digest }) => digest,
    changed: 'other evidence for the same image',
  });
  return [...lines, ...files, ...images];
}

interface Entries<T> {
  readonly digestOf: (entry: T) => string;
  /** What to say of an entry whose digest is the same. */
  readonly changed: string;
}

function compareEntries<T>(
  before: ReadonlyMap<string, T> | undefined,
  after: ReadonlyMap<string, T>,
  { digestOf, changed }: Entries<T>,
): string[] {
  const keys = new Set([...(before?.keys() ?? []), ...after.keys()]);
  return [...keys].sort().flatMap((key) => {
    const [old, now] = [before?.get(key), after.get(key)];
    const [oldDigest, newDigest] = [old && digestOf(old), now && digestOf(now)];
    if (oldDigest !== newDigest) {
      return [
        ...(oldDigest === undefined ? [] : [`-${key}: ${oldDigest}`]),
        ...(newDigest === undefined ? [] : [`+${key}: ${newDigest}`]),
      ];
    }
    return JSON.stringify(old) === JSON.stringify(now) ? [] : [` ${key}: ${changed}`];
  });
}
