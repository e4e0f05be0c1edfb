/**
 * Which connection, or which listener, a segment belongs to.
 *
 * @module
 */
import type { Tcb } from "../tcp/tcb.ts";
import type { IpHeader } from "../wire/ip.ts";
import { BindingTable } from "./binding_table.ts";
import { EndpointTable } from "./endpoint_table.ts";
import type { Listener } from "./tcp/listener.ts";

/** Connections by their two addresses and ports, listeners by place. */
export class Demux {
  readonly connections: EndpointTable<Tcb>;
  readonly listeners: BindingTable<Listener> = new BindingTable();

  /** `seed` makes the order of connections unknown to peers. */
  constructor(seed: number) {
    this.connections = new EndpointTable(seed);
  }

  /** The most specific listener for a received segment. */
  findListener(ip: IpHeader, port: number): Listener | undefined {
    return this.listeners.find(ip.d0, ip.d1, ip.d2, ip.d3, port);
  }
}
