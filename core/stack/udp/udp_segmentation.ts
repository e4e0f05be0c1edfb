/**
 * UDP super-packets: datagrams of one size between the same ports that a kernel hands over as one
 * (Linux: UDP_SEGMENT, generic segmentation offload).
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
 * The packets that a super-packet stands for, one after the other: each holds `segmentSize` bytes of
 * its data, the last one what is left. They share their bytes: one is over when the next is asked
 * for. The checksum of UDP stays as it was, and wrong: the link vouches for the data.
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
