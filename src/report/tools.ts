import { escapeHtml } from '../escape.js';
import type { Inputs } from '../inputs.js';
import type { InstalledArtifact } from '../install/verified-artifact.js';
import type { Binary } from '../kubernetes/binary.js';
import { platformName } from '../kubernetes/platform.js';
import { describeSkew, minorSkew } from '../kubernetes/skew.js';
import {
  fileLog,
  filePaths,
  fileReport,
  fileRows,
  type FileReport,
  type SharedDurations,
} from './file.js';
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
  const name = `${report.tool} ${report.version}`;
  return {
    report,
    title: `${name} (${report.platform})`,
    log: fileLog(report, cluster),
    paths: filePaths(report),
    rows: [
      ['Tool', `<b>${escapeHtml(name)}</b> for ${escapeHtml(report.platform)}`],
      ...fileRows(report, rekorUrl, cluster),
    ],
  };
}

/** Undefined where the input names no cluster. */
function clusterText(report: ToolReport): string | undefined {
  const { 'cluster-version': cluster, 'minor-version-skew': skew } = report;
  return cluster === null || skew === null
    ? undefined
    : `${cluster}; ${report.tool} ${skew === 0 ? 'has' : 'is'} ${describeSkew(skew)}`;
}
