/**
 * The event log of a connection, for its readers.
 *
 * @module
 */
import { z } from "zod";
import type { EventLogSource } from "../../stack/tcp/event_logs.ts";
import type { TcpEvent } from "../../tcp/event_log/events.ts";
import type { Tcb } from "../../tcp/tcb.ts";
import { count } from "../numbers.ts";
import { checkOptions } from "../options.ts";
import type { Driver } from "../runtime/driver.ts";
import type { Owner } from "../runtime/owner_notifier.ts";
import type { EventLogOptions, TcpEventLog } from "../types.ts";

/** Smallest queue: room for a snapshot and some events after it. */
const MIN_EVENTS = 16;
const DEFAULT_EVENTS = 10_000;

/** The maximum number of unread events. */
export const maxEventsSchema: z.ZodDefault<z.ZodNumber> = count(MIN_EVENTS).default(DEFAULT_EVENTS);

const schema = z.strictObject({ maxEvents: maxEventsSchema });

/**
 * Starts a log of a connection.
 *
 * @throws {TypeError} An option is not valid.
 */
export function openEventLog(
  tcb: Tcb,
  driver: Driver,
  options: EventLogOptions | undefined,
): ConnectionEventLog {
  const { maxEvents } = checkOptions("eventLog", schema, options);
  const source = driver.core.tcp.eventLogs.open(tcb, maxEvents, driver.now());
  return new ConnectionEventLog(tcb, driver, source);
}

/** One reader's log of a connection. */
export class ConnectionEventLog implements TcpEventLog, Owner {
  readonly #tcb: Tcb;
  readonly #driver: Driver;
  readonly #source: EventLogSource;
  #isClosed = false;
  #wake: (() => void) | undefined;

  /** Reads `source`, which has been opened. */
  constructor(tcb: Tcb, driver: Driver, source: EventLogSource) {
    this.#tcb = tcb;
    this.#driver = driver;
    this.#source = source;
    source.queue.handle = this;
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
    core.tcp.eventLogs.close(this.#tcb, this.#source, this.#driver.now());
    this.onEvent();
  }

  /** There may be events to read. */
  onEvent(): void {
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

  /** Records what has changed since the last step that was recorded. */
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
