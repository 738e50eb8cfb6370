import type { BackgroundTasks } from '../../transfer/background-tasks.js';
import { SetupError } from '../../errors.js';
import { MAX_BUNDLE_BYTES, parseBundle, toBundle } from '../bundle.js';
import type { DetachedSignature } from '../detached.js';
import { hashedRekordBody, leafHash } from '../hashedrekord.js';
import type { HttpClient } from '../../transfer/http.js';
import type { Subject } from '../verify/subject.js';
import { parseLeaf } from '../verify/certificate.js';
import { checkSignature } from '../verify/signature.js';
import { LoggedSignatures } from './logged.js';
import { fetchPair, readPublished, type PublishedPair, type PublishedUrls } from './pair.js';
import type { TransparencyLog } from './rekor.js';
import type { Evidence, EvidenceSource } from './source.js';

/** What reading published evidence needs. */
export interface PublicationContext {
  readonly http: HttpClient;
  readonly log: TransparencyLog;
  readonly background: BackgroundTasks;
}

/**
 * What was published beside an artifact: `.sig` and `.cert` with their log entry; where there are
 * none, a bundle. The log is asked where the pair is broken or was never logged, or where there is
 * neither pair nor bundle. A bundle that fails is not replaced.
 *
 * The pair is fetched while the artifact is still on its way, and so is its log entry, where the
 * digest is claimed somewhere. A claimed digest is never evidence: if it is wrong, the log is
 * asked again.
 */
export class PublishedEvidence implements EvidenceSource {
  readonly #context: PublicationContext;
  readonly #urls: PublishedUrls;
  readonly #pair: Promise<PublishedPair>;

  /** @param claimedDigest SHA-256 of the artifact in hex, as an unsigned file beside it claims */
  constructor(
    context: PublicationContext,
    urls: PublishedUrls,
    claimedDigest: Promise<string | undefined>,
  ) {
    this.#context = context;
    this.#urls = urls;
    this.#pair = context.background.start(fetchPair(context.http, urls));
    void context.background.start(this.#lookUpEarly(claimedDigest));
  }

  /** @throws {SetupError} */
  async find(subject: Subject): Promise<Evidence> {
    const pair = await this.#pair;
    const logged = new LoggedSignatures(this.#context.log, subject);
    switch (pair.kind) {
      case 'absent':
        return this.#withoutPair(logged, pair.reason);
      case 'malformed':
        return this.#withFreshPair(subject, logged, pair.failure);
      case 'complete': {
        const failure = await signatureFailure(subject, pair.detached);
        return failure === undefined
          ? this.#withPair(subject, logged, pair.detached)
          : this.#withFreshPair(subject, logged, failure);
      }
    }
  }

  async #withPair(
    subject: Subject,
    logged: LoggedSignatures,
    detached: DetachedSignature,
  ): Promise<Evidence> {
    const entry = await logged.entryOf(detached);
    return entry === undefined
      ? logged.evidence(notLogged(this.#urls.name, subject))
      : { candidates: [{ bundle: toBundle(subject.sha256, detached, entry) }] };
  }

  /** A signing job that runs again replaces both files, and a reader may meet it halfway. */
  async #withFreshPair(
    subject: Subject,
    logged: LoggedSignatures,
    failure: SetupError,
  ): Promise<Evidence> {
    const pair = await fetchPair(this.#context.http, this.#urls);
    if (
      pair.kind === 'complete' &&
      (await signatureFailure(subject, pair.detached)) === undefined
    ) {
      const entry = await logged.entryOf(pair.detached);
      if (entry !== undefined) {
        const bundle = toBundle(subject.sha256, pair.detached, entry);
        const recovered = `${failure.message}; verified with the pair from a second download`;
        return { candidates: [{ bundle, recovered }] };
      }
    }
    return logged.evidence(failure);
  }

  async #withoutPair(logged: LoggedSignatures, reason: string): Promise<Evidence> {
    const json = await readPublished(this.#context.http, this.#urls.bundle, MAX_BUNDLE_BYTES);
    return json === undefined
      ? logged.evidence(notSigned(reason))
      : { candidates: [{ bundle: parseBundle(json) }] };
  }

  /** The log remembers its answer, so that it is here when the subject is. */
  async #lookUpEarly(claimedDigest: Promise<string | undefined>): Promise<void> {
    const [pair, digest] = await Promise.all([this.#pair, claimedDigest]);
    if (pair.kind === 'complete' && digest !== undefined) {
      await this.#context.log.entryByLeafHash(leafHash(hashedRekordBody(digest, pair.detached)));
    }
  }
}

/** Undefined when the signature verifies over the subject. */
async function signatureFailure(
  subject: Subject,
  detached: DetachedSignature,
): Promise<SetupError | undefined> {
  try {
    await checkSignature(subject, detached.signature, parseLeaf(detached.certificate));
    return undefined;
  } catch (error) {
    if (error instanceof SetupError && error.code === 'SIGNATURE_MISMATCH') {
      return error;
    }
    throw error;
  }
}

function notSigned(reason: string): SetupError {
  return new SetupError(
    'RELEASE_NOT_SIGNED',
    `${reason}, no Sigstore bundle, and no valid entry in the transparency log`,
  );
}

/** The signature verifies, but nobody logged it. */
export function notLogged(name: string, subject: Subject): SetupError {
  return new SetupError(
    'LOG_ENTRY_NOT_FOUND',
    `the transparency log has no entry for the signature of ${name} (SHA-256 ${subject.sha256.toString('hex')})`,
  );
}
