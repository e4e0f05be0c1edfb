import { beforeEach, describe, expect, test } from "bun:test";
import { impair, type LinkImpairments } from "../../../../adapters/links/decorators/impair.ts";
import { linkPair } from "../../../../adapters/links/memory.ts";
import { VirtualClock } from "../../../../adapters/runtime/virtual_clock.ts";
import { type Link, PacketBatch } from "../../../../core/stack/link.ts";
import { Generations, NO_PROCESS_ASKED } from "../../../../core/stack/sharding/generations.ts";
import {
  hasRightChecksum,
  pattern,
  tcpPacket,
  udpPacket,
  udpPayload,
} from "../../../support/packets.ts";
import { linkConformance } from "../link_conformance.ts";

const routes = [{ from: "10.0.0.1", to: "10.0.0.2" }, { from: "fd00::1", to: "fd00::2" }];
const [route] = routes as [typeof routes[0]];

linkConformance("an impaired link that harms nothing", () => {
  const clock = new VirtualClock();
  const [left, right] = linkPair({ maxSuperPacket: 65_535, checksumOffload: true });
  const joined = {
    left: impair(left, { seed: 1, clock }),
    right: impair(right, { seed: 2, clock }),
  };
  return Promise.resolve({ ...joined, routes });
});

linkConformance("an impaired link that harms nothing in either direction", () => {
  const clock = new VirtualClock();
  const [left, right] = linkPair({ maxSuperPacket: 65_535, checksumOffload: true });
  const joined = {
    left: impair(left, { seed: 1, clock, incoming: {} }),
    right: impair(right, { seed: 2, clock, incoming: {} }),
  };
  return Promise.resolve({ ...joined, routes });
});

linkConformance("an impaired link with offload", () => {
  const clock = new VirtualClock();
  const [left, right] = linkPair({ maxSuperPacket: 65_535, checksumOffload: true });
  const joined = {
    left: impair(left, { seed: 1, clock, splitsSuperPackets: true }),
    right: impair(right, { seed: 2, clock, splitsSuperPackets: true }),
  };
  return Promise.resolve({ ...joined, routes });
});

let clock: VirtualClock;
let right: Link;

beforeEach(() => {
  clock = new VirtualClock();
});

/** A pair of links, impaired from left to right. */
function impaired(impairments: LinkImpairments, seed = 1) {
  const [left, other] = linkPair({ queue: 100_000 });
  right = other;
  return impair(left, { seed, clock, ...impairments });
}

/** Numbers of the packets received. */
function arrived(): number[] {
  const batch = new PacketBatch(64);
  const numbers: number[] = [];
  for (let count = right.receive(batch); count > 0; count = right.receive(batch)) {
    for (let i = 0; i < count; i++) {
      const payload = udpPayload(batch.packets[i]!.slice(0, batch.sizes[i]))!;
      numbers.push(payload[0]! + 256 * payload[1]!);
    }
  }
  return numbers;
}

function sendNumbered(link: Link, count: number): void {
  for (let i = 0; i < count; i++) {
    expect(link.send(udpPacket(route, new Uint8Array([i, i >>> 8])))).toBe(true);
  }
}

describe("impair", () => {
  // A tenth of 10,000 packets, within four standard deviations; send() reports success.
  test("drops the given share of packets", () => {
    const link = impaired({ loss: 0.1 });
    sendNumbered(link, 10_000);
    expect(arrived().length).toBe(10_000 - link.counts.lost);
    expect(Math.abs(link.counts.lost - 1000)).toBeLessThan(120);
  });

  // Each packet arrives twice in succession.
  test("duplicates packets", () => {
    const link = impaired({ duplicate: 1 });
    sendNumbered(link, 3);
    expect(arrived()).toEqual([0, 0, 1, 1, 2, 2]);
    expect(link.counts.duplicated).toBe(3);
  });

  // One random bit differs, so the IP or UDP checksum is wrong.
  test("flips one bit of a packet", () => {
    const link = impaired({ corrupt: 1 });
    const batch = new PacketBatch(1);
    for (const size of [10, 1000]) {
      for (let i = 0; i < 100; i++) {
        const packet = udpPacket(route, pattern(size));
        const before = new Uint8Array(packet.byteLength);
        packet.copyTo(before, 0);
        link.send(packet);
        right.receive(batch);
        const after = batch.packets[0]!.slice(0, batch.sizes[0]);
        const changed = before.map((byte, at) => byte ^ after[at]!).filter((bits) => bits !== 0);
        expect(changed.length).toBe(1);
        expect([1, 2, 4, 8, 16, 32, 64, 128]).toContain(changed[0]!);
        expect(packet.copyTo(new Uint8Array(2000), 0)).toBe(before.length);
      }
    }
    expect(link.counts.corrupted).toBe(200);
  });

  // With offload, no checksum would detect the corruption.
  test("offers no offload", () => {
    const [left] = linkPair({ maxSuperPacket: 65_535, checksumOffload: true });
    expect(impair(left, { seed: 1, clock }).features)
      .toEqual({ mtu: 1500, maxSuperPacket: 0, checksumOffload: false });
  });

  // The packet arrives unchanged after the delay.
  test("delays packets", async () => {
    const link = impaired({ delayMs: 20 });
    const packet = udpPacket(route, pattern(1000));
    link.send(packet);
    packet.payload.fill(0);
    const batch = new PacketBatch(1);
    await clock.advance(19.9);
    expect(right.receive(batch)).toBe(0);
    await clock.advance(0.1);
    expect(right.receive(batch)).toBe(1);
    expect(hasRightChecksum(batch.packets[0]!.slice(0, batch.sizes[0]))).toBe(true);
  });

  // Jitter alone does not reorder packets.
  test("keeps the order despite jitter", async () => {
    const link = impaired({ delayMs: 5, jitterMs: 50 });
    sendNumbered(link, 500);
    await clock.advance(30);
    const early = arrived();
    await clock.advance(25);
    const all = [...early, ...arrived()];
    expect(early.length).toBeLessThan(500);
    expect(all).toEqual(Array.from({ length: 500 }, (_, i) => i));
  });

  // The first packet is delayed by a millisecond, and the others overtake it.
  test("reorders packets", async () => {
    const link = impaired({ reorder: 1, reorderMs: 3 });
    sendNumbered(link, 1);
    link.set({ reorder: 0 });
    sendNumbered(link, 3);
    expect(arrived()).toEqual([0, 1, 2]);
    await clock.advance(3);
    expect(arrived()).toEqual([0]);
    expect(link.counts.reordered).toBe(1);
  });

  // A failure found with a seed can be reproduced.
  test("gives the same result for the same seed, and another for another seed", async () => {
    const run = async (seed: number) => {
      const link = impaired({ loss: 0.1, duplicate: 0.1, reorder: 0.1, jitterMs: 2 }, seed);
      sendNumbered(link, 300);
      await clock.advance(10);
      return arrived();
    };
    expect(await run(5)).toEqual(await run(5));
    expect(await run(5)).not.toEqual(await run(6));
  });

  // Duplication does not change which packets are lost.
  test("draws each impairment independently", () => {
    const losses = [{}, { duplicate: 0.5 }, { corrupt: 0.5 }].map((others) => {
      const link = impaired({ loss: 0.3, ...others });
      sendNumbered(link, 1000);
      return link.counts.lost;
    });
    expect(new Set(losses).size).toBe(1);
  });

  // A long delay on a fast link would need unbounded memory.
  test("delays at most as many packets as its queue", async () => {
    const [left, other] = linkPair();
    right = other;
    const link = impair(left, { seed: 1, clock, delayMs: 1000, queue: 3 });
    sendNumbered(link, 3);
    expect(link.send(udpPacket(route, pattern(10)))).toBe(false);
    expect(link.counts.dropped).toBe(1);
    await clock.advance(1000);
    expect(arrived()).toEqual([0, 1, 2]);
  });

  // No timer is left.
  test("close drops delayed packets", async () => {
    const link = impaired({ delayMs: 10 });
    sendNumbered(link, 3);
    await link.close();
    expect(clock.pending).toBe(0);
  });

  // Bursts with a mean length of ten packets.
  test("drops packets in bursts (Gilbert-Elliott)", () => {
    const link = impaired({ burstBegin: 0.01, burstEnd: 0.1 });
    sendNumbered(link, 20_000);
    const numbers = arrived();
    const gaps = numbers.slice(1).map((each, i) => each - numbers[i]! - 1).filter((gap) => gap > 0);
    const lost = gaps.reduce((sum, gap) => sum + gap, 0);
    // The model's stationary share: begin / (begin + end), 1 in 11.
    expect(Math.abs(link.counts.lost / 20_000 - 1 / 11)).toBeLessThan(0.025);
    expect(Math.abs(lost / gaps.length - 10)).toBeLessThan(2.5);
  });

  // Half of the packets in a burst are delivered.
  test("drops a share of the packets in a burst", () => {
    const link = impaired({ burstBegin: 1, burstEnd: 0, burstLoss: 0.5 });
    sendNumbered(link, 10_000);
    expect(Math.abs(link.counts.lost - 5000)).toBeLessThan(200);
  });

  // 1000 bytes take 8 ms at 1 Mbit/s, one packet after the other, plus the delay.
  test("limits the bandwidth", async () => {
    const link = impaired({ bitsPerSecond: 1e6, delayMs: 5 });
    for (let i = 0; i < 3; i++) link.send(udpPacket(route, pattern(972)));
    const times: number[] = [];
    for (const step of [12.9, 0.2, 7.8, 0.2, 7.8, 0.2]) {
      await clock.advance(step);
      times.push(arrived().length);
    }
    expect(times).toEqual([0, 1, 0, 1, 0, 1]);
  });

  // One packet is being sent and two are queued; the fourth is dropped.
  test("drops packets beyond the queue for the bandwidth", async () => {
    const link = impaired({ bitsPerSecond: 1e6, queueBytes: 3000 });
    const send = () => link.send(udpPacket(route, pattern(972)));
    expect([send(), send(), send(), send()]).toEqual([true, true, true, false]);
    expect(link.counts.dropped).toBe(1);
    await clock.advance(8);
    expect([send(), send()]).toEqual([true, false]);
  });

  // The bandwidth changes during a transfer.
  test("can change the bandwidth while in use", async () => {
    const link = impaired({ bitsPerSecond: 1e6 });
    link.send(udpPacket(route, pattern(972)));
    link.set({ bitsPerSecond: 1e7 });
    link.send(udpPacket(route, pattern(972)));
    await clock.advance(8.1);
    expect(arrived().length).toBe(1);
    await clock.advance(0.8);
    expect(arrived().length).toBe(1);
  });

  // A single timer serves all packets, so that rounding cannot reorder them.
  test("keeps the order with a clock that wakes too early", async () => {
    const early = {
      now: () => clock.now(),
      schedule: (at: number, wake: () => void) =>
        clock.schedule(Math.max(Math.floor(at), clock.now() + 0.05), wake),
    };
    const [left, other] = linkPair();
    right = other;
    const link = impair(left, { seed: 1, clock: early, delayMs: 10.9 });
    sendNumbered(link, 1);
    await clock.advance(0.3);
    link.send(udpPacket(route, new Uint8Array([1, 0])));
    await clock.advance(11);
    expect(arrived()).toEqual([0, 1]);
  });

  // The kernel's end of a device cannot be impaired, so both directions are impaired at this end.
  test("impairs received packets", async () => {
    const [left, other] = linkPair();
    const link = impair(left, { seed: 1, clock, incoming: { delayMs: 20, duplicate: 1 } });
    const waiting = link.ready();
    other.send(udpPacket(route, pattern(10)));
    await waiting;
    const batch = new PacketBatch(4);
    expect(link.receive(batch)).toBe(0);
    const arrival = link.ready();
    await clock.advance(20);
    expect(await arrival).toBe(true);
    expect(link.receive(batch)).toBe(2);
    expect(udpPayload(batch.packets[1]!.slice(0, batch.sizes[1]))).toEqual(pattern(10));
    expect([link.incomingCounts.duplicated, link.counts.duplicated]).toEqual([1, 0]);
    expect(link.stats()).toMatchObject({
      "impair.incoming.duplicated": 1,
      "impair.duplicated": 0,
    });
  });

  // A partial checksum is not corruption; a flipped bit is.
  test("keeps the checksum state of received packets unless corrupted", () => {
    const [left, other] = linkPair({ maxSuperPacket: 65_535, checksumOffload: true });
    const link = impair(left, { seed: 1, clock, incoming: {} });
    const batch = new PacketBatch(4);
    other.send(tcpPacket(route, pattern(5000), 1000));
    expect(link.receive(batch)).toBe(1);
    expect([batch.checksums[0], batch.segmentSizes[0]]).toEqual(["partial", 1000]);
    link.set({ incoming: { corrupt: 1 } });
    other.send(tcpPacket(route, pattern(500)));
    expect(link.receive(batch)).toBe(1);
    expect(batch.checksums[0]).toBe("full");
  });

  // The two directions are independent paths.
  test("has independent randomness and settings for each direction", async () => {
    const [left, other] = linkPair({ queue: 10_000 });
    right = other;
    const link = impair(left, { seed: 1, clock, loss: 0.5, incoming: { loss: 0.5 } });
    sendNumbered(link, 1000);
    const there = arrived();
    [right] = [link];
    sendNumbered(other, 1000);
    const here: number[] = [];
    for (let i = 0; i < 20; i++) here.push(...arrived());
    expect(here.length).toBe(1000 - link.incomingCounts.lost);
    expect(here).not.toEqual(there);
    link.set({ incoming: { loss: 0 } });
    sendNumbered(other, 100);
    for (let i = 0; i < 3; i++) await clock.settle();
    expect(link.incomingCounts.lost + here.length).toBe(1000);
  });

  // A flooding peer cannot use more memory than the queue.
  test("delays at most as many received packets as its queue", () => {
    const [left, other] = linkPair();
    const link = impair(left, { seed: 1, clock, queue: 3, incoming: { delayMs: 1000 } });
    sendNumbered(other, 10);
    expect(link.receive(new PacketBatch(64))).toBe(0);
    expect(link.incomingCounts.dropped).toBe(7);
  });

  // Packets of the device are delayed, and then no process counts as asked about them. Packets that another process
  // has passed on are not delayed, and keep the process that was asked.
  test("impairs no packet of another process of the service", async () => {
    const generations = new Generations(2, 1);
    const [inner] = linkPair();
    const arriving: { asked: number; byte: number }[] = [];
    const shared: Link = {
      ...inner,
      name: "shared",
      features: { ...inner.features, generations },
      receive(batch) {
        const next = arriving.shift();
        if (next === undefined) return 0;
        generations.asked = next.asked;
        batch.packets[0] = new Uint8Array([next.byte]);
        batch.sizes[0] = 1;
        batch.checksums[0] = "verified";
        batch.segmentSizes[0] = 0;
        return 1;
      },
      ready: () => Promise.resolve(true),
      send: () => true,
      close: () => Promise.resolve(),
    };
    const link = impair(shared, { seed: 1, clock, incoming: { delayMs: 10 } });
    expect(link.features.generations).toBe(generations);
    const batch = new PacketBatch(4);
    arriving.push({ asked: NO_PROCESS_ASKED, byte: 1 }, { asked: 1, byte: 2 });
    expect(link.receive(batch)).toBe(0);
    expect(link.receive(batch)).toBe(1);
    expect([batch.packets[0]![0], batch.checksums[0], generations.asked]).toEqual([
      2,
      "verified",
      1,
    ]);
    await clock.advance(10);
    expect(link.receive(batch)).toBe(1);
    expect([batch.packets[0]![0], generations.asked]).toEqual([1, NO_PROCESS_ASKED]);
  });

  // Several threads share a device, and each link can be impaired.
  test("passes packets to other shards like the underlying link", () => {
    const [left] = linkPair();
    expect(impair(left, { seed: 1, clock }).forwardToShard).toBe(undefined);
    const shard = { index: 0, count: 2, seed: [1, 1] as const };
    const given: unknown[] = [];
    const sharded = {
      name: "shard",
      features: { ...left.features, shard },
      receive: (batch: PacketBatch) => left.receive(batch),
      ready: () => left.ready(),
      send: () => true,
      forwardToShard: (foreign: unknown) => given.push(foreign) > 0,
      close: () => left.close(),
      [Symbol.asyncDispose]: () => left.close(),
    };
    const link = impair(sharded, { seed: 1, clock });
    const foreign = { shard: 1, isMessage: false, packet: pattern(40), segmentSize: 0 };
    expect(link.features.shard).toEqual(shard);
    expect(link.forwardToShard?.(foreign)).toBe(true);
    expect(given).toEqual([foreign]);
  });

  // One message that names the setting.
  test.each([
    [{ bitsPerSecond: 0 }, "bitsPerSecond must be from 1 to 1000000000000, not 0"],
    [{ incoming: { loss: 2 } }, "incoming.loss must be from 0 to 1, not 2"],
    [JSON.parse(`{ "los": 0.1 }`), "los is not an impairment; use loss, burstBegin"],
  ])("refuses %j", (impairments, message) => {
    expect(() => impaired(impairments)).toThrow(message);
  });

  // One message that names the setting.
  test.each([{ loss: 1.1 }, { corrupt: -0.1 }, { delayMs: -1 }, { jitterMs: NaN }])(
    "refuses %j",
    (impairments) => {
      const name = Object.keys(impairments)[0]!;
      expect(() => impaired(impairments)).toThrow(`${name} must be from 0 to`);
    },
  );
});
