import { describe, expect, test } from "bun:test";
import { TIMER, TimerTable } from "../../../core/tcp/timers.ts";

describe("TimerTable", () => {
  // Three deadlines, one of them moved and one stopped.
  test("hands out what has expired, the earliest first", () => {
    const timers = new TimerTable();
    timers.set(TIMER.LIFETIME, 300);
    timers.set(TIMER.RETRANSMIT, 100);
    timers.set(TIMER.KEEP_ALIVE, 200);
    timers.set(TIMER.RETRANSMIT, 250);
    timers.stop(TIMER.KEEP_ALIVE);
    expect(timers.takeExpired(249)).toBe(-1);
    expect(timers.earliest).toBe(250);
    expect(timers.takeExpired(300)).toBe(TIMER.RETRANSMIT);
    expect(timers.takeExpired(300)).toBe(TIMER.LIFETIME);
    expect(timers.takeExpired(300)).toBe(-1);
  });

  // A connection becomes idle and busy again.
  test("can be used again when nothing has been running", () => {
    const timers = new TimerTable();
    expect(timers.at(TIMER.PACE)).toBe(Infinity);
    timers.stop(TIMER.PACE);
    expect(timers.takeExpired(0)).toBe(-1);
    expect(timers.earliest).toBe(Infinity);
    timers.set(TIMER.PACE, 5);
    timers.stopAll();
    expect(timers.isRunning(TIMER.PACE)).toBe(false);
    timers.set(TIMER.PACE, 7);
    expect([timers.earliest, timers.at(TIMER.PACE), timers.isRunning(TIMER.PACE)])
      .toEqual([7, 7, true]);
  });
});
