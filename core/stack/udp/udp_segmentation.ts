/**
 * UDP super-packets: several datagrams of equal size between the same ports, which a kernel passes
 * on as one packet (Linux: UDP_SEGMENT, GSO).
 *
 * @module
 */
import { writeU16 } from "../../wire/bytes.ts";
import { type IpHeader, writeHeaderChecksum } from "../../wire/ip.ts";
import { UDP_HEADER_LENGTH } from "../../wire/udp.ts";

/** Whether `packet` is more than one datagram. */
export function isUdpSuperPacket(
  { payloadStart, payloadEnd }: IpHeader,
  segmentSize: number,
): boolean {
  return segmentSize > 0 && payloadEnd - payloadStart - UDP_HEADER_LENGTH > segmentSize;
}

/**
 * Splits a super-packet into packets with `segmentSize` bytes of data each; the last may be
 * shorter. All are written to the same memory, so each is valid until the next is requested. The
 * UDP checksum is not updated, since the caller has verified that of the super-packet.
 */
export function* udpSegments(
  { version, payloadStart, payloadEnd }: IpHeader,
  packet: Uint8Array,
  segmentSize: number,
): Generator<Uint8Array> {
  const dataStart = payloadStart + UDP_HEADER_LENGTH;
  const segment = new Uint8Array(dataStart + segmentSize);
  segment.set(packet.subarray(0, dataStart));
  for (let at = dataStart; at < payloadEnd; at += segmentSize) {
    const data = packet.subarray(at, Math.min(at + segmentSize, payloadEnd));
    const size = dataStart + data.length;
    segment.set(data, dataStart);
    writeU16(segment, payloadStart + 4, UDP_HEADER_LENGTH + data.length);
    if (version === 4) setLengthV4(segment, payloadStart, size);
    else writeU16(segment, 4, size - 40);
    yield segment.subarray(0, size);
  }
}

function setLengthV4(packet: Uint8Array, headerLength: number, size: number): void {
  writeU16(packet, 2, size);
  writeHeaderChecksum(packet, 0, headerLength);
}
