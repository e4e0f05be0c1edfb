/**
 * The addresses that a stack answers to.
 *
 * @module
 */
import { readI32 } from "../wire/bytes.ts";
import type { IpAddress, Subnet } from "../wire/address.ts";

/** Own addresses, each with its network. */
export class OwnAddresses {
  #subnets: readonly Subnet[];

  constructor(subnets: readonly Subnet[]) {
    this.#subnets = subnets;
  }

  add(subnet: Subnet): void {
    this.#subnets = [...this.#subnets, subnet];
  }

  remove(address: IpAddress): void {
    this.#subnets = this.#subnets.filter((own) => !own.address.equals(address));
  }

  /** Is the address of these words (see `IpAddress`) an own one? */
  hasWords(w0: number, w1: number, w2: number, w3: number): boolean {
    for (const { address } of this.#subnets) {
      if (address.w3 === w3 && address.w2 === w2 && address.w1 === w1 && address.w0 === w0) {
        return true;
      }
    }
    return false;
  }

  has(address: IpAddress): boolean {
    return this.hasWords(address.w0, address.w1, address.w2, address.w3);
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
  isUnicast(address: IpAddress): boolean {
    return address.isUnicast && !this.#subnets.some((own) => own.isBroadcast(address));
  }

  /** RFC 6724 in small: the address whose network the peer is in, else the first of its family. */
  sourceFor(remote: IpAddress): IpAddress | undefined {
    const near = this.#subnets.find((own) => own.contains(remote)) ??
      this.#subnets.find((own) => own.address.isV4 === remote.isV4);
    return near?.address;
  }
}
