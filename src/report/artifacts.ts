import { escapeHtml } from '../escape.js';
import type { Inputs } from '../inputs.js';
import type { InstalledArtifact } from '../install/verified-artifact.js';
import { platformName } from '../kubernetes/platform.js';
import {
  fileLog,
  filePaths,
  fileReport,
  fileRows,
  type FileReport,
  type SharedDurations,
} from './file.js';
import type { ReportItem } from './section.js';

/** Everything reported about one of `artifacts`, in the output `report`. */
export interface ArtifactReport extends FileReport {
  /** The name of the file. */
  readonly artifact: string;
  /** Null for a file that is the same for all platforms. */
  readonly platform: string | null;
}

export function artifactReport(
  installed: InstalledArtifact,
  durations: SharedDurations,
): ArtifactReport {
  const { artifact } = installed;
  return {
    artifact: artifact.name,
    platform: artifact.platform === undefined ? null : platformName(artifact.platform),
    ...fileReport(installed, durations),
  };
}

export function artifactItem(report: ArtifactReport, { rekorUrl }: Inputs): ReportItem {
  const { platform } = report;
  const name = `${report.artifact} ${report.version}`;
  const madeFor = platform === null ? '' : ` for ${escapeHtml(platform)}`;
  return {
    report,
    title: platform === null ? name : `${name} (${platform})`,
    log: fileLog(report),
    paths: filePaths(report),
    rows: [['Artifact', `<b>${escapeHtml(name)}</b>${madeFor}`], ...fileRows(report, rekorUrl)],
  };
}

/** `artifact-path`, and `artifacts`: the path of each by the name that the user gave it. */
export function artifactOutputs(
  requests: Inputs['artifacts'],
  reports: readonly ArtifactReport[],
): Record<string, string> {
  const paths = requests.flatMap(({ requested, name }) => {
    const report = reports.find(({ artifact }) => artifact === name);
    return report === undefined ? [] : [[requested, report.path] as const];
  });
  const [first] = paths;
  return first === undefined
    ? {}
    : { 'artifact-path': first[1], artifacts: JSON.stringify(Object.fromEntries(paths)) };
}
