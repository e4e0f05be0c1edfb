import { describe, expect, test } from "bun:test";
import { sleepUntil } from "../../../../core/api/environment.ts";
import { VirtualClock } from "../../../../adapters/runtime/virtual_clock.ts";
import { LiveUpdates, MAX_VIEWERS } from "../../../../adapters/service/dashboard/live.ts";

/** Updates that take `costMs` each; `taken` has their times. */
function liveAtTime(costMs = 0) {
  const clock = new VirtualClock();
  const live = new LiveUpdates(clock);
  const taken: number[] = [];
  const take = async () => {
    taken.push(clock.now());
    if (costMs > 0) await sleepUntil(clock, clock.now() + costMs);
    return { number: taken.length };
  };
  return { clock, live, taken, take };
}

/** Reads until the time is over. */
function readAll(stream: ReadableStream<Uint8Array>): string[] {
  const events: string[] = [];
  void (async () => {
    for await (const chunk of stream) events.push(new TextDecoder().decode(chunk));
  })();
  return events;
}

describe("LiveUpdates", () => {
  test("sends an update at an interval", async () => {
    const { clock, live, taken, take } = liveAtTime();
    const events = readAll(live.open(take, 500)!);
    await clock.advance(1400);
    expect(taken).toEqual([0, 500, 1000]);
    expect(events[0]).toBe('data: {"number":1}\n\n');
  });

  test("sends at most ten a second", async () => {
    const { clock, live, taken, take } = liveAtTime();
    readAll(live.open(take, 0)!);
    await clock.advance(990);
    expect(taken).toHaveLength(10);
  });

  // No updates are made for a viewer that does not read, however long it stays.
  test("costs nothing for a viewer that does not read", async () => {
    const { clock, live, taken, take } = liveAtTime();
    const stream = live.open(take, 100)!;
    await clock.advance(5000);
    expect(taken).toEqual([]);
    const reader = stream.getReader();
    await reader.read();
    await clock.advance(5000);
    expect(taken).toHaveLength(1);
  });

  // Two viewers of a service whose updates take 10 ms: one update in half a second, in turn.
  test("takes at most a fiftieth of the time, for all viewers together", async () => {
    const { clock, live, taken, take } = liveAtTime(10);
    const [one, other] = [readAll(live.open(take, 100)!), readAll(live.open(take, 100)!)];
    await clock.advance(10_000);
    expect(taken.length).toBeGreaterThan(15);
    expect(taken.length * 10).toBeLessThanOrEqual(clock.now() / 50 + 10);
    expect(Math.abs(one.length - other.length)).toBeLessThan(2);
  });

  test("has a bounded number of viewers, and forgets those that leave", async () => {
    const { live, take } = liveAtTime();
    const streams = Array.from({ length: MAX_VIEWERS }, () => live.open(take, 100)!);
    expect(live.open(take, 100)).toBe(undefined);
    await streams[0]!.cancel();
    expect(live.viewers).toBe(MAX_VIEWERS - 1);
    expect(live.open(take, 100)).not.toBe(undefined);
  });

  // A viewer that waits for its next update is released too.
  test("ends all streams when it is closed", async () => {
    const { clock, live, take } = liveAtTime();
    const reader = live.open(take, 1000)!.getReader();
    await reader.read();
    const next = reader.read();
    await clock.advance(20);
    live.close();
    expect((await next).done).toBe(true);
    expect(live.viewers).toBe(0);
  });

  // The page asks again; other viewers are not affected.
  test("ends only the viewer whose update cannot be made", async () => {
    const { live, take } = liveAtTime();
    const failing = live.open(() => Promise.reject(new Error("no such field")), 100)!.getReader();
    await expect(failing.read()).rejects.toThrow("no such field");
    expect(live.viewers).toBe(0);
    const { value } = await live.open(take, 100)!.getReader().read();
    expect(new TextDecoder().decode(value)).toContain("1");
  });
});
