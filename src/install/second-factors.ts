import { SetupError } from '../errors.js';
import type { Tool } from '../kubernetes/platform.js';
import type { Verified } from '../sigstore/verify/verify.js';

/** What a user asks for beyond the verification. */
export interface SecondFactors {
  /** Expected SHA-256 in hex by tool; undefined for a tool without one. */
  readonly checksums: Readonly<Partial<Record<Tool, string>>>;
  /** How old the log entry must be, in milliseconds. */
  readonly minimumAge: number | undefined;
}

/** @throws {SetupError} CHECKSUM_MISMATCH */
export function checkChecksum(tool: Tool, verified: Verified, secondFactors: SecondFactors): void {
  const expected = secondFactors.checksums[tool];
  const found = verified.file.sha256.toString('hex');
  if (expected !== undefined && expected !== found) {
    throw new SetupError(
      'CHECKSUM_MISMATCH',
      `${tool}: expected SHA-256 ${expected}, found ${found}`,
      'The file is signed by Kubernetes, but is not the one that the input "checksum" names. If you changed the version, change the checksum too.',
    );
  }
}

/**
 * The age is counted from the time that the log signed, not from anything the publisher says.
 *
 * @param now milliseconds since the epoch
 * @throws {SetupError} RELEASE_TOO_NEW
 */
export function checkAge(
  tool: Tool,
  verified: Verified,
  secondFactors: SecondFactors,
  now: number,
): void {
  const { minimumAge } = secondFactors;
  const signedAt = verified.signedAt.getTime();
  if (minimumAge !== undefined && now - signedAt < minimumAge) {
    throw new SetupError(
      'RELEASE_TOO_NEW',
      `${tool} was signed at ${verified.signedAt.toISOString()}, and "minimum-release-age" asks to wait until ${new Date(signedAt + minimumAge).toISOString()}`,
      'Choose an older version, or run the job again later.',
    );
  }
}
