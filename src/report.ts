import * as core from '@actions/core';
import { SetupError, explain } from './errors.js';
import { escapeHtml, escapeLogLine } from './escape.js';
import { UNEXPECTED_HINT, hintFor } from './hints.js';
import type { Inputs } from './inputs.js';
import type { VerifiedImage } from './install/images.js';
import type { Logger } from './install/logger.js';
import type { InstalledArtifact } from './install/verified-artifact.js';
import { isBinary } from './kubernetes/binary.js';
import { imageSection } from './report/images.js';
import type { ReportItem, ReportSection } from './report/section.js';
import type { SharedDurations } from './report/file.js';
import { fileSections } from './report/files.js';
import { megabytes } from './report/units.js';

export type { ReportItem, SharedDurations };

/** A line of progress at most this often, in milliseconds. */
const PROGRESS_INTERVAL = 5_000;
/**
 * The runner shows no summary that is larger (`AttachmentSizeLimit` in FileCommandManager.cs of
 * actions/runner 258d6c85), and reports an error in its place.
 */
const MAX_SUMMARY_BYTES = 1 << 20;
/** Of an error's stack, which begins with its message. */
const MAX_STACK_LINES = 50;

/** Everything that a run verified. */
export interface Results {
  /** Of the release, with `v`. */
  readonly version: string;
  readonly files: readonly InstalledArtifact[];
  readonly images: readonly VerifiedImage[];
}

/** Everything a run shows. Text from outside is escaped here before it reaches log or summary. */
export class Report implements Logger {
  readonly #lastProgress = new Map<string, number>();

  info(message: string): void {
    core.info(escapeLogLine(message));
  }

  debug(message: string): void {
    core.debug(escapeLogLine(message));
  }

  notice(title: string, message: string): void {
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

  /** To be called before anything else is logged. */
  mask(secret: string | undefined): void {
    if (secret !== undefined) {
      core.setSecret(secret);
    }
  }

  /** One annotation, and a paragraph in the summary: code, cause, next step. */
  async failure(error: unknown, heading = 'Nothing was added to PATH'): Promise<void> {
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
      .addHeading(heading, 3)
      .addRaw(`<p><b>${code}</b>: ${escapeHtml(message)}</p><p>${escapeHtml(hint)}</p>`, true);
    await this.#writeSummary();
  }

  /** The log of each thing that was verified, outputs, and the job summary. */
  async success(inputs: Inputs, results: Results, durations: SharedDurations): Promise<void> {
    const { version } = results;
    const sections = sectionsOf(inputs, results, durations);
    const items = sections.flatMap((section) => section.items);
    for (const item of items) {
      this.#log(item);
    }
    core.setOutput('version', version);
    for (const [name, value] of sections.flatMap(({ outputs }) => Object.entries(outputs))) {
      core.setOutput(name, value);
    }
    core.setOutput('report', JSON.stringify(items.map(({ report }) => report)));
    for (const section of sections) {
      addToSummary(section);
    }
    await this.#writeSummary();
  }

  /** The very last step: a failure before it leaves `PATH` alone. */
  addToPath(installed: readonly InstalledArtifact[]): void {
    for (const { artifact, folder } of installed) {
      if (isBinary(artifact)) {
        core.addPath(folder);
      }
    }
  }

  /**
   * The outcome of the action in lock/.
   *
   * @param name of the lock file, for messages
   */
  async lock(
    name: string,
    {
      version,
      contents,
      changes,
    }: { version: string; contents: string; changes: readonly string[] },
    isCheck: boolean,
  ): Promise<void> {
    const isChanged = changes.length > 0;
    core.setOutput('version', version);
    core.setOutput('changed', String(isChanged));
    for (const change of changes) {
      this.info(change);
    }
    if (isChanged && isCheck) {
      process.exitCode = core.ExitCode.Failure;
      core.error(escapeLogLine(`${name} is out of date`), {
        title: 'setup-verified-kubectl: lock file out of date',
      });
    }
    const state = isChanged ? (isCheck ? 'is out of date' : 'was written') : 'is up to date';
    core.summary
      .addHeading('Kubernetes lock file', 3)
      .addRaw(`<p>${escapeHtml(`${name} ${state}: ${version}, ${contents}`)}</p>`, true)
      .addRaw(isChanged ? `<pre>${changes.map(escapeHtml).join('\n')}</pre>` : '', true);
    await this.#writeSummary();
  }

  #log({ title, log, paths }: ReportItem): void {
    core.startGroup(escapeLogLine(title));
    for (const line of [...log, ...paths]) {
      this.info(line);
    }
    core.endGroup();
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

/** Everything that was verified. */
export function sectionsOf(
  inputs: Inputs,
  { files, images }: Results,
  durations: SharedDurations,
): ReportSection[] {
  return [...fileSections(files, inputs, durations), imageSection(images, inputs, durations)];
}

/** Each message is bounded on its own. This bounds all of them together. */
export function boundedSummary(html: string): string {
  return Buffer.byteLength(html) <= MAX_SUMMARY_BYTES
    ? html
    : '<p>This summary is too long for GitHub. The log and the output <code>report</code> have the same information.</p>\n';
}

function addToSummary({ heading, items }: ReportSection): void {
  if (items.length === 0) {
    return;
  }
  core.summary.addHeading(heading, 3);
  for (const { rows } of items) {
    core.summary.addTable(rows.map(([name, html]) => [{ data: name, header: true }, html]));
  }
}
