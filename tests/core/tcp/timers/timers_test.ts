import { describe, expect, test } from "bun:test";
import {
  earliestTimer,
  isRunning,
  setTimer,
  stopTimer,
  stopTimers,
  takeExpired,
  TIMER,
  timerAt,
} from "../../../../core/tcp/timers/timers.ts";
import { freshTcb } from "../../../support/fresh_tcb.ts";

describe("timers", () => {
  // Three timers, one of which is moved and one stopped.
  test("returns expired timers, the earliest first", () => {
    const tcb = freshTcb();
    setTimer(tcb, TIMER.LIFETIME, 300);
    setTimer(tcb, TIMER.RETRANSMIT, 100);
    setTimer(tcb, TIMER.KEEP_ALIVE, 200);
    setTimer(tcb, TIMER.RETRANSMIT, 250);
    stopTimer(tcb, TIMER.KEEP_ALIVE);
    expect(takeExpired(tcb, 249)).toBe(-1);
    expect(earliestTimer(tcb)).toBe(250);
    expect(takeExpired(tcb, 300)).toBe(TIMER.RETRANSMIT);
    expect(takeExpired(tcb, 300)).toBe(TIMER.LIFETIME);
    expect(takeExpired(tcb, 300)).toBe(-1);
  });

  // A connection becomes idle, then busy again.
  test("can be reused after all timers have stopped", () => {
    const tcb = freshTcb();
    expect(timerAt(tcb, TIMER.PACE)).toBe(Infinity);
    stopTimer(tcb, TIMER.PACE);
    expect(takeExpired(tcb, 0)).toBe(-1);
    expect(earliestTimer(tcb)).toBe(Infinity);
    setTimer(tcb, TIMER.PACE, 5);
    stopTimers(tcb);
    expect(isRunning(tcb, TIMER.PACE)).toBe(false);
    setTimer(tcb, TIMER.PACE, 7);
    expect([earliestTimer(tcb), timerAt(tcb, TIMER.PACE), isRunning(tcb, TIMER.PACE)])
      .toEqual([7, 7, true]);
  });

  // Keep-alive runs as long as the connection, and must not keep the record of the other timers.
  test("includes keep-alive", () => {
    const tcb = freshTcb();
    setTimer(tcb, TIMER.KEEP_ALIVE, 7000);
    expect([earliestTimer(tcb), timerAt(tcb, TIMER.KEEP_ALIVE)]).toEqual([7000, 7000]);
    setTimer(tcb, TIMER.RETRANSMIT, 200);
    expect(earliestTimer(tcb)).toBe(200);
    expect(takeExpired(tcb, 200)).toBe(TIMER.RETRANSMIT);
    setTimer(tcb, TIMER.KEEP_ALIVE, 8000);
    setTimer(tcb, TIMER.LIFETIME, 9000);
    expect(takeExpired(tcb, 7999)).toBe(-1);
    expect(earliestTimer(tcb)).toBe(8000);
    expect(takeExpired(tcb, 9000)).toBe(TIMER.KEEP_ALIVE);
    expect(takeExpired(tcb, 9000)).toBe(TIMER.LIFETIME);
    expect([takeExpired(tcb, 9000), earliestTimer(tcb)]).toEqual([-1, Infinity]);
  });
});
