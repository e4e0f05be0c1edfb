/**
 * ICMP (RFC 792) and ICMPv6 (RFC 4443) messages, mapped to one set of meanings.
 *
 * @module
 */
import { readU16, readU32, writeU16, writeU32 } from "./bytes.ts";

/** Meaning of a message, independent of the family. */
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

/** A received message; the object is reused. */
export class IcmpMessage {
  meaning: IcmpMeaning = "other";
  /** Next-hop MTU of a `packet-too-big`; 0 if the router did not give it (RFC 1191 4). */
  mtu = 0;
  /** Offset of the quoted packet in an error message. */
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

/** Parses the message at `start`, of which the caller has checked that it has at least 8 bytes. */
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
 * Whether this type is an error or a redirect, about which no error may be sent. In IPv4, unknown
 * types count as errors.
 */
export function isIcmpErrorType(version: 4 | 6, type: number): boolean {
  return version === 4 ? !V4_QUERIES.has(type) : type < 128 || type === V6_REDIRECT;
}

/** Echo, router discovery, timestamp, information and address mask messages (RFC 1122 3.2.2). */
const V4_QUERIES: ReadonlySet<number> = new Set([0, 8, 9, 10, 13, 14, 15, 16, 17, 18]);
const V6_REDIRECT = 137;

/** The type of an echo reply. */
export function echoReplyType(version: 4 | 6): number {
  return version === 4 ? 0 : 129;
}

/** Writes type, code, a zero checksum and the four bytes `rest` that follow it. */
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

/** Reasons for an unreachable error. */
export type Unreachable = "protocol" | "port" | "host" | "prohibited";

/** Type and code of the unreachable errors that this stack sends. */
export function unreachableCode(
  version: 4 | 6,
  what: Unreachable,
): { type: number; code: number } {
  if (version === 4) return { type: 3, code: V4_CODES[what] };
  // RFC 4443 3.4: an unknown next header is a parameter problem, code 1.
  return what === "protocol" ? { type: 4, code: 1 } : { type: 1, code: V6_CODES[what] };
}

/** RFC 792; `prohibited`: RFC 1812 5.2.7.1. */
const V4_CODES: Readonly<Record<Unreachable, number>> = {
  host: 1,
  protocol: 2,
  port: 3,
  prohibited: 13,
};

/** Codes of ICMPv6 destination unreachable (RFC 4443 3.1). */
const V6_CODES: Readonly<Record<Exclude<Unreachable, "protocol">, number>> = {
  prohibited: 1,
  host: 3,
  port: 4,
};
