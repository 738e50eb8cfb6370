import { escapeHtml, escapeLogLine } from '../escape.js';
import type { Inputs } from '../inputs.js';
import { describeBinding } from '../install/binding.js';
import type { InstalledArtifact, Origin } from '../install/verified-artifact.js';
import { platformName } from '../kubernetes/platform.js';
import { describeSkew, minorSkew } from '../kubernetes/skew.js';
import { proofLog, proofReport, proofRows, type ProofReport } from './proof.js';
import type { ReportItem, ReportSection, SummaryRow } from './section.js';
import { megabytes, seconds } from './units.js';

/** Everything reported about one tool, in the output `report`. */
export interface ToolReport extends ProofReport {
  readonly tool: string;
  /** With `v`. */
  readonly version: string;
  readonly platform: string;
  /** As the input names it; null where it names none. */
  readonly 'cluster-version': string | null;
  /** Minors that the tool is newer than the cluster; negative: older. Null without a cluster. */
  readonly 'minor-version-skew': number | null;
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
  /** Of all tools together. */
  readonly install: number;
}

/** The phases that all tools of a run share, in milliseconds. */
export type SharedDurations = Readonly<Record<'resolve' | 'install', number>>;

export function toolSection(
  installed: readonly InstalledArtifact[],
  inputs: Inputs,
  durations: SharedDurations,
): ReportSection {
  const reports = installed.map((one) => toolReport(one, inputs, durations));
  return {
    heading: 'Verified Kubernetes tools',
    items: reports.map((report) => toolItem(report, inputs)),
    outputs: toolOutputs(reports),
  };
}

function toolReport(
  { artifact, cacheEntry, verified, ...one }: InstalledArtifact,
  { clusterVersion }: Inputs,
  { resolve, install }: SharedDurations,
): ToolReport {
  const files = cacheEntry.files();
  return {
    tool: artifact.name,
    version: artifact.version,
    platform: platformName(artifact.platform),
    'cluster-version': clusterVersion?.text ?? null,
    'minor-version-skew':
      clusterVersion === undefined ? null : (minorSkew(artifact.version, clusterVersion) ?? null),
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

function toolItem(report: ToolReport, { rekorUrl }: Inputs): ReportItem {
  const cluster = clusterText(report);
  return {
    report,
    title: `${report.tool} ${report.version} (${report.platform})`,
    log: [
      ...proofLog(report),
      ...(cluster === undefined ? [] : [`Cluster: ${cluster}`]),
      `SHA-256: ${report.sha256} (${megabytes(report.size)})`,
      `Source: ${SOURCES[report.source]}`,
      `Took: ${durationsText(report['durations-ms'])}`,
      `Path: ${report.path}`,
      `Evidence: ${report['bundle-path']}`,
    ],
    rows: [
      [
        'Tool',
        `<b>${escapeHtml(`${report.tool} ${report.version}`)}</b> for ${escapeHtml(report.platform)}`,
      ],
      ...optionalRow('Cluster', cluster),
      ['SHA-256', `<code>${escapeHtml(report.sha256)}</code>`],
      ...proofRows(report, rekorUrl),
      ['Source', escapeHtml(SOURCES[report.source])],
      ['Took', escapeHtml(durationsText(report['durations-ms']))],
      ...optionalRow('Broken publication', report.recovered ?? undefined),
    ],
  };
}

/** The outputs with a single value describe kubectl if it is among the tools, else the first one. */
function toolOutputs(reports: readonly ToolReport[]): Record<string, string> {
  const main = reports.find(({ tool }) => tool === 'kubectl') ?? reports[0];
  if (main === undefined) {
    return {};
  }
  return {
    ...Object.fromEntries(reports.map(({ tool, path }) => [`${tool}-path`, path])),
    'cache-hit': String(reports.every((report) => report['cache-hit'])),
    sha256: main.sha256,
    'certificate-identity': main['certificate-identity'],
    'certificate-oidc-issuer': main['certificate-oidc-issuer'],
    'log-index': main['log-index'],
    'log-entry-uuid': main['log-entry-uuid'],
    'integrated-time': main['integrated-time'],
    'bundle-path': main['bundle-path'],
  };
}

const SOURCES: Readonly<Record<Origin, string>> = {
  download: 'downloaded',
  cache: 'tool cache, verified again',
  preinstalled: 'copy found on this machine, verified',
};

/** Undefined where the input names no cluster. */
function clusterText(report: ToolReport): string | undefined {
  const { 'cluster-version': cluster, 'minor-version-skew': skew } = report;
  return cluster === null || skew === null
    ? undefined
    : `${cluster}; ${report.tool} ${skew === 0 ? 'has' : 'is'} ${describeSkew(skew)}`;
}

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
