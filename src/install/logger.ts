/** Where the work below says what it does. `report.ts` shows it to the user. */
export interface Logger {
  /** A line of the log. */
  info(message: string): void;
  /** A line that appears only when the runner is asked for debug output. */
  debug(message: string): void;
  /** An annotation: something to know. */
  notice(title: string, message: string): void;
  /** An annotation: something a person should look at, although the run goes on. */
  warning(title: string, message: string): void;
  /**
   * How far a download has come. Called often; `total` is undefined where nobody told it. The last
   * call for a download that is complete has both the same.
   */
  progress(what: string, received: number, total: number | undefined): void;
}
