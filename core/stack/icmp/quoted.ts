/**
 * Parses the packet that an ICMP error quotes, of which only the beginning is present.
 *
 * @module
 */
import { IpAddress } from "../../wire/address.ts";
import { readI32, readU16 } from "../../wire/bytes.ts";
import { PROTOCOL } from "../../wire/ip.ts";
import { Segment } from "../../wire/tcp.ts";
import { parseTcpOptions } from "../../wire/tcp_options.ts";

const FRAGMENT_HEADER = 44;
/** Length of a TCP header without options, in bytes. */
const FIXED_HEADER = 20;

/** The quoted segment or datagram, which this stack seems to have sent. */
export interface QuotedPacket {
  /** TCP or UDP. */
  readonly protocol: number;
  readonly local: IpAddress;
  readonly localPort: number;
  readonly remote: IpAddress;
  readonly remotePort: number;
  /** Sequence number of a TCP segment. */
  readonly seq: number;
  /** TSval of a TCP segment, if enough of it is quoted. */
  readonly tsVal: number | undefined;
}

/**
 * Parses the quoted packet in `packet[start, end)`. Returns `undefined` unless it is a TCP segment
 * or UDP datagram, or the first fragment of one.
 */
export function parseQuoted(
  packet: Uint8Array,
  start: number,
  end: number,
): QuotedPacket | undefined {
  if (end - start < 28) return undefined;
  const version = packet[start]! >>> 4;
  if (version === 4) return parseQuotedV4(packet, start, end);
  return version === 6 && end - start >= 48 ? parseQuotedV6(packet, start, end) : undefined;
}

function parseQuotedV4(
  packet: Uint8Array,
  start: number,
  end: number,
): QuotedPacket | undefined {
  if ((readU16(packet, start + 6) & 0x1fff) !== 0) return undefined;
  const ports = start + (packet[start]! & 15) * 4;
  const local = IpAddress.readV4(packet, start + 12);
  const remote = IpAddress.readV4(packet, start + 16);
  return parsePorts(packet, ports, end, packet[start + 9]!, local, remote);
}

/** The only extension header that this stack sends is the fragment header. */
function parseQuotedV6(
  packet: Uint8Array,
  start: number,
  end: number,
): QuotedPacket | undefined {
  const isFragment = packet[start + 6] === FRAGMENT_HEADER;
  if (isFragment && (readU16(packet, start + 42) & 0xfff8) !== 0) return undefined;
  const ports = start + (isFragment ? 48 : 40);
  const protocol = packet[start + (isFragment ? 40 : 6)]!;
  const local = IpAddress.readV6(packet, start + 8);
  const remote = IpAddress.readV6(packet, start + 24);
  return parsePorts(packet, ports, end, protocol, local, remote);
}

function parsePorts(
  packet: Uint8Array,
  ports: number,
  end: number,
  protocol: number,
  local: IpAddress,
  remote: IpAddress,
): QuotedPacket | undefined {
  if ((protocol !== PROTOCOL.TCP && protocol !== PROTOCOL.UDP) || ports + 8 > end) return undefined;
  return {
    protocol,
    local,
    remote,
    localPort: readU16(packet, ports),
    remotePort: readU16(packet, ports + 2),
    seq: readI32(packet, ports + 4),
    tsVal: protocol === PROTOCOL.TCP ? quotedTsVal(packet, ports, end) : undefined,
  };
}

function quotedTsVal(packet: Uint8Array, header: number, end: number): number | undefined {
  const options = header + FIXED_HEADER;
  if (options > end) return undefined;
  const optionsEnd = header + (packet[header + 12]! >>> 4) * 4;
  if (optionsEnd <= options || optionsEnd > end) return undefined;
  parseTcpOptions(packet, options, optionsEnd, SEGMENT);
  return SEGMENT.hasTimestamps ? SEGMENT.tsVal : undefined;
}

const SEGMENT = new Segment();
