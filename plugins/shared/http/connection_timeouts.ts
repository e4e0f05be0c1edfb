/**
 * The read and write timeouts of a connection, on one timer.
 *
 * @module
 */
import type { Clock } from "../../../core/api/types.ts";

/** What has timed out: waiting for data of the peer, or for room in the send buffer. */
export type Wait = "read" | "write";

/**
 * Two deadlines. Moving a deadline later does not touch the timer: it fires at the earlier time, finds nothing
 * due and is rescheduled. So a busy connection schedules it a few times a minute, not twice per request.
 */
export class ConnectionTimeouts {
  readonly #clock: Clock;
  readonly #expire: (wait: Wait) => void;
  #readAt = Infinity;
  #writeAt = Infinity;
  #wakeAt = Infinity;
  #cancel: (() => void) | undefined;
  #disposed = false;

  /** Both deadlines are unset; `expire` is called when one has passed. */
  constructor(clock: Clock, expire: (wait: Wait) => void) {
    this.#clock = clock;
    this.#expire = expire;
  }

  /** Sets the read deadline to `ms` milliseconds from now. */
  setRead(ms: number): void {
    this.#readAt = this.#clock.now() + ms;
    this.#arm();
  }

  /** Clears the read deadline. */
  clearRead(): void {
    this.#readAt = Infinity;
  }

  /** Sets the write deadline to `ms` milliseconds from now. */
  setWrite(ms: number): void {
    this.#writeAt = this.#clock.now() + ms;
    this.#arm();
  }

  /** Clears the write deadline. */
  clearWrite(): void {
    this.#writeAt = Infinity;
  }

  /** Cancels the timer; later calls set none. */
  dispose(): void {
    this.#disposed = true;
    this.#cancel?.();
  }

  #arm(): void {
    const at = Math.min(this.#readAt, this.#writeAt);
    if (at >= this.#wakeAt || this.#disposed) return;
    this.#cancel?.();
    this.#wakeAt = at;
    this.#cancel = this.#clock.schedule(at, this.#wake);
  }

  readonly #wake = (): void => {
    const now = this.#clock.now();
    this.#wakeAt = Infinity;
    this.#cancel = undefined;
    const read = this.#readAt <= now;
    const write = this.#writeAt <= now;
    if (read) this.#readAt = Infinity;
    if (write) this.#writeAt = Infinity;
    this.#arm();
    if (read) this.#expire("read");
    if (write) this.#expire("write");
  };
}
