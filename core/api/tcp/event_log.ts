/**
 * The event log of a connection, for its readers.
 *
 * @module
 */
import { z } from "zod";
import type { EventLogSource } from "../../stack/tcp/connections.ts";
import type { TcpEvent } from "../../tcp/event_log/events.ts";
import type { Tcb } from "../../tcp/tcb.ts";
import { count } from "../numbers.ts";
import { checkOptions } from "../options.ts";
import type { Driver } from "../runtime/driver.ts";
import type { EventLogOptions, TcpEventLog } from "../types.ts";

/** A snapshot and what follows it need some room. */
const MIN_EVENTS = 16;
const DEFAULT_EVENTS = 10_000;

const schema = z.strictObject({ maxEvents: count(MIN_EVENTS).default(DEFAULT_EVENTS) });

/** One reader's log of a connection. */
export class ConnectionEventLog implements TcpEventLog {
  readonly #tcb: Tcb;
  readonly #driver: Driver;
  readonly #source: EventLogSource;
  readonly #onClose: () => void;
  #isClosed = false;
  #wake: (() => void) | undefined;

  constructor(
    tcb: Tcb,
    driver: Driver,
    options: EventLogOptions | undefined,
    onClose: () => void,
  ) {
    const { maxEvents } = checkOptions("eventLog", schema, options);
    this.#tcb = tcb;
    this.#driver = driver;
    this.#onClose = onClose;
    this.#source = driver.core.tcp.openEventLog(tcb, maxEvents, driver.now());
  }

  take(): TcpEvent[] {
    const { queue } = this.#source;
    this.#observe();
    const events: TcpEvent[] = [];
    for (let event = queue.shift(); event !== undefined; event = queue.shift()) events.push(event);
    return events;
  }

  get dropped(): number {
    return this.#source.queue.dropped;
  }

  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    const { core } = this.#driver;
    core.tcp.closeEventLog(this.#tcb, this.#source, this.#driver.now());
    this.#onClose();
    this.wake();
  }

  /** There may be events to read. */
  wake(): void {
    const wake = this.#wake;
    this.#wake = undefined;
    wake?.();
  }

  async #next(): Promise<TcpEvent | undefined> {
    const { queue, recorder } = this.#source;
    for (;;) {
      if (queue.count === 0) this.#observe();
      const event = queue.shift();
      if (event !== undefined) return event;
      if (this.#isClosed) return undefined;
      if (recorder.hasEnded) {
        this.close();
        continue;
      }
      const others = this.#wake;
      await new Promise<void>((resolve) => {
        this.#wake = () => {
          others?.();
          resolve();
        };
      });
    }
  }

  /** Records what has changed since the last step that had a time. */
  #observe(): void {
    if (!this.#isClosed) this.#source.recorder.observe(this.#driver.now());
  }

  async *[Symbol.asyncIterator](): AsyncIterableIterator<TcpEvent> {
    try {
      for (let event = await this.#next(); event !== undefined; event = await this.#next()) {
        yield event;
      }
    } finally {
      this.close();
    }
  }

  [Symbol.dispose](): void {
    this.close();
  }
}
