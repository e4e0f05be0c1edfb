/**
 * A promise that is made when somebody asks for it.
 *
 * @module
 */

/** Settled once; its promise never counts as an unhandled rejection. */
export class LazyPromise<T> {
  #settle: (() => Promise<T>) | undefined;
  #promise: Promise<T> | undefined;
  #resolve: ((value: T) => void) | undefined;
  #reject: ((reason: unknown) => void) | undefined;

  get promise(): Promise<T> {
    if (this.#promise !== undefined) return this.#promise;
    if (this.#settle !== undefined) {
      this.#promise = this.#settle();
    } else {
      this.#promise = new Promise<T>((resolve, reject) => {
        this.#resolve = resolve;
        this.#reject = reject;
      });
    }
    this.#promise.catch(() => {});
    return this.#promise;
  }

  get isSettled(): boolean {
    return this.#settle !== undefined;
  }

  resolve(value: T): void {
    if (this.#settle !== undefined) return;
    this.#settle = () => Promise.resolve(value);
    this.#resolve?.(value);
  }

  reject(reason: unknown): void {
    if (this.#settle !== undefined) return;
    this.#settle = () => Promise.reject(reason);
    this.#reject?.(reason);
  }
}
