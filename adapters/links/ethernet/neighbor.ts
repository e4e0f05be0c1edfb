/**
 * What is known of other stations on the link.
 *
 * @module
 */
import type { IpAddress } from "../../../core/wire/address.ts";
import type { HeldPacket } from "../decorators/held_packet.ts";

/**
 * RFC 4861 7.3.2, for IPv4 likewise. `"PERMANENT"`: was configured, and is never asked for.
 */
export type NeighborState =
  | "INCOMPLETE"
  | "REACHABLE"
  | "STALE"
  | "DELAY"
  | "PROBE"
  | "PERMANENT";

/** A neighbor as it is known now. */
export interface NeighborEntry {
  /** Its IP address. */
  readonly address: string;
  /** Its link-layer address; `undefined` while it is being asked for. */
  readonly mac: string | undefined;
  /** How well it is known. */
  readonly state: NeighborState;
}

/** One neighbor. */
export class Neighbor {
  readonly address: IpAddress;
  state: NeighborState = "INCOMPLETE";
  /** Its link-layer address; means nothing in INCOMPLETE. */
  mac = 0;
  /** Another station that has claimed its address since it was asked last; 0: none. */
  rival = 0;
  /** The own address that it is asked from. */
  source: IpAddress;
  /** When REACHABLE ends, or when it is time to ask in INCOMPLETE, DELAY and PROBE. */
  deadline = 0;
  /** Questions of this state that have been asked. */
  asked = 0;
  /** When a packet went to it last. */
  usedAt: number;
  /** It has answered a question of this link. */
  wasConfirmed = false;
  /** What waits for its link-layer address, oldest first. */
  readonly waiting: HeldPacket[] = [];

  constructor(address: IpAddress, source: IpAddress, now: number) {
    this.address = address;
    this.source = source;
    this.usedAt = now;
  }
}

/** A bounded number of neighbors by their addresses. */
export class NeighborCache {
  readonly #limit: number;
  readonly #onEvict: (neighbor: Neighbor) => void;
  readonly #byAddress = new Map<number | string, Neighbor>();
  /** Packets mostly go where the one before went. */
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

  /** By the words of an `IpAddress`. */
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

  /** False: there is no room and nothing that may go. */
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
   * Who has only asked goes before who has answered, so that strangers cannot push out the peers of
   * running connections; then the one that was used least recently.
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

/** The words of an IPv4 address are told from those of others by the first three. */
function keyOf(w0: number, w1: number, w2: number, w3: number): number | string {
  return w0 === 0 && w1 === 0 && w2 === 0xffff ? w3 : `${w0},${w1},${w2},${w3}`;
}
