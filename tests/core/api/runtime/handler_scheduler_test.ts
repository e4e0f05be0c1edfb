import { beforeEach, describe, expect, test } from "bun:test";
import { VirtualClock } from "../../../../adapters/runtime/virtual_clock.ts";
import {
  BUDGET_MS,
  HandlerScheduler,
  MAX_TURNS,
  QUIET_TURNS,
  QUIET_TURNS_UNANSWERED,
  SMALL_READ,
} from "../../../../core/api/runtime/handler_scheduler.ts";

let clock: VirtualClock;
let scheduler: HandlerScheduler;
let flushes: number;

beforeEach(() => {
  clock = new VirtualClock();
  flushes = 0;
  scheduler = new HandlerScheduler(clock, () => {
    flushes++;
    scheduler.flushed();
  });
});

/** Lets `count` turns of the microtask queue pass, like a handler that awaits promises of its own. */
async function turns(count: number): Promise<void> {
  for (let i = 0; i < count; i++) await undefined;
}

/** Notifies a handler; tells whether it had ended when it counted as finished. */
async function hasEnded(handler: () => Promise<void>): Promise<boolean> {
  let ended = false;
  scheduler.begin();
  const running = handler().then(() => ended = true);
  await scheduler.finished();
  const hadEnded = ended;
  await running;
  return hadEnded;
}

describe("HandlerScheduler", () => {
  // A read loop makes its next call within a few turns, any number of times.
  test("waits for a handler that keeps calling", async () => {
    const handler = async () => {
      for (let i = 0; i < 20; i++) {
        await turns(QUIET_TURNS - 1);
        scheduler.noteWrite();
      }
    };
    expect(await hasEnded(handler)).toBe(true);
    expect(flushes).toBe(0);
  });

  // The handler is waiting for something else, so data that it has written must not be held back.
  test("does not wait for a handler that is quiet", async () => {
    expect(await hasEnded(() => turns(QUIET_TURNS + 1))).toBe(false);
  });

  // The application between a request and its answer has promises of its own.
  test("gives a handler that has read a request the turns to answer it", async () => {
    const answer = async (read: number) => {
      scheduler.noteRead(read);
      await turns(QUIET_TURNS_UNANSWERED - 1);
      scheduler.noteWrite();
    };
    expect(await hasEnded(() => answer(SMALL_READ - 1))).toBe(true);
    expect(await hasEnded(() => answer(SMALL_READ))).toBe(false);
  });

  // One request is answered and the other is not: the wait is as long as for an unanswered request.
  test("waits as long as any request is unanswered", async () => {
    const handler = async () => {
      scheduler.noteRead(1);
      scheduler.noteRead(1);
      scheduler.noteWrite();
      await turns(QUIET_TURNS_UNANSWERED - 1);
      scheduler.noteWrite();
    };
    expect(await hasEnded(handler)).toBe(true);
  });

  // An answer from a timer or a file takes longer: the wait starts again with the next turn.
  test("forgets unanswered requests once everything is sent", async () => {
    expect(await hasEnded(() => (scheduler.noteRead(1), Promise.resolve()))).toBe(true);
    scheduler.flushed();
    expect(await hasEnded(() => turns(QUIET_TURNS + 1))).toBe(false);
  });

  // Two handlers that keep each other busy would hold back the flush forever.
  test("waits for MAX_TURNS at most", async () => {
    let calls = 0;
    let isOver = false;
    scheduler.begin();
    const handler = (async () => {
      for (; !isOver; calls++) {
        scheduler.noteCall();
        await undefined;
      }
    })();
    await scheduler.finished();
    isOver = true;
    await handler;
    expect(calls).toBeGreaterThanOrEqual(MAX_TURNS);
    expect(calls).toBeLessThan(MAX_TURNS + 3);
  });

  // Calls from outside any handler are flushed once, after all calls of the turn.
  test("flushes once for the calls of one turn", async () => {
    scheduler.noteCall();
    scheduler.noteWrite();
    expect(flushes).toBe(0);
    await turns(2);
    expect(flushes).toBe(1);
  });

  // Everything has been sent in the meantime.
  test("does not flush what has been flushed", async () => {
    scheduler.noteCall();
    scheduler.flushed();
    await turns(2);
    expect(flushes).toBe(0);
  });

  // Reading the clock for each readable connection would cost more than the rest.
  test("handlers of one turn share a reading of the clock", async () => {
    let readings = 0;
    const counting = { now: () => ++readings, schedule: () => () => {} };
    const scheduler = new HandlerScheduler(counting, () => {});
    readings = 0;
    scheduler.begin();
    expect([scheduler.now(), scheduler.now()]).toEqual([1, 1]);
    const finished = scheduler.finished();
    await undefined;
    expect([scheduler.now(), scheduler.now()]).toEqual([2, 2]);
    await finished;
    expect([scheduler.now(), scheduler.now()]).toEqual([3, 4]);
  });

  // Timers and I/O run between packets, however many come.
  test("yields to the event loop after BUDGET_MS", async () => {
    expect(scheduler.yieldIfDue(clock.now())).toBeUndefined();
    await clock.advance(BUDGET_MS);
    const pause = scheduler.yieldIfDue(clock.now());
    expect(pause).toBeInstanceOf(Promise);
    let hadTurn = false;
    setTimeout(() => hadTurn = true, 0);
    for (let i = 0; i < 1000 && !hadTurn; i++) await scheduler.yieldIfDue(clock.now());
    await pause;
    expect(scheduler.yieldIfDue(clock.now())).toBeUndefined();
  });
});
