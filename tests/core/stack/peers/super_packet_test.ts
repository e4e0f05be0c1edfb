import { describe, expect, test } from "bun:test";
import { divideSuperPacket, MAX_CARRIED } from "../../../../core/stack/peers/super_packet.ts";
import { IpAddress } from "../../../../core/wire/address.ts";
import { emitIp, IpHeader, ipHeaderLength, parseIp, PROTOCOL } from "../../../../core/wire/ip.ts";
import { emitTcpHeader, FLAG, parseTcp, Segment } from "../../../../core/wire/tcp.ts";

const SEQ = 0x7fff_f000;

/** A segment with `length` bytes of text and 12 bytes of options. */
function superPacket(from: string, to: string, length: number): Uint8Array<ArrayBuffer> {
  const [source, destination] = [IpAddress.parse(from)!, IpAddress.parse(to)!];
  const start = ipHeaderLength(source);
  const packet = new Uint8Array(start + 32 + length);
  emitIp(packet, 0, source, destination, {
    protocol: PROTOCOL.TCP,
    payloadLength: 32 + length,
    hopLimit: 64,
    trafficClass: 0,
    identification: 0,
  });
  emitTcpHeader(packet, start, {
    sourcePort: 1000,
    destinationPort: 80,
    seq: SEQ,
    ack: 7,
    flags: FLAG.ACK | FLAG.PSH | FLAG.FIN | FLAG.CWR,
    window: 100,
    optionsLength: 12,
  });
  packet.fill(1, start + 20, start + 32);
  for (let i = 0; i < length; i++) packet[start + 32 + i] = i * 13;
  return packet;
}

describe("divideSuperPacket", () => {
  // Each piece is a valid packet; the text is that of the whole, without gaps.
  test.each([["10.0.0.1", "10.0.0.2"], ["fd00::1", "fd00::2"]])(
    "divides at segments, %s to %s",
    (from: string, to: string) => {
      const whole = superPacket(from, to, 65_000);
      const [ip, segment] = [new IpHeader(), new Segment()];
      expect(parseIp(whole, whole.length, ip)).toBeUndefined();
      const pieces = divideSuperPacket(ip, whole, 1448);
      expect(pieces.length).toBe(2 + 1);
      let seq = SEQ;
      for (const [i, piece] of pieces.entries()) {
        expect(piece.length).toBeLessThanOrEqual(MAX_CARRIED);
        expect(parseIp(piece, piece.length, ip)).toBeUndefined();
        expect(parseTcp(piece, ip.payloadStart, ip.payloadEnd, segment)).toBeUndefined();
        expect(segment.seq).toBe(seq | 0);
        const last = i === pieces.length - 1;
        if (!last) expect(segment.textLength % 1448).toBe(0);
        expect(segment.has(FLAG.FIN)).toBe(last);
        expect(segment.has(FLAG.CWR)).toBe(i === 0);
        const text = piece.subarray(segment.textStart, segment.textEnd);
        expect(text.every((byte, at) => byte === ((seq - SEQ + at) * 13 & 255))).toBe(true);
        seq += segment.textLength;
      }
      expect(seq - SEQ).toBe(65_000);
    },
  );

  // The packet fits into a datagram.
  test("leaves a small packet as it is", () => {
    const whole = superPacket("10.0.0.1", "10.0.0.2", 20_000);
    const ip = new IpHeader();
    parseIp(whole, whole.length, ip);
    expect(divideSuperPacket(ip, whole, 1448)).toEqual([whole]);
  });
});
