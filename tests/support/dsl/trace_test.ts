import { describe, expect, test } from "bun:test";
import { inEstablished } from "./builders.ts";
import { decode } from "./decode.ts";
import { encodeIcmp, encodeTcp } from "./encode.ts";
import { flagBits, flagLetters, formatSegment } from "./notation.ts";

function messageOf(action: () => void): string {
  try {
    action();
  } catch (error) {
    return (error as Error).message;
  }
  return "";
}

const SEGMENT = {
  source: "10.0.0.1",
  destination: "10.0.0.2",
  sourcePort: 1,
  destinationPort: 2,
  seq: 0xffffffff,
  ack: 7,
  flags: 0x18,
  window: 500,
  options: { mss: 1000, sackPermitted: true, timestamps: [1, 2] as const, windowScale: 7 },
  text: Uint8Array.of(1, 2, 3),
};

describe("encode and decode", () => {
  // The decoder reads what the encoder writes, for both families.
  test("decode reads what encodeTcp wrote", () => {
    const v4 = decode(encodeTcp(SEGMENT));
    expect(v4).toMatchObject({ ...SEGMENT, protocol: "tcp" });
    const v6 = decode(encodeTcp({ ...SEGMENT, source: "fd00::1", destination: "fd00::2" }));
    expect(v6).toMatchObject({ source: "fd00::1", destination: "fd00::2", seq: 0xffffffff });
  });

  // Any wrong bit in a segment is detected.
  test("decode refuses a wrong checksum and reserved bits", () => {
    for (const at of [8, 25, 40, 62]) {
      const packet = encodeTcp(SEGMENT);
      packet[at]! ^= 4;
      expect(() => decode(packet)).toThrow("malformed packet");
    }
    expect(() => decode(encodeTcp({ ...SEGMENT, checksumError: 1 }))).toThrow("TCP checksum");
  });

  // RFC 4443's own checksum includes a pseudo-header, RFC 792's does not.
  test("decode reads ICMP of both families", () => {
    const message = { type: 8, code: 0, rest: 0x10002, body: Uint8Array.of(9) };
    expect(decode(encodeIcmp("10.0.0.1", "10.0.0.2", message))).toMatchObject(message);
    expect(decode(encodeIcmp("fd00::1", "fd00::2", message))).toMatchObject(message);
  });
});

describe("notation", () => {
  // The letters are packetdrill's: a dot is ACK.
  test("flagBits and flagLetters are each other's inverse", () => {
    for (const letters of ["S", "S.", ".", "P.", "F.", "FP.", "R", "R."]) {
      expect(flagLetters(flagBits(letters))).toBe(letters);
    }
    expect(() => flagBits("X")).toThrow('"X" is not a control bit');
  });

  // A segment is formatted as one line.
  test("formatSegment writes packetdrill's notation", () => {
    const options = { mss: 1460, sackPermitted: true, timestamps: [1, 2] as const, windowScale: 7 };
    expect(formatSegment({ flags: "S.", seq: 0, length: 0, ack: 1, window: 500, options }))
      .toBe("S. 0:0(0) ack 1 win 500 <mss 1460,sackOK,TS val 1 ecr 2,wscale 7>");
    const sack = { sack: [[3, 5], [7, 9]] as const };
    expect(
      formatSegment({ flags: ".", seq: 1, length: 10, ack: 2, window: undefined, options: sack }),
    )
      .toBe(". 1:11(10) ack 2 <sack 3:5 7:9>");
  });
});

describe("Trace", () => {
  // A failure shows the difference in two lines, after the preceding segments.
  test("recv shows what was expected and what was sent", () => {
    const t = inEstablished();
    t.write("hello");
    const message = messageOf(() => t.recv({ flags: "P.", length: 4 }));
    expect(message).toContain("- +0.000 > P. 1:5(4) ack 1\n+ +0.000 > P. 1:6(5) ack 1 win 65535");
    expect(message).toContain("trace_test.ts:");
    expect(message).toContain("  +0.010 < . 1:1(0) ack 1 win 65535");
  });

  // Missing and unexpected segments are errors.
  test("recv and recvNothing detect missing and unexpected segments", () => {
    const t = inEstablished();
    expect(messageOf(() => t.recv())).toContain("nothing was sent");
    t.write("x");
    expect(messageOf(() => t.recvNothing())).toContain("P. 1:2(1) ack 1");
    expect(messageOf(() => t.after(1))).toContain("nothing before time passes");
    expect(messageOf(() => t.send())).toContain("nothing before the peer sent");
    expect(messageOf(() => t.recv({ flags: "P.", length: 1, at: 5 }))).toContain("+0.005");
  });

  // Time jumps from deadline to deadline, so that a segment has its exact time.
  test("recv checks when a segment was sent", () => {
    const t = inEstablished();
    t.write("x");
    t.recv({ flags: "P.", length: 1 });
    t.send({ at: 50, ack: 1, data: 3 });
    expect(t.read()).toBe(3);
    t.recv({ at: 50, ack: 4 });
    expect(messageOf(() => t.recv({ at: 209 }))).toContain("nothing was sent");
    t.recv({ at: 210, flags: "P.", seq: 1, length: 1 });
    expect(t.wire.elapsed).toBe(210);
  });

  // The data is different at every offset, so misplaced text is detected.
  test("read and recv compare the bytes themselves", () => {
    const t = inEstablished();
    t.send({ data: "abc" });
    t.send({ seq: 1, data: "xbc" });
    t.recv({ ack: 1, seq: 1 });
    expect(t.read(2)).toBe(2);
    t.recv({ ack: 3 });
    expect(t.write("def")).toBe(3);
    expect(t.recv({ flags: "P.", length: 3 }).text).toEqual(Uint8Array.of(100, 101, 102));
  });
});
