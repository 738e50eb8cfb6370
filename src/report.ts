import * as core from '@actions/core';
import { SetupError, explain } from './errors.js';
import { UNEXPECTED_HINT, hintFor } from './hints.js';
import type { Inputs } from './inputs.js';
import { describeBinding } from './install/binding.js';
import type { Logger } from './install/logger.js';
import type { InstalledArtifact, Origin } from './install/verified-artifact.js';
import type { ClusterVersion } from './kubernetes/cluster-version.js';
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

/** Everything reported about one tool. The output `report` is a list of these. */
export interface ToolReport {
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
  /** Of all tools together. */
  readonly install: number;
}

/** The phases that all tools of a run share, in milliseconds. */
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

  /** The log of one tool, worded like cosign's output. */
  #tool(installed: InstalledArtifact, report: ToolReport): void {
    core.startGroup(escapeLogLine(`${report.tool} ${report.version} (${report.platform})`));
    this.info(
      `tlog entry verified with uuid: ${report['log-entry-uuid']} index: ${report['log-index']}`,
    );
    this.info('Verified OK');
    this.info(`Signed by: ${report['certificate-identity']}`);
    this.info(`Issuer: ${report['certificate-oidc-issuer']}`);
    this.info(`Signed at: ${report['integrated-time']}`);
    this.info(`Release: ${report['release-proof']}`);
    const cluster = clusterText(report);
    if (cluster !== undefined) {
      this.info(`Cluster: ${cluster}`);
    }
    this.info(`SHA-256: ${report.sha256} (${megabytes(report.size)})`);
    this.info(`Source: ${SOURCES[report.source]}`);
    this.info(`Took: ${durationsText(report['durations-ms'])}`);
    this.info(`Path: ${report.path}`);
    this.info(`Evidence: ${installed.cacheEntry.files().bundle}`);
    core.endGroup();
  }

  /** Writes outputs and summary, then `PATH` as the very last step: a failure before it leaves `PATH` alone. */
  async success(
    inputs: Inputs,
    installed: readonly InstalledArtifact[],
    durations: SharedDurations,
  ): Promise<void> {
    const reports = installed.map((one) => toolReport(one, inputs, durations));
    installed.forEach((one, index) => {
      const report = reports[index];
      if (report !== undefined) {
        this.#tool(one, report);
      }
    });
    setOutputs(reports);
    addToSummary(reports, inputs);
    await this.#writeSummary();
    for (const { folder } of installed) {
      core.addPath(folder);
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

function setOutputs(reports: readonly ToolReport[]): void {
  const main = reports.find(({ tool }) => tool === 'kubectl') ?? reports[0];
  if (main === undefined) {
    return;
  }
  for (const { tool, path } of reports) {
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

function addToSummary(reports: readonly ToolReport[], inputs: Inputs): void {
  core.summary.addHeading('Verified Kubernetes tools', 3);
  for (const report of reports) {
    const cluster = clusterText(report);
    const rows: [string, string][] = [
      [
        'Tool',
        `<b>${escapeHtml(`${report.tool} ${report.version}`)}</b> for ${escapeHtml(report.platform)}`,
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

function logEntry(report: ToolReport, inputs: Inputs): string {
  const index = escapeHtml(report['log-index']);
  const uuid = `<code>${escapeHtml(report['log-entry-uuid'])}</code>`;
  return inputs.rekorUrl.href === PUBLIC_LOG
    ? `<a href="https://search.sigstore.dev/?logIndex=${index}">${index}</a>, ${uuid}`
    : `${index}, ${uuid}`;
}

function megabytes(bytes: number): string {
  return `${(bytes / 1e6).toFixed(1)} MB`;
}
