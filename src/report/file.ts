import { escapeHtml, escapeLogLine } from '../escape.js';
import { describeBinding } from '../install/binding.js';
import type { InstalledArtifact, Origin } from '../install/verified-artifact.js';
import { proofLog, proofReport, proofRows, type ProofReport } from './proof.js';
import type { SummaryRow } from './section.js';
import { megabytes, seconds } from './units.js';

/** What is reported about any file: a tool, or another file of the release. */
export interface FileReport extends ProofReport {
  /** With `v`. */
  readonly version: string;
  readonly path: string;
  readonly 'bundle-path': string;
  /** Hex. */
  readonly sha256: string;
  /** In bytes. */
  readonly size: number;
  readonly source: Origin;
  /** Why the published signature or certificate was not used; null when they were, and for a cached copy. */
  readonly recovered: string | null;
  readonly 'cache-hit': boolean;
  readonly 'durations-ms': PhaseDurations;
}

/** How long each phase took, in whole milliseconds. */
export interface PhaseDurations {
  /** Resolving the requested version. */
  readonly resolve: number;
  /** Null where nothing was downloaded. */
  readonly download: number | null;
  readonly verify: number;
  /** Of all files together. */
  readonly install: number;
}

/** The phases that all files of a run share, in milliseconds. */
export type SharedDurations = Readonly<Record<'resolve' | 'install', number>>;

export function fileReport(
  { artifact, cacheEntry, verified, ...one }: InstalledArtifact,
  { resolve, install }: SharedDurations,
): FileReport {
  const files = cacheEntry.files();
  return {
    version: artifact.version,
    path: files.file,
    'bundle-path': files.bundle,
    sha256: verified.subject.sha256.toString('hex'),
    size: verified.subject.size,
    source: one.origin,
    ...proofReport(verified, describeBinding(one.binding)),
    recovered: one.recovered === undefined ? null : escapeLogLine(one.recovered),
    'cache-hit': one.origin === 'cache',
    'durations-ms': {
      resolve: Math.round(resolve),
      download: one.durations.download === undefined ? null : Math.round(one.durations.download),
      verify: Math.round(one.durations.verify),
      install: Math.round(install),
    },
  };
}

/** @param cluster how a tool fits the cluster; undefined where the input names none */
export function fileLog(report: FileReport, cluster?: string): string[] {
  return [
    ...proofLog(report),
    ...(cluster === undefined ? [] : [`Cluster: ${cluster}`]),
    `SHA-256: ${report.sha256} (${megabytes(report.size)})`,
    `Source: ${SOURCES[report.source]}`,
    `Took: ${durationsText(report['durations-ms'])}`,
  ];
}

export function filePaths(report: FileReport): string[] {
  return [`Path: ${report.path}`, `Evidence: ${report['bundle-path']}`];
}

/** As {@link fileLog}. */
export function fileRows(report: FileReport, rekorUrl: URL, cluster?: string): SummaryRow[] {
  return [
    ...optionalRow('Cluster', cluster),
    ['SHA-256', `<code>${escapeHtml(report.sha256)}</code>`],
    ...proofRows(report, rekorUrl),
    ['Source', escapeHtml(SOURCES[report.source])],
    ['Took', escapeHtml(durationsText(report['durations-ms']))],
    ...optionalRow('Broken publication', report.recovered ?? undefined),
  ];
}

const SOURCES: Readonly<Record<Origin, string>> = {
  download: 'downloaded',
  cache: 'tool cache, verified again',
  preinstalled: 'copy found on this machine, verified',
};

function durationsText({ resolve, download, verify, install }: PhaseDurations): string {
  return [
    `resolving the version ${seconds(resolve)}`,
    ...(download === null ? [] : [`download ${seconds(download)}`]),
    `verification ${seconds(verify)}`,
    `installation ${seconds(install)}`,
  ].join(', ');
}

function optionalRow(name: string, text: string | undefined): SummaryRow[] {
  return text === undefined ? [] : [[name, escapeHtml(text)]];
}
