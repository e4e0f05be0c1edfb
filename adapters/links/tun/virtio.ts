/**
 * The header before every packet of a TUN device with IFF_VNET_HDR: `struct
 * virtio_net_hdr_mrg_rxbuf` in host byte order (virtio 1.2, 5.1.6).
 *
 * @module
 */
import { type ChecksumState, OutgoingPacket } from "../../../core/stack/link.ts";
import { PROTOCOL } from "../../../core/wire/ip.ts";

/** 12 rather than 10, so that the IP header after it is aligned to 4 bytes. */
export const VIRTIO_HEADER_SIZE = 12;

const NEEDS_CHECKSUM = 1;
const DATA_VALID = 2;
const GSO_TCPV4 = 1;
const GSO_TCPV6 = 4;
const GSO_UDP_L4 = 5;
const GSO_ECN = 0x80;
/** Offsets of the flags and the checksum in the TCP header (RFC 9293 3.1). */
const TCP_FLAGS = 13;
const TCP_CHECKSUM = 16;
/** Offset of the checksum in the UDP header (RFC 768). */
const UDP_CHECKSUM = 6;
const CWR = 0x80;

/**
 * Writes the header before a packet; `frameHeader` is the length of the Ethernet header between the
 * two.
 */
export function writeVirtioHeader(packet: OutgoingPacket, frameHeader = 0): void {
  const { header, headerLength, ipHeaderLength, segmentSize } = packet;
  const at = OutgoingPacket.HEADROOM - frameHeader - VIRTIO_HEADER_SIZE;
  for (let i = 0; i < VIRTIO_HEADER_SIZE; i++) header[at + i] = 0;
  if (packet.checksumPartial) {
    header[at] = NEEDS_CHECKSUM;
    header[at + 6] = frameHeader + ipHeaderLength;
    header[at + 8] = isUdp(packet) ? UDP_CHECKSUM : TCP_CHECKSUM;
  }
  if (segmentSize > 0) {
    header[at + 1] = gsoType(packet);
    header[at + 2] = frameHeader + headerLength;
    header[at + 4] = segmentSize;
    header[at + 5] = segmentSize >>> 8;
  }
}

/** Packets with offload have no extension headers. */
function isUdp({ header }: OutgoingPacket): boolean {
  const ip = OutgoingPacket.HEADROOM;
  return header[ip + (header[ip]! >>> 4 === 4 ? 9 : 6)] === PROTOCOL.UDP;
}

function gsoType(packet: OutgoingPacket): number {
  if (isUdp(packet)) return GSO_UDP_L4;
  const { header, ipHeaderLength } = packet;
  const ip = OutgoingPacket.HEADROOM;
  const type = header[ip]! >>> 4 === 4 ? GSO_TCPV4 : GSO_TCPV6;
  // Only the first segment must have CWR (RFC 3168 6.1.2).
  return header[ip + ipHeaderLength + TCP_FLAGS]! & CWR ? type | GSO_ECN : type;
}

/** Checksum state of a received packet, from its header. */
export function checksumState(header: Uint8Array): ChecksumState {
  const flags = header[0]!;
  if (flags & NEEDS_CHECKSUM) return "partial";
  return flags & DATA_VALID ? "verified" : "full";
}

/** Payload bytes per segment of a received super-packet; 0 for other packets. */
export function segmentSize(header: Uint8Array): number {
  return header[1] === 0 ? 0 : header[4]! | (header[5]! << 8);
}
