/**
 * `struct sockaddr` of IPv4, IPv6 and Unix sockets.
 *
 * @module
 */
import type { HostPort } from "../../../core/api/host_port.ts";
import { IpAddress } from "../../../core/wire/address.ts";
import { AF_INET, AF_INET6, AF_UNIX, type Bytes } from "../../runtime/libc/linux.ts";

/** The size of `struct sockaddr_in6`, the larger one of the two for IP. */
export const MAX_IP_ADDRESS_SIZE = 28;
/** Longest path in `struct sockaddr_un`, without the final zero. */
const MAX_PATH = 107;

/** The structure of an IP address and port. */
export function ipSocketAddress(address: IpAddress, port: number): Bytes {
  const bytes = new Uint8Array(address.isV4 ? 16 : MAX_IP_ADDRESS_SIZE);
  bytes[0] = address.isV4 ? AF_INET : AF_INET6;
  bytes[2] = port >>> 8;
  bytes[3] = port;
  address.write(bytes, address.isV4 ? 4 : 8);
  return bytes;
}

/** The structure of an IPv4 address for a socket of IPv6 (RFC 4291 2.5.5.2). */
export function mappedSocketAddress(address: IpAddress, port: number): Bytes {
  const bytes = new Uint8Array(MAX_IP_ADDRESS_SIZE);
  bytes[0] = AF_INET6;
  bytes[2] = port >>> 8;
  bytes[3] = port;
  bytes.fill(0xff, 18, 20);
  address.write(bytes, 20);
  return bytes;
}

/** The structure of a path, or `undefined` if the path is too long. */
export function unixSocketAddress(path: string): Bytes | undefined {
  const text = new TextEncoder().encode(path);
  if (text.length > MAX_PATH) return undefined;
  const bytes = new Uint8Array(2 + text.length + 1);
  bytes[0] = AF_UNIX;
  bytes.set(text, 2);
  return bytes;
}

/** The family of a structure. */
export function familyOf(address: Bytes): number {
  return address[0]! | address[1]! << 8;
}

/** The address and port of a structure, or `undefined` if it is not one of IP. */
export function hostPortOf(bytes: Bytes): HostPort | undefined {
  const port = bytes[2]! << 8 | bytes[3]!;
  switch (familyOf(bytes)) {
    case AF_INET:
      return { hostname: IpAddress.readV4(bytes, 4).toString(), port };
    case AF_INET6:
      return { hostname: IpAddress.readV6(bytes, 8).toString(), port };
    default:
      return undefined;
  }
}
