import { beforeEach, describe, expect, test } from "bun:test";
import { VirtualClock } from "../../../adapters/runtime/virtual_clock.ts";
import { sleepUntil } from "../../../core/api/environment.ts";

let clock: VirtualClock;
let trace: string[];
const note = (text: string) => () => trace.push(`${clock.now()} ${text}`);

beforeEach(() => {
  clock = new VirtualClock();
  trace = [];
});

describe("advance", () => {
  // Timers run by time, and at the same time in the order of scheduling.
  test("runs timers in order", async () => {
    clock.schedule(20, note("c"));
    clock.schedule(10, note("a"));
    clock.schedule(20, note("d"));
    clock.schedule(10, note("b"));
    clock.schedule(21, note("e"));
    await clock.advance(20);
    expect(trace).toEqual(["10 a", "10 b", "20 c", "20 d"]);
    expect(clock.now()).toBe(20);
    expect(clock.pending).toBe(1);
  });

  // A late timer runs now; the time never goes back.
  test("runs a timer scheduled for the past at the current time", async () => {
    clock = new VirtualClock(100);
    clock.schedule(50, note("late"));
    await clock.advance(0);
    expect(trace).toEqual(["100 late"]);
  });

  // A retransmission timer reschedules itself.
  test("runs timers that timers schedule", async () => {
    const tick = () => {
      note("tick")();
      clock.schedule(clock.now() + 10, tick);
    };
    clock.schedule(10, tick);
    await clock.advance(35);
    expect(trace).toEqual(["10 tick", "20 tick", "30 tick"]);
    expect(clock.now()).toBe(35);
  });

  // Streams pass chunks through many promises, all of which settle before the next timer.
  test("lets everything settle between two timers", async () => {
    const { readable, writable } = new TransformStream<string, string>();
    const writer = writable.getWriter();
    const reading = (async () => {
      for await (const chunk of readable) note(`read ${chunk}`)();
    })();
    clock.schedule(10, () => void writer.write("first"));
    clock.schedule(11, () => void writer.write("second"));
    clock.schedule(12, () => void writer.close());
    await clock.advance(100);
    await reading;
    expect(trace).toEqual(["10 read first", "11 read second"]);
  });

  // advance() rejects with the error.
  test("propagates errors of timers", async () => {
    clock.schedule(10, () => {
      throw new Error("from the timer");
    });
    await expect(clock.advance(20)).rejects.toThrow("from the timer");
  });

  // A timer that reschedules itself for the same time would loop forever.
  test("fails if the time does not advance", async () => {
    const again = () => void clock.schedule(clock.now(), again);
    again();
    await expect(clock.advance(1)).rejects.toThrow("timers keep firing at 0 ms");
  }, 20_000);
});

describe("schedule", () => {
  // Of two timers at the same time only one is cancelled; cancelling twice has no effect.
  test("returns a function that cancels", async () => {
    clock.schedule(10, note("kept"));
    const cancel = clock.schedule(10, note("cancelled"));
    clock.schedule(10, note("kept too"));
    cancel();
    cancel();
    expect(clock.pending).toBe(2);
    await clock.advance(10);
    expect(trace).toEqual(["10 kept", "10 kept too"]);
    cancel();
    expect(clock.pending).toBe(0);
  });

  // Code under test uses only the interface.
  test("serves sleepUntil", async () => {
    const sleeping = sleepUntil(clock, 1000).then(note("awake"));
    await clock.advance(999);
    expect(trace).toEqual([]);
    await clock.advance(1);
    await sleeping;
    expect(trace).toEqual(["1000 awake"]);
  });
});

describe("runUntil", () => {
  // A day passes at once.
  test("advances from timer to timer until a promise settles", async () => {
    const day = 24 * 3_600_000;
    const sleeping = sleepUntil(clock, day).then(() => "done");
    expect(await clock.runUntil(sleeping, { limitMs: day })).toBe("done");
    expect(clock.now()).toBe(day);
  });

  // The condition is checked after each timer.
  test("advances until a condition holds", async () => {
    for (const at of [10, 20, 30]) clock.schedule(at, note("tick"));
    await clock.runUntil(() => trace.length === 2);
    expect(clock.now()).toBe(20);
    expect(clock.pending).toBe(1);
  });

  // The test gets the rejection of the promise.
  test("rejects as the promise does", async () => {
    const failing = sleepUntil(clock, 10).then(() => {
      throw new Error("failed");
    });
    await expect(clock.runUntil(failing)).rejects.toThrow("failed");
  });

  // Work in another thread gets real time.
  test("waits for work without a timer", async () => {
    const digest = crypto.subtle.digest("SHA-256", new Uint8Array(1_000_000));
    expect((await clock.runUntil(digest)).byteLength).toBe(32);
    expect(clock.now()).toBe(0);
  });

  // Timers after the limit do not run.
  test("gives up after the limit", async () => {
    clock.schedule(101, note("too late"));
    await expect(clock.runUntil(() => false, { limitMs: 100 })).rejects.toThrow("within 100 ms");
    expect(trace).toEqual([]);
  });
});
