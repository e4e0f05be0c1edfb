import { describe, expect, test } from "bun:test";
import { burstClockOf } from "../../../../plugins/shared/http/burst_clock.ts";
import { http } from "../../../../plugins/http.ts";
import { totalsOf } from "../../../../core/api/metrics/histogram.ts";
import type { HistogramValue } from "../../../../core/api/metrics/metric.ts";
import { bytes, StackPair } from "../../../core/api/stack_pair.ts";

/** A clock that is later at each reading. */
function countingClock() {
  let readings = 0;
  return { now: () => ++readings, schedule: () => () => {} };
}

describe("BurstClock", () => {
  // Two handlers run after one packet: they see one time. A timer fires later, and sees another.
  test("is read once until the microtask queue is empty", async () => {
    const clock = burstClockOf(countingClock());
    expect(clock.now()).toBe(1);
    queueMicrotask(() => {});
    expect(clock.now()).toBe(1);
    await new Promise((resolve) => setTimeout(resolve));
    expect(clock.now()).toBe(2);
  });

  // Both callbacks get the time at which the burst has ended.
  test("reads the time once for all that wait for the end of the burst", async () => {
    const clock = burstClockOf(countingClock());
    const ends: number[] = [];
    expect(clock.now()).toBe(1);
    clock.atEnd((now) => void ends.push(now));
    clock.atEnd((now) => void ends.push(now));
    expect(ends).toEqual([]);
    await new Promise((resolve) => setTimeout(resolve));
    expect(ends).toEqual([2, 2]);
    await new Promise((resolve) => setTimeout(resolve));
    expect(ends).toEqual([2, 2]);
  });

  // Connections on one stack share it; stacks with clocks of their own do not.
  test("is one for each clock", () => {
    const one = countingClock();
    expect(burstClockOf(one)).toBe(burstClockOf(one));
    expect(burstClockOf(one)).not.toBe(burstClockOf(countingClock()));
  });
});

describe("the metrics of http", () => {
  // Sixteen clients send a request at once, and are served in one turn. Each counts, with the time from the packet
  // to the end of the turn; the plugin reads the clock no more often than without metrics, plus once for the turn.
  test("cost one reading of the clock for a turn of many connections", async () => {
    const readings: number[] = [];
    for (const isMeasured of [false, true]) {
      await using pair = new StackPair();
      const plugin = http({ fetch: () => new Response("ahoy") });
      if (isMeasured) plugin.metrics!();
      pair.server.use(80, plugin);
      const sockets = Array.from({ length: 16 }, () => pair.client.connect("10.0.0.2:80"));
      await pair.run(Promise.all(sockets.map((socket) => socket.opened)));
      let count = 0;
      const { clock } = pair;
      const now = clock.now.bind(clock);
      clock.now = () => {
        count++;
        return now();
      };
      await pair.run(Promise.all(
        sockets.map((socket) => socket.write(bytes("GET / HTTP/1.1\r\nHost: h\r\n\r\n"))),
      ));
      await pair.run(Promise.all(sockets.map((socket) => socket.read(new Uint8Array(999)))));
      readings.push(count);
      clock.now = now;
      if (!isMeasured) continue;
      const [point] = plugin.metrics!()[0]!.points;
      expect(totalsOf(point!.value as HistogramValue).count).toBe(16);
    }
    expect(readings[1]! - readings[0]!).toBeLessThanOrEqual(2);
  });
});
