import { parseBundle, toBundle } from '../bundle.js';
import { parseDetached } from '../detached.js';
import type { Subject } from '../verify/subject.js';
import { parseLeaf } from '../verify/certificate.js';
import { checkSignature } from '../verify/signature.js';
import { LoggedSignatures } from './logged.js';
import { notLogged } from './published.js';
import type { TransparencyLog } from './rekor.js';
import type { Evidence, EvidenceSource } from './source.js';

// What a user names decides alone. So a wrong pair is not made good by another entry of the log, as
// that of a broken publication is.

/** A signature and a certificate that the user has. Their proof of logging comes from the log. */
export class GivenPair implements EvidenceSource {
  readonly #log: TransparencyLog;
  readonly #name: string;
  readonly #signature: Buffer;
  readonly #certificate: Buffer;

  /**
   * @param name of what they sign, for messages
   * @param signature base64 of a DER ECDSA signature
   * @param certificate PEM, or base64 of it
   */
  constructor(
    log: TransparencyLog,
    name: string,
    { signature, certificate }: { readonly signature: Buffer; readonly certificate: Buffer },
  ) {
    this.#log = log;
    this.#name = name;
    this.#signature = signature;
    this.#certificate = certificate;
  }

  /** @throws {SetupError} SIGNATURE_MALFORMED, SIGNATURE_MISMATCH, LOG_ENTRY_NOT_FOUND, LOG_UNAVAILABLE */
  async find(subject: Subject): Promise<Evidence> {
    const detached = parseDetached(this.#signature, this.#certificate);
    // The log has no entry for a wrong signature: what is wrong is said first.
    await checkSignature(subject, detached.signature, parseLeaf(detached.certificate));
    const entry = await new LoggedSignatures(this.#log, subject).entryOf(detached);
    if (entry === undefined) {
      throw notLogged(this.#name, subject);
    }
    return { candidates: [{ bundle: toBundle(subject.sha256, detached, entry) }] };
  }
}

/** A Sigstore bundle that the user has. */
export class GivenBundle implements EvidenceSource {
  readonly #json: Buffer;

  /** @param json a Sigstore bundle of version 0.1, 0.2 or 0.3 */
  constructor(json: Buffer) {
    this.#json = json;
  }

  /** @throws {SetupError} SIGNATURE_MALFORMED */
  find(): Promise<Evidence> {
    return new Promise((resolve) => {
      resolve({ candidates: [{ bundle: parseBundle(this.#json) }] });
    });
  }
}
