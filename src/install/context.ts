import type { Release } from '../kubernetes/release.js';
import type { Lock } from '../lock/lock.js';
import type { PublicationContext } from '../sigstore/evidence/published.js';
import type { Policy } from '../sigstore/evidence/source.js';
import type { CacheAccess } from './cache-access.js';
import type { Logger } from './logger.js';
import type { SearchPaths } from './preinstalled.js';
import type { ReleaseBinder } from './binding.js';
import type { SecondFactors } from './second-factors.js';
import type { ToolCache } from './tool-cache.js';

/** What proving one file of a release takes. */
export interface ProofContext extends PublicationContext {
  readonly release: Release;
  /** Whom to trust, and who must have signed. */
  readonly policy: Policy;
  /** Whose digests and evidence apply, in place of what is published; undefined without one. */
  readonly lock: Lock | undefined;
  readonly binder: ReleaseBinder;
  readonly secondFactors: SecondFactors;
  readonly logger: Logger;
}

/** Everything that obtaining the files of one release needs to know and to use. */
export interface InstallContext extends ProofContext {
  /** Where copies are looked for. */
  readonly toolCache: ToolCache;
  /** Decides where new copies go. */
  readonly cacheAccess: CacheAccess;
  readonly searchPaths: SearchPaths;
  /** A folder below RUNNER_TEMP that is removed when the run ends. */
  readonly scratch: string;
}
