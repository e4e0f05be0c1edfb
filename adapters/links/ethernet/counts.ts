/** Counters of an Ethernet link; `drop.` counts dropped packets by reason. */
export type EthernetCount =
  | "requestsSent" // ARP requests and neighbor solicitations
  | "requestsAnswered"
  | "probes" // of own addresses                                    RFC 5227 2.1, RFC 4862 5.4
  | "drop.short" // shorter than its header
  | "drop.station" // for another station
  | "drop.own" // sent by this station itself
  | "drop.type" // neither IPv4, ARP nor IPv6
  | "drop.arp" // invalid message  RFC 826
  | "drop.neighbor-discovery" // invalid message  RFC 4861 7.1
  | "drop.group" // a unicast packet in a multicast or broadcast frame     RFC 1122 3.3.6
  | "drop.claim" // an unsolicited claim that contradicts the cache
  | "drop.conflict" // another station uses our address               RFC 5227 2.4
  | "drop.tentative" // from or to an address still being probed  RFC 4862 5.4
  | "drop.duplicate" // from or to an address that another station uses
  | "drop.no-route" // not on the link, and there is no gateway
  | "drop.waiting" // the queue for an unresolved neighbor is full              RFC 1122 2.3.2.2
  | "drop.unreachable" // the neighbor did not answer
  | "drop.neighbors" // no room for one more neighbor
  | "drop.port"; // the port's queue is full

/** Counters by name. */
export class Counts<Name extends string> {
  readonly #counts = new Map<Name, number>();

  /** Increments a counter. */
  add(name: Name): void {
    this.#counts.set(name, (this.#counts.get(name) ?? 0) + 1);
  }

  /** A copy of the counters that are not zero. */
  snapshot(): Record<string, number> {
    return Object.fromEntries(this.#counts);
  }
}
