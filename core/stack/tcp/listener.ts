/**
 * A place that is listened on: how many connections may be half-open or wait to be accepted.
 *
 * @module
 */
import type { Tcb } from "../../tcp/tcb.ts";
import type { Subnet } from "../../wire/address.ts";
import type { Binding } from "../binding_table.ts";
import type { ListenRequest } from "../requests.ts";
import { HalfOpenSources } from "./half_open.ts";

/** State LISTEN (RFC 9293 3.10.7.2); what it holds is bounded by `backlog`. */
export class Listener implements Binding {
  readonly subnet: Subnet | undefined;
  readonly firstPort: number;
  readonly lastPort: number;
  /** Connections that are half-open or not yet accepted, at most. */
  readonly backlog: number;
  /** The SYN is answered only after a decision. */
  readonly decides: boolean;
  /** Half-open connections. */
  readonly halfOpen: Set<Tcb> = new Set();
  /** By whom they were begun; if `decides`: nothing else can be done for who comes when all are taken. */
  readonly sources: HalfOpenSources | undefined;
  /** Established and not yet taken by the application, in order. */
  readonly ready: Tcb[] = [];
  /** SYNs that wait for a decision and that the owner has not looked at yet. */
  readonly undecided: Tcb[] = [];
  /** Whose listener this is; the core never looks at it. */
  handle: unknown = undefined;
  /** Its owner has something to look at. */
  inEventQueue = false;

  constructor(request: ListenRequest) {
    this.subnet = request.subnet;
    this.firstPort = request.firstPort;
    this.lastPort = request.lastPort;
    this.backlog = request.backlog;
    this.decides = request.decides;
    this.sources = request.decides ? new HalfOpenSources(request.backlog) : undefined;
  }

  /** A connection is half-open. */
  enter(tcb: Tcb): void {
    this.halfOpen.add(tcb);
    this.sources?.add(tcb);
  }

  /** It is not any more; false: it was not. */
  leave(tcb: Tcb): boolean {
    this.sources?.delete(tcb);
    return this.halfOpen.delete(tcb);
  }

  /** The owner is to decide. Those that had to make room before it looked are left out now and then. */
  ask(tcb: Tcb): void {
    this.undecided.push(tcb);
    if (this.undecided.length <= 2 * this.backlog) return;
    const waiting = this.undecided.filter(({ released }) => !released);
    this.undecided.splice(0, this.undecided.length, ...waiting);
  }

  /** Forgets all. */
  clear(): void {
    this.halfOpen.clear();
    this.sources?.clear();
    this.ready.length = 0;
    this.undecided.length = 0;
  }

  get isFull(): boolean {
    return this.halfOpen.size + this.ready.length >= this.backlog;
  }
}
