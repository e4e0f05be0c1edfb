import { describe, expect, test } from "bun:test";
import { OutgoingPacket } from "../../../core/buffers/outgoing_packet.ts";

const { HEADROOM } = OutgoingPacket;

describe("OutgoingPacket", () => {
  // Header, the piece at the end of the ring, and the piece wrapped to its start.
  test("copyTo joins headers and both pieces of payload", () => {
    const packet = new OutgoingPacket();
    packet.header.set([1, 2, 3], HEADROOM);
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

  // After a header of 40 bytes: a wrapped payload, one that just fits, and one byte more.
  test("joinPayload appends the payload to the headers if it fits", () => {
    const packet = new OutgoingPacket();
    packet.headerLength = 40;
    packet.payload = Uint8Array.of(3, 0, 0, 1, 2);
    packet.payloadStart = 3;
    packet.payloadLength = 2;
    packet.wrappedLength = 1;
    expect(packet.joinPayload()).toBe(true);
    expect([...packet.header.subarray(HEADROOM + 40, HEADROOM + 43)]).toEqual([1, 2, 3]);

    const room = packet.header.length - HEADROOM - 40;
    packet.payload = new Uint8Array(room + 1).fill(7);
    [packet.payloadStart, packet.payloadLength, packet.wrappedLength] = [0, room, 0];
    expect(packet.joinPayload()).toBe(true);
    expect(packet.header[packet.header.length - 1]).toBe(7);
    packet.wrappedLength = 1;
    expect(packet.joinPayload()).toBe(false);
  });
});
