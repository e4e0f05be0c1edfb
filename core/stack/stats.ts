/**
 * Counters of a stack.
 *
 * @module
 */
import type { DropReason } from "../wire/drop_reason.ts";

/** Counters, as `stack.stats()` returns them. */
export class Stats {
  packetsIn = 0;
  packetsOut = 0;
  bytesIn = 0;
  bytesOut = 0;
  /** Packets that the link had no room for. */
  linkFull = 0;
  connectionsOpened = 0;
  /** Connections that this side opened; `connectionsOpened` includes them. */
  activeOpens = 0;
  connectionsAccepted = 0;
  connectionsEnded = 0;
  /** SYN cookies sent (RFC 4987 3.6), and those returned by a valid ACK. */
  synCookiesSent = 0;
  synCookiesReturned = 0;
  /** Half-open connections evicted to make room for new ones. */
  halfOpenEvicted = 0;
  /** Connections reset before they were accepted, to make room for those of other sources. */
  readyEvicted = 0;
  connectionsReset = 0;
  resetsSent = 0;
  echoReplies = 0;
  errorsSent = 0;
  /** Datagrams delivered to a socket or flow, and datagrams sent. */
  datagramsIn = 0;
  datagramsOut = 0;
  flowsOpened = 0;
  flowsEnded = 0;
  /** Flows evicted to make room for new ones. */
  flowsEvicted = 0;
  /** Packets passed to other shards. */
  forwardedToShard = 0;
  /** Packets passed to other processes during an upgrade. */
  forwardedToGeneration = 0;
  /** Packets handed to other instances, and packets that they have handed to this one. */
  handedToPeer = 0;
  receivedFromPeer = 0;
  /** Connections frozen here, and thawed here. */
  connectionsFrozen = 0;
  connectionsThawed = 0;
  /** Packets passed on for connections that have moved away. */
  redirected = 0;
  /** Packets reassembled from fragments. */
  reassembled = 0;
  readonly #drops = new Map<DropReason, number>();

  /** Counts dropped packets. */
  drop(reason: DropReason, count = 1): void {
    if (count > 0) this.#drops.set(reason, (this.#drops.get(reason) ?? 0) + count);
  }

  /** Packets dropped for `reason`. */
  dropped(reason: DropReason): number {
    return this.#drops.get(reason) ?? 0;
  }

  /** Dropped packets by reason. */
  drops(): Iterable<[DropReason, number]> {
    return this.#drops;
  }

  /** A copy as plain numbers, with dropped packets as `drop.<reason>`. */
  snapshot(): Record<string, number> {
    const flat: Record<string, number> = Object.fromEntries(Object.entries(this));
    for (const [reason, count] of this.#drops) flat[`drop.${reason}`] = count;
    return flat;
  }
}
