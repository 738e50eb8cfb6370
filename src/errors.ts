/** One code per thing a user can act on. docs/troubleshooting.md explains each. */
export const ERROR_CODES = [
  'INVALID_INPUT',
  'VERSION_NOT_FOUND',
  'PLATFORM_NOT_PUBLISHED',
  'RELEASE_NOT_SIGNED',
  'DOWNLOAD_FAILED',
  'SIGNATURE_MALFORMED',
  'SIGNATURE_MISMATCH',
  'CERTIFICATE_UNTRUSTED',
  'IDENTITY_MISMATCH',
  'LOG_ENTRY_NOT_FOUND',
  'LOG_ENTRY_INVALID',
  'LOG_UNAVAILABLE',
  'TRUST_ROOT_UNAVAILABLE',
  'RELEASE_MISMATCH',
  'CHECKSUM_MISMATCH',
  'RELEASE_TOO_NEW',
  'RELEASE_TOO_OLD',
  'VERSION_SKEW',
  'LOCK_INVALID',
  'LOCK_MISMATCH',
  'INSTALL_FAILED',
  'IMAGE_NOT_FOUND',
  'IMAGE_NOT_SIGNED',
  'IMAGE_MISMATCH',
  'REGISTRY_UNAVAILABLE',
] as const;

export type ErrorCode = (typeof ERROR_CODES)[number];

/** Where the code alone says too little about what to do next; see hints.ts. */
export type Situation =
  | 'announced-only'
  | 'changed-by-another-run'
  | 'contradictory-sbom'
  | 'file-changed'
  | 'embedded-trusted-root'
  | 'image'
  | 'image-of-another-version'
  | 'lock-incomplete'
  | 'lock-too-new'
  | 'mirror-folder'
  | 'mirror-pair'
  | 'no-release-proof'
  | 'not-in-release'
  | 'not-a-blob-bundle'
  | 'pointer-not-a-version'
  | 'published-unsigned'
  | 'operating-system-not-published'
  | 'range-without-release'
  | 'runner-variable-missing'
  | 'signature-of-another-image'
  | 'target-folder'
  | 'trusted-root-file';

interface Details {
  readonly situation?: Situation | undefined;
  /** The error underneath. */
  readonly cause?: unknown;
}

/**
 * A failure that a user can act on.
 *
 * `message` names the operation and the object. What to do next is said in one place, hints.ts, by
 * code and situation.
 */
export class SetupError extends Error {
  readonly code: ErrorCode;
  readonly situation: Situation | undefined;

  constructor(code: ErrorCode, message: string, { situation, cause }: Details = {}) {
    super(message, cause === undefined ? undefined : { cause });
    this.name = 'SetupError';
    this.code = code;
    this.situation = situation;
  }
}

/**
 * The messages of an error and of its causes, outermost first, joined with `: `.
 *
 * A message that an earlier one contains already is left out; at most eight are looked at.
 */
export function explain(error: unknown): string {
  const messages: string[] = [];
  let current: unknown = error;
  for (let depth = 0; current !== undefined && current !== null && depth < 8; depth++) {
    const message = messageOf(current);
    if (message !== '' && !messages.some((earlier) => earlier.includes(message))) {
      messages.push(message);
    }
    current = current instanceof Error ? current.cause : undefined;
  }
  return messages.join(': ');
}

/**
 * The code of an error of Node (`ENOENT`), empty for an error without one.
 *
 * Not asked by `instanceof`: the error may have been made in another realm, as in the unit tests.
 */
export function codeOf(error: unknown): string {
  return typeof error === 'object' && error !== null && 'code' in error ? String(error.code) : '';
}

function messageOf(error: unknown): string {
  if (error instanceof AggregateError && error.message === '') {
    return error.errors.map(messageOf).join(', ');
  }
  if (error instanceof Error) {
    return error.message === '' ? error.name : error.message;
  }
  return typeof error === 'string' ? error : JSON.stringify(error);
}
