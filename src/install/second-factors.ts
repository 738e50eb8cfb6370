import { SetupError } from '../errors.js';
import type { Subject } from '../sigstore/verify/subject.js';
import type { Verified } from '../sigstore/verify/verify.js';

/** What a user asks for beyond the verification. */
export interface SecondFactors {
  /** Expected SHA-256 in hex by the artifact's name; undefined for one without. */
  readonly checksums: Readonly<Partial<Record<string, string>>>;
  /** How old the log entry must be, in milliseconds. */
  readonly minimumAge: number | undefined;
}

/**
 * @param name of the artifact
 * @param now milliseconds since the epoch
 * @throws {SetupError} CHECKSUM_MISMATCH, RELEASE_TOO_NEW
 */
export function checkSecondFactors(
  name: string,
  verified: Verified<Subject>,
  { checksums, minimumAge }: SecondFactors,
  now: number,
): void {
  checkChecksum(name, verified, checksums[name]);
  checkAge(name, verified, minimumAge, now);
}

function checkChecksum(
  name: string,
  { subject }: Verified<Subject>,
  expected: string | undefined,
): void {
  const found = subject.sha256.toString('hex');
  if (expected !== undefined && expected !== found) {
    throw new SetupError(
      'CHECKSUM_MISMATCH',
      `${name}: expected SHA-256 ${expected}, found ${found}`,
      'The file is signed by Kubernetes, but is not the one that the input "checksum" names. If you changed the version, change the checksum too.',
    );
  }
}

/** The age counts from the time that the log signed, not from anything the publisher says. */
function checkAge(
  name: string,
  verified: Verified<Subject>,
  minimumAge: number | undefined,
  now: number,
): void {
  const signedAt = verified.signedAt.getTime();
  if (minimumAge !== undefined && now - signedAt < minimumAge) {
    throw new SetupError(
      'RELEASE_TOO_NEW',
      `${name} was signed at ${verified.signedAt.toISOString()}, and "minimum-release-age" asks to wait until ${new Date(signedAt + minimumAge).toISOString()}`,
      'Choose an older version, or run the job again later.',
    );
  }
}
