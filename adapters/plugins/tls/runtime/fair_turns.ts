/**
 * A fair queue for tasks of many clients that must not overlap.
 *
 * @module
 */
import { ClientRotation } from "../../../../plugins/shared/client_rotation.ts";

/** Runs tasks one after the other. Clients take turns, however many tasks one of them has. */
export class FairTurns {
  readonly #waiting = new ClientRotation<() => Promise<void>>();
  #isRunning = false;
  #unsettled = 0;

  /** Whether no task is running or waiting. */
  get isIdle(): boolean {
    return this.#unsettled === 0;
  }

  /** Runs `task` when it is its turn, at once if no other task is running. */
  run<T>(client: string, task: () => Promise<T>): Promise<T> {
    const { promise, resolve, reject } = Promise.withResolvers<T>();
    this.#unsettled++;
    this.#waiting.add(client, () => task().finally(() => this.#unsettled--).then(resolve, reject));
    if (!this.#isRunning) void this.#runAll();
    return promise;
  }

  async #runAll(): Promise<void> {
    this.#isRunning = true;
    for (let task = this.#waiting.take(); task !== undefined; task = this.#waiting.take()) {
      await task();
    }
    this.#isRunning = false;
  }
}
