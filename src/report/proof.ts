import { escapeHtml } from '../escape.js';
import type { Subject } from '../sigstore/verify/subject.js';
import type { Verified } from '../sigstore/verify/verify.js';
import type { SummaryRow } from './section.js';

const PUBLIC_LOG = 'https://rekor.sigstore.dev/';

/** Who signed, and when: the same for everything that is verified. */
export interface ProofReport {
  readonly 'certificate-identity': string;
  readonly 'certificate-oidc-issuer': string;
  /** 64 hex digits. */
  readonly 'log-entry-uuid': string;
  readonly 'log-index': string;
  /** ISO 8601. */
  readonly 'integrated-time': string;
  /** What proves that it belongs to the release. */
  readonly 'release-proof': string;
}

export function proofReport(verified: Verified<Subject>, releaseProof: string): ProofReport {
  return {
    'certificate-identity': verified.identity.subjectAlternativeName,
    'certificate-oidc-issuer': verified.identity.issuer,
    'log-entry-uuid': verified.uuid,
    'log-index': verified.logIndex,
    'integrated-time': verified.signedAt.toISOString(),
    'release-proof': releaseProof,
  };
}

/** Worded like cosign's output. */
export function proofLog(report: ProofReport): string[] {
  return [
    `tlog entry verified with uuid: ${report['log-entry-uuid']} index: ${report['log-index']}`,
    'Verified OK',
    `Signed by: ${report['certificate-identity']}`,
    `Issuer: ${report['certificate-oidc-issuer']}`,
    `Signed at: ${report['integrated-time']}`,
    `Release: ${report['release-proof']}`,
  ];
}

export function proofRows(report: ProofReport, rekorUrl: URL): SummaryRow[] {
  return [
    ['Signed by', escapeHtml(report['certificate-identity'])],
    ['Issuer', escapeHtml(report['certificate-oidc-issuer'])],
    ['Signed at', escapeHtml(report['integrated-time'])],
    ['Log entry', logEntry(report, rekorUrl)],
    ['Release', escapeHtml(report['release-proof'])],
  ];
}

function logEntry(report: ProofReport, rekorUrl: URL): string {
  const index = escapeHtml(report['log-index']);
  const uuid = `<code>${escapeHtml(report['log-entry-uuid'])}</code>`;
  return rekorUrl.href === PUBLIC_LOG
    ? `<a href="https://search.sigstore.dev/?logIndex=${index}">${index}</a>, ${uuid}`
    : `${index}, ${uuid}`;
}
