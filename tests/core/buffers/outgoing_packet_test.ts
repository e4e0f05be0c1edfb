import { describe, expect, test } from "bun:test";
import { OutgoingPacket } from "../../../core/buffers/outgoing_packet.ts";

describe("OutgoingPacket", () => {
  // Header, the end of the ring, and what wrapped to its beginning.
  test("copyTo joins headers and both pieces of payload", () => {
    const packet = new OutgoingPacket();
    packet.header.set([1, 2, 3], OutgoingPacket.HEADROOM);
    packet.headerLength = 3;
    packet.payload = Uint8Array.of(6, 7, 0, 0, 4, 5);
    packet.payloadStart = 4;
    packet.payloadLength = 2;
    packet.wrappedLength = 2;
    const target = new Uint8Array(9);
    expect(packet.byteLength).toBe(7);
    expect(packet.copyTo(target, 1)).toBe(7);
    expect([...target]).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 0]);
  });
});
