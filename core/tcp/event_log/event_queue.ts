/**
 * The events that one reader of a log has not read. Bounded: while it is full, events are dropped and
 * counted.
 *
 * @module
 */
import { Queue } from "../../buffers/queue.ts";
import type { TcpEvent } from "./events.ts";

/** A bounded queue of events. */
export class EventQueue {
  readonly #events = new Queue<TcpEvent>();
  readonly #limit: number;
  /** Its reader; opaque to the core. */
  handle: unknown = undefined;
  /** Whether the reader is about to be notified. */
  isNotified = false;
  #dropped = 0;
  #missing = 0;

  /** Holds at most `limit` events. */
  constructor(limit: number) {
    this.#limit = limit;
  }

  /** Appends an event, or counts it as dropped. */
  push(event: TcpEvent): void {
    // After a gap, events have no meaning until the next snapshot.
    if (this.#missing === 0 && this.#events.count < this.#limit) this.#events.push(event);
    else {
      this.#dropped++;
      this.#missing++;
    }
  }

  /** Removes the oldest event. */
  shift(): TcpEvent | undefined {
    return this.#events.shift();
  }

  /** Whether events are missing at the end. */
  get hasGap(): boolean {
    return this.#missing > 0;
  }

  /** Whether there is a gap, and room to continue after it with a snapshot. */
  get canResume(): boolean {
    return this.#missing > 0 && this.#events.count <= this.#limit / 2;
  }

  /** Continues after a gap with `snapshot`. */
  resume(snapshot: TcpEvent): void {
    const { time } = snapshot;
    this.#events.push({ time, name: "tcp:events_dropped", data: { count: this.#missing } });
    this.#missing = 0;
    this.#events.push(snapshot);
  }

  /** Number of events that have not been read. */
  get count(): number {
    return this.#events.count;
  }

  /** Number of events dropped so far. */
  get dropped(): number {
    return this.#dropped;
  }
}
