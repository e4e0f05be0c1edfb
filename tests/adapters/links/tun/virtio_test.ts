import { describe, expect, test } from "bun:test";
import {
  checksumState,
  segmentSize,
  VIRTIO_HEADER_SIZE,
  writeVirtioHeader,
} from "../../../../adapters/links/tun/virtio.ts";
import { OutgoingPacket } from "../../../../core/stack/link.ts";
import { pattern, tcpPacket, udpPacket } from "../../../support/packets.ts";

const v4 = { from: "10.0.0.1", to: "10.0.0.2" };
const v6 = { from: "fd00::1", to: "fd00::2" };
const ACK = 0x10;
const CWR = 0x80;

/** Flags and GSO type, then header length, segment size, checksum start and offset, buffers. */
function headerOf(packet: OutgoingPacket): string {
  const { HEADROOM } = OutgoingPacket;
  packet.header.fill(0xff, 0, HEADROOM); // of the previous packet
  writeVirtioHeader(packet);
  return packet.header.slice(HEADROOM - VIRTIO_HEADER_SIZE, HEADROOM).toHex();
}

describe("writeVirtioHeader", () => {
  // No offload.
  test("is all zeros for a complete packet", () => {
    expect(headerOf(udpPacket(v4, pattern(100)))).toBe("00".repeat(12));
  });

  // The kernel sums from the TCP header on and writes the checksum at offset 16.
  test("describes a partial checksum", () => {
    expect(headerOf(tcpPacket(v4, pattern(100)))).toBe(
      "0100" + "0000" + "0000" + "1400" + "1000" + "0000",
    );
    expect(headerOf(tcpPacket(v6, pattern(100)))).toBe(
      "0100" + "0000" + "0000" + "2800" + "1000" + "0000",
    );
  });

  // 40 and 60 bytes of headers, 1448 (0x5a8) of payload in each segment.
  test("describes a super-packet", () => {
    expect(headerOf(tcpPacket(v4, pattern(5000), 1448)))
      .toBe("0101" + "2800" + "a805" + "1400" + "1000" + "0000");
    expect(headerOf(tcpPacket(v6, pattern(5000), 1448)))
      .toBe("0104" + "3c00" + "a805" + "2800" + "1000" + "0000");
  });

  // The UDP checksum is at offset 6 of its header; 28 and 48 bytes of headers, 100 (0x64) of data each.
  test("describes datagrams", () => {
    const datagrams = (route: typeof v4, size: number, segmentSize: number) => {
      const packet = udpPacket(route, pattern(size));
      packet.checksumPartial = true;
      packet.segmentSize = segmentSize;
      packet.headerLength = packet.ipHeaderLength + 8;
      return headerOf(packet);
    };
    expect(datagrams(v4, 100, 0)).toBe("0100" + "0000" + "0000" + "1400" + "0600" + "0000");
    expect(datagrams(v4, 950, 100)).toBe("0105" + "1c00" + "6400" + "1400" + "0600" + "0000");
    expect(datagrams(v6, 950, 100)).toBe("0105" + "3000" + "6400" + "2800" + "0600" + "0000");
  });

  // Only the first segment must have CWR.
  test("marks a super-packet with CWR (RFC 3168 6.1.2)", () => {
    expect(headerOf(tcpPacket(v4, pattern(5000), 1448, ACK | CWR)).slice(0, 4)).toBe("0181");
    expect(headerOf(tcpPacket(v6, pattern(5000), 1448, ACK | CWR)).slice(0, 4)).toBe("0184");
  });
});

describe("a received header", () => {
  // The kernel's own packets have partial checksums; those of forwarded packets may have been
  // verified by a NIC.
  test("gives the checksum state", () => {
    expect(checksumState(new Uint8Array(12))).toBe("full");
    expect(checksumState(new Uint8Array([1]))).toBe("partial");
    expect(checksumState(new Uint8Array([2]))).toBe("verified");
  });

  // Little-endian, and 0 without a GSO type.
  test("gives the segment size of a super-packet", () => {
    expect(segmentSize(Uint8Array.fromHex("0101" + "2800" + "a805" + "1400" + "1000" + "0000")))
      .toBe(1448);
    expect(segmentSize(Uint8Array.fromHex("0100" + "0000" + "a805" + "1400" + "1000" + "0000")))
      .toBe(0);
  });
});
