/** How long a transfer may take, and how often it is tried. All times are milliseconds. */
export interface TransferLimits {
  /** For the connection and the headers of the response, per request. */
  readonly responseTimeout: number;
  /** Without a single byte, while a body is being read. */
  readonly idleTimeout: number;
  /** For one small object (signature, log entry, metadata), including retries. */
  readonly metadataTimeout: number;
  /** For one artifact, including retries. */
  readonly downloadTimeout: number;
  /** Tries after the first one. */
  readonly retries: number;
  /** The first pause between two tries; each further one is twice as long, plus jitter. */
  readonly retryDelay: number;
  /** The longest pause between two tries, also when a server asks for a longer one. */
  readonly maxRetryDelay: number;
  /** Until a transfer that is not finished is reported, and between two further reports. */
  readonly firstWaitNotice: number;
  readonly waitNoticeInterval: number;
  /** For a release that is announced but not yet at the host, in total. */
  readonly publicationTimeout: number;
  /** Between two requests for it. */
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
  firstWaitNotice: 5_000,
  waitNoticeInterval: 15_000,
  publicationTimeout: 120_000,
  publicationInterval: 10_000,
};

/**
 * The same limits with every time multiplied by `factor`. The number of retries stays.
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
    firstWaitNotice: limits.firstWaitNotice * factor,
    waitNoticeInterval: limits.waitNoticeInterval * factor,
    publicationTimeout: limits.publicationTimeout * factor,
    publicationInterval: limits.publicationInterval * factor,
  };
}
