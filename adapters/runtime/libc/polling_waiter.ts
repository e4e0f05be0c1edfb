import { setTimeout } from "node:timers/promises";
import type { Libc, Poller } from "./host.ts";
import { type Bytes, pollSet, timespec } from "./linux.ts";

const INTERVAL_MS = 1;

/** Polls every millisecond; the fallback where the kernel cannot signal. */
export class PollingWaiter implements Poller {
  readonly #libc: Pick<Libc, "ppoll">;
  readonly #set: Bytes;
  readonly #atOnce = timespec(0);
  #closed = false;

  constructor(libc: Pick<Libc, "ppoll">, fd: number) {
    this.#libc = libc;
    this.#set = pollSet(fd);
  }

  async wait(): Promise<void> {
    while (!this.#closed && this.#libc.ppoll(this.#set, 1, this.#atOnce, null) === 0) {
      await setTimeout(INTERVAL_MS);
    }
  }

  close(): Promise<void> {
    this.#closed = true;
    return Promise.resolve();
  }
}
