import { createRequire } from 'node:module';
import type { SerializedBundle } from '@sigstore/bundle';

/** The options of `sigstore.verify` that these tests use. */
export interface JudgeOptions {
  readonly certificateIdentityEmail: string;
  readonly certificateIssuer: string;
  readonly tufMirrorURL: string;
  readonly tufRootPath: string;
  readonly tufCachePath: string;
}

interface Umbrella {
  verify(bundle: SerializedBundle, payload: Buffer, options: JudgeOptions): Promise<unknown>;
}

// Required and not imported: its type declarations need those of packages that come without any.
const umbrella = createRequire(import.meta.url)('sigstore') as Umbrella;

/** `verify` of the umbrella package `sigstore`, which knows nothing of this action; throws for what it refuses. */
export async function independentVerify(
  bundle: SerializedBundle,
  payload: Buffer,
  options: JudgeOptions,
): Promise<void> {
  await umbrella.verify(bundle, payload, options);
}
