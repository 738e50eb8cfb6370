import type { Bundle } from '@sigstore/bundle';
import type { TrustMaterial } from '@sigstore/verify';
import { SetupError } from '../../errors.js';
import type { ExpectedIdentity } from '../verify/identity.js';
import type { Subject } from '../verify/subject.js';
import { verify, type Verified } from '../verify/verify.js';

/** A bundle that may prove a subject. Nothing in it is verified yet. */
export interface Candidate {
  readonly bundle: Bundle;
  /** Why this bundle is used instead of what was published; for a warning. */
  readonly recovered?: string;
}

/** What one source holds for a subject. */
export interface Evidence {
  /** Tried in this order. One that passes every check is enough. */
  readonly candidates: readonly Candidate[];
  /** Thrown when no candidate passes; the first candidate's failure unless given. */
  readonly failure?: SetupError;
}

/** Where evidence comes from: what was published, or what an earlier run has stored. */
export interface EvidenceSource {
  /**
   * @returns undefined where this source holds nothing for the subject
   * @throws {SetupError} where it holds something that cannot be read
   */
  find(subject: Subject): Promise<Evidence | undefined>;
}

/** Whom to trust, and who must have signed. */
export interface Policy {
  readonly trust: Promise<TrustMaterial>;
  readonly identity: ExpectedIdentity;
}

/** A subject that passed, and how its evidence was found. */
export interface VerifiedEvidence<S extends Subject> {
  readonly verified: Verified<S>;
  /** Why the published material was not used, if so. */
  readonly recovered?: string;
}

/**
 * Steps 2 to 6 of the verification for one subject.
 *
 * The first source that holds anything decides. If what it holds does not pass, no other source
 * is asked.
 *
 * @param name of the subject, for messages: `bin/linux/amd64/kubectl`
 * @throws {SetupError} every code of the verification
 */
export async function verifySubject<S extends Subject>(
  policy: Policy,
  name: string,
  subject: S,
  sources: readonly EvidenceSource[],
): Promise<VerifiedEvidence<S>> {
  try {
    for (const source of sources) {
      const evidence = await source.find(subject);
      if (evidence !== undefined) {
        return await verifyFirst(policy, await policy.trust, subject, evidence);
      }
    }
  } catch (error) {
    throw withName(name, error);
  }
  throw new SetupError('RELEASE_NOT_SIGNED', `there is no signature for ${name}`);
}

/** The first candidate that passes every check. */
async function verifyFirst<S extends Subject>(
  { identity }: Policy,
  trust: TrustMaterial,
  subject: S,
  { candidates, failure }: Evidence,
): Promise<VerifiedEvidence<S>> {
  let firstFailure: unknown = failure;
  for (const { bundle, recovered } of candidates) {
    try {
      const verified = await verify(subject, bundle, trust, identity);
      return { verified, ...(recovered === undefined ? {} : { recovered }) };
    } catch (error) {
      if (!(error instanceof SetupError)) {
        throw error;
      }
      firstFailure ??= error;
    }
  }
  throw firstFailure;
}

/** Codes that say what is wrong with one subject. A run may have several subjects. */
const ABOUT_ONE_SUBJECT: ReadonlySet<string> = new Set([
  'SIGNATURE_MALFORMED',
  'SIGNATURE_MISMATCH',
  'CERTIFICATE_UNTRUSTED',
  'IDENTITY_MISMATCH',
  'LOG_ENTRY_INVALID',
]);

/** The error with the subject's name in front; any other error unchanged. */
function withName(name: string, error: unknown): unknown {
  return error instanceof SetupError && ABOUT_ONE_SUBJECT.has(error.code)
    ? new SetupError(error.code, `${name}: ${error.message}`, {
        situation: error.situation,
        cause: error,
      })
    : error;
}
