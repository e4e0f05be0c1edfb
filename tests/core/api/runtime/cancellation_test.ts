import { describe, expect, test } from "bun:test";
import { Cancellation } from "../../../../core/api/runtime/cancellation.ts";
import { cancellationOf, PendingSyn } from "../../../../core/api/runtime/pending_syn.ts";
import type { NetAddr } from "../../../../core/api/types.ts";

const REASON = new Error("gone");
const ADDRESS: NetAddr = { transport: "tcp", hostname: "10.0.0.2", port: 80 };

describe("Cancellation", () => {
  // A function and an object listen; another function has stopped listening.
  test("calls its listeners once, in order", () => {
    const work = new Cancellation();
    const calls: string[] = [];
    const stopped = () => calls.push("stopped");
    work.addEventListener("abort", () => calls.push("function"));
    work.addEventListener("abort", stopped);
    work.addEventListener("abort", { handleEvent: () => calls.push("object") });
    work.removeEventListener("abort", stopped);
    expect([work.aborted, work.reason, work.isObserved]).toEqual([false, undefined, true]);
    work.abort(REASON);
    work.abort(new Error("later"));
    expect(calls).toEqual(["function", "object"]);
    expect([work.aborted, work.reason]).toEqual([true, REASON]);
  });

  // Like an AbortSignal, it does not call a listener that is added after the abort.
  test("does not call a listener that comes too late", () => {
    const work = new Cancellation();
    work.abort(REASON);
    work.addEventListener("abort", () => {
      throw new Error("called");
    });
    expect(work.isObserved).toBe(false);
  });

  // The signal is taken before the abort, and after it.
  test("has an AbortSignal for those who need one", () => {
    const work = new Cancellation();
    const { signal } = work;
    expect([work.signal === signal, signal.aborted]).toEqual([true, false]);
    work.abort(REASON);
    expect([signal.aborted, signal.reason]).toEqual([true, REASON]);
    const late = new Cancellation();
    late.abort(REASON);
    expect(late.signal.reason).toBe(REASON);
  });
});

describe("cancellationOf", () => {
  // A SYN of the stack, and one that another plugin has made.
  test("reports what syn.signal reports", () => {
    const attempt = new Cancellation();
    const syn = new PendingSyn(ADDRESS, ADDRESS, attempt);
    const cancellation = cancellationOf(syn);
    expect(attempt.isObserved).toBe(false);
    const { signal } = syn;
    attempt.abort(REASON);
    expect([cancellation.aborted, signal.aborted]).toEqual([true, true]);
    expect(cancellationOf({ local: ADDRESS, remote: ADDRESS, signal })).toBe(signal);
  });
});
