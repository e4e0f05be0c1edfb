/**
 * The addresses of a stack.
 *
 * @module
 */
import { IpAddress, isHostWords, isLoopbackWords, Subnet } from "../../wire/address.ts";
import { readI32 } from "../../wire/bytes.ts";

/** Subnets whose addresses are never the stack's own, even inside one of its networks. */
const NOT_ASSIGNABLE: readonly Subnet[] = [
  "0.0.0.0/8", // "this network" (RFC 1122 3.2.1.3)
  "224.0.0.0/4", // multicast
  "240.0.0.0/4", // reserved, and limited broadcast
  "::/128", // unspecified
  "ff00::/8", // multicast
].map((text) => Subnet.parse(text)!);

/** Subnets whose addresses are the stack's own only if configured explicitly, on a link inside a host. */
const LOOPBACK: readonly Subnet[] = ["127.0.0.0/8", "::1/128"].map((text) => Subnet.parse(text)!);

/**
 * Own addresses, each with its prefix length. A network address (see `Subnet.isNetwork`) stands for
 * all addresses of the network, except for the excluded ones, multicast, loopback and the directed
 * broadcast addresses (RFC 919) of all own networks.
 */
export class OwnAddresses {
  #subnets: readonly Subnet[];
  #excepted: readonly Subnet[];
  #hosts: readonly IpAddress[] = [];
  #networks: readonly Network[] = [];
  /** Candidates for {@link OwnAddresses.sourceFor}. */
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

  /** The configured addresses and networks, without the excluded ones. */
  get subnets(): readonly Subnet[] {
    return this.#subnets;
  }

  add(subnet: Subnet): void {
    this.#subnets = [...this.#subnets, subnet];
    this.#excepted = this.#excepted.filter((one) => !one.equals(subnet));
    this.#rebuild();
  }

  /** Removes an address or a network. The rest of a larger network stays. */
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

  /** Whether the address was configured individually, not as part of a network. */
  hasHost(w0: number, w1: number, w2: number, w3: number): boolean {
    return this.#hosts.some((one) =>
      one.w3 === w3 && one.w2 === w2 && one.w1 === w1 && one.w0 === w0
    );
  }

  /** Whether the address, given as words (see `IpAddress`), is one of the stack's. */
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

  /** The first configured address; for a network, its first usable address. */
  get first(): IpAddress | undefined {
    return this.#sources[0]?.address;
  }

  /** One of the stack's addresses in a subnet, or `undefined`. */
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

  /** Whether any of the stack's addresses is in a subnet. */
  overlaps(subnet: Subnet): boolean {
    return this.firstIn(subnet) !== undefined;
  }

  /** Whether the packet whose IP header is at `at` is addressed to this stack. */
  hasDestination(header: Uint8Array, at: number): boolean {
    if (header[at]! >>> 4 === 4) return this.hasWords(0, 0, 0xffff, readI32(header, at + 16));
    return this.hasWords(
      readI32(header, at + 24),
      readI32(header, at + 28),
      readI32(header, at + 32),
      readI32(header, at + 36),
    );
  }

  /** Whether an address can be that of a peer (RFC 9293 3.9.2.3). */
  isUnicast({ w0, w1, w2, w3 }: IpAddress): boolean {
    return this.isHost(w0, w1, w2, w3) && !this.isBroadcast(w0, w1, w2, w3);
  }

  /** Whether an address can be that of a host on the link. */
  isHost(w0: number, w1: number, w2: number, w3: number): boolean {
    return isHostWords(w0, w1, w2, w3) || this.#insideHost && isLoopbackWords(w0, w1, w2, w3);
  }

  /** Whether an address is a directed broadcast address (RFC 919) of one of the stack's networks. */
  isBroadcast(w0: number, w1: number, w2: number, w3: number): boolean {
    return w2 === 0xffff && w1 === 0 && w0 === 0 && this.#broadcasts.has(w3);
  }

  /**
   * Source address selection, a subset of RFC 6724: the address whose prefix is the longest that
   * contains the peer, otherwise the first of its family. A network contributes its first usable
   * address.
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
    const never = [...NOT_ASSIGNABLE, ...this.#excepted, ...broadcasts];
    this.#broadcasts = new Set(broadcasts.map(({ address }) => address.w3));
    this.#hosts = own.filter((one) => !one.isNetwork).map(({ address }) => address);
    const neverOf = (subnet: Subnet) => [...never, ...excludedLoopback(subnet)];
    const networks = own.filter((one) => one.isNetwork);
    // The first network that contains an address decides. Loopback networks come first, since only
    // they contain loopback addresses.
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

/** Whether a stack can own any address of the subnet. */
export function isOwnable(subnet: Subnet): boolean {
  return subnet.isNetwork
    ? firstUsable(subnet, [...NOT_ASSIGNABLE, ...LOOPBACK, ...broadcastOf(subnet)]) !== undefined
    : subnet.address.isUnicast;
}

/** Whether the subnet is in loopback, which a stack can own only on a link inside a host. */
export function isLoopback(subnet: Subnet): boolean {
  return LOOPBACK.some((one) => one.bits <= subnet.bits && one.contains(subnet.address));
}

function excludedLoopback(subnet: Subnet): readonly Subnet[] {
  return isLoopback(subnet) ? [] : LOOPBACK;
}

/** A network all of whose addresses are the stack's. */
interface Network {
  readonly subnet: Subnet;
  /** The exceptions. Where networks overlap, the exceptions of each apply to all. */
  readonly excepted: readonly Subnet[];
}

interface Source {
  readonly subnet: Subnet;
  readonly address: IpAddress;
}

function broadcastOf(subnet: Subnet): Subnet[] {
  return subnet.isBroadcast(subnet.last) ? [Subnet.of(subnet.last)] : [];
}

/** The first address after the network address that is not in `excepted`. */
function firstUsable(network: Subnet, excepted: readonly Subnet[]): IpAddress | undefined {
  let candidate = network.bits >= 127 ? network.network : network.network.next;
  // Each exception is skipped at most once.
  for (let steps = 0; steps <= excepted.length; steps++) {
    if (!network.contains(candidate)) return undefined;
    const conflict = excepted.find((one) => one.contains(candidate));
    if (conflict === undefined) return candidate;
    candidate = conflict.last.next;
  }
  return undefined;
}
