import { dirname } from 'node:path';
import * as core from '@actions/core';
import { SetupError, explain } from './errors.js';
import { UNEXPECTED_HINT, hintFor } from './hints.js';
import type { Inputs } from './inputs.js';
import { describeBinding } from './install/binding.js';
import type { Logger } from './install/logger.js';
import type { InstalledArtifact, Origin } from './install/verified-artifact.js';
import type { ClusterVersion } from './kubernetes/cluster-version.js';
import { isBinary, type Binary } from './kubernetes/binary.js';
import { platformName } from './kubernetes/platform.js';
import { describeSkew, minorOf, minorSkew } from './kubernetes/skew.js';
import { describeEndedSupport } from './kubernetes/end-of-support.js';
import { escapeHtml, escapeLogLine } from './escape.js';

/** A line of progress at most this often, in milliseconds. */
const PROGRESS_INTERVAL = 5_000;
const PUBLIC_LOG = 'https://rekor.sigstore.dev/';
/**
 * The runner shows no summary that is larger (`AttachmentSizeLimit` in FileCommandManager.cs of
 * actions/runner 258d6c85), and reports an error in its place.
 */
const MAX_SUMMARY_BYTES = 1 << 20;
/** Of an error's stack, which begins with its message. */
const MAX_STACK_LINES = 50;

/** Everything reported about one tool. The output `report` begins with these. */
export interface ToolReport extends FileReport {
  readonly tool: string;
  readonly platform: string;
  /** As the input names it; null where it names none. */
  readonly 'cluster-version': string | null;
  /** Minors that the tool is newer than the cluster; negative: older. Null without a cluster. */
  readonly 'minor-version-skew': number | null;
}

/** Everything reported about one artifact, behind the tools in the output `report`. */
export interface ArtifactReport extends FileReport {
  /** The name of the file. */
  readonly artifact: string;
  /** Null for a file that is the same for all platforms. */
  readonly platform: string | null;
}

/** What is reported about any file. */
interface FileReport {
  /** With `v`. */
  readonly version: string;
  readonly path: string;
  readonly 'bundle-path': string;
  /** Hex. */
  readonly sha256: string;
  /** In bytes. */
  readonly size: number;
  readonly source: Origin;
  readonly 'certificate-identity': string;
  readonly 'certificate-oidc-issuer': string;
  /** 64 hex digits. */
  readonly 'log-entry-uuid': string;
  readonly 'log-index': string;
  /** ISO 8601. */
  readonly 'integrated-time': string;
  readonly 'release-proof': string;
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

/** Everything a run shows. Text from outside is escaped here before it reaches log or summary. */
export class Report implements Logger {
  readonly #lastProgress = new Map<string, number>();

  info(message: string): void {
    core.info(escapeLogLine(message));
  }

  debug(message: string): void {
    core.debug(escapeLogLine(message));
  }

  #notice(title: string, message: string): void {
    core.notice(escapeLogLine(message), { title });
  }

  warning(title: string, message: string): void {
    core.warning(escapeLogLine(message), { title });
  }

  progress(what: string, received: number, total: number | undefined): void {
    const now = performance.now();
    const last = this.#lastProgress.get(what);
    if (last === undefined) {
      this.#lastProgress.set(what, now);
    } else if (now - last >= PROGRESS_INTERVAL) {
      this.#lastProgress.set(what, now);
      const percent =
        total === undefined ? '' : ` (${String(Math.floor((received / total) * 100))} %)`;
      this.info(`${what}: ${megabytes(received)} downloaded${percent}`);
    }
  }

  /** Masks the token before anything else is logged. */
  start(inputs: Inputs): void {
    if (inputs.downloadToken !== undefined) {
      core.setSecret(inputs.downloadToken);
    }
    if (inputs.ignoredVersionFile !== undefined) {
      this.#notice(
        'version-file ignored',
        `"version" is set, so ${inputs.ignoredVersionFile} is not read.`,
      );
    }
  }

  /**
   * One notice for each minor that Kubernetes no longer supports.
   *
   * @param version of the release, with `v`
   */
  endedSupport(version: string, cluster: ClusterVersion | undefined): void {
    const now = new Date();
    const minors = [minorOf(version), cluster?.minor].filter((minor) => minor !== undefined);
    for (const minor of new Set(minors)) {
      const notice = describeEndedSupport(minor, now);
      if (notice !== undefined) {
        this.#notice(`Kubernetes 1.${String(minor)} is no longer supported`, notice);
      }
    }
  }

  /** One annotation, and a paragraph in the summary: code, cause, next step. */
  async failure(error: unknown): Promise<void> {
    const known = error instanceof SetupError ? error : undefined;
    const code = known?.code ?? 'UNEXPECTED';
    const hint = known === undefined ? UNEXPECTED_HINT : hintFor(known);
    const message = known?.message ?? explain(error);
    process.exitCode = core.ExitCode.Failure;
    core.error(`${escapeLogLine(message)}\n${escapeLogLine(hint)}`, {
      title: `setup-verified-kubectl: ${code}`,
    });
    if (error instanceof Error && error.stack !== undefined) {
      const lines = error.stack.split('\n', MAX_STACK_LINES);
      core.debug(lines.map(escapeLogLine).join('\n'));
    }
    core.summary
      .addHeading('Nothing was added to PATH', 3)
      .addRaw(`<p><b>${code}</b>: ${escapeHtml(message)}</p><p>${escapeHtml(hint)}</p>`, true);
    await this.#writeSummary();
  }

  /** The log of one file, worded like cosign's output. */
  #file(report: ToolReport | ArtifactReport): void {
    const madeFor = report.platform === null ? '' : ` (${report.platform})`;
    core.startGroup(escapeLogLine(`${nameOf(report)} ${report.version}${madeFor}`));
    this.info(
      `tlog entry verified with uuid: ${report['log-entry-uuid']} index: ${report['log-index']}`,
    );
    this.info('Verified OK');
    this.info(`Signed by: ${report['certificate-identity']}`);
    this.info(`Issuer: ${report['certificate-oidc-issuer']}`);
    this.info(`Signed at: ${report['integrated-time']}`);
    this.info(`Release: ${report['release-proof']}`);
    const cluster = 'tool' in report ? clusterText(report) : undefined;
    if (cluster !== undefined) {
      this.info(`Cluster: ${cluster}`);
    }
    this.info(`SHA-256: ${report.sha256} (${megabytes(report.size)})`);
    this.info(`Source: ${SOURCES[report.source]}`);
    this.info(`Took: ${durationsText(report['durations-ms'])}`);
    this.info(`Path: ${report.path}`);
    this.info(`Evidence: ${report['bundle-path']}`);
    core.endGroup();
  }

  /** Writes outputs and summary, then `PATH` as the very last step: a failure before it leaves `PATH` alone. */
  async success(
    inputs: Inputs,
    installed: readonly InstalledArtifact[],
    durations: SharedDurations,
  ): Promise<void> {
    const tools: ToolReport[] = [];
    const artifacts: ArtifactReport[] = [];
    for (const one of installed) {
      const { artifact } = one;
      if (isBinary(artifact)) {
        tools.push(toolReport(artifact, one, inputs, durations));
      } else {
        artifacts.push(artifactReport(one, durations));
      }
    }
    for (const report of [...tools, ...artifacts]) {
      this.#file(report);
    }
    setOutputs(tools, artifacts);
    setArtifactOutputs(inputs.artifacts, artifacts);
    addToSummary('Verified Kubernetes tools', tools, inputs);
    addToSummary('Verified Kubernetes artifacts', artifacts, inputs);
    await this.#writeSummary();
    for (const { path } of tools) {
      core.addPath(dirname(path));
    }
  }

  /** A runner without job summaries must not fail a run that succeeded. */
  async #writeSummary(): Promise<void> {
    const text = boundedSummary(core.summary.stringify());
    core.summary.emptyBuffer().addRaw(text);
    try {
      await core.summary.write();
    } catch (error) {
      this.info(`Cannot write the job summary: ${explain(error)}`);
    }
  }
}

/** Each message is bounded on its own. This bounds all of them together. */
export function boundedSummary(html: string): string {
  return Buffer.byteLength(html) <= MAX_SUMMARY_BYTES
    ? html
    : '<p>This summary is too long for GitHub. The log and the output <code>report</code> have the same information.</p>\n';
}

function toolReport(
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

function artifactReport(installed: InstalledArtifact, durations: SharedDurations): ArtifactReport {
  const { artifact } = installed;
  return {
    artifact: artifact.name,
    platform: artifact.platform === undefined ? null : platformName(artifact.platform),
    ...fileReport(installed, durations),
  };
}

function fileReport(
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
    'certificate-identity': verified.identity.subjectAlternativeName,
    'certificate-oidc-issuer': verified.identity.issuer,
    'log-entry-uuid': verified.uuid,
    'log-index': verified.logIndex,
    'integrated-time': verified.signedAt.toISOString(),
    'release-proof': describeBinding(one.binding),
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

/** Outputs with one value describe kubectl, else the first tool, else the first artifact. */
function setOutputs(tools: readonly ToolReport[], artifacts: readonly ArtifactReport[]): void {
  const reports = [...tools, ...artifacts];
  const main = tools.find(({ tool }) => tool === 'kubectl') ?? reports[0];
  if (main === undefined) {
    return;
  }
  for (const { tool, path } of tools) {
    core.setOutput(`${tool}-path`, path);
  }
  core.setOutput('version', main.version);
  core.setOutput('cache-hit', String(reports.every((report) => report['cache-hit'])));
  for (const name of [
    'sha256',
    'certificate-identity',
    'certificate-oidc-issuer',
    'log-index',
    'log-entry-uuid',
    'integrated-time',
    'bundle-path',
  ] as const) {
    core.setOutput(name, main[name]);
  }
  core.setOutput('report', JSON.stringify(reports));
}

/** The path of each artifact, by the name that the user gave it. */
function setArtifactOutputs(
  requests: Inputs['artifacts'],
  reports: readonly ArtifactReport[],
): void {
  const paths = requests.flatMap(({ requested, name }) => {
    const report = reports.find(({ artifact }) => artifact === name);
    return report === undefined ? [] : [[requested, report.path] as const];
  });
  const [first] = paths;
  if (first !== undefined) {
    core.setOutput('artifact-path', first[1]);
    core.setOutput('artifacts', JSON.stringify(Object.fromEntries(paths)));
  }
}

function addToSummary(
  heading: string,
  reports: readonly (ToolReport | ArtifactReport)[],
  inputs: Inputs,
): void {
  if (reports.length === 0) {
    return;
  }
  core.summary.addHeading(heading, 3);
  for (const report of reports) {
    const cluster = 'tool' in report ? clusterText(report) : undefined;
    const madeFor = report.platform === null ? '' : ` for ${escapeHtml(report.platform)}`;
    const rows: [string, string][] = [
      [
        'tool' in report ? 'Tool' : 'Artifact',
        `<b>${escapeHtml(`${nameOf(report)} ${report.version}`)}</b>${madeFor}`,
      ],
      ...(cluster === undefined
        ? []
        : [['Cluster', escapeHtml(cluster)] satisfies [string, string]]),
      ['SHA-256', `<code>${escapeHtml(report.sha256)}</code>`],
      ['Signed by', escapeHtml(report['certificate-identity'])],
      ['Issuer', escapeHtml(report['certificate-oidc-issuer'])],
      ['Signed at', escapeHtml(report['integrated-time'])],
      ['Log entry', logEntry(report, inputs)],
      ['Release', escapeHtml(report['release-proof'])],
      ['Source', escapeHtml(SOURCES[report.source])],
      ['Took', escapeHtml(durationsText(report['durations-ms']))],
      ...(report.recovered === null
        ? []
        : [['Broken publication', escapeHtml(report.recovered)] satisfies [string, string]]),
    ];
    core.summary.addTable(rows.map(([name, value]) => [{ data: name, header: true }, value]));
  }
}

const SOURCES: Readonly<Record<Origin, string>> = {
  download: 'downloaded',
  cache: 'tool cache, verified again',
  preinstalled: 'copy found on this machine, verified',
};

function nameOf(report: ToolReport | ArtifactReport): string {
  return 'tool' in report ? report.tool : report.artifact;
}

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

function seconds(milliseconds: number): string {
  return `${(milliseconds / 1000).toFixed(2)} s`;
}

function logEntry(report: FileReport, inputs: Inputs): string {
  const index = escapeHtml(report['log-index']);
  const uuid = `<code>${escapeHtml(report['log-entry-uuid'])}</code>`;
  return inputs.rekorUrl.href === PUBLIC_LOG
    ? `<a href="https://search.sigstore.dev/?logIndex=${index}">${index}</a>, ${uuid}`
    : `${index}, ${uuid}`;
}

function megabytes(bytes: number): string {
  return `${(bytes / 1e6).toFixed(1)} MB`;
}
