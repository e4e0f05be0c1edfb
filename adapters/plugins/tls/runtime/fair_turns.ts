/**
 * Work that must not overlap, and that many clients wait for.
 *
 * @module
 */
import { Queue } from "../../../../core/buffers/queue.ts";

/** Runs tasks one after the other. Clients take turns, however many tasks one of them has. */
export class FairTurns {
  /** Waiting tasks of each client; the client whose turn is next comes first. */
  readonly #waiting = new Map<string, Queue<() => Promise<void>>>();
  #isRunning = false;
  #unsettled = 0;

  /** Whether no task is running or waiting. */
  get isIdle(): boolean {
    return this.#unsettled === 0;
  }

  /** Runs `task` when it is its turn, at once if no other task is running. */
  run<T>(client: string, task: () => Promise<T>): Promise<T> {
    const { promise, resolve, reject } = Promise.withResolvers<T>();
    let own = this.#waiting.get(client);
    if (own === undefined) this.#waiting.set(client, own = new Queue());
    this.#unsettled++;
    own.push(() => task().finally(() => this.#unsettled--).then(resolve, reject));
    if (!this.#isRunning) void this.#runAll();
    return promise;
  }

  async #runAll(): Promise<void> {
    this.#isRunning = true;
    for (let task = this.#next(); task !== undefined; task = this.#next()) await task();
    this.#isRunning = false;
  }

  #next(): (() => Promise<void>) | undefined {
    const [first] = this.#waiting;
    if (first === undefined) return undefined;
    const [client, own] = first;
    const task = own.shift();
    this.#waiting.delete(client);
    if (own.count > 0) this.#waiting.set(client, own);
    return task;
  }
}
