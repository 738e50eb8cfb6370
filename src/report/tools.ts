import { escapeHtml } from '../escape.js';
import type { Inputs } from '../inputs.js';
import type { InstalledArtifact } from '../install/verified-artifact.js';
import type { Binary } from '../kubernetes/binary.js';
import { platformName } from '../kubernetes/platform.js';
import { describeSkew, minorSkew } from '../kubernetes/skew.js';
import {
  fileLog,
  fileReport,
  fileRows,
  optionalRow,
  type FileReport,
  type SharedDurations,
} from './file.js';
import { proofLog } from './proof.js';
import type { ReportItem } from './section.js';

/** Everything reported about one tool, in the output `report`. */
export interface ToolReport extends FileReport {
  readonly tool: string;
  readonly platform: string;
  /** As the input names it; null where it names none. */
  readonly 'cluster-version': string | null;
  /** Minors that the tool is newer than the cluster; negative: older. Null without a cluster. */
  readonly 'minor-version-skew': number | null;
}

export function toolReport(
  { name, version, platform }: Binary,
  installed: InstalledArtifact,
  { clusterVersion }: Inputs,
  durations: SharedDurations,
): ToolReport {
  return {
    tool: name,
    platform: platformName(platform),
    'cluster-version': clusterVersion?.text ?? null,
    'minor-version-skew':
      clusterVersion === undefined ? null : (minorSkew(version, clusterVersion) ?? null),
    ...fileReport(installed, durations),
  };
}

export function toolItem(report: ToolReport, { rekorUrl }: Inputs): ReportItem {
  const cluster = clusterText(report);
  return {
    report,
    title: `${report.tool} ${report.version} (${report.platform})`,
    log: [
      ...proofLog(report),
      ...(cluster === undefined ? [] : [`Cluster: ${cluster}`]),
      ...fileLog(report),
    ],
    rows: [
      [
        'Tool',
        `<b>${escapeHtml(`${report.tool} ${report.version}`)}</b> for ${escapeHtml(report.platform)}`,
      ],
      ...optionalRow('Cluster', cluster),
      ...fileRows(report, rekorUrl),
    ],
  };
}

/** The path of each tool. */
export function toolOutputs(reports: readonly ToolReport[]): Record<string, string> {
  return Object.fromEntries(reports.map(({ tool, path }) => [`${tool}-path`, path]));
}

/** Undefined where the input names no cluster. */
function clusterText(report: ToolReport): string | undefined {
  const { 'cluster-version': cluster, 'minor-version-skew': skew } = report;
  return cluster === null || skew === null
    ? undefined
    : `${cluster}; ${report.tool} ${skew === 0 ? 'has' : 'is'} ${describeSkew(skew)}`;
}
