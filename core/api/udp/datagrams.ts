/**
 * UDP of the public stack: its sockets, and its ports with plugins.
 *
 * @module
 */
import type { Binding } from "../../stack/binding_table.ts";
import type { BindRefusal } from "../../stack/requests.ts";
import { type Clock, sleepUntil } from "../environment.ts";
import type { TcpError } from "../errors.ts";
import { bindingOf } from "../listen_address.ts";
import { bindError } from "../refusal_error.ts";
import type { Driver } from "../runtime/driver.ts";
import type { HandlerEnvironment } from "../runtime/handler_context.ts";
import type { DatagramConn, ListenDatagramOptions } from "./datagram.ts";
import { StackDatagramConn } from "./datagram_conn.ts";
import { FlowHost } from "./flow_host.ts";

/** The UDP sockets and flow ports of a stack. */
export class Datagrams {
  readonly #driver: Driver;
  readonly #clock: Clock;
  readonly #conns = new Set<StackDatagramConn>();
  /** Running handlers of flows. */
  readonly #running = new Set<Promise<void>>();

  constructor(driver: Driver, clock: Clock) {
    this.#driver = driver;
    this.#clock = clock;
  }

  /** `stack.listenDatagram()`. */
  listen({ port, hostname, signal, onError }: ListenDatagramOptions): DatagramConn {
    const binding = bindingOf(port, hostname);
    const bound = this.#driver.core.udp.bindSocket(binding);
    if (typeof bound === "string") throw this.#error(bound, binding);
    const close = () => conn.close();
    const conn = new StackDatagramConn(bound, this.#driver, onError, () => {
      this.#conns.delete(conn);
      signal?.removeEventListener("abort", close);
    });
    this.#conns.add(conn);
    signal?.addEventListener("abort", close, { once: true });
    if (signal?.aborted) conn.close();
    return conn;
  }

  /** Serves the flows of a binding. */
  serve(binding: Binding, environment: HandlerEnvironment): FlowHost {
    const port = this.#driver.core.udp.bindFlows(binding);
    if (typeof port === "string") throw this.#error(port, binding);
    return new FlowHost(port, this.#driver, environment, this.#running);
  }

  #error(code: BindRefusal, binding: Binding): TcpError {
    return bindError(code, "udp", binding, this.#driver.core.own);
  }

  /** Ends all flows: they receive no more datagrams, but their handlers can still send. */
  stop(): void {
    this.#driver.core.udp.endFlows();
    this.#driver.touch();
  }

  /** Waits for the running handlers, but no longer than until `at`. */
  async finish(at: number): Promise<void> {
    const done = new AbortController();
    void Promise.all(this.#running).then(() => done.abort());
    if (this.#running.size > 0) await sleepUntil(this.#clock, at, done.signal);
  }

  /** Closes the sockets; the core has been shut down or is about to be. */
  close(): void {
    for (const conn of this.#conns) conn.close();
  }
}
