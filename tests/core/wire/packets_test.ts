import { describe, expect, test } from "bun:test";
import { seededRandom } from "../../../adapters/runtime/seeded_random.ts";
import { IpAddress } from "../../../core/wire/address.ts";
import { emitIcmpHeader, IcmpMessage, parseIcmp } from "../../../core/wire/icmp.ts";
import { emitIp, IpHeader, parseIp } from "../../../core/wire/ip.ts";
import { emitTcpHeader, FLAG, parseTcp, Segment } from "../../../core/wire/tcp.ts";
import { emitSack, emitSynOptions, emitTimestamps } from "../../../core/wire/tcp_options.ts";
import { assert } from "../../support/assert.ts";

const V4 = [IpAddress.parse("10.0.0.1")!, IpAddress.parse("10.0.0.2")!] as const;
const V6 = [IpAddress.parse("fd00::1")!, IpAddress.parse("fd00::2")!] as const;

function ipPacket(family: readonly [IpAddress, IpAddress], payload: number, protocol = 6) {
  const packet = new Uint8Array(40 + payload);
  const fields = { protocol, payloadLength: payload, hopLimit: 64, trafficClass: 3 };
  const length = emitIp(packet, 0, ...family, { ...fields, identification: 7 });
  return packet.subarray(0, length + payload);
}

/** Updates the IPv4 header checksum, so that only the change is wrong. */
function repair(packet: Uint8Array): Uint8Array {
  packet[10] = packet[11] = 0;
  let sum = 0;
  for (let at = 0; at < (packet[0]! & 15) * 4; at += 2) sum += packet[at]! * 256 + packet[at + 1]!;
  while (sum > 0xffff) sum = (sum & 0xffff) + (sum >>> 16);
  packet[10] = ~sum >>> 8;
  packet[11] = ~sum;
  return packet;
}

function change(packet: Uint8Array, at: number, value: number): Uint8Array {
  const changed = packet.slice();
  changed[at] = value;
  return changed[0]! >>> 4 === 4 ? repair(changed) : changed;
}

const dropOf = (packet: Uint8Array, size = packet.length) => parseIp(packet, size, new IpHeader());

describe("parseIp", () => {
  // Both families through the same emitter and parser.
  test.each([[V4, 20], [V6, 40]] as const)(
    "parses what emitIp writes (RFC 791 3.1, RFC 8200 3)",
    (family, headerLength) => {
      const ip = new IpHeader();
      const packet = ipPacket(family, 33);
      expect(parseIp(packet, packet.length, ip)).toBe(undefined);
      expect(ip).toMatchObject({ protocol: 6, hopLimit: 64, trafficClass: 3 });
      expect([ip.payloadStart, ip.payloadEnd]).toEqual([headerLength, headerLength + 33]);
      expect(new IpAddress(ip.s0, ip.s1, ip.s2, ip.s3).equals(family[0])).toBe(true);
      expect(new IpAddress(ip.d0, ip.d1, ip.d2, ip.d3).equals(family[1])).toBe(true);
    },
  );

  // Each kind of invalid header has a drop reason.
  test("returns the reason to drop an IPv4 packet (RFC 1122 3.2.1)", () => {
    const packet = ipPacket(V4, 20);
    expect(dropOf(packet, 0)).toBe("ip-short");
    expect(dropOf(packet, 19)).toBe("ip-short");
    expect(dropOf(packet, 39)).toBe("ip-short");
    expect(dropOf(change(packet, 0, 0x55))).toBe("ip-version");
    expect(dropOf(change(packet, 0, 0x44))).toBe("ip-header");
    expect(dropOf(change(packet, 3, 19))).toBe("ip-header");
    const damaged = packet.slice();
    damaged[8]! ^= 1;
    expect(dropOf(damaged)).toBe("ip-checksum");
    // Options are skipped.
    const options = ipPacket(V4, 24);
    expect(dropOf(change(options, 0, 0x46))).toBe(undefined);
  });

  test("returns the reason to drop an IPv6 packet (RFC 8200 3)", () => {
    const packet = ipPacket(V6, 20);
    expect(dropOf(packet, 39)).toBe("ip-short");
    expect(dropOf(packet, 59)).toBe("ip-short");
    const mapped = packet.slice();
    mapped.fill(0, 8, 18);
    mapped.fill(0xff, 18, 20);
    expect(dropOf(mapped)).toBe("ip-source");
    for (const extension of [0, 43, 60, 44]) {
      expect(dropOf(ipPacket(V6, 7, extension))).toBe("ip-header");
    }
  });

  // Hop-by-hop options, destination options and an atomic fragment precede the TCP header.
  test("skips extension headers (RFC 8200 4, RFC 6946)", () => {
    const packet = ipPacket(V6, 8 + 16 + 8 + 20, 0);
    packet.set([60, 0], 40);
    packet.set([44, 1, 0x3e, 12], 48);
    packet.set([6, 0, 0, 0], 64);
    const ip = new IpHeader();
    expect(parseIp(packet, packet.length, ip)).toBe(undefined);
    expect(ip.protocol).toBe(6);
    expect(ip.payloadStart).toBe(72);
    expect(ip.isFragment).toBe(false);
    packet[49] = 200; // longer than the packet
    expect(dropOf(packet)).toBe("ip-header");
    const routed = ipPacket(V6, 28, 43);
    routed.set([6, 0, 0, 1], 40);
    expect(dropOf(routed)).toBe("ip-source-route");
  });

  // Offset and more-fragments bit in both families, for reassembly.
  test("returns offset and identification of a fragment (RFC 791 3.1, RFC 8200 4.5)", () => {
    const ip = new IpHeader();
    const v4 = change(change(ipPacket(V4, 24), 6, 0x20), 7, 185);
    expect(parseIp(v4, v4.length, ip)).toBe(undefined);
    expect(ip).toMatchObject({ isFragment: true, moreFragments: true, fragmentOffset: 1480 });
    expect(ip.fragmentId).toBe(7);
    const v6 = ipPacket(V6, 8 + 16, 44);
    v6.set([6, 0, 0, 8 << 3, 0, 0, 0, 9], 40);
    expect(parseIp(v6, v6.length, ip)).toBe(undefined);
    expect(ip).toMatchObject({ isFragment: true, moreFragments: false, fragmentOffset: 64 });
    expect(ip.fragmentId).toBe(9);
    expect(parseIp(ipPacket(V4, 20), 40, ip)).toBe(undefined);
    expect(ip.isFragment).toBe(false);
  });

  // Random bytes.
  test("never throws and never reads beyond the packet, for any bytes", () => {
    const random = seededRandom(5);
    const ip = new IpHeader();
    for (let i = 0; i < 20_000; i++) {
      const packet = new Uint8Array(random.uint32() % 100);
      random.fill(packet);
      if (packet.length > 0) packet[0] = (i % 2 === 0 ? 0x60 : 0x40) | (packet[0]! & 15);
      if (packet.length > 20 && i % 3 === 0) packet[6] = [0, 43, 44, 60][i % 4]!;
      if (packet.length > 20) packet[i % 2 === 0 ? 4 : 2] = 0;
      if (packet.length > 20 && i % 2 === 1) repair(packet.length >= 60 ? packet : packet.slice());
      if (parseIp(packet, packet.length, ip) !== undefined) continue;
      assert(ip.payloadStart <= ip.payloadEnd, "the payload starts before it ends");
      assert(ip.payloadEnd <= packet.length, "the payload lies in the packet");
    }
  });
});

function optionsOf({ mss, windowScale, sackPermitted, sackCount, ...segment }: Segment): string {
  const { hasTimestamps } = segment;
  return JSON.stringify([mss, windowScale, sackPermitted, sackCount, hasTimestamps]);
}

describe("parseTcp", () => {
  // Fields, all options of a SYN, and text.
  test("parses what the emitters write (RFC 9293 3.1)", () => {
    const bytes = new Uint8Array(100);
    const optionsLength = emitSynOptions(bytes, 25, {
      mss: 1460,
      windowScale: 7,
      sackPermitted: true,
      timestamps: true,
      tsVal: -5,
      tsEcr: 9,
    });
    emitTcpHeader(bytes, 5, {
      sourcePort: 50_000,
      destinationPort: 80,
      seq: -2,
      ack: 0x7fffffff,
      flags: FLAG.SYN | FLAG.ACK,
      window: 0xffff,
      optionsLength,
    });
    const segment = new Segment();
    expect(parseTcp(bytes, 5, 25 + optionsLength + 3, segment)).toBe(undefined);
    expect(segment).toMatchObject({
      sourcePort: 50_000,
      destinationPort: 80,
      seq: -2,
      ack: 0x7fffffff,
      flags: FLAG.SYN | FLAG.ACK,
      window: 0xffff,
      mss: 1460,
      windowScale: 7,
      sackPermitted: true,
      hasTimestamps: true,
      tsVal: -5,
      tsEcr: 9,
    });
    expect([segment.textLength, segment.length]).toEqual([3, 4]);
  });

  // Timestamps and three blocks fill the 40 bytes available for options.
  test("parses timestamps with SACK blocks (RFC 2018 3, RFC 7323 3)", () => {
    const bytes = new Uint8Array(60);
    const blocks = [1, 2, -4, -3, 100, 200];
    let end = 20 + emitTimestamps(bytes, 20, 1, 2);
    end += emitSack(bytes, end, blocks);
    expect(end).toBe(60);
    const fields = { sourcePort: 1, destinationPort: 2, seq: 0, ack: 0, flags: 16, window: 0 };
    emitTcpHeader(bytes, 0, { ...fields, optionsLength: end - 20 });
    const segment = new Segment();
    expect(parseTcp(bytes, 0, end, segment)).toBe(undefined);
    expect(segment.sackCount).toBe(3);
    const read = segment.sackStarts.flatMap((start, i) => [start, segment.sackEnds[i]]);
    expect(read.slice(0, 6)).toEqual(blocks);
    expect(segment.hasTimestamps).toBe(true);
  });

  test("returns the reason to drop a segment (RFC 9293 3.1)", () => {
    const bytes = new Uint8Array(24);
    const fields = { sourcePort: 1, destinationPort: 2, seq: 0, ack: 0, flags: 16, window: 0 };
    const drop = (size: number) => parseTcp(bytes, 0, size, new Segment());
    emitTcpHeader(bytes, 0, { ...fields, optionsLength: 4 });
    expect(drop(24)).toBe(undefined);
    expect(drop(19)).toBe("tcp-short");
    expect(drop(23)).toBe("tcp-offset");
    bytes[12] = 4 << 4;
    expect(drop(24)).toBe("tcp-offset");
    emitTcpHeader(bytes, 0, { ...fields, sourcePort: 0, optionsLength: 0 });
    expect(drop(24)).toBe("tcp-port");
    emitTcpHeader(bytes, 0, { ...fields, destinationPort: 0, optionsLength: 0 });
    expect(drop(24)).toBe("tcp-port");
  });

  // A length of 0 or 1, or beyond the header, only ends the parsing of options.
  test("stops at an option of invalid length (RFC 9293 3.1, MUST-7)", () => {
    const segment = new Segment();
    for (const options of [[2, 0, 5, 180], [2, 1, 5, 180], [2, 5, 5, 180], [1, 1, 1, 2]]) {
      const bytes = new Uint8Array(24);
      const fields = { sourcePort: 1, destinationPort: 2, seq: 0, ack: 0, flags: 2, window: 0 };
      emitTcpHeader(bytes, 0, { ...fields, optionsLength: 4 });
      bytes.set(options, 20);
      expect(parseTcp(bytes, 0, 24, segment)).toBe(undefined);
      expect(segment.mss).toBe(0);
    }
  });

  // The record is reused, and must not keep options of an earlier segment.
  test("clears the options of the previous segment", () => {
    const random = seededRandom(6);
    const used = new Segment();
    for (let i = 0; i < 20_000; i++) {
      const bytes = new Uint8Array(20 + random.uint32() % 60);
      random.fill(bytes);
      bytes[12] = (5 + random.uint32() % 11) << 4;
      for (let at = 20; at < bytes.length; at += 3) bytes[at] = [0, 1, 2, 3, 4, 5, 8][i % 7]!;
      const fresh = new Segment();
      const drop = parseTcp(bytes, 0, bytes.length, fresh);
      assert(parseTcp(bytes, 0, bytes.length, used) === drop, "both are dropped or none");
      if (drop !== undefined) continue;
      assert(optionsOf(used) === optionsOf(fresh), "the same options are read");
      assert(used.sackCount <= 4 && used.textStart <= used.textEnd, "everything lies inside");
    }
  });
});

describe("parseIcmp", () => {
  // The two families use different types and codes for the same meanings.
  test.each(
    [
      [4, 8, 0, "echo-request"],
      [6, 128, 0, "echo-request"],
      [4, 3, 3, "port-unreachable"],
      [6, 1, 4, "port-unreachable"],
      [4, 3, 1, "host-unreachable"],
      [6, 1, 3, "host-unreachable"],
      [4, 3, 13, "prohibited"],
      [6, 1, 1, "prohibited"],
      [4, 11, 0, "time-exceeded"],
      [6, 3, 0, "time-exceeded"],
      [4, 4, 0, "source-quench"],
      [4, 12, 0, "parameter-problem"],
      [6, 4, 1, "parameter-problem"],
      [4, 3, 99, "other"],
      [4, 0, 0, "other"],
      [6, 129, 0, "other"],
      [6, 135, 0, "other"],
    ] as const,
  )("reads IPv%d type %d code %d as %s (RFC 792, RFC 4443)", (version, type, code, is) => {
    const bytes = new Uint8Array(8);
    emitIcmpHeader(bytes, 0, type, code, 0);
    const message = new IcmpMessage();
    parseIcmp(version, bytes, 0, message);
    expect(message).toMatchObject({ meaning: is, mtu: 0, bodyStart: 8 });
  });

  // The next-hop MTU has 16 bits in IPv4 and 32 bits in IPv6.
  test("returns the MTU of a packet-too-big error (RFC 1191 4, RFC 4443 3.2)", () => {
    const bytes = new Uint8Array(8);
    const message = new IcmpMessage();
    emitIcmpHeader(bytes, 0, 3, 4, 1400);
    parseIcmp(4, bytes, 0, message);
    expect(message).toMatchObject({ meaning: "packet-too-big", mtu: 1400 });
    emitIcmpHeader(bytes, 0, 2, 0, 70_000);
    parseIcmp(6, bytes, 0, message);
    expect(message).toMatchObject({ meaning: "packet-too-big", mtu: 70_000 });
  });
});
