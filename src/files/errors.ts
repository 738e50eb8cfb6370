/** A failure of this machine's own files. Trying again does not help. */
export class FileError extends Error {
  constructor(message: string, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause });
    this.name = 'FileError';
  }
}

/** More bytes than allowed. */
export class TooLargeError extends FileError {
  constructor(maxBytes: number) {
    super(`larger than ${String(maxBytes)} bytes`);
    this.name = 'TooLargeError';
  }
}

/** The file system did not take the bytes: disk full, no permission. */
export class StorageError extends FileError {
  constructor(message: string, cause: unknown) {
    super(message, cause);
    this.name = 'StorageError';
  }
}
