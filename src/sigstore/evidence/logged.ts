import { SetupError } from '../../errors.js';
import { toBundle } from '../bundle.js';
import type { DetachedSignature } from '../detached.js';
import { hashedRekordBody, leafHash, parseHashedRekord } from '../hashedrekord.js';
import type { Subject } from '../verify/subject.js';
import type { LogEntry, TransparencyLog } from './rekor.js';
import type { Candidate, Evidence } from './source.js';

/** What the log holds for the digest of one subject. */
export class LoggedSignatures {
  readonly #log: TransparencyLog;
  readonly #subject: Subject;

  constructor(log: TransparencyLog, subject: Subject) {
    this.#log = log;
    this.#subject = subject;
  }

  /**
   * The entry that was made for this signature and certificate: by the UUID that follows from them
   * and the digest, or else among the entries for the digest.
   *
   * @throws {SetupError} LOG_UNAVAILABLE, LOG_ENTRY_INVALID
   */
  async entryOf(detached: DetachedSignature): Promise<LogEntry | undefined> {
    const uuid = leafHash(hashedRekordBody(this.#subject.sha256.toString('hex'), detached));
    const entry = await this.#log.entryByLeafHash(uuid);
    // The same pair in another encoding (line breaks in the PEM) has another UUID.
    return entry ?? (await this.#entryWith(detached));
  }

  async #entryWith(detached: DetachedSignature): Promise<LogEntry | undefined> {
    const entries = await this.#all();
    return entries.find(({ body }) => {
      const logged = parseHashedRekord(body);
      return (
        logged?.signature.equals(detached.signature) === true &&
        logged.certificate.equals(detached.certificate)
      );
    });
  }

  /**
   * For a publication that is broken: signature and certificate of every entry, earliest first.
   * Every check applies to them.
   *
   * @param failure what is wrong with the publication; thrown when no entry passes
   * @throws {SetupError} LOG_UNAVAILABLE, LOG_ENTRY_INVALID
   */
  async evidence(failure: SetupError): Promise<Evidence> {
    try {
      const entries = await this.#all();
      return { candidates: entries.flatMap((entry) => this.#candidate(entry, failure)), failure };
    } catch (error) {
      // A signature that was published and is wrong matters more than a log that does not answer.
      const isWrong = ['SIGNATURE_MISMATCH', 'SIGNATURE_MALFORMED'].includes(failure.code);
      throw isWrong && error instanceof SetupError ? failure : error;
    }
  }

  #all(): Promise<LogEntry[]> {
    return this.#log.entriesByDigest(this.#subject.sha256.toString('hex'));
  }

  /** Nothing for an entry of another kind: anybody may log anything for a digest. */
  #candidate(entry: LogEntry, failure: SetupError): Candidate[] {
    const logged = parseHashedRekord(entry.body);
    if (logged === undefined) {
      return [];
    }
    const recovered = `${failure.message}; verified with the signature and certificate in log entry ${entry.uuid}`;
    return [{ bundle: toBundle(this.#subject.sha256, logged, entry), recovered }];
  }
}
