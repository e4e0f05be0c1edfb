import { describe, expect, test } from "bun:test";
import { IpAddress } from "../../../core/wire/address.ts";
import { emitIp, IpHeader, parseIp } from "../../../core/wire/ip.ts";
import { emitUdp, maxDatagramLength, parseUdp, UdpHeader } from "../../../core/wire/udp.ts";
import { decodeUdp } from "../../support/dsl/decode_udp.ts";
import { encodeIp, encodeUdp } from "../../support/dsl/encode.ts";
import { pattern } from "../../support/packets.ts";

const ENDS: Record<4 | 6, [string, string]> = {
  4: ["10.0.0.1", "10.0.0.2"],
  6: ["fd00::1", "fd00::2"],
};
const FAMILIES: [4 | 6][] = [[4], [6]];

function parse(packet: Uint8Array, mustVerify = true) {
  const ip = new IpHeader();
  expect(parseIp(packet, packet.length, ip)).toBeUndefined();
  const header = new UdpHeader();
  const drop = parseUdp(ip, packet, mustVerify, header);
  return { ...header, drop, data: packet.subarray(header.dataStart, header.dataEnd) };
}

/** A datagram as the stack would write it. */
function emit(version: 4 | 6, data: Uint8Array): Uint8Array<ArrayBuffer> {
  const [source, destination] = ENDS[version].map((text) => IpAddress.parse(text)!);
  const headerLength = version === 4 ? 20 : 40;
  const packet = new Uint8Array(headerLength + 8 + data.length);
  const payloadLength = 8 + data.length;
  const fields = { protocol: 17, payloadLength, hopLimit: 64, trafficClass: 0, identification: 1 };
  emitIp(packet, 0, source!, destination!, fields);
  packet.set(data, headerLength + 8);
  emitUdp(packet, headerLength, source!, 4000, destination!, 53);
  return packet;
}

function change(packet: Uint8Array, at: number, value: number): Uint8Array {
  const changed = packet.slice();
  changed[at] = value;
  return changed;
}

describe("emitUdp", () => {
  // Odd and even lengths, both families, and an empty datagram.
  test.each(FAMILIES)("writes valid datagrams over IPv%d (RFC 768)", (version: 4 | 6) => {
    for (const length of [0, 1, 2, 511, 1400]) {
      const sent = decodeUdp(emit(version, pattern(length)));
      expect(sent).toMatchObject({ sourcePort: 4000, destinationPort: 53 });
      expect(sent.data).toEqual(pattern(length));
    }
  });

  // The data makes the sum all ones, whose complement is zero, which would mean "no checksum".
  test.each(FAMILIES)("never sends a checksum of zero over IPv%d (RFC 768)", (version: 4 | 6) => {
    const { checksum } = decodeUdp(emit(version, new Uint8Array(2)));
    const data = Uint8Array.of(checksum >> 8, checksum & 255);
    expect(decodeUdp(emit(version, data)).checksum).toBe(0xffff);
  });

  // 65,535 bytes minus the headers that are included in the length field.
  test("returns the maximum length of a datagram (RFC 768, RFC 8200 3)", () => {
    expect(maxDatagramLength(IpAddress.ANY_V4)).toBe(65_507);
    expect(maxDatagramLength(IpAddress.ANY_V6)).toBe(65_527);
  });
});

describe("parseUdp", () => {
  // A datagram written by the tests' own encoder.
  test.each(FAMILIES)("parses a datagram over IPv%d (RFC 768)", (version: 4 | 6) => {
    const packet = encodeUdp(...ENDS[version], 4000, 53, pattern(33), true);
    const read = parse(packet);
    expect(read).toMatchObject({ sourcePort: 4000, destinationPort: 53, drop: undefined });
    expect(read.data).toEqual(pattern(33));
  });

  // Zero means "no checksum"; IPv6 requires one, since its header has none.
  test("accepts a missing checksum over IPv4 only (RFC 8200 8.1)", () => {
    expect(parse(encodeUdp(...ENDS[4], 1, 2, pattern(9), false)).drop).toBeUndefined();
    expect(parse(encodeUdp(...ENDS[6], 1, 2, pattern(9), false)).drop).toBe("udp-checksum");
  });

  // The checksum covers every byte and the addresses; it is not verified if the link has done so.
  test.each(FAMILIES)("detects every changed byte over IPv%d (RFC 768)", (version: 4 | 6) => {
    const packet = encodeUdp(...ENDS[version], 1000, 2000, pattern(8), true);
    const start = version === 4 ? 20 : 40;
    for (let at = start; at < packet.length; at++) {
      if (at === start + 4 || at === start + 5) continue;
      const changed = change(packet, at, packet[at]! ^ 1);
      expect(parse(changed).drop).toBe("udp-checksum");
      expect(parse(changed, false).drop).toBeUndefined();
    }
  });

  // Shorter than its header, or longer than the packet; bytes after the datagram are not data.
  test("drops datagrams with an invalid length (RFC 768)", () => {
    const short = encodeIp(...ENDS[4], 17, new Uint8Array(7));
    expect(parse(short).drop).toBe("udp-short");
    const packet = encodeUdp(...ENDS[4], 1000, 2000, pattern(8), false);
    expect(parse(change(packet, 25, 7)).drop).toBe("udp-length");
    expect(parse(change(packet, 25, 17)).drop).toBe("udp-length");
    const padded = parse(change(packet, 25, 12));
    expect(padded.drop).toBeUndefined();
    expect(padded.data).toEqual(pattern(8).subarray(0, 4));
  });

  // The checksum covers the length of the datagram, not of the packet (RFC 9868 8).
  test("verifies the checksum over the datagram's length", () => {
    const inner = encodeUdp(...ENDS[6], 1000, 2000, pattern(8), true).subarray(40);
    const payload = new Uint8Array(inner.length + 5).fill(0xaa);
    payload.set(inner);
    expect(parse(encodeIp(...ENDS[6], 17, payload)).drop).toBeUndefined();
  });
});
