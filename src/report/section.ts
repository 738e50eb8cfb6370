/**
 * What a run shows about one kind of thing: its tools, its images. A new kind is a file beside this
 * one that makes a section, and an entry of the list in report.ts.
 */
export interface ReportSection {
  /** Of the job summary. */
  readonly heading: string;
  readonly items: readonly ReportItem[];
  /** Outputs of the action besides `report`, by name. */
  readonly outputs: Readonly<Record<string, string>>;
}

/** One tool, or one image. Text is as it came from outside, except where it says HTML. */
export interface ReportItem {
  /** Its object in the output `report`. */
  readonly report: object;
  /** Of its group in the log. */
  readonly title: string;
  /** The lines of that group. */
  readonly log: readonly string[];
  /** The last lines of that group: where the files are in the tool cache. */
  readonly paths: readonly string[];
  /** Of its table in the job summary. */
  readonly rows: readonly SummaryRow[];
}

/** Name and value. The value is HTML. */
export type SummaryRow = readonly [name: string, html: string];
