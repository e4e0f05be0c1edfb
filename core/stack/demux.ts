/**
 * Demultiplexing: finds the connection or listener of a segment.
 *
 * @module
 */
import type { Tcb } from "../tcp/tcb.ts";
import type { IpHeader } from "../wire/ip.ts";
import { BindingTable } from "./binding_table.ts";
import { EndpointTable } from "./endpoint_table.ts";
import type { Listener } from "./tcp/listener.ts";

/** Connections by 4-tuple, listeners by binding. */
export class Demux {
  readonly connections: EndpointTable<Tcb>;
  readonly listeners: BindingTable<Listener> = new BindingTable();

  /** `seed` keeps peers from predicting hash collisions. */
  constructor(seed: number) {
    this.connections = new EndpointTable(seed);
  }

  /** The listener with the most specific binding for a received segment. */
  findListener(ip: IpHeader, port: number): Listener | undefined {
    return this.listeners.find(ip.d0, ip.d1, ip.d2, ip.d3, port);
  }
}
