import { readFile, stat } from 'node:fs/promises';
import type { Bundle } from '@sigstore/bundle';
import { SetupError } from '../../errors.js';
import { MAX_BUNDLE_BYTES, parseBundle, serializeBundle } from '../bundle.js';
import type { Evidence, EvidenceSource } from './source.js';

/** A bundle that an earlier run wrote beside the file it proves. */
export class StoredBundle implements EvidenceSource {
  readonly #file: string;

  /** @param file a Sigstore bundle, as {@link serializeBundle} writes it */
  constructor(file: string) {
    this.#file = file;
  }

  async find(): Promise<Evidence> {
    return { candidates: [{ bundle: await readStoredBundle(this.#file) }] };
  }
}

/**
 * Reads a bundle that this action wrote. It must have exactly the bytes that the action writes, so
 * that every change to it is noticed.
 *
 * @throws {SetupError} SIGNATURE_MALFORMED
 */
export async function readStoredBundle(file: string): Promise<Bundle> {
  if ((await stat(file)).size > MAX_BUNDLE_BYTES) {
    throw changed(file);
  }
  const json = await readFile(file);
  const bundle = parseBundle(json);
  if (!serializeBundle(bundle).equals(json)) {
    throw changed(file);
  }
  return bundle;
}

function changed(file: string): SetupError {
  return new SetupError('SIGNATURE_MALFORMED', `${file} was changed after this action wrote it`);
}
