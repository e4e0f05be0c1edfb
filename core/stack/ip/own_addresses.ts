/**
 * The addresses that a stack answers to.
 *
 * @module
 */
import { IpAddress, isHostWords, isLoopbackWords, Subnet } from "../../wire/address.ts";
import { readI32 } from "../../wire/bytes.ts";

/** What is no host's address on a link, even where a whole network that it is in is an own one. */
const NEVER_OWN: readonly Subnet[] = [
  "0.0.0.0/8", // "this network" (RFC 1122 3.2.1.3)
  "224.0.0.0/4", // multicast
  "240.0.0.0/4", // reserved, and limited broadcast
  "::/128", // unspecified
  "ff00::/8", // multicast
].map((text) => Subnet.parse(text)!);

/** Own only where it was named itself, on a link inside of a host. */
const LOOPBACK: readonly Subnet[] = ["127.0.0.0/8", "::1/128"].map((text) => Subnet.parse(text)!);

/**
 * Own addresses, each with its network. One that is the network's own (see `Subnet.isNetwork`)
 * stands for every address in it, but those that are excepted, multicast, loopback, and the
 * directed broadcast addresses (RFC 919) of all own networks.
 */
export class OwnAddresses {
  #subnets: readonly Subnet[];
  #excepted: readonly Subnet[];
  #hosts: readonly IpAddress[] = [];
  #networks: readonly Network[] = [];
  /** What {@link OwnAddresses.sourceFor} chooses from. */
  #sources: readonly Source[] = [];
  /** Directed broadcast addresses, as words. */
  #broadcasts: ReadonlySet<number> = new Set();
  readonly #insideHost: boolean;

  /** `insideHost`: see `LinkFeatures`. */
  constructor(subnets: readonly Subnet[], excepted: readonly Subnet[] = [], insideHost = false) {
    this.#insideHost = insideHost;
    this.#subnets = subnets;
    this.#excepted = excepted.map((one) => one.isNetwork ? one : Subnet.of(one.address));
    this.#rebuild();
  }

  add(subnet: Subnet): void {
    this.#subnets = [...this.#subnets, subnet];
    this.#excepted = this.#excepted.filter((one) => !one.equals(subnet));
    this.#rebuild();
  }

  /** Gives one address up, or all of a network; what is left of a greater network stays own. */
  remove(subnet: Subnet): void {
    const given = subnet.isNetwork ? subnet : Subnet.of(subnet.address);
    this.#subnets = this.#subnets.filter((own) =>
      own.isNetwork
        ? own.bits < given.bits || !given.contains(own.network)
        : !given.contains(own.address)
    );
    if (this.#subnets.some((own) => own.isNetwork && own.overlaps(given))) {
      this.#excepted = [...this.#excepted, given];
    }
    this.#rebuild();
  }

  /** Was the address of these words named by itself, not with its network? */
  hasHost(w0: number, w1: number, w2: number, w3: number): boolean {
    return this.#hosts.some((one) =>
      one.w3 === w3 && one.w2 === w2 && one.w1 === w1 && one.w0 === w0
    );
  }

  /** Is the address of these words (see `IpAddress`) an own one? */
  hasWords(w0: number, w1: number, w2: number, w3: number): boolean {
    for (const address of this.#hosts) {
      if (address.w3 === w3 && address.w2 === w2 && address.w1 === w1 && address.w0 === w0) {
        return true;
      }
    }
    for (const { subnet, excepted } of this.#networks) {
      if (subnet.containsWords(w0, w1, w2, w3)) {
        for (const one of excepted) if (one.containsWords(w0, w1, w2, w3)) return false;
        return true;
      }
    }
    return false;
  }

  has(address: IpAddress): boolean {
    return this.hasWords(address.w0, address.w1, address.w2, address.w3);
  }

  /** The address that was named first, of a network its first own one. */
  get first(): IpAddress | undefined {
    return this.#sources[0]?.address;
  }

  /** An own address in a subnet, the first one of a network; `undefined` when there is none. */
  firstIn(subnet: Subnet): IpAddress | undefined {
    if (subnet.bits === 128) return this.has(subnet.address) ? subnet.address : undefined;
    const host = this.#hosts.find((address) => subnet.contains(address));
    if (host !== undefined) return host;
    for (const own of this.#networks) {
      if (!own.subnet.overlaps(subnet)) continue;
      const inner = own.subnet.bits >= subnet.bits ? own.subnet : subnet;
      const first = firstUsable(inner, own.excepted);
      if (first !== undefined) return first;
    }
    return undefined;
  }

  /** Whether an own address is in a subnet. */
  overlaps(subnet: Subnet): boolean {
    return this.firstIn(subnet) !== undefined;
  }

  /** Whether the packet whose IP header begins at `at` goes to this stack. */
  hasDestination(header: Uint8Array, at: number): boolean {
    if (header[at]! >>> 4 === 4) return this.hasWords(0, 0, 0xffff, readI32(header, at + 16));
    return this.hasWords(
      readI32(header, at + 24),
      readI32(header, at + 28),
      readI32(header, at + 32),
      readI32(header, at + 36),
    );
  }

  /** RFC 9293 3.9.2.3: a peer is one host. */
  isUnicast({ w0, w1, w2, w3 }: IpAddress): boolean {
    return this.isHost(w0, w1, w2, w3) && !this.isBroadcast(w0, w1, w2, w3);
  }

  /** Whether the address of these words may be one host on the link. */
  isHost(w0: number, w1: number, w2: number, w3: number): boolean {
    return isHostWords(w0, w1, w2, w3) || this.#insideHost && isLoopbackWords(w0, w1, w2, w3);
  }

  /** Whether the address of these words is a directed broadcast address (RFC 919) of an own network. */
  isBroadcast(w0: number, w1: number, w2: number, w3: number): boolean {
    return w2 === 0xffff && w1 === 0 && w0 === 0 && this.#broadcasts.has(w3);
  }

  /**
   * RFC 6724 in small: the address in the longest prefix that the peer is in, else the first of its
   * family. Of a whole network it is the first own address behind the network's.
   */
  sourceFor(remote: IpAddress): IpAddress | undefined {
    let best: Source | undefined;
    for (const source of this.#sources) {
      if (source.address.isV4 !== remote.isV4) continue;
      const isNearer = source.subnet.contains(remote) &&
        (!best?.subnet.contains(remote) || source.subnet.bits > best.subnet.bits);
      if (best === undefined || isNearer) best = source;
    }
    return best?.address;
  }

  #rebuild(): void {
    const own = this.#subnets;
    const broadcasts = own.flatMap(broadcastOf);
    const never = [...NEVER_OWN, ...this.#excepted, ...broadcasts];
    this.#broadcasts = new Set(broadcasts.map(({ address }) => address.w3));
    this.#hosts = own.filter((one) => !one.isNetwork).map(({ address }) => address);
    const neverOf = (subnet: Subnet) => [...never, ...loopbackOutside(subnet)];
    const networks = own.filter((one) => one.isNetwork);
    // The first that an address is in decides, and loopback is no part of the others.
    const ordered = [...networks.filter(isLoopback), ...networks.filter((one) => !isLoopback(one))];
    this.#networks = ordered.map((subnet) => ({
      subnet,
      excepted: neverOf(subnet).filter((one) => one.overlaps(subnet)),
    }));
    this.#sources = own.flatMap((subnet) => {
      const address = subnet.isNetwork ? firstUsable(subnet, neverOf(subnet)) : subnet.address;
      return address === undefined ? [] : [{ subnet, address }];
    });
  }
}

/** Whether a stack can own something of it. */
export function isOwnable(subnet: Subnet): boolean {
  return subnet.isNetwork
    ? firstUsable(subnet, [...NEVER_OWN, ...LOOPBACK, ...broadcastOf(subnet)]) !== undefined
    : subnet.address.isUnicast;
}

/** Whether it is of loopback, which a stack can own only inside of a host. */
export function isLoopback(subnet: Subnet): boolean {
  return LOOPBACK.some((one) => one.bits <= subnet.bits && one.contains(subnet.address));
}

function loopbackOutside(subnet: Subnet): readonly Subnet[] {
  return isLoopback(subnet) ? [] : LOOPBACK;
}

/** A network that is own as a whole. */
interface Network {
  readonly subnet: Subnet;
  /** What of it is not; where networks overlap the exceptions of each hold for all. */
  readonly excepted: readonly Subnet[];
}

interface Source {
  readonly subnet: Subnet;
  readonly address: IpAddress;
}

function broadcastOf(subnet: Subnet): Subnet[] {
  return subnet.isBroadcast(subnet.last) ? [Subnet.of(subnet.last)] : [];
}

/** The first address behind the network's own that is in none of `excepted`. */
function firstUsable(network: Subnet, excepted: readonly Subnet[]): IpAddress | undefined {
  let candidate = network.bits >= 127 ? network.network : network.network.next;
  // Each exception is stepped over once at most.
  for (let steps = 0; steps <= excepted.length; steps++) {
    if (!network.contains(candidate)) return undefined;
    const obstacle = excepted.find((one) => one.contains(candidate));
    if (obstacle === undefined) return candidate;
    candidate = obstacle.last.next;
  }
  return undefined;
}
