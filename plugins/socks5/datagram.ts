/**
 * The header of a client's datagrams (RFC 1928 7).
 *
 * @module
 */
import { addressText } from "../../core/api/addresses.ts";
import type { HostPort } from "../../core/api/host_port.ts";
import { readU16 } from "../../core/wire/bytes.ts";
import { ADDRESS_TYPE, encodeAddress } from "./protocol.ts";

/** A datagram of a client. */
export interface WrappedDatagram {
  /** Its target. */
  readonly target: HostPort;
  /** The payload for the target, a view of the datagram. */
  readonly payload: Uint8Array;
}

/** Bytes before the address: RSV (2) and FRAG. */
const PREFIX_SIZE = 3;

/** Parses a datagram; a string is the reason to drop it. */
export function unwrap(datagram: Uint8Array): WrappedDatagram | "malformed" | "fragment" {
  const [high, low, fragment, type, length = 0] = datagram;
  if (type === undefined || high !== 0 || low !== 0) return "malformed";
  // Reassembly is optional (RFC 1928 7), and clients do not send fragments.
  if (fragment !== 0) return "fragment";
  const isName = type === ADDRESS_TYPE.NAME;
  const start = PREFIX_SIZE + (isName ? 2 : 1);
  const size = isName ? length : SIZES[type];
  if (size === undefined || datagram.length < start + size + 2) return "malformed";
  const address = datagram.subarray(start, start + size);
  const portAt = start + size;
  const port = readU16(datagram, portAt);
  if (port === 0 || size === 0) return "malformed";
  const hostname = isName ? new TextDecoder().decode(address) : addressText(address);
  return { target: { hostname, port }, payload: datagram.subarray(portAt + 2) };
}

const SIZES: Readonly<Record<number, number>> = { [ADDRESS_TYPE.V4]: 4, [ADDRESS_TYPE.V6]: 16 };

/** The header of a datagram from `address`. */
export function headerFrom(address: HostPort): Uint8Array<ArrayBuffer> {
  return Uint8Array.of(0, 0, 0, ...encodeAddress(address));
}
