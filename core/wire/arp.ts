/**
 * The Address Resolution Protocol (RFC 826) for IPv4 on Ethernet.
 *
 * @module
 */
import { readI32, readU16, writeU16, writeU32 } from "./bytes.ts";
import { readMac, writeMac } from "./ethernet.ts";

/** Length of a message, in bytes. */
export const ARP_LENGTH = 28;

const ETHERNET = 1;
const IPV4 = 0x0800;
const REQUEST = 1;
const REPLY = 2;

/** A message; the object is reused. IPv4 addresses are words as in `IpAddress.w3`. */
export class ArpMessage {
  /** True for a request, false for a reply. */
  isRequest = false;
  /** Hardware and protocol address of the sender. */
  senderMac = 0;
  senderIp = 0;
  /** Hardware and protocol address of the target; in a request the hardware address is unknown. */
  targetMac = 0;
  targetIp = 0;
}

/**
 * Parses `bytes[start, end)` into `message`; false unless it is an ARP request or reply for IPv4 on
 * Ethernet.
 */
export function parseArp(
  bytes: Uint8Array,
  start: number,
  end: number,
  message: ArpMessage,
): boolean {
  if (end - start < ARP_LENGTH) return false;
  if (readU16(bytes, start) !== ETHERNET || readU16(bytes, start + 2) !== IPV4) return false;
  if (bytes[start + 4] !== 6 || bytes[start + 5] !== 4) return false;
  const operation = readU16(bytes, start + 6);
  message.isRequest = operation === REQUEST;
  message.senderMac = readMac(bytes, start + 8);
  message.senderIp = readI32(bytes, start + 14);
  message.targetMac = readMac(bytes, start + 18);
  message.targetIp = readI32(bytes, start + 24);
  return operation === REQUEST || operation === REPLY;
}

/** Writes `ARP_LENGTH` bytes at `at`. */
export function emitArp(bytes: Uint8Array, at: number, message: Readonly<ArpMessage>): void {
  writeU16(bytes, at, ETHERNET);
  writeU16(bytes, at + 2, IPV4);
  bytes[at + 4] = 6;
  bytes[at + 5] = 4;
  writeU16(bytes, at + 6, message.isRequest ? REQUEST : REPLY);
  writeMac(bytes, at + 8, message.senderMac);
  writeU32(bytes, at + 14, message.senderIp);
  writeMac(bytes, at + 18, message.targetMac);
  writeU32(bytes, at + 24, message.targetIp);
}
