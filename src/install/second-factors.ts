import { SetupError } from '../errors.js';
import type { Tool } from '../kubernetes/platform.js';
import type { Verified } from '../sigstore/verify/verify.js';

/** What a user asks for beyond the verification. */
export interface SecondFactors {
  /** Expected SHA-256 in hex by tool; undefined for a tool without one. */
  readonly checksums: Readonly<Partial<Record<Tool, string>>>;
  /** How old every log entry that the proof rests on must be, in milliseconds. */
  readonly minimumAge: number | undefined;
  /** How old the log entry of the binary may be, in milliseconds. */
  readonly maximumAge: number | undefined;
}

/** When the log saw the signatures that the proof of one tool rests on. */
export interface SigningTimes {
  readonly binary: Date;
  /** Undefined for a binary that no SBOM binds to its release. */
  readonly sbom: Date | undefined;
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
 * Both ages count from times that the log signed, never from anything the publisher says.
 *
 * The minimum counts from the later of binary and SBOM: somebody with a key that was stolen an hour
 * ago can sign a new SBOM that names an old, genuine binary as the newest release.
 *
 * The maximum counts from the binary alone: whoever holds a pointer back serves an old release with
 * genuine signatures, and an SBOM that was signed again since must not make its binary young.
 *
 * @param now milliseconds since the epoch
 * @throws {SetupError} RELEASE_TOO_NEW, RELEASE_TOO_OLD
 */
export function checkAge(
  tool: Tool,
  signedAt: SigningTimes,
  { minimumAge, maximumAge }: SecondFactors,
  now: number,
): void {
  const binary = signedAt.binary.getTime();
  const latest = Math.max(binary, signedAt.sbom?.getTime() ?? binary);
  if (minimumAge !== undefined && now - latest < minimumAge) {
    const what = latest === binary ? tool : `the SBOM that lists ${tool}`;
    throw new SetupError(
      'RELEASE_TOO_NEW',
      `${what} was signed at ${iso(latest)}, and "minimum-release-age" asks to wait until ${iso(latest + minimumAge)}`,
      'Choose an older version, or run the job again later.',
    );
  }
  if (maximumAge !== undefined && now - binary > maximumAge) {
    throw new SetupError(
      'RELEASE_TOO_OLD',
      `${tool} was signed at ${iso(binary)}, and "maximum-release-age" accepts nothing that was signed before ${iso(now - maximumAge)}`,
      'Choose a newer version. If you asked for the newest one, compare with https://kubernetes.io/releases/: a mirror, a CDN or somebody in between may be holding its pointer (such as stable.txt) back.',
    );
  }
}

/** @param time milliseconds since the epoch */
function iso(time: number): string {
  return new Date(time).toISOString();
}
