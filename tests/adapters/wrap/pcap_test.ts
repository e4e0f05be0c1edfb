import { describe, expect, test } from "bun:test";
import { linkPair } from "../../../adapters/memory.ts";
import { VirtualClock } from "../../../adapters/virtual_clock.ts";
import { pcap } from "../../../adapters/wrap/pcap.ts";
import { PacketBatch } from "../../../core/stack/link.ts";
import { linkConformance } from "../../link_conformance.ts";
import { pattern, udpPacket } from "../../support/packets.ts";

const routes = [{ from: "10.0.0.1", to: "10.0.0.2" }, { from: "fd00::1", to: "fd00::2" }];
const [route] = routes as [typeof routes[0]];

linkConformance("a recorded link", () => {
  const [left, right] = linkPair({ maxSuperPacket: 65_535, checksumOffload: true });
  return Promise.resolve({ left: pcap(left, () => {}), right: pcap(right, () => {}), routes });
});

describe("pcap", () => {
  // Magic number of nanosecond stamps, version 2.4, LINKTYPE_RAW: packets begin with the IP header.
  test("begins the file with its header", () => {
    const pieces: Uint8Array[] = [];
    pcap(linkPair()[0], (piece) => pieces.push(piece));
    expect(pieces.map((piece) => piece.toHex())).toEqual([
      "4d3cb2a1" + "02000400" + "00000000" + "00000000" + "00000400" + "65000000",
    ]);
  });

  // Seconds, nanoseconds, twice the length, and the packet, whichever way it went.
  test("writes a record for each packet in both directions", async () => {
    const clock = new VirtualClock();
    const pieces: Uint8Array[] = [];
    const [inner, right] = linkPair();
    const left = pcap(inner, (piece) => pieces.push(piece), { clock, epochMs: 7_000 });
    const [sent, answer] = [udpPacket(route, pattern(4)), udpPacket(route, pattern(300))];
    await clock.advance(1.5);
    left.send(sent);
    await clock.advance(2000);
    right.send(answer);
    left.receive(new PacketBatch(4));
    const record = (stamp: string, packet: typeof sent) => {
      const bytes = new Uint8Array(packet.byteLength);
      packet.copyTo(bytes, 0);
      const length = new Uint8Array(new Uint32Array([bytes.length]).buffer).toHex();
      return stamp + length + length + bytes.toHex();
    };
    expect(pieces.slice(1).map((piece) => piece.toHex())).toEqual([
      record("07000000" + "60e31600", sent),
      record("09000000" + "60e31600", answer),
    ]);
  });

  // What the link refused was never on the wire.
  test("records nothing that was not sent", async () => {
    const pieces: Uint8Array[] = [];
    const link = pcap(linkPair()[0], (piece) => pieces.push(piece));
    await link.close();
    expect(link.send(udpPacket(route, pattern(4)))).toBe(false);
    expect(pieces.length).toBe(1);
  });
});
