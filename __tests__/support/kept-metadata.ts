import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { TufRepository } from './tuf-repository.js';

/** The file with the TUF metadata that runs have kept. @param folder `verified-trust-root` in the tool cache */
export function keptMetadataPath(folder: string): string {
  const names = readdirSync(folder);
  const [name] = names;
  if (name === undefined || names.length > 1) throw new Error(`${names.length} files in ${folder}`);
  return join(folder, name);
}

/** Reads kept files, by name without version or hash. */
export const readKeptMetadata = (path: string): Map<string, Buffer> =>
  new Map(
    Object.entries(JSON.parse(readFileSync(path, 'utf8')) as Record<string, string>).map(
      ([name, base64]) => [name, Buffer.from(base64, 'base64')],
    ),
  );

/** Writes files as if a run had kept them. */
export function writeKeptMetadata(path: string, files: ReadonlyMap<string, Buffer>): void {
  const texts = [...files].map(([name, bytes]) => [name, bytes.toString('base64')] as const);
  writeFileSync(path, JSON.stringify(Object.fromEntries(texts)));
}

/** Changes one kept file; undefined removes it. */
export function changeKeptMetadata(path: string, name: string, bytes: Buffer | undefined): void {
  const files = readKeptMetadata(path);
  if (!files.has(name)) throw new Error(`no ${name} was kept`);
  if (bytes === undefined) files.delete(name);
  else files.set(name, bytes);
  writeKeptMetadata(path, files);
}

/** What a run keeps that has just loaded the latest version of everything. */
export function metadataToKeep({ files, versions }: TufRepository): Map<string, Buffer> {
  const target = [...files.keys()].findLast((path) => path.startsWith('targets/')) ?? '';
  const paths: Record<string, string> = {
    'timestamp.json': 'timestamp.json',
    'snapshot.json': `${versions.snapshot}.snapshot.json`,
    'targets.json': `${versions.targets}.targets.json`,
    'trusted_root.json': target,
  };
  for (let version = 2; version <= versions.root; version++) {
    paths[`${version}.root.json`] = `${version}.root.json`;
  }
  return new Map(
    Object.entries(paths).map(([name, path]) => {
      const bytes = files.get(path);
      if (bytes === undefined) throw new Error(`this repository has no ${path}`);
      return [name, bytes];
    }),
  );
}
