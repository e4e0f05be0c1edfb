import { describe, expect, test } from "bun:test";
import { TIMER, TimerTable } from "../../../../core/tcp/timers/timers.ts";

describe("TimerTable", () => {
  // Three deadlines, one of them moved and one stopped.
  test("hands out what has expired, the earliest first", () => {
    const timers = new TimerTable();
    timers.setTimer(TIMER.LIFETIME, 300);
    timers.setTimer(TIMER.RETRANSMIT, 100);
    timers.setTimer(TIMER.KEEP_ALIVE, 200);
    timers.setTimer(TIMER.RETRANSMIT, 250);
    timers.stopTimer(TIMER.KEEP_ALIVE);
    expect(timers.takeExpired(249)).toBe(-1);
    expect(timers.earliestTimer).toBe(250);
    expect(timers.takeExpired(300)).toBe(TIMER.RETRANSMIT);
    expect(timers.takeExpired(300)).toBe(TIMER.LIFETIME);
    expect(timers.takeExpired(300)).toBe(-1);
  });

  // A connection becomes idle and busy again.
  test("can be used again when nothing has been running", () => {
    const timers = new TimerTable();
    expect(timers.timerAt(TIMER.PACE)).toBe(Infinity);
    timers.stopTimer(TIMER.PACE);
    expect(timers.takeExpired(0)).toBe(-1);
    expect(timers.earliestTimer).toBe(Infinity);
    timers.setTimer(TIMER.PACE, 5);
    timers.stopTimers();
    expect(timers.isRunning(TIMER.PACE)).toBe(false);
    timers.setTimer(TIMER.PACE, 7);
    expect([timers.earliestTimer, timers.timerAt(TIMER.PACE), timers.isRunning(TIMER.PACE)])
      .toEqual([7, 7, true]);
  });

  // It runs as long as the connection, and must not keep the others' row alive.
  test("has keep-alive among the others", () => {
    const timers = new TimerTable();
    timers.setTimer(TIMER.KEEP_ALIVE, 7000);
    expect([timers.earliestTimer, timers.timerAt(TIMER.KEEP_ALIVE)]).toEqual([7000, 7000]);
    timers.setTimer(TIMER.RETRANSMIT, 200);
    expect(timers.earliestTimer).toBe(200);
    expect(timers.takeExpired(200)).toBe(TIMER.RETRANSMIT);
    timers.setTimer(TIMER.KEEP_ALIVE, 8000);
    timers.setTimer(TIMER.LIFETIME, 9000);
    expect(timers.takeExpired(7999)).toBe(-1);
    expect(timers.earliestTimer).toBe(8000);
    expect(timers.takeExpired(9000)).toBe(TIMER.KEEP_ALIVE);
    expect(timers.takeExpired(9000)).toBe(TIMER.LIFETIME);
    expect([timers.takeExpired(9000), timers.earliestTimer]).toEqual([-1, Infinity]);
  });
});
