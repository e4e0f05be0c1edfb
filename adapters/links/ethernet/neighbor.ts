/**
 * The neighbor cache.
 *
 * @module
 */
import type { IpAddress } from "../../../core/wire/address.ts";
import type { HeldPacket } from "../decorators/held_packet.ts";

/** States of RFC 4861 7.3.2, used for IPv4 too. A `"PERMANENT"` entry is configured, and never resolved. */
export type NeighborState =
  | "INCOMPLETE"
  | "REACHABLE"
  | "STALE"
  | "DELAY"
  | "PROBE"
  | "PERMANENT";

/** An entry of the neighbor cache. */
export interface NeighborEntry {
  /** Its IP address. */
  readonly address: string;
  /** Its link-layer address; `undefined` while it is being resolved. */
  readonly mac: string | undefined;
  /** Its reachability state. */
  readonly state: NeighborState;
}

/** One neighbor. */
export class Neighbor {
  readonly address: IpAddress;
  state: NeighborState = "INCOMPLETE";
  /** Its link-layer address; undefined in INCOMPLETE. */
  mac = 0;
  /** Another station that has claimed the address since the last probe; 0 if there is none. */
  claimant = 0;
  /** Source address for its requests. */
  source: IpAddress;
  /** When REACHABLE ends, or when the next request is due in INCOMPLETE, DELAY and PROBE. */
  deadline = 0;
  /** Number of requests sent in this state. */
  solicitations = 0;
  /** When a packet was last sent to it. */
  usedAt: number;
  /** Whether it has ever answered a request of this link. */
  wasConfirmed = false;
  /** Packets queued until it is resolved, oldest first. */
  readonly waiting: HeldPacket[] = [];

  constructor(address: IpAddress, source: IpAddress, now: number) {
    this.address = address;
    this.source = source;
    this.usedAt = now;
  }
}

/** A bounded table of neighbors by address. */
export class NeighborCache {
  readonly #limit: number;
  readonly #onEvict: (neighbor: Neighbor) => void;
  readonly #byAddress = new Map<number | string, Neighbor>();
  /** The last neighbor found, since consecutive packets mostly have the same one. */
  #last: Neighbor | undefined;

  constructor(limit: number, onEvict: (neighbor: Neighbor) => void) {
    this.#limit = limit;
    this.#onEvict = onEvict;
  }

  get size(): number {
    return this.#byAddress.size;
  }

  values(): Iterable<Neighbor> {
    return this.#byAddress.values();
  }

  /** Finds a neighbor by the words of its `IpAddress`. */
  findWords(w0: number, w1: number, w2: number, w3: number): Neighbor | undefined {
    const last = this.#last?.address;
    if (last && last.w3 === w3 && last.w2 === w2 && last.w1 === w1 && last.w0 === w0) {
      return this.#last;
    }
    const found = this.#byAddress.get(keyOf(w0, w1, w2, w3));
    if (found !== undefined) this.#last = found;
    return found;
  }

  find({ w0, w1, w2, w3 }: IpAddress): Neighbor | undefined {
    return this.findWords(w0, w1, w2, w3);
  }

  /** Adds a neighbor; returns false if the table is full and no entry can be evicted. */
  add(neighbor: Neighbor): boolean {
    if (this.size >= this.#limit && !this.#evict()) return false;
    const { w0, w1, w2, w3 } = neighbor.address;
    this.#byAddress.set(keyOf(w0, w1, w2, w3), neighbor);
    return true;
  }

  remove({ address: { w0, w1, w2, w3 } }: Neighbor): void {
    this.#byAddress.delete(keyOf(w0, w1, w2, w3));
    this.#last = undefined;
  }

  /**
   * Evicts the least recently used neighbor, preferring those that have never answered a request,
   * so that hosts without connections cannot evict the peers of connections.
   */
  #evict(): boolean {
    let worst: Neighbor | undefined;
    for (const each of this.#byAddress.values()) {
      if (each.state === "PERMANENT" || each.state === "INCOMPLETE") continue;
      if (worst === undefined || isBefore(each, worst)) worst = each;
    }
    if (worst === undefined) return false;
    this.remove(worst);
    this.#onEvict(worst);
    return true;
  }
}

function isBefore(a: Neighbor, b: Neighbor): boolean {
  return a.wasConfirmed === b.wasConfirmed ? a.usedAt < b.usedAt : !a.wasConfirmed;
}

/** IPv4 addresses share their first three words, so the last is enough as a key. */
function keyOf(w0: number, w1: number, w2: number, w3: number): number | string {
  return w0 === 0 && w1 === 0 && w2 === 0xffff ? w3 : `${w0},${w1},${w2},${w3}`;
}
