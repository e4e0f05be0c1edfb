/**
 * Asynchronous work that must not overlap.
 *
 * @module
 */

/** Runs one task after the other, in the order in which they were given. */
export class SerialQueue {
  #last: Promise<unknown> = Promise.resolve();
  #running = 0;

  /** No task runs or waits. */
  get isIdle(): boolean {
    return this.#running === 0;
  }

  /** Runs `task` when all earlier ones have settled, well or not. */
  run<T>(task: () => Promise<T>): Promise<T> {
    this.#running++;
    const result = this.#last.then(task).finally(() => this.#running--);
    this.#last = result.catch(() => {});
    return result;
  }
}
