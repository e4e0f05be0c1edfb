import { beforeEach, describe, expect, test } from "bun:test";
import { linkPair } from "../../../adapters/memory.ts";
import { VirtualClock } from "../../../adapters/virtual_clock.ts";
import { impair, type Impairments } from "../../../adapters/wrap/impair.ts";
import { type Link, PacketBatch } from "../../../core/stack/link.ts";
import { linkConformance } from "../../link_conformance.ts";
import { hasRightChecksum, pattern, udpPacket, udpPayload } from "../../support/packets.ts";

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

let clock: VirtualClock;
let right: Link;

beforeEach(() => {
  clock = new VirtualClock();
});

/** A link that is impaired from left to right. */
function impaired(impairments: Impairments, seed = 1) {
  const [left, other] = linkPair({ queue: 100_000 });
  right = other;
  return impair(left, { seed, clock, ...impairments });
}

/** Numbers of the packets that have arrived. */
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
  // A tenth of 10,000 packets, within four standard deviations; the sender does not notice.
  test("loses the share of packets that it is told to", () => {
    const link = impaired({ loss: 0.1 });
    sendNumbered(link, 10_000);
    expect(arrived().length).toBe(10_000 - link.counts.lost);
    expect(Math.abs(link.counts.lost - 1000)).toBeLessThan(120);
  });

  // Each twice, one right after the other.
  test("duplicates", () => {
    const link = impaired({ duplicate: 1 });
    sendNumbered(link, 3);
    expect(arrived()).toEqual([0, 0, 1, 1, 2, 2]);
    expect(link.counts.duplicated).toBe(3);
  });

  // One bit differs, somewhere; the checksums of IP or UDP no longer fit.
  test("changes one bit", () => {
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

  // A changed bit is only useful where a checksum can find it.
  test("offers no offload", () => {
    const [left] = linkPair({ maxSuperPacket: 65_535, checksumOffload: true });
    expect(impair(left, { seed: 1, clock }).features)
      .toEqual({ mtu: 1500, maxSuperPacket: 0, checksumOffload: false });
  });

  // The packet arrives when its time has come, as it was when it was sent.
  test("delays", async () => {
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

  // A queue stays a queue however long each packet takes.
  test("keeps the order under jitter", async () => {
    const link = impaired({ delayMs: 5, jitterMs: 50 });
    sendNumbered(link, 500);
    await clock.advance(30);
    const early = arrived();
    await clock.advance(25);
    const all = [...early, ...arrived()];
    expect(early.length).toBeLessThan(500);
    expect(all).toEqual(Array.from({ length: 500 }, (_, i) => i));
  });

  // The first is held back for a millisecond, the others pass it.
  test("reorders", async () => {
    const link = impaired({ reorder: 1, reorderMs: 3 });
    sendNumbered(link, 1);
    link.set({ reorder: 0 });
    sendNumbered(link, 3);
    expect(arrived()).toEqual([0, 1, 2]);
    await clock.advance(3);
    expect(arrived()).toEqual([0]);
    expect(link.counts.reordered).toBe(1);
  });

  // Whoever finds a fault with a seed finds it again.
  test("does the same with the same seed, another with another", async () => {
    const run = async (seed: number) => {
      const link = impaired({ loss: 0.1, duplicate: 0.1, reorder: 0.1, jitterMs: 2 }, seed);
      sendNumbered(link, 300);
      await clock.advance(10);
      return arrived();
    };
    expect(await run(5)).toEqual(await run(5));
    expect(await run(5)).not.toEqual(await run(6));
  });

  // A packet's loss does not depend on whether others are also duplicated.
  test("each share has its own randomness", () => {
    const losses = [{}, { duplicate: 0.5 }, { corrupt: 0.5 }].map((others) => {
      const link = impaired({ loss: 0.3, ...others });
      sendNumbered(link, 1000);
      return link.counts.lost;
    });
    expect(new Set(losses).size).toBe(1);
  });

  // A long delay on a fast link would need any amount of memory.
  test("holds back no more than its queue", async () => {
    const [left, other] = linkPair();
    right = other;
    const link = impair(left, { seed: 1, clock, delayMs: 1000, queue: 3 });
    sendNumbered(link, 3);
    expect(link.send(udpPacket(route, pattern(10)))).toBe(false);
    expect(link.counts.dropped).toBe(1);
    await clock.advance(1000);
    expect(arrived()).toEqual([0, 1, 2]);
  });

  // Nothing is left that could wake up.
  test("close drops what is held back", async () => {
    const link = impaired({ delayMs: 10 });
    sendNumbered(link, 3);
    await link.close();
    expect(clock.pending).toBe(0);
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
