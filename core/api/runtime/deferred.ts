/**
 * A promise with its `resolve` and `reject` functions.
 *
 * @module
 */

/** Settled once; its promise never counts as an unhandled rejection. */
export class Deferred<T> {
  readonly promise: Promise<T>;
  #resolve: ((value: T) => void) | undefined;
  #reject: ((reason: unknown) => void) | undefined;

  constructor() {
    this.promise = new Promise<T>((resolve, reject) => {
      this.#resolve = resolve;
      this.#reject = reject;
    });
    this.promise.catch(() => {});
  }

  resolve(value: T): void {
    this.#resolve?.(value);
    this.#resolve = this.#reject = undefined;
  }

  reject(reason: unknown): void {
    this.#reject?.(reason);
    this.#resolve = this.#reject = undefined;
  }
}
