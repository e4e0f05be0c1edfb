/**
 * Processing of IPv6 extension headers (RFC 8200 4).
 *
 * @module
 */
import { readI32, readU16 } from "./bytes.ts";
import type { DropReason } from "./drop_reason.ts";
import type { IpHeader } from "./ip_header.ts";

const HOP_BY_HOP = 0;
const ROUTING = 43;
/** The next-header value of a fragment header. */
export const FRAGMENT_HEADER = 44;
const DESTINATION_OPTIONS = 60;

/** RFC 8200 4.1 expects at most seven; RFC 8883 2.5 lets a host set a limit. */
export const MAX_EXTENSION_HEADERS = 32;
/** Maximum number of options in one header, padding not counted (RFC 8504 5.3). */
export const MAX_OPTIONS = 8;
/** Maximum number of consecutive padding bytes; alignment never needs more (RFC 8504 5.3). */
const MAX_PADDING = 7;

const PARAMETER_PROBLEM = 4;
/** Codes of a parameter problem: RFC 4443 3.4, RFC 8883 2. */
const CODE = {
  erroneousField: 0,
  unknownNextHeader: 1,
  unknownOption: 2,
  tooManyHeaders: 8,
  tooManyOptions: 9,
} as const;

const PAD1 = 0;
const PADN = 1;

/** RFC 8200 4.2: action for an unknown option, from the two high bits of its type. */
const UNKNOWN_OPTION = { SKIP: 0, DISCARD: 1, REPORT: 2, REPORT_UNICAST: 3 } as const;

/**
 * Reads the extension headers of `packet[0, end)`, up to the upper-layer header or a fragment header. Only the first
 * fragment has headers after its fragment header.
 */
export function readExtensionHeaders(
  packet: Uint8Array,
  end: number,
  ip: IpHeader,
): DropReason | undefined {
  let typeAt = 6;
  let next = packet[typeAt]!;
  let at = 40;
  let count = 0;
  ip.isFragment = false;
  while (isExtensionHeader(next)) {
    // RFC 8200 4.1: a hop-by-hop options header that is not first is an unknown next header.
    if (next === HOP_BY_HOP && count > 0) {
      return refuse(ip, "ip-extension", CODE.unknownNextHeader, typeAt);
    }
    if (++count > MAX_EXTENSION_HEADERS) {
      return refuse(ip, "ip-extension", CODE.tooManyHeaders, at);
    }
    const length = at + 8 > end ? Infinity : lengthOf(packet, next, at);
    if (at + length > end) return "ip-header";
    if (next === FRAGMENT_HEADER) {
      // After reassembly, which removes the fragment header, the hop-by-hop header would seem to
      // come first.
      if (packet[at] === HOP_BY_HOP) return refuse(ip, "ip-extension", CODE.unknownNextHeader, at);
      if (readFragmentHeader(packet, typeAt, at, ip)) return undefined;
    } else {
      const refused = next === ROUTING
        ? readRoutingHeader(packet, at, ip)
        : readOptions(packet, at + 2, at + length, ip);
      if (refused !== undefined) return refused;
    }
    typeAt = at;
    next = packet[at]!;
    at += length;
  }
  if (at > end) return "ip-header";
  ip.protocol = next;
  ip.nextHeaderAt = typeAt;
  ip.payloadStart = at;
  return undefined;
}

function isExtensionHeader(next: number): boolean {
  return next === HOP_BY_HOP || next === ROUTING || next === FRAGMENT_HEADER ||
    next === DESTINATION_OPTIONS;
}

function lengthOf(packet: Uint8Array, type: number, at: number): number {
  return type === FRAGMENT_HEADER ? 8 : (packet[at + 1]! + 1) * 8;
}

function refuse(ip: IpHeader, reason: DropReason, code: number, pointer: number): DropReason {
  ip.error = { type: PARAMETER_PROBLEM, code, rest: pointer };
  return reason;
}

/** Returns false for an atomic fragment, which is processed as a whole packet (RFC 6946). */
function readFragmentHeader(packet: Uint8Array, typeAt: number, at: number, ip: IpHeader): boolean {
  if (isAtomic(packet, at)) return false;
  const fragment = readU16(packet, at + 2);
  ip.isFragment = true;
  ip.fragmentId = readI32(packet, at + 4);
  ip.fragmentOffset = fragment & 0xfff8;
  ip.moreFragments = (fragment & 1) !== 0;
  ip.nextHeaderAt = typeAt;
  ip.protocol = packet[at]!;
  ip.payloadStart = at + 8;
  return true;
}

function isAtomic(packet: Uint8Array, at: number): boolean {
  return (readU16(packet, at + 2) & 0xfff9) === 0;
}

/** RFC 8200 4.4: no routing type is supported; type 0 is deprecated (RFC 5095 3). */
function readRoutingHeader(packet: Uint8Array, at: number, ip: IpHeader): DropReason | undefined {
  if (packet[at + 3] === 0) return undefined;
  return refuse(ip, "ip-source-route", CODE.erroneousField, at + 2);
}

/** RFC 8200 4.2: only padding options are known. */
function readOptions(
  packet: Uint8Array,
  start: number,
  end: number,
  ip: IpHeader,
): DropReason | undefined {
  let count = 0;
  let padding = 0;
  for (let at = start; at < end;) {
    const type = packet[at]!;
    const length = type === PAD1 ? 1 : at + 1 < end ? packet[at + 1]! + 2 : Infinity;
    if (at + length > end) return "ip-header";
    if (type === PAD1 || type === PADN) {
      padding += length;
      if (padding > MAX_PADDING || !isPadding(packet, at, length)) return "ip-option";
    } else {
      padding = 0;
      if (++count > MAX_OPTIONS) return refuse(ip, "ip-option", CODE.tooManyOptions, at);
      const refused = refusalOfUnknown(type, at, ip);
      if (refused !== undefined) return refused;
    }
    at += length;
  }
  return undefined;
}

/** RFC 4942 2.1.9.5: padding must be zero; anything else could be a covert channel. */
function isPadding(packet: Uint8Array, at: number, length: number): boolean {
  for (let i = at + 2; i < at + length; i++) if (packet[i] !== 0) return false;
  return true;
}

function refusalOfUnknown(type: number, at: number, ip: IpHeader): DropReason | undefined {
  const action = type >>> 6;
  if (action === UNKNOWN_OPTION.SKIP) return undefined;
  const isReported = action === UNKNOWN_OPTION.REPORT ||
    (action === UNKNOWN_OPTION.REPORT_UNICAST && ip.d0 >>> 24 !== 0xff);
  return isReported ? refuse(ip, "ip-option", CODE.unknownOption, at) : "ip-option";
}

/** An upper-layer header. */
export interface UpperLayer {
  /** Protocol number; `FRAGMENT_HEADER` if the packet is not the first fragment. */
  readonly protocol: number;
  readonly at: number;
  /** A fragment header precedes it, other than that of an atomic fragment. */
  readonly isFragment: boolean;
}

/**
 * Finds the header that follows the extension headers from `start` on, without processing them.
 * `next` is the type of the first of them. Returns `undefined` if the packet ends before.
 */
export function findUpperLayer(
  packet: Uint8Array,
  next: number,
  start: number,
  end: number,
): UpperLayer | undefined {
  let type = next;
  let at = start;
  let isFragment = false;
  while (isExtensionHeader(type)) {
    if (at + 8 > end) return undefined;
    if (type === FRAGMENT_HEADER) {
      isFragment ||= !isAtomic(packet, at);
      if ((readU16(packet, at + 2) & 0xfff8) !== 0) break;
    }
    const length = lengthOf(packet, type, at);
    type = packet[at]!;
    at += length;
  }
  return at > end ? undefined : { protocol: type, at, isFragment };
}
