/**
 * The timeouts of one connection, on one timer that is rarely touched.
 *
 * @module
 */
import type { Clock } from "../../../core/api/types.ts";

/** What takes too long: waiting for bytes of the peer, or for room to send it some. */
export type Wait = "read" | "write";

/**
 * Two deadlines. Moving one later touches no timer: the timer wakes at the earlier time, finds
 * nothing due and is armed anew. So a busy connection arms it a few times a minute, not twice a
 * request.
 */
export class ConnectionTimeouts {
  readonly #clock: Clock;
  readonly #expire: (wait: Wait) => void;
  #readAt = Infinity;
  #writeAt = Infinity;
  #wakeAt = Infinity;
  #cancel: (() => void) | undefined;
  #disposed = false;

  /** Makes two deadlines that are not set; `expire` is called when one has passed. */
  constructor(clock: Clock, expire: (wait: Wait) => void) {
    this.#clock = clock;
    this.#expire = expire;
  }

  /** Reading must have got on `ms` milliseconds from now. */
  setRead(ms: number): void {
    this.#readAt = this.#clock.now() + ms;
    this.#arm();
  }

  /** Nothing is being waited for. */
  clearRead(): void {
    this.#readAt = Infinity;
  }

  /** Writing must have got on `ms` milliseconds from now. */
  setWrite(ms: number): void {
    this.#writeAt = this.#clock.now() + ms;
    this.#arm();
  }

  /** Everything has been written. */
  clearWrite(): void {
    this.#writeAt = Infinity;
  }

  /** Leaves no timer behind, now and later. */
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
