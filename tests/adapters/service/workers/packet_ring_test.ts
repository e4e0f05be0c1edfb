import { Worker } from "node:worker_threads";
import { describe, expect, test } from "bun:test";
import { PacketRing, ringMemory } from "../../../../adapters/service/workers/packet_ring.ts";

const SIZE = 256;

describe("PacketRing", () => {
  // Packets of all lengths pass through the ring many times. Each comes out unchanged and in order, and packets that
  // do not fit are refused until there is room.
  test("returns packets in order", () => {
    const ring = new PacketRing(ringMemory(SIZE));
    const waiting: number[] = [];
    let refused = 0;
    const takeOne = () => {
      const number = waiting.shift()!;
      const { packet, segmentSize } = ring.take()!;
      expect([packet.length, segmentSize]).toEqual([number % 90, number]);
      expect(packet.every((byte) => byte === (number & 255))).toBe(true);
    };
    for (let number = 0; number < 3000; number++) {
      const packet = new Uint8Array(number % 90).fill(number);
      while (!ring.put(packet, number)) {
        refused++;
        takeOne();
      }
      waiting.push(number);
    }
    while (waiting.length > 0) takeOne();
    expect(refused).toBeGreaterThan(1000);
    expect([ring.hasPacket, ring.take()]).toEqual([false, undefined]);
  });

  // Eight bytes for each packet are those of its header.
  test("is bounded", () => {
    const ring = new PacketRing(ringMemory(SIZE));
    expect(ring.put(new Uint8Array(SIZE - 7), 0)).toBe(false);
    expect(ring.put(new Uint8Array(SIZE - 8), 0)).toBe(true);
    expect(ring.put(new Uint8Array(0), 0)).toBe(false);
    expect(ring.take()?.packet.length).toBe(SIZE - 8);
    expect(ring.put(new Uint8Array(0), 0)).toBe(true);
    expect(ring.hasPacket).toBe(true);
  });

  // The positions are counted in 32 bits and overflow: 2^30 words before that, and across it.
  test("goes on when its positions overflow", () => {
    const memory = ringMemory(SIZE);
    new Int32Array(memory).fill(2 ** 31 - 64, 0, 2);
    const ring = new PacketRing(memory);
    for (let number = 0; number < 200; number++) {
      expect(ring.put(new Uint8Array(50).fill(number), 0)).toBe(true);
      expect(ring.take()?.packet[49]).toBe(number);
    }
  });

  // Three threads write at once while this one reads: no packet is lost, torn or out of the order of its writer.
  test("takes packets of several threads", async () => {
    const memory = ringMemory(4096);
    const ring = new PacketRing(memory);
    const count = 3000;
    const module = new URL("./programs/ring_writer.ts", import.meta.url);
    const writers = [0, 1, 2].map((writer) =>
      new Worker(module, { workerData: { memory, writer, count } })
    );
    const done = Promise.all(
      writers.map((each) => new Promise((resolve) => each.once("message", resolve))),
    );
    const next = [0, 0, 0];
    for (let left = 3 * count; left > 0;) {
      const one = ring.take();
      if (one === undefined) {
        await new Promise((resolve) => setImmediate(resolve));
        continue;
      }
      const { packet, segmentSize: writer } = one;
      const number = next[writer]!++;
      const isWhole = packet.length === 4 + (number * 7 + writer * 31) % 100 &&
        new DataView(packet.buffer).getUint32(0) === number &&
        packet.subarray(4).every((byte) => byte === (number & 255));
      if (!isWhole) throw new Error(`packet ${number} of writer ${writer} is not what was sent`);
      left--;
    }
    await done;
    for (const each of writers) await each.terminate();
    expect(next).toEqual([count, count, count]);
    expect(ring.hasPacket).toBe(false);
  });
});
