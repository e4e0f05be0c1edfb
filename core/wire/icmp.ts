/**
 * ICMP (RFC 792) and ICMPv6 (RFC 4443) in one vocabulary: what a message means, whatever the
 * family that says it.
 *
 * @module
 */
import { readU16, readU32, writeU16, writeU32 } from "./bytes.ts";

/** What a message means to this stack. */
export type IcmpMeaning =
  | "echo-request"
  | "network-unreachable"
  | "host-unreachable"
  | "protocol-unreachable"
  | "port-unreachable"
  | "prohibited"
  | "packet-too-big"
  | "time-exceeded"
  | "parameter-problem"
  | "source-quench"
  | "other";

/** A received message. One record serves every packet. */
export class IcmpMessage {
  meaning: IcmpMeaning = "other";
  /** Next-hop MTU of a `packet-too-big`; 0 when the router did not say (RFC 1191 4). */
  mtu = 0;
  /** Where the packet that an error is about begins. */
  bodyStart = 0;
}

const V4_UNREACHABLE: readonly IcmpMeaning[] = [
  "network-unreachable",
  "host-unreachable",
  "protocol-unreachable",
  "port-unreachable",
  "packet-too-big",
  "host-unreachable", // source route failed
  "network-unreachable",
  "host-unreachable",
  "host-unreachable",
  "prohibited",
  "prohibited",
  "network-unreachable",
  "host-unreachable",
  "prohibited",
];

const V6_UNREACHABLE: readonly IcmpMeaning[] = [
  "network-unreachable",
  "prohibited",
  "host-unreachable",
  "host-unreachable",
  "port-unreachable",
  "prohibited",
  "prohibited",
];

/** Reads the message at `start`; the caller has checked that 8 bytes are there. */
export function parseIcmp(
  version: 4 | 6,
  packet: Uint8Array,
  start: number,
  message: IcmpMessage,
): void {
  const type = packet[start]!;
  const code = packet[start + 1]!;
  message.mtu = 0;
  message.bodyStart = start + 8;
  message.meaning = version === 4 ? meaningV4(type, code) : meaningV6(type, code);
  if (message.meaning !== "packet-too-big") return;
  message.mtu = version === 4 ? readU16(packet, start + 6) : readU32(packet, start + 4);
}

function meaningV4(type: number, code: number): IcmpMeaning {
  if (type === 8) return "echo-request";
  if (type === 3) return V4_UNREACHABLE[code] ?? "other";
  if (type === 4) return "source-quench";
  if (type === 11) return "time-exceeded";
  return type === 12 ? "parameter-problem" : "other";
}

function meaningV6(type: number, code: number): IcmpMeaning {
  if (type === 128) return "echo-request";
  if (type === 1) return V6_UNREACHABLE[code] ?? "other";
  if (type === 2) return "packet-too-big";
  if (type === 3) return "time-exceeded";
  return type === 4 ? "parameter-problem" : "other";
}

/**
 * Whether a message of this type is an error, or a redirect: neither may bring about an error. Of
 * IPv4, unknown types are taken for errors too.
 */
export function isIcmpErrorType(version: 4 | 6, type: number): boolean {
  return version === 4 ? !V4_QUERIES.has(type) : type < 128 || type === V6_REDIRECT;
}

/** Echo, router discovery, timestamp, information and address mask messages (RFC 1122 3.2.2). */
const V4_QUERIES: ReadonlySet<number> = new Set([0, 8, 9, 10, 13, 14, 15, 16, 17, 18]);
const V6_REDIRECT = 137;

/** Type of an echo reply. */
export function echoReplyType(version: 4 | 6): number {
  return version === 4 ? 0 : 129;
}

/** Writes type, code and the four bytes behind the checksum, which is left zero. */
export function emitIcmpHeader(
  bytes: Uint8Array,
  at: number,
  type: number,
  code: number,
  rest: number,
): void {
  bytes[at] = type;
  bytes[at + 1] = code;
  writeU16(bytes, at + 2, 0);
  writeU32(bytes, at + 4, rest);
}

/** What cannot be reached, or may not be. */
export type Unreachable = "protocol" | "port" | "host" | "prohibited";

/** Type and code of the unreachable errors this stack sends. */
export function unreachableCode(
  version: 4 | 6,
  what: Unreachable,
): { type: number; code: number } {
  if (version === 4) return { type: 3, code: V4_CODES[what] };
  // RFC 4443 3.4: an unknown next header is a parameter problem, code 1.
  return what === "protocol" ? { type: 4, code: 1 } : { type: 1, code: V6_CODES[what] };
}

/** RFC 792; RFC 1812 5.2.7.1 for what is prohibited. */
const V4_CODES: Readonly<Record<Unreachable, number>> = {
  host: 1,
  protocol: 2,
  port: 3,
  prohibited: 13,
};

/** RFC 4443 3.1. */
const V6_CODES: Readonly<Record<Exclude<Unreachable, "protocol">, number>> = {
  prohibited: 1,
  host: 3,
  port: 4,
};
