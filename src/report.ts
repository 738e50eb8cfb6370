import * as core from '@actions/core';
import { SetupError, explain } from './errors.js';
import type { Inputs } from './inputs.js';
import { describeBinding } from './install/binding.js';
import { describeVersionProof, type VerifiedImage } from './install/images.js';
import type { Logger } from './install/logger.js';
import type { InstalledArtifact, Origin } from './install/verified-artifact.js';
import { platformName } from './kubernetes/platform.js';
import { escapeHtml, escapeLogLine } from './escape.js';

/** A line of progress at most this often, in milliseconds. */
const PROGRESS_INTERVAL = 5_000;
const PUBLIC_LOG = 'https://rekor.sigstore.dev/';

/** What is said of one tool; the output `report` is a list of these. */
export interface ToolReport {
  readonly tool: string;
  /** With `v`. */
  readonly version: string;
  readonly platform: string;
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
  /** Why the published signature or certificate was not used; null when they were. */
  readonly recovered: string | null;
  readonly 'cache-hit': boolean;
  readonly 'durations-ms': PhaseDurations;
}

/** What is said of one image, behind the tools in the output `report`. */
export interface ImageReport {
  /** As it was asked for. */
  readonly image: string;
  /** With the tag, where there is one. */
  readonly name: string;
  /** `registry.k8s.io/kube-apiserver@sha256:…` */
  readonly reference: string;
  readonly 'certificate-identity': string;
  readonly 'certificate-oidc-issuer': string;
  /** 64 hex digits. */
  readonly 'log-entry-uuid': string;
  readonly 'log-index': string;
  /** ISO 8601. */
  readonly 'integrated-time': string;
  readonly 'release-proof': string;
}

/** What each phase took, in whole milliseconds. */
export interface PhaseDurations {
  /** To find out which version was asked for. */
  readonly resolve: number;
  /** Null where nothing was downloaded. */
  readonly download: number | null;
  readonly verify: number;
  /** Of all tools together. */
  readonly install: number;
}

/** The phases that all tools of a run share, in milliseconds. */
export type SharedDurations = Readonly<Record<'resolve' | 'install', number>>;

/** Everything that a run shows. Whatever comes from outside is escaped here, and only here. */
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

  /** Hides what must not be shown, before anything is shown. */
  start(inputs: Inputs): void {
    if (inputs.downloadToken !== undefined) {
      core.setSecret(inputs.downloadToken);
    }
    if (inputs.ignoredVersionFile !== undefined) {
      this.#notice(
        'version-file is not read',
        `"version" is given, so ${inputs.ignoredVersionFile} does not count.`,
      );
    }
  }

  /** One annotation, and a paragraph in the summary: code, cause, next step. */
  async failure(error: unknown): Promise<void> {
    const known = error instanceof SetupError ? error : undefined;
    const code = known?.code ?? 'UNEXPECTED';
    const hint =
      known?.hint ?? 'This is a defect of the action: please report it with the log of this run.';
    const message = known?.message ?? explain(error);
    process.exitCode = core.ExitCode.Failure;
    core.error(`${escapeLogLine(message)}\n${escapeLogLine(hint)}`, {
      title: `setup-verified-kubectl: ${code}`,
    });
    if (error instanceof Error && error.stack !== undefined) {
      core.debug(error.stack.split('\n').map(escapeLogLine).join('\n'));
    }
    core.summary
      .addHeading('Nothing was installed', 3)
      .addRaw(`<p><b>${code}</b>: ${escapeHtml(message)}</p><p>${escapeHtml(hint)}</p>`, true);
    await this.#writeSummary();
  }

  /** The log of one tool, in the words of cosign. */
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
    this.info(`SHA-256: ${report.sha256} (${megabytes(report.size)})`);
    this.info(`Source: ${SOURCES[report.source]}`);
    this.info(`Took: ${durationsText(report['durations-ms'])}`);
    this.info(`Path: ${report.path}`);
    this.info(`Evidence: ${installed.cacheEntry.files().bundle}`);
    core.endGroup();
  }

  /** The log of one image, in the words of cosign. */
  #image(report: ImageReport): void {
    core.startGroup(escapeLogLine(report.name));
    this.info(
      `tlog entry verified with uuid: ${report['log-entry-uuid']} index: ${report['log-index']}`,
    );
    this.info('Verified OK');
    this.info(`Signed by: ${report['certificate-identity']}`);
    this.info(`Issuer: ${report['certificate-oidc-issuer']}`);
    this.info(`Signed at: ${report['integrated-time']}`);
    this.info(`Release: ${report['release-proof']}`);
    this.info(`Reference: ${report.reference}`);
    core.endGroup();
  }

  /**
   * Outputs, summary, and `PATH` as the very last thing: what fails before leaves it alone.
   *
   * @param version with `v`
   */
  async success(
    inputs: Inputs,
    version: string,
    installed: readonly InstalledArtifact[],
    images: readonly VerifiedImage[],
    durations: SharedDurations,
  ): Promise<void> {
    const reports = installed.map((one) => toolReport(one, durations));
    installed.forEach((one, index) => {
      const report = reports[index];
      if (report !== undefined) {
        this.#tool(one, report);
      }
    });
    const imageReports = images.map(imageReport);
    for (const one of imageReports) {
      this.#image(one);
    }
    core.setOutput('version', version);
    setToolOutputs(reports);
    setImageOutput(imageReports);
    core.setOutput('report', JSON.stringify([...reports, ...imageReports]));
    addToSummary(reports, inputs);
    addImagesToSummary(imageReports, inputs);
    await this.#writeSummary();
    for (const { folder } of installed) {
      core.addPath(folder);
    }
  }

  /** A runner without job summaries must not make a run fail that has succeeded. */
  async #writeSummary(): Promise<void> {
    try {
      await core.summary.write();
    } catch (error) {
      this.info(`There is no job summary: ${explain(error)}`);
    }
  }
}

function toolReport(
  { artifact, cacheEntry, verified, ...one }: InstalledArtifact,
  { resolve, install }: SharedDurations,
): ToolReport {
  const files = cacheEntry.files();
  return {
    tool: artifact.name,
    version: artifact.version,
    platform: platformName(artifact.platform),
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
    recovered: one.recovered ?? null,
    'cache-hit': one.origin === 'cache',
    'durations-ms': {
      resolve: Math.round(resolve),
      download: one.durations.download === undefined ? null : Math.round(one.durations.download),
      verify: Math.round(one.durations.verify),
      install: Math.round(install),
    },
  };
}

function imageReport({ image, pinned, verified, version }: VerifiedImage): ImageReport {
  return {
    image: image.requested,
    name: image.name,
    reference: pinned,
    'certificate-identity': verified.identity.subjectAlternativeName,
    'certificate-oidc-issuer': verified.identity.issuer,
    'log-entry-uuid': verified.uuid,
    'log-index': verified.logIndex,
    'integrated-time': verified.signedAt.toISOString(),
    'release-proof': describeVersionProof(version),
  };
}

/** As asked for -> by digest, ready to pin. */
function setImageOutput(reports: readonly ImageReport[]): void {
  if (reports.length > 0) {
    const references = reports.map(({ image, reference }) => [image, reference]);
    core.setOutput('images', JSON.stringify(Object.fromEntries(references)));
  }
}

function setToolOutputs(reports: readonly ToolReport[]): void {
  const main = reports.find(({ tool }) => tool === 'kubectl') ?? reports[0];
  if (main === undefined) {
    return;
  }
  for (const { tool, path } of reports) {
    core.setOutput(`${tool}-path`, path);
  }
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
}

function addImagesToSummary(reports: readonly ImageReport[], inputs: Inputs): void {
  if (reports.length === 0) {
    return;
  }
  core.summary.addHeading('Verified Kubernetes images', 3);
  for (const report of reports) {
    const rows: [string, string][] = [
      ['Image', `<b>${escapeHtml(report.name)}</b>`],
      ['By digest', `<code>${escapeHtml(report.reference)}</code>`],
      ['Signed by', escapeHtml(report['certificate-identity'])],
      ['Issuer', escapeHtml(report['certificate-oidc-issuer'])],
      ['Signed at', escapeHtml(report['integrated-time'])],
      ['Log entry', logEntry(report, inputs)],
      ['Release', escapeHtml(report['release-proof'])],
    ];
    core.summary.addTable(rows.map(([name, value]) => [{ data: name, header: true }, value]));
  }
}

function addToSummary(reports: readonly ToolReport[], inputs: Inputs): void {
  if (reports.length === 0) {
    return;
  }
  core.summary.addHeading('Verified Kubernetes tools', 3);
  for (const report of reports) {
    const rows: [string, string][] = [
      [
        'Tool',
        `<b>${escapeHtml(`${report.tool} ${report.version}`)}</b> for ${escapeHtml(report.platform)}`,
      ],
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
  preinstalled: 'a copy that was on this machine, verified',
};

function durationsText({ resolve, download, verify, install }: PhaseDurations): string {
  return [
    `choosing the version ${seconds(resolve)}`,
    ...(download === null ? [] : [`download ${seconds(download)}`]),
    `verification ${seconds(verify)}`,
    `installation ${seconds(install)}`,
  ].join(', ');
}

function seconds(milliseconds: number): string {
  return `${(milliseconds / 1000).toFixed(2)} s`;
}

function logEntry(
  report: Pick<ToolReport, 'log-index' | 'log-entry-uuid'>,
  inputs: Inputs,
): string {
  const index = escapeHtml(report['log-index']);
  const uuid = `<code>${escapeHtml(report['log-entry-uuid'])}</code>`;
  return inputs.rekorUrl.href === PUBLIC_LOG
    ? `<a href="https://search.sigstore.dev/?logIndex=${index}">${index}</a>, ${uuid}`
    : `${index}, ${uuid}`;
}

function megabytes(bytes: number): string {
  return `${(bytes / 1e6).toFixed(1)} MB`;
}
