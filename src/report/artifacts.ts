import { escapeHtml } from '../escape.js';
import type { Inputs } from '../inputs.js';
import type { InstalledArtifact } from '../install/verified-artifact.js';
import { platformName } from '../kubernetes/platform.js';
import { fileLog, fileReport, fileRows, type FileReport, type SharedDurations } from './file.js';
import { proofLog } from './proof.js';
import type { ReportItem } from './section.js';

/** Everything reported about one file in `artifacts`, in the output `report`. */
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
  const { name, platform } = installed.artifact;
  return {
    artifact: name,
    platform: platform === undefined ? null : platformName(platform),
    ...fileReport(installed, durations),
  };
}

export function artifactItem(report: ArtifactReport, { rekorUrl }: Inputs): ReportItem {
  const { artifact, version, platform } = report;
  const madeFor = platform === null ? '' : ` for ${escapeHtml(platform)}`;
  return {
    report,
    title: `${artifact} ${version}${platform === null ? '' : ` (${platform})`}`,
    log: [...proofLog(report), ...fileLog(report)],
    rows: [
      ['Artifact', `<b>${escapeHtml(`${artifact} ${version}`)}</b>${madeFor}`],
      ...fileRows(report, rekorUrl),
    ],
  };
}

/** `artifacts`: as the input names it -> its path; and the path of the first one. */
export function artifactOutputs(
  reports: readonly ArtifactReport[],
  { artifacts }: Inputs,
): Record<string, string> {
  const paths = artifacts.flatMap(({ requested, name }) => {
    const report = reports.find(({ artifact }) => artifact === name);
    return report === undefined ? [] : [[requested, report.path] as const];
  });
  const [first] = paths;
  return first === undefined
    ? {}
    : { 'artifact-path': first[1], artifacts: JSON.stringify(Object.fromEntries(paths)) };
}
