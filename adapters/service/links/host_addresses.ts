/**
 * Completes the addresses of the other end of the link.
 *
 * @module
 */
import { networkInterfaces } from "node:os";
import type { Logger } from "../../../core/api/environment.ts";
import { IpAddress, Subnet } from "../../../core/wire/address.ts";
import { UsageError } from "../errors.ts";

/** Minimum prefix length of the subnet of a link. The first address of a larger network is not a usable default. */
const MIN_LINK_LENGTH = 8;

/**
 * The addresses of the other end of the link: the given ones and, for every subnet of the stack
 * without one, the first other address of the subnet. A subnet that has no other address, such as an
 * anycast address (`10.53.0.1/32`), is reached from another host address of its family.
 *
 * @throws {UsageError} No host address of a family is known, or a host address is also an address of the stack.
 */
export function completeHostAddresses(
  addresses: readonly string[],
  given: readonly string[],
): string[] {
  const own = addresses.map(subnet);
  const host = given.map(subnet);
  for (const { address } of host) {
    if (!own.some((each) => !each.isNetwork && each.address.equals(address))) continue;
    throw new UsageError(
      `--host-address: ${address} is the stack's own address too (--address): give the host another ` +
        "address of its network",
    );
  }
  const full: Subnet[] = [];
  for (const each of own) {
    if (host.some(({ address }) => each.contains(address))) continue;
    if (each.isNetwork && each.prefixLength < MIN_LINK_LENGTH) {
      throw new UsageError(
        `${each} is not the subnet of a link: give the host's address with --host-address`,
      );
    }
    const other = firstOther(each, own);
    if (other === undefined) full.push(each);
    else host.push(other);
  }
  for (const each of full) {
    if (host.some(({ address }) => address.isV4 === each.address.isV4)) continue;
    throw new UsageError(
      `${each} has no other address for the host: give one with --host-address`,
    );
  }
  return host.map(String);
}

/**
 * Warns of addresses of the stack that the host has on any device: packets to them never leave the host.
 */
export function warnOfHostAddresses(addresses: readonly string[], log: Logger): void {
  const own = addresses.map(subnet).filter(({ isNetwork }) => !isNetwork);
  for (const [device, held = []] of Object.entries(networkInterfaces())) {
    for (const { address: text } of held) {
      const address = IpAddress.parse(text.replace(/%.*$/, ""));
      if (address === undefined || !own.some((each) => each.address.equals(address))) continue;
      log.warn(
        "the host has an address of the stack and answers for it: choose another --address",
        {
          address: text,
          device,
        },
      );
    }
  }
}

function subnet(text: string): Subnet {
  const parsed = Subnet.parse(text);
  if (!parsed) throw new UsageError(`${text} is not an address such as 10.7.0.2/24`);
  return parsed;
}

function firstOther(of: Subnet, own: readonly Subnet[]): Subnet | undefined {
  const { address, prefixLength } = of;
  const hostBits = (address.isV4 ? 32 : 128) - prefixLength;
  // No host has the network's own address (RFC 4291 2.6.1), except where the subnet has only two
  // addresses (RFC 3021, RFC 6164).
  const first = hostBits > 1 ? 1 : 0;
  const last = hostBits > 1 ? 2 ** Math.min(hostBits, 16) - 2 : 2 ** hostBits - 1;
  for (let offset = first; offset <= last; offset++) {
    const candidate = offsetFrom(of.network, offset);
    if (!own.some((each) => each.address.equals(candidate))) {
      return new Subnet(candidate, prefixLength);
    }
  }
  return undefined;
}

function offsetFrom({ w0, w1, w2, w3 }: IpAddress, offset: number): IpAddress {
  return new IpAddress(w0, w1, w2, w3 + offset);
}
