import { explain } from '../errors.js';
import type { Artifact } from '../kubernetes/artifact.js';
import type { CacheEntry } from './cache-entry.js';
import type { Logger } from './logger.js';

/** More would bury the other annotations of a job. */
const MAX_WARNINGS = 10;
const TITLE = 'Cached copy refused';

/** The warnings about copies of one artifact that were not used. Other jobs can plant any number of them. */
export class RefusedCopies {
  readonly #logger: Logger;
  #count = 0;

  constructor(logger: Logger) {
    this.#logger = logger;
  }

  /** @param fate follows the name of the copy's folder in a sentence */
  add(entry: CacheEntry, fate: string, reason: unknown): void {
    this.#count += 1;
    const message = `${entry.folder} ${fate}: ${explain(reason)}`;
    if (this.#count <= MAX_WARNINGS) {
      this.#logger.warning(TITLE, message);
    } else {
      this.#logger.debug(message);
    }
  }

  /** Says how many there were beyond those that a warning named. */
  end({ name, version }: Artifact): void {
    const others = this.#count - MAX_WARNINGS;
    if (others > 0) {
      const copies = others === 1 ? 'copy' : 'copies';
      const were = others === 1 ? 'was' : 'were';
      this.#logger.warning(
        TITLE,
        `${String(others)} other ${copies} of ${name} ${version} in the tool cache ${were} refused too`,
      );
    }
  }
}
