import { describe, expect, test } from "bun:test";
import {
  DemoNetwork,
  type DemoSample,
  FIRST_PATH,
} from "../../../adapters/demo_network/demo_network.ts";
import { VirtualClock } from "../../../adapters/runtime/virtual_clock.ts";

/** Samples of a network, one each 100 ms of virtual time. */
async function samplesOf(
  network: DemoNetwork,
  clock: VirtualClock,
  seconds: number,
): Promise<DemoSample[]> {
  const samples: DemoSample[] = [];
  for (let i = 0; i < seconds * 10; i++) {
    await clock.advance(100);
    samples.push(network.sample());
  }
  return samples;
}

/** Mbit/s that have arrived. */
function goodputOf(samples: readonly DemoSample[]): number {
  const [first, last] = [samples[0]!, samples.at(-1)!];
  return 8 * (last.bytesReceived - first.bytesReceived) / (last.seconds - first.seconds) / 1e6;
}

describe("DemoNetwork", () => {
  // In its first seconds, the download uses most of the path's bandwidth.
  test("downloads over the path", async () => {
    const clock = new VirtualClock();
    const network = new DemoNetwork({ clock });
    network.set({ loss: 0 });
    await samplesOf(network, clock, 3);
    const samples = await samplesOf(network, clock, 5);
    expect(goodputOf(samples)).toBeGreaterThan(3);
    expect(goodputOf(samples)).toBeLessThan(4);
    const { sender, packets } = samples.at(-1)!;
    expect(sender.state).toBe("ESTABLISHED");
    expect(sender.srttMs).toBeGreaterThan(2 * FIRST_PATH.delayMs);
    expect([packets.lost, packets.sent > 2000, packets.acks > 500]).toEqual([0, true, true]);
    await network.close();
  });

  // The sliders: less bandwidth, more delay, loss.
  test("follows changes of the path while it runs", async () => {
    const clock = new VirtualClock();
    const network = new DemoNetwork({ clock });
    await samplesOf(network, clock, 2);
    network.set({ bitsPerSecond: 1_000_000, delayMs: 100, loss: 0 });
    await samplesOf(network, clock, 4);
    const narrow = await samplesOf(network, clock, 5);
    expect(goodputOf(narrow)).toBeGreaterThan(0.7);
    expect(goodputOf(narrow)).toBeLessThan(1);
    expect(narrow.at(-1)!.sender.srttMs).toBeGreaterThan(200);
    network.set({ loss: 0.05 });
    const lossy = await samplesOf(network, clock, 5);
    expect(lossy.at(-1)!.packets.lost).toBeGreaterThan(narrow.at(-1)!.packets.lost + 5);
    await network.close();
  });

  // Requests come from pages, so values are clamped, and values that are not numbers are ignored.
  test("bounds the path", async () => {
    const network = new DemoNetwork({ clock: new VirtualClock() });
    network.set({ delayMs: -5, loss: 7, bitsPerSecond: 1e12 });
    expect(network.path).toEqual({ delayMs: 1, loss: 0.2, bitsPerSecond: 20_000_000 });
    network.set({ delayMs: NaN, loss: "0.1", bitsPerSecond: Infinity });
    network.set({ nothing: 5 } as never);
    expect(network.path).toEqual({ delayMs: 1, loss: 0.2, bitsPerSecond: 20_000_000 });
    await network.close();
  });

  // Every byte is part of a segment, each retransmission is marked, and acknowledgements follow.
  test("has the points of the time-sequence plot", async () => {
    const clock = new VirtualClock();
    const network = new DemoNetwork({ clock });
    network.set({ loss: 0.01 });
    const samples = await samplesOf(network, clock, 5);
    const segments = samples.flatMap(({ points }) => points.segments);
    const acks = samples.flatMap(({ points }) => points.acks);
    let next = 0;
    for (const [, from, to, isAgain] of segments) {
      expect([from <= next, isAgain]).toEqual([true, from < next]);
      next = Math.max(next, to);
    }
    const { sender } = samples.at(-1)!;
    expect(next).toBe(sender.bytesOut);
    expect(segments.filter(([, , , isAgain]) => isAgain).length).toBe(sender.retransmits);
    expect(sender.retransmits).toBeGreaterThan(0);
    expect(acks.at(-1)![1]).toBe(next - sender.flightSize);
    expect(samples.flatMap(({ points }) => points.sacks).length).toBeGreaterThan(0);
    await network.close();
  });

  // After a minute in which nothing arrives, the download begins again.
  test("begins again when the connection has failed", async () => {
    const clock = new VirtualClock();
    const network = new DemoNetwork({ clock });
    await samplesOf(network, clock, 1);
    network.abortDownload();
    const samples = await samplesOf(network, clock, 4);
    expect(samples.at(-1)!.sender.state).toBe("ESTABLISHED");
    expect(goodputOf(samples.slice(20))).toBeGreaterThan(1);
    await network.close();
  });
});
