import type { IpAddress, Subnet } from "../../core/wire/address.ts";
import type { EthernetPlan } from "./options.ts";

/** Which addresses a station answers for, and which are on its link. */
export class StationAddresses {
  #own: readonly Own[];
  /** Others', although an own subnet contains them. */
  readonly #others: readonly IpAddress[];
  readonly #gateways: readonly IpAddress[];

  constructor({ addresses, except, gateways }: EthernetPlan) {
    this.#own = addresses.map(ownOf);
    this.#others = [...except, ...gateways];
    this.#gateways = gateways;
  }

  add(subnet: Subnet): void {
    this.#own = [...this.#own, ownOf(subnet)];
  }

  remove(address: IpAddress): void {
    this.#own = this.#own.filter(({ subnet }) => !subnet.address.equals(address));
  }

  /** Those that stand for themselves alone. */
  get single(): readonly IpAddress[] {
    return this.#own.filter(({ isWhole }) => !isWhole).map(({ subnet }) => subnet.address);
  }

  isOwn(address: IpAddress): boolean {
    for (const { subnet, isWhole } of this.#own) {
      if (!isWhole && subnet.address.equals(address)) return true;
    }
    if (!address.isUnicast || isLoopback(address) || this.#isOther(address)) return false;
    return this.#own.some(({ subnet, isWhole }) =>
      isWhole && subnet.contains(address) && !subnet.isBroadcast(address)
    );
  }

  /** IPv4 broadcasts: the limited one and the subnets' (RFC 919). */
  isBroadcast(address: IpAddress): boolean {
    if (!address.isV4) return false;
    return address.w3 === -1 || this.#own.some(({ subnet }) => subnet.isBroadcast(address));
  }

  /** Whom a packet to `destination` goes to next; `undefined`: nobody leads there. */
  nextHop(destination: IpAddress): IpAddress | undefined {
    return this.isOnLink(destination)
      ? destination
      : this.#gateways.find(({ isV4 }) => isV4 === destination.isV4);
  }

  /** Whether it may be a neighbor's. */
  isOnLink(address: IpAddress): boolean {
    return isLinkLocal(address) || this.#isOther(address) ||
      this.#own.some(({ subnet, isWhole }) => !isWhole && subnet.contains(address));
  }

  #isOther(address: IpAddress): boolean {
    return this.#others.some((other) => other.equals(address));
  }
}

interface Own {
  readonly subnet: Subnet;
  /** It stands for every address in it. */
  readonly isWhole: boolean;
}

function ownOf(subnet: Subnet): Own {
  return { subnet, isWhole: isWhole(subnet) };
}

/** An address that is its subnet's network stands for all of it. */
function isWhole({ address, prefixLength }: Subnet): boolean {
  const hostBits = (address.isV4 ? 32 : 128) - prefixLength;
  if (hostBits < 2) return false;
  const { w0, w1, w2, w3 } = address;
  const words = [w3, w2, w1, w0];
  return words.every((word, i) => {
    const bits = hostBits - 32 * i;
    if (bits <= 0) return true;
    return bits >= 32 ? word === 0 : (word & ((1 << bits) - 1)) === 0;
  });
}

function isLoopback({ isV4, w0, w1, w2, w3 }: IpAddress): boolean {
  return isV4 ? w3 >>> 24 === 127 : w0 === 0 && w1 === 0 && w2 === 0 && w3 === 1;
}

/** `169.254.0.0/16` (RFC 3927) and `fe80::/10` (RFC 4291 2.5.6) are of this link by what they are. */
function isLinkLocal({ isV4, w0, w3 }: IpAddress): boolean {
  return isV4 ? w3 >>> 16 === 0xa9fe : w0 >>> 22 === 0xfe80 >>> 6;
}
