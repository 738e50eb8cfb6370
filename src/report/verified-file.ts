import { escapeLogLine } from '../escape.js';
import { describeBinding, type Binding } from '../install/binding.js';
import type { Artifact } from '../kubernetes/artifact.js';
import { platformName } from '../kubernetes/platform.js';
import type { DigestedFile } from '../files/digested-file.js';
import type { VerifiedEvidence } from '../sigstore/evidence/source.js';
import { proofLog, proofReport, type ProofReport } from './proof.js';
import { megabytes } from './units.js';

/** What `verify --json` prints. Described by schema/verify.schema.json. */
export type VerifyReport = VerifiedFileReport | RefusedFileReport;

/** A file that passed every check that was asked for. */
interface VerifiedFileReport extends ProofReport {
  readonly verified: true;
  /** As the user wrote it. */
  readonly file: string;
  /** Hex. */
  readonly sha256: string;
  /** In bytes. */
  readonly size: number;
  readonly evidence: EvidenceKind;
  /** Null if nothing about a release was proven. */
  readonly release: ReleaseReport | null;
  readonly 'trust-root': string;
  /** Why the published signature or certificate was not used; null when they were. */
  readonly recovered: string | null;
}

interface RefusedFileReport {
  readonly verified: false;
  readonly file: string;
  readonly error: { readonly code: string; readonly message: string; readonly hint: string };
}

interface ReleaseReport {
  /** With `v`. */
  readonly version: string;
  /** Inside the release. */
  readonly path: string;
  /** `<os>/<arch>`; null for a file that is the same for all. */
  readonly platform: string | null;
  /** Of the signed SBOM that lists the file, hex; null for a file that no SBOM lists. */
  readonly 'sbom-sha256': string | null;
}

type EvidenceKind = 'signature' | 'bundle' | 'lock' | 'published';

const EVIDENCE: Readonly<Record<EvidenceKind, string>> = {
  signature: 'signature and certificate on this machine, log entry from the log',
  bundle: 'bundle on this machine',
  lock: 'lock file',
  published: 'published',
};

/** What `verify` found. */
export interface Finding extends VerifiedEvidence<DigestedFile> {
  /** Which file of a release it is; undefined if that was not asked. */
  readonly artifact: Artifact | undefined;
  readonly binding: Binding;
  /** Where the trust root is from. */
  readonly trustRoot: string;
}

/** @param file as the user wrote it */
export function verifiedFileReport(
  file: string,
  evidence: EvidenceKind,
  { verified, artifact, binding, trustRoot, recovered }: Finding,
): VerifiedFileReport {
  return {
    verified: true,
    file,
    sha256: verified.subject.sha256.toString('hex'),
    size: verified.subject.size,
    release:
      artifact === undefined || binding.kind === 'skipped'
        ? null
        : releaseReport(artifact, binding),
    ...proofReport(verified, describeBinding(binding)),
    evidence,
    recovered: recovered === undefined ? null : escapeLogLine(recovered),
    'trust-root': trustRoot,
  };
}

function releaseReport(artifact: Artifact, binding: Binding): ReleaseReport {
  return {
    version: artifact.version,
    path: artifact.path,
    platform: artifact.platform === undefined ? null : platformName(artifact.platform),
    'sbom-sha256': binding.kind === 'sbom' ? binding.sbom.subject.sha256.toString('hex') : null,
  };
}

/** For people. The first lines are worded like cosign's output. */
export function verifiedFileText(report: VerifiedFileReport): string[] {
  const { release } = report;
  return [
    ...proofLog({
      ...report,
      'release-proof':
        release === null
          ? report['release-proof']
          : `${release.version}, ${report['release-proof']}`,
    }),
    ...(release === null ? [] : [`Path in the release: ${release.path}`]),
    ...(typeof release?.['sbom-sha256'] === 'string'
      ? [`SHA-256 of the SBOM: ${release['sbom-sha256']}`]
      : []),
    `SHA-256: ${report.sha256} (${megabytes(report.size)})`,
    `Evidence: ${EVIDENCE[report.evidence]}`,
    ...(report.recovered === null ? [] : [`Broken publication: ${report.recovered}`]),
    `Trust root: ${report['trust-root']}`,
    `File: ${report.file}`,
  ].map((line) => escapeLogLine(line));
}
