/**
 * A transfer that failed: the operation, the object and the cause, in that order.
 *
 * What it means (no such release, log unavailable …) is for the caller to say.
 */
export class TransferError extends Error {
  /** The URL that was asked for, without query or credentials. */
  readonly url: string;
  /** HTTP status of the last answer; 404 for a `file:` that does not exist. */
  readonly status: number | undefined;
  /** How many requests were made. */
  readonly tries: number;
  /** Whether the failure is the machine's own (disk full, no permission), not the other side's. */
  readonly local: boolean;

  constructor(
    message: string,
    details: { url: string; status?: number; tries?: number; local?: boolean; cause?: unknown },
  ) {
    super(message, details.cause === undefined ? undefined : { cause: details.cause });
    this.name = 'TransferError';
    this.url = details.url;
    this.status = details.status;
    this.tries = details.tries ?? 1;
    this.local = details.local ?? false;
  }

  /** Whether the other side answered that there is no such object. */
  get notFound(): boolean {
    // dl.k8s.io answers 403 with an XML body for objects that do not exist.
    return this.status === 404 || this.status === 403 || this.status === 410;
  }
}

/** One answer with a status other than 2xx. */
export class StatusError extends Error {
  readonly status: number;
  /** The pause that the server asked for, in milliseconds. */
  readonly retryAfter: number | undefined;
  /** For status 401, the authentication that the server asks for (RFC 9110 §11.6.1). */
  readonly challenge: AuthenticationChallenge | undefined;

  constructor(status: number, retryAfter: number | undefined, challenge?: AuthenticationChallenge) {
    super(`HTTP status ${String(status)}`);
    this.name = 'StatusError';
    this.status = status;
    this.retryAfter = retryAfter;
    this.challenge = challenge;
  }
}

/** From a response with status 401. */
export interface AuthenticationChallenge {
  /** The URL of the response, after redirects. */
  readonly url: URL;
  /** The header `WWW-Authenticate`. */
  readonly header: string;
}

/** A failure that another try cannot mend: a forbidden redirect, a bound that was exceeded. */
export class NonRetryableError extends Error {
  constructor(message: string, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause });
    this.name = 'NonRetryableError';
  }
}
