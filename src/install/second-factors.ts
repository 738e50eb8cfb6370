import { SetupError } from '../errors.js';
import type { Artifact } from '../kubernetes/artifact.js';
import type { Subject } from '../sigstore/verify/subject.js';
import type { Verified } from '../sigstore/verify/verify.js';
import type { Binding } from './binding.js';

/** What a user asks for beyond the verification. */
export interface SecondFactors {
  /** Expected SHA-256 in hex by the artifact's name, or by its path inside the release. */
  readonly checksums: Readonly<Partial<Record<string, string>>>;
  /** How old the signatures of file and SBOM must be, in milliseconds. */
  readonly minimumAge: number | undefined;
  /** How old the signature of the file may be, in milliseconds. */
  readonly maximumAge: number | undefined;
}

/** Hex; undefined for an artifact that `checksum` does not name. */
export function expectedChecksum(
  { name, path }: ArtifactNames,
  { checksums }: Pick<SecondFactors, 'checksums'>,
): string | undefined {
  return checksums[path] ?? checksums[name];
}

type ArtifactNames = Pick<Artifact, 'name' | 'path'>;

/**
 * @param now milliseconds since the epoch
 * @throws {SetupError} CHECKSUM_MISMATCH, RELEASE_TOO_NEW, RELEASE_TOO_OLD
 */
export function checkSecondFactors(
  artifact: ArtifactNames,
  verified: Verified<Subject>,
  binding: Binding,
  secondFactors: SecondFactors,
  now: number,
): void {
  const { name, path } = artifact;
  const named = path in secondFactors.checksums ? path : name;
  checkChecksum(named, verified, expectedChecksum(artifact, secondFactors));
  const sbom = binding.kind === 'sbom' ? binding.sbom.signedAt : undefined;
  checkAge(name, { file: verified.signedAt, sbom }, secondFactors, now);
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
    );
  }
}

/** The verified times of the signatures that the proof of one file rests on. */
export interface SigningTimes {
  readonly file: Date;
  /** Undefined for a file that no SBOM binds to its release. */
  readonly sbom: Date | undefined;
}

/**
 * Both ages count from times that the log or a timestamp authority signed, never from anything the
 * publisher says.
 *
 * The minimum counts from the later of file and SBOM: somebody with a key that was stolen an hour
 * ago can sign a new SBOM that names an old, genuine binary as the newest release.
 *
 * The maximum counts from the file alone: an attacker who holds a pointer back serves an old
 * release with genuine signatures, and signing its SBOM again must not make the file look young.
 *
 * @param now milliseconds since the epoch
 * @throws {SetupError} RELEASE_TOO_NEW, RELEASE_TOO_OLD
 */
export function checkAge(
  name: string,
  signedAt: SigningTimes,
  { minimumAge, maximumAge }: Pick<SecondFactors, 'minimumAge' | 'maximumAge'>,
  now: number,
): void {
  const file = signedAt.file.getTime();
  const latest = Math.max(file, signedAt.sbom?.getTime() ?? file);
  if (minimumAge !== undefined && now - latest < minimumAge) {
    const what = latest === file ? name : `the SBOM that lists ${name}`;
    throw new SetupError(
      'RELEASE_TOO_NEW',
      `${what} was signed at ${iso(latest)}, and "minimum-release-age" refuses it until ${iso(latest + minimumAge)}`,
    );
  }
  if (maximumAge !== undefined && now - file > maximumAge) {
    throw new SetupError(
      'RELEASE_TOO_OLD',
      `${name} was signed at ${iso(file)}, and "maximum-release-age" refuses anything signed before ${iso(now - maximumAge)}`,
    );
  }
}

/** @param time milliseconds since the epoch */
function iso(time: number): string {
  return new Date(time).toISOString();
}
