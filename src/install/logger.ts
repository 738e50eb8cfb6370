/** Where the work below tells what it does; `report.ts` shows it to the user. */
export interface Logger {
  /** A line of the log. */
  info(message: string): void;
  /** A line that only appears when the runner is asked for debug output. */
  debug(message: string): void;
  /** An annotation: something a person should look at, though the run goes on. */
  warning(title: string, message: string): void;
  /** How far a download has come. Called often; `total` is undefined where nobody told it. */
  progress(what: string, received: number, total: number | undefined): void;
}

/** Keeps what is told before the journal proper is loaded, and passes it on from then on. */
export class BufferedLogger implements Logger {
  #logger: Logger | undefined;
  #waiting: ((logger: Logger) => void)[] = [];

  continueIn(logger: Logger): void {
    this.#logger = logger;
    for (const entry of this.#waiting) {
      entry(logger);
    }
    this.#waiting = [];
  }

  info(message: string): void {
    this.#tell((logger) => {
      logger.info(message);
    });
  }

  debug(message: string): void {
    this.#tell((logger) => {
      logger.debug(message);
    });
  }

  warning(title: string, message: string): void {
    this.#tell((logger) => {
      logger.warning(title, message);
    });
  }

  progress(what: string, received: number, total: number | undefined): void {
    this.#logger?.progress(what, received, total);
  }

  #tell(entry: (logger: Logger) => void): void {
    if (this.#logger === undefined) {
      this.#waiting.push(entry);
    } else {
      entry(this.#logger);
    }
  }
}
