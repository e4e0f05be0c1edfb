import { describe, expect, test } from "bun:test";
import { seededRandom } from "../../../adapters/runtime/seeded_random.ts";
import { DeadlineHeap } from "../../../core/stack/deadline_heap.ts";
import type { Tcb } from "../../../core/tcp/tcb.ts";
import { setTimer, stopTimers, takeExpired, TIMER } from "../../../core/tcp/timers/timers.ts";
import { assert } from "../../support/assert.ts";
import { freshTcb } from "../../support/fresh_tcb.ts";

function setTo(deadlines: DeadlineHeap<Tcb>, tcb: Tcb, at: number): void {
  setTimer(tcb, TIMER.RETRANSMIT, at);
  deadlines.update(tcb);
}

describe("DeadlineHeap", () => {
  // Compared with a list that is sorted at every step.
  test("returns connections in order of their deadlines", () => {
    const random = seededRandom(1);
    const deadlines = new DeadlineHeap<Tcb>();
    const all = Array.from({ length: 200 }, () => freshTcb());
    for (let i = 0; i < 20_000; i++) {
      const tcb = all[random.uint32() % all.length]!;
      const what = random.fraction();
      if (what < 0.7) {
        setTo(deadlines, tcb, random.uint32() % 1000);
      } else if (what < 0.8) {
        deadlines.remove(tcb);
        stopTimers(tcb);
      } else {
        const now = random.uint32() % 1000;
        const due = deadlines.takeDue(now);
        if (due !== undefined) stopTimers(due);
      }
      const waiting = all.filter((one) => one.heapIndex >= 0);
      const first = Math.min(Infinity, ...waiting.map((one) => deadlines.keyOf(one)));
      assert(deadlines.count === waiting.length, `the count after step ${i}`);
      assert(deadlines.next() === first, `the first after step ${i}`);
    }
    let last = -Infinity;
    for (let due = deadlines.takeDue(2000); due; due = deadlines.takeDue(2000)) {
      expect(due.earliestTimer).toBeGreaterThanOrEqual(last);
      last = due.earliestTimer;
    }
    expect(deadlines.count).toBe(0);
    expect(deadlines.next()).toBe(Infinity);
  });

  // A spurious wake-up is cheaper than moving the connection at every acknowledgement.
  test("does not move a connection whose deadline becomes later", () => {
    const deadlines = new DeadlineHeap<Tcb>();
    const tcb = freshTcb();
    setTo(deadlines, tcb, 100);
    setTimer(tcb, TIMER.RETRANSMIT, 200);
    deadlines.update(tcb);
    expect(deadlines.next()).toBe(100);
    expect(deadlines.takeDue(99)).toBe(undefined);
    expect(deadlines.takeDue(100)).toBe(tcb);
    expect(takeExpired(tcb, 100)).toBe(-1);
    deadlines.update(tcb);
    expect(deadlines.next()).toBe(200);
  });
});
