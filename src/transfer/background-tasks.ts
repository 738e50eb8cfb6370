/** Work that is started early and awaited later, or never when something else has failed first. */
export class BackgroundTasks {
  readonly #tasks: Promise<unknown>[] = [];

  /** Takes note of a task. Its rejection surfaces where the returned promise is awaited. */
  start<T>(task: Promise<T>): Promise<T> {
    this.#tasks.push(task.catch(() => undefined));
    return task;
  }

  /** Resolves when every task has ended, including those started in the meantime. */
  async ended(): Promise<void> {
    for (let seen = 0; seen < this.#tasks.length;) {
      seen = this.#tasks.length;
      await Promise.all(this.#tasks);
    }
  }
}
