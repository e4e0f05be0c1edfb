/**
 * UDP of the public stack: its sockets and its places with plugins.
 *
 * @module
 */
import type { Place } from "../stack/places.ts";
import type { Refusal } from "../stack/requests.ts";
import { sleepUntil, withFields } from "./environment.ts";
import type { DatagramConn, FlowHandler, ListenDatagramOptions } from "./datagram.ts";
import { StackDatagramConn } from "./datagram_conn.ts";
import type { Driver } from "./driver.ts";
import { TcpError } from "./errors.ts";
import { type FlowEnvironment, FlowHost } from "./flow_host.ts";
import { formatWhere, placeOf } from "./where.ts";

/** Everything that takes datagrams. */
export class Datagrams {
  readonly #driver: Driver;
  readonly #environment: FlowEnvironment;
  readonly #conns = new Set<StackDatagramConn>();
  /** Handlers of flows that run. */
  readonly #running = new Set<Promise<void>>();

  constructor(driver: Driver, environment: FlowEnvironment) {
    this.#driver = driver;
    this.#environment = environment;
  }

  /** `stack.listenDatagram()`. */
  listen({ port, hostname, signal, onError }: ListenDatagramOptions): DatagramConn {
    const bound = this.#driver.core.udp.bindSocket(placeOf(port, hostname));
    if (typeof bound === "string") throw refusal(bound, placeOf(port, hostname));
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

  /** Flows of a place, from now on. */
  serve(place: Place, handler: FlowHandler, plugin: string): FlowHost {
    const port = this.#driver.core.udp.bindFlows(place);
    if (typeof port === "string") throw refusal(port, place);
    const where = formatWhere({ transport: "udp", ...place });
    const log = withFields(this.#environment.log, { port: where, plugin });
    const environment = { ...this.#environment, log };
    return new FlowHost(port, this.#driver, handler, environment, this.#running);
  }

  /** Ends the flows: no more datagrams come, their handlers may still send. */
  stop(): void {
    this.#driver.core.udp.endFlows();
    this.#driver.touch();
  }

  /** Waits for the handlers that run, until `at`. */
  async finish(at: number): Promise<void> {
    const done = new AbortController();
    void Promise.all(this.#running).then(() => done.abort());
    if (this.#running.size > 0) await sleepUntil(this.#environment.clock, at, done.signal);
  }

  /** Closes the sockets; the core has been shut down or is about to be. */
  close(): void {
    for (const conn of this.#conns) conn.close();
  }
}

function refusal(code: Refusal, place: Place): TcpError {
  const where = formatWhere({ transport: "udp", ...place });
  return code === "ADDRESS_IN_USE"
    ? new TcpError("ADDRESS_IN_USE", `${where} is in use`)
    : new TcpError("ADDRESS_NOT_AVAILABLE", `${where}: no own address or no free port for it`);
}
