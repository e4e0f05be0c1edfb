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

  /** Runs `task` when all earlier ones have settled, well or not: at once where there is none. */
  run<T>(task: () => Promise<T>): Promise<T> {
    const result = this.#running++ === 0 ? task() : this.#last.then(task);
    const settled = () => void this.#running--;
    this.#last = result.then(settled, settled);
    return result;
  }
}
