/**
 * Validation of IPv4 options (RFC 791 3.1); source routes with hops left are refused.
 *
 * @module
 */
import type { DropReason } from "./drop_reason.ts";
import type { IpHeader } from "./ip_header.ts";

const END_OF_LIST = 0;
const NO_OPERATION = 1;
const RECORD_ROUTE = 7;
const TIMESTAMP = 68;
const LOOSE_SOURCE_ROUTE = 131;
const STRICT_SOURCE_ROUTE = 137;

const DESTINATION_UNREACHABLE = 3;
const SOURCE_ROUTE_FAILED = 5;
const PARAMETER_PROBLEM = 12;

/** Checks the options of a header of `end` bytes. Unknown ones are ignored (RFC 1122 3.2.1.8). */
export function checkOptions(
  packet: Uint8Array,
  end: number,
  ip: IpHeader,
): DropReason | undefined {
  let hasSourceRoute = false;
  for (let at = 20; at < end;) {
    const type = packet[at]!;
    if (type === END_OF_LIST) return undefined;
    if (type === NO_OPERATION) {
      at++;
      continue;
    }
    const length = at + 1 < end ? packet[at + 1]! : 0;
    if (length < 2 || at + length > end) return problem(ip, at);
    const isSourceRoute = type === LOOSE_SOURCE_ROUTE || type === STRICT_SOURCE_ROUTE;
    // RFC 1122 3.2.1.8 (c): at most one source route.
    if (isSourceRoute && hasSourceRoute) return problem(ip, at);
    hasSourceRoute ||= isSourceRoute;
    if (isSourceRoute || type === RECORD_ROUTE || type === TIMESTAMP) {
      const refused = checkPointer(packet, at, type, ip);
      if (refused !== undefined) return refused;
    }
    at += length;
  }
  return undefined;
}

/** Checks an option that has a pointer: to the next hop, or to the next free slot. */
function checkPointer(
  packet: Uint8Array,
  at: number,
  type: number,
  ip: IpHeader,
): DropReason | undefined {
  const isTimestamp = type === TIMESTAMP;
  const fixed = isTimestamp ? 4 : 3;
  const length = packet[at + 1]!;
  if (length < fixed) return problem(ip, at + 1);
  const pointer = packet[at + 2]!;
  if (pointer <= fixed) return problem(ip, at + 2);
  // RFC 791 3.1: a pointer beyond the length means that the route has ended or the option is full.
  if (pointer > length) return undefined;
  if (pointer + 3 > length) return problem(ip, at + 2);
  if (isTimestamp || type === RECORD_ROUTE) return undefined;
  // RFC 1122 3.3.5: this host forwards nothing.
  ip.error = { type: DESTINATION_UNREACHABLE, code: SOURCE_ROUTE_FAILED, rest: 0 };
  return "ip-source-route";
}

/** RFC 792: the pointer is the first byte after the checksum. */
function problem(ip: IpHeader, pointer: number): DropReason {
  ip.error = { type: PARAMETER_PROBLEM, code: 0, rest: pointer << 24 };
  return "ip-option";
}
