import { describe, expect, test } from "bun:test";
import { TIMER, Timers } from "../../../../core/tcp/timers/timers.ts";

describe("Timers", () => {
  // Three timers, one of which is moved and one stopped.
  test("returns expired timers, the earliest first", () => {
    const timers = new Timers();
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

  // A connection becomes idle, then busy again.
  test("can be reused after all timers have stopped", () => {
    const timers = new Timers();
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

  // Keep-alive runs as long as the connection, and must not keep the record of the other timers.
  test("includes keep-alive", () => {
    const timers = new Timers();
    timers.set(TIMER.KEEP_ALIVE, 7000);
    expect([timers.earliest, timers.at(TIMER.KEEP_ALIVE)]).toEqual([7000, 7000]);
    timers.set(TIMER.RETRANSMIT, 200);
    expect(timers.earliest).toBe(200);
    expect(timers.takeExpired(200)).toBe(TIMER.RETRANSMIT);
    timers.set(TIMER.KEEP_ALIVE, 8000);
    timers.set(TIMER.LIFETIME, 9000);
    expect(timers.takeExpired(7999)).toBe(-1);
    expect(timers.earliest).toBe(8000);
    expect(timers.takeExpired(9000)).toBe(TIMER.KEEP_ALIVE);
    expect(timers.takeExpired(9000)).toBe(TIMER.LIFETIME);
    expect([timers.takeExpired(9000), timers.earliest]).toEqual([-1, Infinity]);
  });
});
