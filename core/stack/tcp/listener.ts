/**
 * A listener and its connections that are half-open or not yet accepted.
 *
 * @module
 */
import { Sources } from "../../buffers/sources.ts";
import type { Tcb } from "../../tcp/tcb.ts";
import { RELEASED } from "../../tcp/tcb_flags.ts";
import type { IpAddress, Subnet } from "../../wire/address.ts";
import type { Binding } from "../binding_table.ts";
import type { ListenRequest } from "../requests.ts";
import { HalfOpenSources } from "./half_open.ts";

/**
 * A source with up to this many unaccepted connections, or a quarter of a small backlog, is not
 * singled out for eviction.
 */
const MIN_PER_SOURCE = 64;
const SHARE_DIVISOR = 4;

/** State LISTEN (RFC 9293 3.10.7.2); its connections are bounded by `backlog`. */
export class Listener implements Binding {
  readonly subnet: Subnet | undefined;
  readonly firstPort: number;
  readonly lastPort: number;
  /** Maximum number of connections that are half-open or not yet accepted. */
  readonly backlog: number;
  #decides = false;
  /** Whether it has sent SYN cookies, whose ACKs it accepts even if SYNs need a decision by then. */
  hasSentCookies = false;
  /** Half-open connections. */
  readonly halfOpen: Set<Tcb> = new Set();
  /**
   * Half-open connections by source, for eviction; only if `decides`, since SYN cookies cannot be
   * used then.
   */
  sources: HalfOpenSources | undefined;
  /** Established connections not yet accepted by the application, in order. */
  readonly ready: Tcb[] = [];
  /**
   * `ready` by source; absent if the listener `decides`, since these connections are accepted at
   * once.
   */
  #readySources: Sources<Tcb> | undefined;
  /** Connections whose SYN waits for a decision and that the owner has not taken yet. */
  readonly undecided: Tcb[] = [];
  /** The owner's object; opaque to the core. */
  handle: unknown = undefined;
  /** Whether it is in the event queue. */
  inNotificationQueue = false;

  constructor(request: ListenRequest) {
    this.subnet = request.subnet;
    this.firstPort = request.firstPort;
    this.lastPort = request.lastPort;
    this.backlog = request.backlog;
    this.decides = request.decides;
  }

  /** Whether a SYN is answered only after the owner's decision; may change at any time. */
  get decides(): boolean {
    return this.#decides;
  }

  set decides(decides: boolean) {
    this.#decides = decides;
    if (decides) {
      this.sources ??= new HalfOpenSources(this.backlog);
      for (const tcb of this.halfOpen) this.sources.add(tcb);
      this.#readySources = undefined;
    } else {
      const few = Math.min(MIN_PER_SOURCE, Math.max(1, Math.floor(this.backlog / SHARE_DIVISOR)));
      this.#readySources ??= new Sources(few);
      for (const tcb of this.ready) this.#readySources.add(tcb);
      this.sources = undefined;
    }
  }

  /** Adds a half-open connection. */
  enter(tcb: Tcb): void {
    this.halfOpen.add(tcb);
    this.sources?.add(tcb);
  }

  /** Removes a connection that is no longer half-open; returns false if it was not. */
  leave(tcb: Tcb): boolean {
    this.sources?.delete(tcb);
    return this.halfOpen.delete(tcb);
  }

  /**
   * Asks the owner for a decision. Evicted connections are removed from the queue from time to
   * time.
   */
  ask(tcb: Tcb): void {
    this.undecided.push(tcb);
    if (this.undecided.length <= 2 * this.backlog) return;
    const waiting = this.undecided.filter((each) => !each.has(RELEASED));
    this.undecided.splice(0, this.undecided.length, ...waiting);
  }

  /** Takes the oldest connection whose SYN waits for a decision. */
  takeUndecided(): Tcb | undefined {
    for (;;) {
      const tcb = this.undecided.shift();
      if (tcb === undefined || !tcb.has(RELEASED)) return tcb;
    }
  }

  /** Removes all connections. */
  clear(): void {
    this.halfOpen.clear();
    this.sources?.clear();
    this.#readySources?.clear();
    this.ready.length = 0;
    this.undecided.length = 0;
  }

  /** Adds an established connection. */
  addReady(tcb: Tcb): void {
    this.ready.push(tcb);
    this.#readySources?.add(tcb);
  }

  /** Takes the oldest established connection for the application. */
  takeReady(): Tcb | undefined {
    const tcb = this.ready.shift();
    if (tcb !== undefined) this.#readySources?.delete(tcb);
    return tcb;
  }

  /** Removes an established connection. */
  removeReady(tcb: Tcb): void {
    this.ready.splice(this.ready.indexOf(tcb), 1);
    this.#readySources?.delete(tcb);
  }

  /** Whether the accept queue is full. */
  get isQueueFull(): boolean {
    return this.ready.length >= this.backlog;
  }

  /** The unaccepted connection to evict for one from `remote`, if another source has more of them. */
  evictableFor(remote: IpAddress): Tcb | undefined {
    const largest = this.#readySources?.largest();
    if (largest === undefined) return undefined;
    const own = this.#readySources!.of(remote).items.size;
    const [oldest] = largest.items;
    // With a difference of one, two sources would evict each other's connections in turn.
    return own + 1 < largest.items.size ? oldest : undefined;
  }

  get isFull(): boolean {
    return this.halfOpen.size + this.ready.length >= this.backlog;
  }
}
