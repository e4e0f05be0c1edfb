/**
 * Counters of a stack.
 *
 * @module
 */
import type { DropReason } from "../wire/drop_reason.ts";

/** Plain numbers, read by `stack.stats()`. */
export class Stats {
  packetsIn = 0;
  packetsOut = 0;
  bytesIn = 0;
  bytesOut = 0;
  /** Packets that the link had no room for. */
  linkFull = 0;
  connectionsOpened = 0;
  connectionsAccepted = 0;
  connectionsEnded = 0;
  /** SYN,ACKs sent without keeping anything (RFC 4987 3.6), and those that came back. */
  synCookiesSent = 0;
  synCookiesReturned = 0;
  /** Connections that had to make room before they were decided about or the peer came back. */
  halfOpenEvicted = 0;
  connectionsReset = 0;
  resetsSent = 0;
  echoReplies = 0;
  errorsSent = 0;
  /** Datagrams that reached a socket or a flow, and those that were sent. */
  datagramsIn = 0;
  datagramsOut = 0;
  flowsOpened = 0;
  flowsEnded = 0;
  /** Flows that ended because there were too many. */
  flowsEvicted = 0;
  /** Packets that belong to another shard. */
  handedOver = 0;
  /** Packets that fragments were joined to. */
  reassembled = 0;
  readonly #drops = new Map<DropReason, number>();

  /** Counts packets that were dropped. */
  drop(reason: DropReason, count = 1): void {
    if (count > 0) this.#drops.set(reason, (this.#drops.get(reason) ?? 0) + count);
  }

  /** Packets dropped for `reason`. */
  dropped(reason: DropReason): number {
    return this.#drops.get(reason) ?? 0;
  }

  /** A flat copy; dropped packets as `drop.<reason>`. */
  snapshot(): Record<string, number> {
    const flat: Record<string, number> = Object.fromEntries(Object.entries(this));
    for (const [reason, count] of this.#drops) flat[`drop.${reason}`] = count;
    return flat;
  }
}
