/**
 * Asynchronous work that must not overlap.
 *
 * @module
 */

/** Runs tasks one after the other, in order. */
export class SerialQueue {
  #last: Promise<unknown> = Promise.resolve();
  #running = 0;
  readonly #settled = () => void this.#running--;

  /** Whether no task is running or waiting. */
  get isIdle(): boolean {
    return this.#running === 0;
  }

  /** Runs `task` when all earlier ones have settled, at once if there are none. */
  run<T>(task: () => Promise<T>): Promise<T> {
    const result = this.#running++ === 0 ? task() : this.#last.then(task);
    this.#last = result.then(this.#settled, this.#settled);
    return result;
  }
}
