import { describe, expect, test } from "bun:test";
import { impair } from "../../../../../adapters/links/decorators/impair.ts";
import { Segmenter } from "../../../../../adapters/links/decorators/impair/segments.ts";
import { linkPair } from "../../../../../adapters/links/memory.ts";
import { VirtualClock } from "../../../../../adapters/runtime/virtual_clock.ts";
import { createStack } from "../../../../../core/api/stack.ts";
import { OutgoingPacket } from "../../../../../core/stack/link.ts";
import { IpHeader, parseIp, payloadChecksumHolds } from "../../../../../core/wire/ip.ts";
import { FLAG, parseTcp, Segment } from "../../../../../core/wire/tcp.ts";
import { pattern, tcpPacket, wrapPayload } from "../../../../support/packets.ts";

const FEATURES = { mtu: 1500, maxSuperPacket: 65_535, checksumOffload: true };

function parsed(packet: OutgoingPacket) {
  const bytes = new Uint8Array(packet.byteLength);
  packet.copyTo(bytes, 0);
  const ip = new IpHeader();
  expect(parseIp(bytes, bytes.length, ip)).toBe(undefined);
  const segment = new Segment();
  parseTcp(bytes, ip.payloadStart, ip.payloadEnd, segment);
  const { seq, flags, textStart, textEnd } = segment;
  return {
    valid: payloadChecksumHolds(ip, bytes),
    seq,
    flags,
    text: bytes.slice(textStart, textEnd),
  };
}

describe("Segmenter", () => {
  // What a device with segmentation offload puts on the wire; the payload wraps in the send ring.
  test.each([
    ["10.0.0.1", "10.0.0.2", 100_001, 1448],
    ["10.0.0.1", "10.0.0.2", 2896, 1448],
    ["fd00::1", "fd00::2", 5000, 1],
    ["fd00::1", "fd00::2", 60_000, 1428],
    ["10.0.0.1", "10.0.0.2", 100, 1448],
  ])("splits super-packets from %s to %s of %i bytes by %i", (from, to, size, segmentSize) => {
    const payload = pattern(Math.min(size, 60_000));
    const flags = FLAG.ACK | FLAG.PSH | FLAG.FIN | FLAG.CWR;
    const packet = tcpPacket({ from, to }, payload, segmentSize, flags);
    if (payload.length > 10) wrapPayload(packet, 7);
    const pieces = Array.from(new Segmenter().split(packet), parsed);
    expect(pieces.length).toBe(Math.ceil(payload.length / segmentSize));
    let next = 1000;
    for (const [index, piece] of pieces.entries()) {
      expect([piece.valid, piece.text.length <= segmentSize, piece.seq]).toEqual([
        true,
        true,
        next,
      ]);
      const last = index === pieces.length - 1 ? FLAG.FIN | FLAG.PSH : 0;
      expect(piece.flags).toBe(FLAG.ACK | last | (index === 0 ? FLAG.CWR : 0));
      next += piece.text.length;
    }
    expect(pieces.flatMap(({ text }) => [...text])).toEqual([...payload]);
  });

  // Packets that it cannot split pass unchanged, because input of a peer must not throw.
  test("passes on what it cannot split", () => {
    const segmenter = new Segmenter();
    for (let size = 0; size < 80; size++) {
      const packet = new OutgoingPacket();
      packet.payload = new Uint8Array(80).fill(0x45);
      packet.payloadLength = size;
      packet.segmentSize = 8;
      expect(Array.from(segmenter.split(packet), ({ byteLength }) => byteLength)).toEqual([size]);
    }
  });
});

describe("impair with splitsSuperPackets", () => {
  // Impairments are turned on and off again while a connection is open.
  test("passes super-packets on, and impairs single segments while there are impairments", async () => {
    const clock = new VirtualClock();
    const [here, there] = linkPair({ ...FEATURES, queue: 10_000 });
    const sizes: number[] = [];
    const send = here.send.bind(here);
    here.send = (packet) => {
      sizes.push(packet.byteLength);
      return send(packet);
    };
    const path = impair(here, { seed: 1, clock, queue: 10_000, splitsSuperPackets: true });
    expect(path.features.maxSuperPacket).toBe(65_535);
    const tcp = { profile: "internet" as const };
    await using client = createStack({ link: path, addresses: ["10.0.0.1/24"], clock, tcp });
    await using server = createStack({ link: there, addresses: ["10.0.0.2/24"], clock, tcp });
    let received = 0;
    server.use(9, async ({ socket }) => {
      for await (const chunk of socket.views()) received += chunk.length;
    });
    const socket = client.connect("10.0.0.2:9");
    const write = async () => {
      sizes.length = 0;
      await clock.runUntil(socket.write(new Uint8Array(1_000_000)));
      await clock.advance(20_000);
      return Math.max(...sizes);
    };
    expect(await write()).toBeGreaterThan(1500);
    path.replace({ loss: 0.02, delayMs: 10, incoming: { delayMs: 10 } });
    expect(path.impairments).toEqual({ loss: 0.02, delayMs: 10, incoming: { delayMs: 10 } });
    expect(await write()).toBeLessThanOrEqual(1500);
    expect(path.counts.lost).toBeGreaterThan(5);
    expect(socket.stats().srttMs).toBeGreaterThan(15);
    path.replace({});
    expect(path.impairments).toEqual({});
    expect(await write()).toBeGreaterThan(1500);
    expect(received).toBe(3_000_000);
    const { lost } = path.counts;
    await write();
    expect(path.counts.lost).toBe(lost);
  });

  // A flipped bit must be found by the checksum, which offload would compute over it.
  test("corrupts packets so that the receiver drops them", async () => {
    const clock = new VirtualClock();
    const [here, there] = linkPair({ ...FEATURES, queue: 10_000 });
    const path = impair(here, { seed: 1, clock, queue: 10_000, splitsSuperPackets: true });
    path.replace({ corrupt: 0.05, incoming: { corrupt: 0.05 } });
    await using client = createStack({ link: path, addresses: ["10.0.0.1/24"], clock });
    await using server = createStack({ link: there, addresses: ["10.0.0.2/24"], clock });
    const data = new Uint8Array(500_000).map((_, i) => i % 253);
    let equal = 0;
    server.use(9, async ({ socket }) => {
      for await (const chunk of socket.views()) {
        for (const byte of chunk) equal += byte === data[equal] ? 1 : 0;
      }
    });
    await clock.runUntil(client.connect("10.0.0.2:9").write(data));
    await clock.advance(60_000);
    expect(equal).toBe(500_000);
    expect(server.stats()["drop.tcp-checksum"]).toBeGreaterThan(3);
  });
});
