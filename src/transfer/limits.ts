/** How long a transfer may take, and how often it is tried. All times are milliseconds. */
export interface TransferLimits {
  /** Until a connection stands and the answer's headers are here, per request. */
  readonly responseTimeout: number;
  /** Without a single byte, while a body is being read. */
  readonly idleTimeout: number;
  /** For one small answer (signature, log entry, metadata), its tries included. */
  readonly metadataTimeout: number;
  /** For one artifact, its tries included. */
  readonly downloadTimeout: number;
  /** Tries after the first one. */
  readonly retries: number;
  /** The first pause between two tries; each further one is twice as long, plus jitter. */
  readonly retryDelay: number;
  /** The longest pause between two tries, also when a server asks for a longer one. */
  readonly maxRetryDelay: number;
  /** For a release that is announced but not yet at the host, all in all. */
  readonly publicationTimeout: number;
  /** Between two questions whether it has come. */
  readonly publicationInterval: number;
}

export const TRANSFER_LIMITS: TransferLimits = {
  responseTimeout: 15_000,
  idleTimeout: 30_000,
  metadataTimeout: 90_000,
  downloadTimeout: 30 * 60_000,
  retries: 4,
  retryDelay: 500,
  maxRetryDelay: 10_000,
  publicationTimeout: 120_000,
  publicationInterval: 10_000,
};

/**
 * The same patience with every time multiplied by `factor`; the number of tries stays.
 *
 * @param factor greater than 0
 */
export function scaled(limits: TransferLimits, factor: number): TransferLimits {
  return {
    responseTimeout: limits.responseTimeout * factor,
    idleTimeout: limits.idleTimeout * factor,
    metadataTimeout: limits.metadataTimeout * factor,
    downloadTimeout: limits.downloadTimeout * factor,
    retries: limits.retries,
    retryDelay: limits.retryDelay * factor,
    maxRetryDelay: limits.maxRetryDelay * factor,
    publicationTimeout: limits.publicationTimeout * factor,
    publicationInterval: limits.publicationInterval * factor,
  };
}
