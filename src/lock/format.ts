import { bundleToJSON } from '@sigstore/bundle';
import { blobsOf } from '../registry/contents.js';
import { LOCK_VERSION, type LockContent, type LockedFile, type LockedImage } from './lock.js';

/**
 * The text of a lock file, UTF-8.
 *
 * Made for review: the version, each digest and each piece of evidence are on a line of their own;
 * files are sorted by path, images by reference. So a new patch changes three lines and two for
 * each further file.
 */
export function serializeLock({ version, files, images }: LockContent): string {
  const members = [
    `  "lockVersion": ${String(LOCK_VERSION)}`,
    `  "version": ${JSON.stringify(version)}`,
    mapText('files', files, fileFields),
    ...(images.size === 0 ? [] : [mapText('images', images, imageFields)]),
  ];
  return `{\n${members.join(',\n')}\n}\n`;
}

/** Names and values, in this order. */
type Fields = readonly (readonly [name: string, value: unknown])[];

function fileFields({ sha256, bundle }: LockedFile): Fields {
  return [
    ['sha256', sha256],
    ['bundle', bundleToJSON(bundle)],
  ];
}

function imageFields({ digest, payload, bundle, contents }: LockedImage): Fields {
  return [
    ['digest', digest],
    ['payload', payload.toString('base64')],
    ['bundle', bundleToJSON(bundle)],
    ['blobs', blobsOf(contents).map((bytes) => bytes.toString('base64'))],
  ];
}

function mapText<T>(
  name: string,
  entries: ReadonlyMap<string, T>,
  fieldsOf: (entry: T) => Fields,
): string {
  const texts = [...entries]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([key, entry]) => {
      const fields = fieldsOf(entry).map(
        ([field, value]) => `      ${JSON.stringify(field)}: ${JSON.stringify(value)}`,
      );
      return `    ${JSON.stringify(key)}: {\n${fields.join(',\n')}\n    }`;
    });
  return `  ${JSON.stringify(name)}: {\n${texts.join(',\n')}\n  }`;
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
