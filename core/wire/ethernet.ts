/**
 * Ethernet II frames (RFC 894, RFC 2464) and the addresses in them.
 *
 * @module
 */
import type { IpAddress } from "./address.ts";
import { readU16, readU32, writeU16, writeU32 } from "./bytes.ts";

/** Length of the header: destination, source, type. */
export const ETHERNET_HEADER = 14;

/** Values of the type field. */
export const ETHER_TYPE: { readonly IPV4: 0x0800; readonly ARP: 0x0806; readonly IPV6: 0x86dd } = {
  IPV4: 0x0800,
  ARP: 0x0806,
  IPV6: 0x86dd,
};

/** The broadcast address. */
export const BROADCAST_MAC = 0xffff_ffff_ffff;

const TWO_32 = 2 ** 32;

/** The 48-bit address at `at`, as a number below 2^48. */
export function readMac(bytes: Uint8Array, at: number): number {
  return readU16(bytes, at) * TWO_32 + readU32(bytes, at + 2);
}

/** Writes the 6 bytes of an address. */
export function writeMac(bytes: Uint8Array, at: number, mac: number): void {
  writeU16(bytes, at, Math.floor(mac / TWO_32));
  writeU32(bytes, at + 2, mac % TWO_32);
}

/** Writes the header that ends at `end`, where the payload begins. */
export function emitEthernetHeader(
  bytes: Uint8Array,
  end: number,
  destination: number,
  source: number,
  type: number,
): void {
  writeMac(bytes, end - 14, destination);
  writeMac(bytes, end - 8, source);
  writeU16(bytes, end - 2, type);
}

/** The type field of the frame at `at`. */
export function readEtherType(bytes: Uint8Array, at: number): number {
  return readU16(bytes, at + 12);
}

/** Whether `mac` is a group address: multicast or broadcast. */
export function isGroupMac(mac: number): boolean {
  return (Math.floor(mac / 2 ** 40) & 1) === 1;
}

/** Whether `mac` can be a station's address: neither a group address nor all zeros. */
export function isStationMac(mac: number): boolean {
  return mac !== 0 && !isGroupMac(mac);
}

/** The group address for an IP multicast address (RFC 1112 6.4, RFC 2464 7). */
export function multicastMac({ isV4, w3 }: IpAddress): number {
  return isV4 ? 0x0100_5e00_0000 + (w3 & 0x7f_ffff) : 0x3333_0000_0000 + (w3 >>> 0);
}

/** Parses `02:00:5e:10:00:01`; `undefined` if `text` is not a MAC address. */
export function parseMac(text: string): number | undefined {
  if (!/^[0-9a-f]{2}(:[0-9a-f]{2}){5}$/i.test(text)) return undefined;
  return parseInt(text.replaceAll(":", ""), 16);
}

/** Formats an address as `02:00:5e:10:00:01`. */
export function formatMac(mac: number): string {
  return mac.toString(16).padStart(12, "0").replace(/..(?!$)/g, "$&:");
}
