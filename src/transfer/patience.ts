/** How long a transfer may take, and how often it is tried. All times are milliseconds. */
export interface Patience {
  /** Until a connection stands and the answer's headers are here, per request. */
  readonly answer: number;
  /** Without a single byte, while a body is being read. */
  readonly stall: number;
  /** For one small answer (signature, log entry, metadata), its tries included. */
  readonly small: number;
  /** For one artifact, its tries included. */
  readonly artifact: number;
  /** Tries after the first one. */
  readonly retries: number;
  /** The first pause between two tries; each further one is twice as long, plus jitter. */
  readonly pause: number;
  /** The longest pause between two tries, also when a server asks for a longer one. */
  readonly longestPause: number;
  /** For a release that is announced but not yet at the host, all in all. */
  readonly announced: number;
  /** Between two questions whether it has come. */
  readonly announcedPause: number;
}

export const PATIENCE: Patience = {
  answer: 15_000,
  stall: 30_000,
  small: 90_000,
  artifact: 30 * 60_000,
  retries: 4,
  pause: 500,
  longestPause: 10_000,
  announced: 120_000,
  announcedPause: 10_000,
};

/**
 * The same patience with every time multiplied by `factor`; the number of tries stays.
 *
 * @param factor greater than 0
 */
export function scaled(patience: Patience, factor: number): Patience {
  return {
    answer: patience.answer * factor,
    stall: patience.stall * factor,
    small: patience.small * factor,
    artifact: patience.artifact * factor,
    retries: patience.retries,
    pause: patience.pause * factor,
    longestPause: patience.longestPause * factor,
    announced: patience.announced * factor,
    announcedPause: patience.announcedPause * factor,
  };
}
