import { describe, expect, test } from "bun:test";
import { VirtualClock } from "../../../adapters/runtime/virtual_clock.ts";
import { withDeadline, withTimeout } from "../../../plugins/shared/with_timeout.ts";
import { settle } from "../../support/fake_socket.ts";

const late = () => new Error("too late");
const never = () => new Promise<never>(() => {});

/** Rejects when its signal is aborted, as a dial does. */
const untilAborted = (signal: AbortSignal) =>
  new Promise<never>((_, reject) => {
    const abort = () => reject(signal.reason);
    if (signal.aborted) abort();
    signal.addEventListener("abort", abort);
  });

describe("withTimeout", () => {
  // The task takes 10 ms of the 10 ms it has, and the callback runs once, at that time.
  test("calls back when the time is over", async () => {
    const clock = new VirtualClock();
    let calls = 0;
    void withTimeout(clock, 10, () => calls++, never);
    await clock.advance(9);
    expect(calls).toBe(0);
    await clock.advance(1);
    expect(calls).toBe(1);
  });

  // A task that has resolved or rejected leaves no timer behind.
  test("cancels the timer when the task has settled", async () => {
    const clock = new VirtualClock();
    let calls = 0;
    const count = () => calls++;
    expect(await withTimeout(clock, 10, count, () => Promise.resolve("done"))).toBe("done");
    const failed = withTimeout(clock, 10, count, () => Promise.reject(new Error("broke")));
    await expect(failed).rejects.toThrow("broke");
    await clock.advance(20);
    expect(calls).toBe(0);
  });
});

describe("withDeadline", () => {
  // At the deadline the task's signal is aborted; whatever the task throws, the caller gets the
  // timeout error.
  test("throws the timeout error, whatever the task throws then", async () => {
    const clock = new VirtualClock();
    const { signal } = new AbortController();
    const task = (within: AbortSignal) =>
      untilAborted(within).catch(() => Promise.reject(new Error("no address")));
    const result = withDeadline({ clock, timeoutMs: 10, signal }, late, task);
    const thrown = result.catch((error: Error) => error.message);
    await clock.advance(10);
    expect(await thrown).toBe("too late");
  });

  // The caller aborts at 5 ms, or has aborted before: the task gets the reason.
  test("passes on the abort of the caller's signal", async () => {
    const clock = new VirtualClock();
    const gone = new AbortController();
    const limits = { clock, timeoutMs: 10, signal: gone.signal };
    const thrown = withDeadline(limits, late, untilAborted).catch((error: Error) => error.message);
    await clock.advance(5);
    gone.abort(new Error("the client has gone"));
    expect(await thrown).toBe("the client has gone");
    await expect(withDeadline(limits, late, untilAborted)).rejects.toThrow("the client has gone");
  });

  // A long-lived signal outlives thousands of dials: none of them stays registered with it.
  test("leaves no listener on its signal", async () => {
    const clock = new VirtualClock();
    const { signal } = new AbortController();
    let listeners = 0;
    const counted = Object.create(signal, {
      aborted: { value: false },
      addEventListener: { value: () => listeners++ },
      removeEventListener: { value: () => listeners-- },
    }) as AbortSignal;
    const done = withDeadline({ clock, timeoutMs: 10, signal: counted }, late, async () => {
      await settle();
      return listeners;
    });
    expect(await done).toBe(1);
    expect(listeners).toBe(0);
  });
});
