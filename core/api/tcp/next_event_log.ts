/**
 * Event logs of connections that peers have yet to open.
 *
 * @module
 */
import { z } from "zod";
import { EventLogRequest } from "../../stack/tcp/event_logs.ts";
import { Subnet } from "../../wire/address.ts";
import { netAddr } from "../addresses.ts";
import { TcpError } from "../errors.ts";
import { wholeNumber } from "../numbers.ts";
import { checkOptions } from "../options.ts";
import type { Driver } from "../runtime/driver.ts";
import type { Owner } from "../runtime/owner_notifier.ts";
import type { LoggedConnection, NextEventLogOptions } from "../types.ts";
import { ConnectionEventLog, maxEventsSchema } from "./event_log.ts";

const schema = z.strictObject({
  port: wholeNumber(1, 65535).optional(),
  remote: z.string().refine(
    (text) => Subnet.parse(text) !== undefined,
    'is not an address or network; write "10.90.0.3" or "10.90.0.0/16"',
  ).optional(),
  maxEvents: maxEventsSchema,
  // With `z.instanceof`, `deno check` infers `never`.
  signal: z.custom<AbortSignal>((value) => value instanceof AbortSignal, "expected an AbortSignal")
    .optional(),
});

/** The requests of a stack that have no connection yet. */
export class NextEventLogs {
  readonly #driver: Driver;
  readonly #waiting = new Set<(reason: unknown) => void>();

  constructor(driver: Driver) {
    this.#driver = driver;
  }

  /**
   * See `Stack.nextEventLog`.
   *
   * @throws {TypeError} An option is not valid.
   */
  open(options: NextEventLogOptions | undefined): Promise<LoggedConnection> {
    const checked = checkOptions("nextEventLog", schema, options);
    const { port, remote, maxEvents, signal } = checked;
    const { promise, resolve, reject } = Promise.withResolvers<LoggedConnection>();
    const subnet = remote === undefined ? undefined : Subnet.parse(remote);
    const request = new EventLogRequest(port, subnet, maxEvents);
    const { eventLogs } = this.#driver.core.tcp;
    const end = () => {
      this.#waiting.delete(withdraw);
      signal?.removeEventListener("abort", abort);
    };
    const withdraw = (reason: unknown) => {
      end();
      eventLogs.withdraw(request);
      // A connection may have been opened without the owner having been notified of it yet.
      if (request.opened !== undefined) this.#logOf(request).close();
      reject(reason);
    };
    const abort = () => withdraw(signal!.reason);
    if (signal?.aborted) return Promise.reject(signal.reason);
    signal?.addEventListener("abort", abort);
    this.#waiting.add(withdraw);
    request.handle = {
      onEvent: () => {
        if (!this.#waiting.has(withdraw)) return;
        end();
        const { local, localPort, remote, remotePort } = request.opened!.tcb;
        resolve({
          localAddr: netAddr(local, localPort),
          remoteAddr: netAddr(remote, remotePort),
          log: this.#logOf(request),
        });
      },
    } satisfies Owner;
    eventLogs.request(request);
    return promise;
  }

  /** The stack has closed. */
  close(): void {
    for (const withdraw of [...this.#waiting]) {
      withdraw(new TcpError("STACK_CLOSED", "The stack was closed before a connection was opened"));
    }
  }

  #logOf({ opened }: EventLogRequest): ConnectionEventLog {
    return new ConnectionEventLog(opened!.tcb, this.#driver, opened!.source);
  }
}
