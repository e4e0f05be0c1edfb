import { describe, expect, test } from "bun:test";
import type { ChecksumState } from "../../../../core/stack/link.ts";
import type { UdpSocket } from "../../../../core/udp/socket.ts";
import { decode, type SentMessage } from "../../../support/dsl/decode.ts";
import { encodeUdp } from "../../../support/dsl/encode.ts";
import { pattern } from "../../../support/packets.ts";
import { udpBinding, UdpHost } from "../../../support/udp_host.ts";

const ENDS = [["10.0.0.1", "10.0.0.2"], ["fd00::1", "fd00::2"]] as const;

/** A stack on a link that delivers super-packets. */
class SegmentHost extends UdpHost {
  /** Delivers `data` as a super-packet with segments of `segmentSize`; returns the replies. */
  superPacket(
    [from, to]: readonly [string, string],
    data: Uint8Array,
    segmentSize: number,
    checksum: ChecksumState = "partial",
  ): Uint8Array[] {
    const packet = encodeUdp(from, to, 4000, 53, data, true);
    this.stack.receive(packet, packet.length, checksum, segmentSize, this.now);
    return this.sent();
  }
}

function sizesOf({ queue }: UdpSocket): number[] {
  const sizes: number[] = [];
  for (let one = queue.shift(); one !== undefined; one = queue.shift()) sizes.push(one.data.length);
  return sizes;
}

describe("a UDP super-packet", () => {
  // Ten full datagrams and a shorter one, each with its own data.
  test.each(ENDS)("is split into its datagrams, from %s to %s", (from, to) => {
    const host = new SegmentHost();
    const socket = host.socket(udpBinding(53));
    const data = pattern(10 * 1400 + 77);
    expect(host.superPacket([from, to], data, 1400)).toEqual([]);
    expect(socket.queue.count).toBe(11);
    for (let at = 0; at < data.length; at += 1400) {
      const { data: got, local, remotePort } = socket.queue.shift()!;
      expect(got).toEqual(data.slice(at, at + 1400));
      expect([`${local}`, remotePort]).toEqual([to, 4000]);
    }
    expect(host.stack.stats.datagramsIn).toBe(11);
    expect(host.drops()).toEqual({});
  });

  // An exact multiple of the segment size; a single datagram; a shorter one.
  test("is split into as many datagrams as its length requires", () => {
    const host = new SegmentHost();
    const socket = host.socket(udpBinding(53));
    for (const size of [3000, 1000, 500, 0]) host.superPacket(ENDS[0], pattern(size), 1000);
    expect(sizesOf(socket)).toEqual([1000, 1000, 1000, 1000, 500, 0]);
  });

  // Each datagram is handled by itself: dropped, refused, or delivered to a flow.
  test("delivers its datagrams one by one", () => {
    const host = new SegmentHost(1500, { maxDatagrams: 3 });
    const errors = host.superPacket(ENDS[0], pattern(2500), 1000).map((packet) =>
      decode(packet) as SentMessage
    );
    // The error quotes the single datagram, with its own length fields.
    const lengthsIn = ({ body }: SentMessage) => {
      const view = new DataView(body.buffer, body.byteOffset);
      return [view.getUint16(2), view.getUint16(24)];
    };
    expect(errors.map(lengthsIn)).toEqual([[1028, 1008], [1028, 1008], [528, 508]]);
    const socket = host.socket(udpBinding(53));
    host.superPacket(ENDS[1], pattern(5000), 1000);
    expect(sizesOf(socket)).toEqual([1000, 1000, 1000]);
    expect(host.drops()).toEqual({ "udp-port": 3, "udp-queue": 2 });
  });

  // On a link that does not verify checksums, the checksum covers the whole super-packet.
  test("with a wrong checksum is dropped as a whole", () => {
    const host = new SegmentHost();
    const socket = host.socket(udpBinding(53));
    host.superPacket(ENDS[0], pattern(3000), 1000, "full");
    const broken = encodeUdp(...ENDS[0], 4000, 53, pattern(3000), true);
    broken[100]! ^= 1;
    host.stack.receive(broken, broken.length, "full", 1000, host.now);
    expect(sizesOf(socket)).toEqual([1000, 1000, 1000]);
    expect(host.drops()).toEqual({ "udp-checksum": 1 });
  });
});
