/** Where the work below tells what it does; `report.ts` shows it to the user. */
export interface Journal {
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
export class EarlyJournal implements Journal {
  #journal: Journal | undefined;
  #waiting: ((journal: Journal) => void)[] = [];

  continueIn(journal: Journal): void {
    this.#journal = journal;
    for (const entry of this.#waiting) {
      entry(journal);
    }
    this.#waiting = [];
  }

  info(message: string): void {
    this.#tell((journal) => {
      journal.info(message);
    });
  }

  debug(message: string): void {
    this.#tell((journal) => {
      journal.debug(message);
    });
  }

  warning(title: string, message: string): void {
    this.#tell((journal) => {
      journal.warning(title, message);
    });
  }

  progress(what: string, received: number, total: number | undefined): void {
    this.#journal?.progress(what, received, total);
  }

  #tell(entry: (journal: Journal) => void): void {
    if (this.#journal === undefined) {
      this.#waiting.push(entry);
    } else {
      entry(this.#journal);
    }
  }
}
