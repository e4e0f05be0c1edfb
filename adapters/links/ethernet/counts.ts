/** What an Ethernet link has done, and why it dropped what it dropped. */
export type EthernetCount =
  | "questionsAsked" // ARP requests and neighbor solicitations
  | "questionsAnswered"
  | "probes" // of own addresses                                    RFC 5227 2.1, RFC 4862 5.4
  | "drop.short" // shorter than its header
  | "drop.station" // for another station
  | "drop.own" // this station's own, come back
  | "drop.type" // neither IPv4, ARP nor IPv6
  | "drop.arp" // no valid message                                  RFC 826
  | "drop.neighbor-discovery" // no valid message                   RFC 4861 7.1
  | "drop.group" // a packet for one host in a frame for a group     RFC 1122 3.3.6
  | "drop.claim" // an address told unasked that is not as known
  | "drop.conflict" // another station has an own address            RFC 5227 2.4
  | "drop.tentative" // from or to an own address that is being probed  RFC 4862 5.4
  | "drop.duplicate" // from or to one that another station has
  | "drop.no-route" // neither in a subnet of the link nor is there a gateway
  | "drop.waiting" // more wait for a neighbor than fit              RFC 1122 2.3.2.2
  | "drop.unreachable" // the neighbor did not answer
  | "drop.neighbors" // no room for one more neighbor
  | "drop.port"; // the port had no room

/** Counters by name. */
export class Counts<Name extends string> {
  readonly #counts = new Map<Name, number>();

  /** One more. */
  add(name: Name): void {
    this.#counts.set(name, (this.#counts.get(name) ?? 0) + 1);
  }

  /** A copy; what has not happened is not there. */
  snapshot(): Record<string, number> {
    return Object.fromEntries(this.#counts);
  }
}
