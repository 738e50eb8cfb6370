import type { DigestedFile } from '../files/digested-file.js';
import type { Artifact } from '../kubernetes/artifact.js';
import type { VerifiedEvidence } from '../sigstore/evidence/source.js';
import type { Binding } from './binding.js';
import type { CacheEntry } from './cache-entry.js';

/** Where the bytes came from. */
export type Origin = 'download' | 'cache' | 'preinstalled';

/** How long the parts of obtaining a file took, in milliseconds. */
export interface ObtainDurations {
  /** Until the last byte was here; undefined where nothing was downloaded. */
  readonly download: number | undefined;
  /** From then on. Checks that ran while the bytes were arriving take no time of their own. */
  readonly verify: number;
}

/** A file that passed every check in this run, and where it is now. */
export interface VerifiedArtifact extends VerifiedEvidence<DigestedFile> {
  readonly artifact: Artifact;
  readonly binding: Binding;
  readonly origin: Origin;
  /** Where it belongs. */
  readonly cacheEntry: CacheEntry;
  /** Where it is: the cache entry's own folder, or one of this run that is moved there. */
  readonly folder: string;
  /** Of the cache entry that was verified; undefined for a folder of this run. */
  readonly fingerprint: string | undefined;
  readonly durations: ObtainDurations;
}

/** A verified file that is in its cache entry. */
export interface InstalledArtifact extends VerifiedArtifact {
  readonly fingerprint: string;
}
