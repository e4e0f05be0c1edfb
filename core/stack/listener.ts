/**
 * A port that is listened on: how many connections may be half-open or wait to be accepted.
 *
 * @module
 */
import type { IpAddress } from "../wire/address.ts";
import type { Tcb } from "../tcp/tcb.ts";

/** State LISTEN (RFC 9293 3.10.7.2); what it holds is bounded by `backlog`. */
export class Listener {
  /** `undefined`: every address of the stack. */
  readonly address: IpAddress | undefined;
  readonly port: number;
  /** Connections that are half-open or not yet accepted, at most. */
  readonly backlog: number;
  /** The SYN is answered only after a decision. */
  readonly decides: boolean;
  /** Half-open connections. */
  readonly halfOpen: Set<Tcb> = new Set();
  /** Established and not yet taken by the application, in order. */
  readonly ready: Tcb[] = [];
  /** SYNs that wait for a decision. */
  readonly undecided: Tcb[] = [];
  /** Whose listener this is; the core never looks at it. */
  handle: unknown = undefined;
  /** Its owner has something to look at. */
  inEventQueue = false;

  constructor(options: {
    address: IpAddress | undefined;
    port: number;
    backlog: number;
    decides: boolean;
  }) {
    this.address = options.address;
    this.port = options.port;
    this.backlog = options.backlog;
    this.decides = options.decides;
  }

  get isFull(): boolean {
    return this.halfOpen.size + this.ready.length >= this.backlog;
  }
}
