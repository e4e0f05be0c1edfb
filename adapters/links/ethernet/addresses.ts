import { OwnAddresses } from "../../../core/stack/ip/own_addresses.ts";
import { type IpAddress, Subnet } from "../../../core/wire/address.ts";
import type { DuplicateDetection } from "./duplicate_detection.ts";
import type { EthernetPlan } from "./options.ts";

/** The addresses that a station answers for, and routing to the next hop. */
export class StationAddresses {
  readonly #own: OwnAddresses;
  /** As configured. */
  #subnets: readonly Subnet[];
  /** Addresses of other hosts inside this station's networks. */
  readonly #others: readonly Subnet[];
  readonly #gateways: readonly IpAddress[];
  readonly #detection: DuplicateDetection;

  constructor({ addresses, except, gateways }: EthernetPlan, detection: DuplicateDetection) {
    this.#detection = detection;
    this.#subnets = addresses;
    this.#others = [...except, ...gateways.map(Subnet.of)];
    this.#gateways = gateways;
    this.#own = new OwnAddresses(addresses, this.#others);
  }

  add(subnet: Subnet): void {
    this.#subnets = [...this.#subnets, subnet];
    this.#own.add(subnet);
  }

  remove(subnet: Subnet): void {
    this.#subnets = this.#subnets.filter(({ address }) => !address.equals(subnet.address));
    this.#own.remove(subnet);
  }

  /** Own addresses that are not networks. */
  get single(): readonly IpAddress[] {
    return this.#subnets.filter((own) => !own.isNetwork).map(({ address }) => address);
  }

  /** Whether an address is this station's, regardless of duplicate address detection. */
  isOwn(address: IpAddress): boolean {
    return this.#own.has(address) && !this.#detection.withholds(address);
  }

  /** Whether it is an IPv4 broadcast address, limited or directed (RFC 919). */
  isBroadcast(address: IpAddress): boolean {
    if (!address.isV4) return false;
    return address.w3 === -1 || this.#subnets.some((own) => own.isBroadcast(address));
  }

  /** The next hop for a packet to `destination`; `undefined` if there is no route. */
  nextHop(destination: IpAddress): IpAddress | undefined {
    return this.isOnLink(destination)
      ? destination
      : this.#gateways.find(({ isV4 }) => isV4 === destination.isV4);
  }

  /** Whether it may be the address of a neighbor. This station's own networks contain none. */
  isOnLink(address: IpAddress): boolean {
    return isLinkLocal(address) || this.#others.some((other) => other.contains(address)) ||
      this.#subnets.some((own) => !own.isNetwork && own.contains(address));
  }
}

/** `169.254.0.0/16` (RFC 3927) and `fe80::/10` (RFC 4291 2.5.6) are always on the link. */
function isLinkLocal({ isV4, w0, w3 }: IpAddress): boolean {
  return isV4 ? w3 >>> 16 === 0xa9fe : w0 >>> 22 === 0xfe80 >>> 6;
}
