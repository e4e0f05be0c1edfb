import { setTimeout } from "node:timers/promises";
import { IpAddress, type Subnet } from "../../../core/wire/address.ts";
import { configureError } from "./error.ts";
import type { LibcHost } from "../../runtime/libc/host.ts";
import * as linux from "./linux.ts";

// linux/netlink.h, linux/rtnetlink.h, linux/if_link.h, linux/if_addr.h
const AF_NETLINK = 16;
const SOCK_RAW = 3;
const NLM_F_REQUEST = 0x1;
const NLM_F_ACK = 0x4;
const NLM_F_EXCL = 0x200;
const NLM_F_CREATE = 0x400;
const NLMSG_ERROR = 2;
const RTM_SETLINK = 19;
const IFLA_TXQLEN = 13;
const RTM_NEWADDR = 20;
const RTM_GETADDR = 22;
const NLM_F_DUMP = 0x300;
const NLMSG_DONE = 3;
const IFA_ADDRESS = 1;
const IFA_LOCAL = 2;
const IFA_F_NODAD = 0x02;
const RTM_NEWROUTE = 24;
const RTM_GETROUTE = 26;
const RTA_DST = 1;
const RTA_OIF = 4;
const RTN_LOCAL = 2;

/** Size of the receive buffer; the kernel fits its messages into it. */
const DUMP_BYTES = 32_768;

/** The kernel answers within microseconds, unless a sandbox forbids netlink altogether. */
const MAX_WAIT_MS = 1000;

/**
 * Adds an address to an interface. Unlike ioctl, netlink can skip duplicate address detection (RFC
 * 4862 5.4), during which nothing can bind to an IPv6 address.
 *
 * @throws {TunError} The kernel refuses the request.
 */
export function addAddress(host: LibcHost, name: string, index: number, subnet: Subnet): void {
  const { errno } = exchange(host, newAddress(index, subnet));
  if (errno === 0 || errno === linux.EEXIST) return;
  throw configureError(`set the address ${subnet} of ${name}`, errno);
}

/**
 * Whether an interface has an address with this prefix length; false if the kernel does not answer.
 */
export function hasAddress(host: LibcHost, index: number, subnet: Subnet): boolean {
  const { libc } = host;
  const socket = libc.socket(AF_NETLINK, SOCK_RAW | linux.O_CLOEXEC | linux.O_NONBLOCK, 0);
  if (socket < 0) return false;
  try {
    const request = allAddresses(subnet.address);
    if (libc.write(socket, request, request.length) < 0) return false;
    const answer: linux.Bytes = new Uint8Array(DUMP_BYTES);
    for (;;) {
      const size = libc.read(socket, answer, answer.length);
      if (size <= 0) return false;
      for (const message of messagesOf(answer.subarray(0, size))) {
        const type = readU16(message, 4);
        if (type === NLMSG_DONE || type === NLMSG_ERROR) return false;
        if (type === RTM_NEWADDR && isAddress(message, index, subnet)) return true;
      }
    }
  } finally {
    libc.close(socket);
  }
}

/** A request for all addresses of a family: `struct nlmsghdr` and `struct ifaddrmsg`. */
export function allAddresses(address: IpAddress): linux.Bytes {
  const bytes = new Uint8Array(24);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, bytes.length, true);
  view.setUint16(4, RTM_GETADDR, true);
  view.setUint16(6, NLM_F_REQUEST | NLM_F_DUMP, true);
  bytes[16] = address.isV4 ? linux.AF_INET : linux.AF_INET6;
  return bytes;
}

/** Splits a buffer into messages, each aligned to four bytes. */
function* messagesOf(bytes: linux.Bytes): Generator<linux.Bytes> {
  for (let at = 0; at + 16 <= bytes.length;) {
    const length = linux.readInt(bytes, at);
    if (length < 16 || at + length > bytes.length) return;
    yield bytes.subarray(at, at + length);
    at += (length + 3) & ~3;
  }
}

/** Whether a message, in the form of `newAddress`, has this address; `IFA_LOCAL` may be missing. */
export function isAddress(message: linux.Bytes, index: number, subnet: Subnet): boolean {
  const { address, prefixLength } = subnet;
  const isV4 = message[16] === linux.AF_INET;
  const matches = isV4 === address.isV4 && message[17] === prefixLength &&
    linux.readInt(message, 20) === index;
  if (!matches) return false;
  let found: IpAddress | undefined;
  for (let at = 24; at + 4 <= message.length;) {
    const [length, type] = [readU16(message, at), readU16(message, at + 2)];
    if (length < 4 || at + length > message.length) break;
    if (type === IFA_LOCAL || (type === IFA_ADDRESS && found === undefined)) {
      const isWhole = length === (isV4 ? 8 : 20);
      if (isWhole) {
        found = isV4 ? IpAddress.readV4(message, at + 4) : IpAddress.readV6(message, at + 4);
      }
    }
    at += (length + 3) & ~3;
  }
  return found !== undefined && found.equals(address);
}

/**
 * Sets the transmit queue length of an interface. By ioctl this would need privilege outside the
 * network namespace.
 *
 * @throws {TunError} The kernel refuses the request.
 */
export function setQueueLength(host: LibcHost, name: string, index: number, length: number): void {
  const { errno } = exchange(host, queueLength(index, length));
  if (errno !== 0) throw configureError(`set the queue length of ${name}`, errno);
}

/** Resolves when the kernel treats an address as local, which takes a moment for IPv6. */
export async function untilLocal(host: LibcHost, address: IpAddress): Promise<void> {
  for (let waited = 0; !isLocal(host, address) && waited < MAX_WAIT_MS; waited++) {
    await setTimeout(1);
  }
}

function isLocal(host: LibcHost, address: IpAddress): boolean {
  const { errno, answer } = exchange(host, routeTo(address));
  return errno === 0 && readU16(answer, 4) === RTM_NEWROUTE && answer[23] === RTN_LOCAL;
}

/** Whether the kernel routes packets to an address through an interface. */
export function isRoutedTo(host: LibcHost, index: number, address: IpAddress): boolean {
  const { errno, answer } = exchange(host, routeTo(address));
  if (errno !== 0 || readU16(answer, 4) !== RTM_NEWROUTE) return false;
  // The header is followed by `struct rtmsg`, then by the attributes.
  const end = Math.min(linux.readInt(answer, 0), answer.length);
  for (let at = 28; at + 8 <= end;) {
    const [length, type] = [readU16(answer, at), readU16(answer, at + 2)];
    if (type === RTA_OIF) return linux.readInt(answer, at + 4) === index;
    if (length < 4) return false;
    at += (length + 3) & ~3;
  }
  return false;
}

/** A request to add an address: `struct nlmsghdr`, `struct ifaddrmsg` and two attributes. */
export function newAddress(index: number, { address, prefixLength }: Subnet): linux.Bytes {
  const size = address.isV4 ? 4 : 16;
  const bytes = new Uint8Array(24 + 2 * (4 + size));
  const view = new DataView(bytes.buffer);
  view.setUint32(0, bytes.length, true);
  view.setUint16(4, RTM_NEWADDR, true);
  view.setUint16(6, NLM_F_REQUEST | NLM_F_ACK | NLM_F_CREATE | NLM_F_EXCL, true);
  bytes[16] = address.isV4 ? linux.AF_INET : linux.AF_INET6;
  bytes[17] = prefixLength;
  bytes[18] = address.isV4 ? 0 : IFA_F_NODAD;
  view.setUint32(20, index, true);
  for (const [i, attribute] of [IFA_LOCAL, IFA_ADDRESS].entries()) {
    const at = 24 + i * (4 + size);
    view.setUint16(at, 4 + size, true);
    view.setUint16(at + 2, attribute, true);
    address.write(bytes, at + 4);
  }
  return bytes;
}

/** A request to set the queue length: `struct nlmsghdr`, `struct ifinfomsg` and an attribute. */
export function queueLength(index: number, length: number): linux.Bytes {
  const bytes = new Uint8Array(40);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, bytes.length, true);
  view.setUint16(4, RTM_SETLINK, true);
  view.setUint16(6, NLM_F_REQUEST | NLM_F_ACK, true);
  view.setInt32(20, index, true);
  view.setUint16(32, 8, true);
  view.setUint16(34, IFLA_TXQLEN, true);
  view.setUint32(36, length, true);
  return bytes;
}

/** A request for the route to an address: `struct nlmsghdr`, `struct rtmsg` and an attribute. */
export function routeTo(address: IpAddress): linux.Bytes {
  const size = address.isV4 ? 4 : 16;
  const bytes = new Uint8Array(28 + 4 + size);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, bytes.length, true);
  view.setUint16(4, RTM_GETROUTE, true);
  view.setUint16(6, NLM_F_REQUEST, true);
  bytes[16] = address.isV4 ? linux.AF_INET : linux.AF_INET6;
  bytes[17] = size * 8;
  view.setUint16(28, 4 + size, true);
  view.setUint16(30, RTA_DST, true);
  address.write(bytes, 32);
  return bytes;
}

/** Sends a request and returns the kernel's answer: an error number, or messages. */
export function exchange(
  { libc, errno }: LibcHost,
  request: linux.Bytes,
): { errno: number; answer: linux.Bytes } {
  const answer: linux.Bytes = new Uint8Array(4096);
  const failed = () => ({ errno: errno(), answer });
  const socket = libc.socket(AF_NETLINK, SOCK_RAW | linux.O_CLOEXEC | linux.O_NONBLOCK, 0);
  if (socket < 0) return failed();
  try {
    if (libc.write(socket, request, request.length) < 0) return failed();
    if (libc.read(socket, answer, answer.length) < 0) return failed();
    // `struct nlmsgerr` follows the header.
    const isError = readU16(answer, 4) === NLMSG_ERROR;
    return { errno: isError ? -linux.readInt(answer, 16) : 0, answer };
  } finally {
    libc.close(socket);
  }
}

function readU16(bytes: linux.Bytes, at: number): number {
  return bytes[at]! | (bytes[at + 1]! << 8);
}
