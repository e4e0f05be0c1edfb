import { describe, expect, test } from "bun:test";
import { OutgoingPacket } from "../../../../core/stack/link.ts";
import { IpAddress } from "../../../../core/wire/address.ts";
import { pseudoHeaderSum } from "../../../../core/wire/checksum.ts";
import { pattern } from "../../../support/packets.ts";
import { udpBinding, UdpHost } from "../../../support/udp_host.ts";

const FAMILIES = [["10.0.0.2", "10.0.0.1"], ["fd00::2", "fd00::1"]] as const;
type Ends = typeof FAMILIES[number];

/** A packet as the link gets it: its datagrams, and their common fields. */
interface Sent {
  readonly sizes: number[];
  readonly segmentSize: number;
  readonly bytes: Uint8Array;
  readonly headers: number;
}

/** A stack on a link that splits super-packets of datagrams. */
class BatchHost extends UdpHost {
  constructor() {
    const largest = 65_535;
    super(1500, {}, { maxDatagramSuperPacket: largest, maxSuperPacket: largest });
  }

  /** Queues datagrams without sending them. */
  queue([from, to]: Ends, sizes: readonly number[], port = 53): void {
    const [local, remote] = [IpAddress.parse(from)!, IpAddress.parse(to)!];
    for (const size of sizes) {
      const data = pattern(size).map((byte) => byte ^ size);
      expect(this.stack.udp.send(local, 4000, remote, port, data, this.now)).toBeUndefined();
    }
  }

  /** The packets that the link gets; the data of each datagram is checked. */
  packets(): Sent[] {
    const out = new OutgoingPacket();
    const packets: Sent[] = [];
    while (this.stack.pollTransmit(out, this.now)) {
      const bytes = new Uint8Array(out.byteLength);
      out.copyTo(bytes, 0);
      const headers = out.ipHeaderLength + 8;
      const sizes: number[] = [];
      for (let at = headers; at < bytes.length; at += out.segmentSize) {
        const end = out.segmentSize > 0 ? Math.min(at + out.segmentSize, bytes.length) : Infinity;
        const data = bytes.subarray(at, end);
        expect(data).toEqual(pattern(data.length).map((byte) => byte ^ data.length));
        sizes.push(data.length);
        if (out.segmentSize === 0) break;
      }
      packets.push({ sizes, segmentSize: out.segmentSize, bytes, headers });
    }
    return packets;
  }

  /** The sizes of the datagrams in each packet. */
  sizes(): number[][] {
    return this.packets().map(({ sizes }) => sizes);
  }
}

describe("datagrams to one peer", () => {
  // Equal lengths, then a shorter one, which is the last: the next begins another packet.
  test.each(FAMILIES)("share a packet from %s to %s", (from, to) => {
    const ends = [from, to] as Ends;
    const host = new BatchHost();
    host.queue(ends, [100, 100, 100, 40, 40, 100, 100]);
    expect(host.sizes()).toEqual([[100, 100, 100, 40], [40], [100, 100]]);
    expect(host.stack.stats.datagramsOut).toBe(7);
    expect(host.sizes()).toEqual([]);
  });

  // The link computes the checksum of each from the sum of the pseudo-header.
  test.each(FAMILIES)("have headers for all of them from %s to %s (RFC 768)", (from, to) => {
    const ends = [from, to] as Ends;
    const host = new BatchHost();
    host.queue(ends, [100, 100, 30]);
    const [{ bytes, headers, segmentSize }] = host.packets() as [Sent];
    expect([segmentSize, bytes.length]).toEqual([100, headers + 230]);
    const view = new DataView(bytes.buffer);
    const at = headers - 8;
    expect([0, 2, 4].map((offset) => view.getUint16(at + offset))).toEqual([4000, 53, 238]);
    const [local, remote] = ends.map((text) => IpAddress.parse(text)!);
    const sum = pseudoHeaderSum(local!, remote!, 17, 238);
    expect(view.getUint16(at + 6)).toBe((sum & 0xffff) + (sum >>> 16));
    expect(view.getUint16(bytes[0]! >>> 4 === 4 ? 2 : 4)).toBe(
      bytes[0]! >>> 4 === 4 ? bytes.length : bytes.length - 40,
    );
  });

  // The link gives each datagram its own identification.
  test("have identifications of their own (RFC 6864 4.1)", () => {
    const host = new BatchHost();
    host.queue(FAMILIES[0], [9, 9, 9, 8, 9]);
    const [one, other] = host.packets().map(({ bytes }) => (bytes[4]! << 8) | bytes[5]!);
    expect((other! - one!) & 0xffff).toBe(4);
  });

  // Datagrams to other ports and empty datagrams do not share a packet; others do, up to 64, as the kernel accepts.
  test("do not share a packet if the link could not separate them", () => {
    const host = new BatchHost();
    const [ends] = FAMILIES;
    host.queue(ends, [10]);
    host.queue(ends, [10], 54);
    host.queue(ends, [10]);
    expect(host.sizes()).toEqual([[10], [10], [10]]);
    host.queue(ends, [0, 0, 5, 0]);
    expect(host.packets().map(({ bytes, headers }) => bytes.length - headers)).toEqual([
      0,
      0,
      5,
      0,
    ]);
    host.queue(ends, new Array(130).fill(7));
    expect(host.sizes().map(({ length }) => length)).toEqual([64, 64, 2]);
  });

  // 46 datagrams of 1400 bytes fit into the largest packet. Datagrams larger than the MTU are fragmented.
  test("fill a packet up to its largest size, and keep their order", () => {
    const host = new BatchHost();
    const [ends] = FAMILIES;
    host.queue(ends, new Array(50).fill(1400));
    expect(host.sizes().map(({ length }) => length)).toEqual([46, 4]);
    host.queue(ends, [100, 2000, 100]);
    const out = new OutgoingPacket();
    const lengths: number[] = [];
    while (host.stack.pollTransmit(out, 0)) lengths.push(out.byteLength);
    expect(lengths).toEqual([128, 1500, 548, 128]);
  });

  // The queue before a full link is bounded: 1024 datagrams, in any number of packets.
  test("are dropped above the limit of the queue", () => {
    const host = new BatchHost();
    host.queue(FAMILIES[0], new Array(1100).fill(7));
    expect(host.sizes().flat().length).toBe(1024);
    expect(host.stack.stats.linkFull).toBe(76);
    host.queue(FAMILIES[0], [7]);
    expect(host.sizes()).toEqual([[7]]);
  });

  // A packet to itself never reaches the link.
  test("are delivered one by one within the stack", () => {
    const host = new BatchHost();
    const socket = host.socket(udpBinding(53));
    host.queue(["10.0.0.2", "10.0.0.2"] as unknown as Ends, [20, 20, 20]);
    expect(host.packets()).toEqual([]);
    expect(socket.queue.count).toBe(3);
  });
});
