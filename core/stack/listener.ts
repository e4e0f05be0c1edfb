/**
 * A place that is listened on: how many connections may be half-open or wait to be accepted.
 *
 * @module
 */
import type { Tcb } from "../tcp/tcb.ts";
import type { Subnet } from "../wire/address.ts";
import type { Place } from "./places.ts";
import type { ListenRequest } from "./requests.ts";

/** State LISTEN (RFC 9293 3.10.7.2); what it holds is bounded by `backlog`. */
export class Listener implements Place {
  readonly subnet: Subnet | undefined;
  readonly firstPort: number;
  readonly lastPort: number;
  /** Connections that are half-open or not yet accepted, at most. */
  readonly backlog: number;
  /** The SYN is answered only after a decision. */
  readonly decides: boolean;
  /** Half-open connections. */
  readonly halfOpen: Set<Tcb> = new Set();
  /** Half-open connections that are to be and have been answered, the oldest first; if `decides`. */
  readonly answered: Set<Tcb> = new Set();
  /** Established and not yet taken by the application, in order. */
  readonly ready: Tcb[] = [];
  /** SYNs that wait for a decision. */
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
  }

  get isFull(): boolean {
    return this.halfOpen.size + this.ready.length >= this.backlog;
  }
}
