import { bundleToJSON } from '@sigstore/bundle';
import { LOCK_VERSION, type LockContent, type LockedFile } from './lock.js';

/**
 * The text of a lock file, UTF-8.
 *
 * Made for review: the version, each SHA-256 and each bundle are on a line of their own, and files
 * are sorted by path. So a new patch changes three lines and two for each further file.
 */
export function serializeLock({ version, files }: LockContent): string {
  const entries = [...files]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([path, file]) => `    ${JSON.stringify(path)}: ${entryText(file)}`);
  return [
    '{',
    `  "lockVersion": ${String(LOCK_VERSION)},`,
    `  "version": ${JSON.stringify(version)},`,
    '  "files": {',
    entries.join(',\n'),
    '  }',
    '}',
    '',
  ].join('\n');
}

function entryText({ sha256, bundle }: LockedFile): string {
  return [
    '{',
    `      "sha256": ${JSON.stringify(sha256)},`,
    `      "bundle": ${JSON.stringify(bundleToJSON(bundle))}`,
    '    }',
  ].join('\n');
}

/**
 * JSON without the white space between its tokens (RFC 8259 §2). Formatters of a repository, and
 * git on Windows, change that and nothing else.
 *
 * @param json valid JSON
 */
export function withoutWhiteSpace(json: string): string {
  return json.replaceAll(/("[^"\\]*(?:\\.[^"\\]*)*")|[ \t\r\n]+/g, '$1');
}
