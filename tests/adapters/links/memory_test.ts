import { describe, expect, test } from "bun:test";
import { linkPair } from "../../../adapters/links/memory.ts";
import { PacketBatch } from "../../../core/stack/link.ts";
import { pattern, tcpPacket, udpPacket } from "../../support/packets.ts";
import { linkConformance } from "./link_conformance.ts";

const routes = [{ from: "10.0.0.1", to: "10.0.0.2" }, { from: "fd00::1", to: "fd00::2" }];
const [route] = routes as [typeof routes[0]];

linkConformance("a memory link", () => {
  const [left, right] = linkPair();
  return Promise.resolve({ left, right, routes });
});

linkConformance("a memory link with offload", () => {
  const [left, right] = linkPair({ maxSuperPacket: 65_535, checksumOffload: true });
  return Promise.resolve({ left, right, routes });
});

describe("linkPair", () => {
  // Three packets wait, two are received: there is room for two more.
  test("holds no more packets than its queue", () => {
    const [left, right] = linkPair({ queue: 3 });
    const packet = udpPacket(route, pattern(10));
    const send = () => left.send(packet);
    expect([send(), send(), send(), send()]).toEqual([true, true, true, false]);
    const batch = new PacketBatch(2);
    expect(right.receive(batch)).toBe(2);
    expect([send(), send(), send()]).toEqual([true, true, false]);
  });

  // Packets longer than the MTU are dropped, unless they are super-packets.
  test("drops packets larger than the MTU", () => {
    const [left] = linkPair({ mtu: 1000, maxSuperPacket: 5000 });
    expect(left.send(udpPacket(route, pattern(973)))).toBe(false);
    expect(left.send(udpPacket(route, pattern(972)))).toBe(true);
    expect(left.send(tcpPacket(route, pattern(4961), 900))).toBe(false);
    expect(left.send(tcpPacket(route, pattern(4960), 900))).toBe(true);
  });

  // After the first two rounds the same buffers are reused.
  test("reuses its buffers", () => {
    const [left, right] = linkPair();
    const batch = new PacketBatch(4);
    const packet = udpPacket(route, pattern(10));
    const round = () => {
      left.send(packet);
      left.send(packet);
      right.receive(batch);
      return new Set(batch.packets.slice(0, 2));
    };
    // Each receive releases the buffers of the previous one, so two sets of buffers alternate.
    const seen = round().union(round());
    for (let i = 0; i < 100; i++) expect(round().isSubsetOf(seen)).toBe(true);
  });

  // A packet in transit, such as the last RST, arrives after its sender has closed.
  test("delivers packets sent before close", async () => {
    const [left, right] = linkPair();
    left.send(udpPacket(route, pattern(10)));
    await left.close();
    expect(await right.ready()).toBe(true);
    expect(right.receive(new PacketBatch(4))).toBe(1);
  });

  // It could never be received.
  test("drops packets to a closed end", async () => {
    const [left, right] = linkPair();
    await right.close();
    expect(left.send(udpPacket(route, pattern(10)))).toBe(false);
  });

  // One message that names the option and its range.
  test.each([{ mtu: 67 }, { mtu: 1500.5 }, { maxSuperPacket: 65_536 }, { queue: 0 }])(
    "refuses %j",
    (options) => {
      const name = Object.keys(options)[0]!;
      expect(() => linkPair(options)).toThrow(`${name} must be an integer from`);
    },
  );
});
