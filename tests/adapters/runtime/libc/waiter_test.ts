import { describe, expect, test } from "bun:test";
import { AioWaiter } from "../../../../adapters/runtime/libc/aio_waiter.ts";
import type { LibcHost } from "../../../../adapters/runtime/libc/host.ts";
import { PollingWaiter } from "../../../../adapters/runtime/libc/polling_waiter.ts";

describe("AioWaiter.open", () => {
  const never = () => {
    throw new Error("not to be called");
  };
  const host = {
    libc: { eventfd: never, close: never } as unknown as LibcHost["libc"],
    errno: () => 38,
    addressOf: () => 4096,
  };

  /** Tries to open a waiter with a simulated kernel; returns its system calls. */
  function open(architecture: string, answer: (call: number) => number) {
    const calls: number[] = [];
    const syscall = (call: number) => {
      calls.push(call);
      return answer(call);
    };
    const waiter = AioWaiter.open(host, { syscall }, architecture, 5, never);
    return { waiter, calls };
  }

  // A sandbox forbids io_setup.
  test("returns undefined if the kernel does not support AIO", () => {
    expect(open("x64", () => -1)).toEqual({ waiter: undefined, calls: [206] });
    expect(open("arm64", () => -1)).toEqual({ waiter: undefined, calls: [0] });
  });

  // Kernels before 4.18 have io_submit but not this request: the context is destroyed.
  test("returns undefined if the kernel cannot poll", () => {
    const { waiter, calls } = open("x64", (call) => call === 209 ? -1 : 0);
    expect(waiter).toBeUndefined();
    expect(calls).toEqual([206, 209, 207]);
  });

  // Its system call numbers are unknown.
  test("returns undefined on an unknown architecture", () => {
    expect(open("riscv64", () => 0)).toEqual({ waiter: undefined, calls: [] });
  });
});

describe("PollingWaiter", () => {
  // Not readable twice, then readable.
  test("polls until the descriptor is readable", async () => {
    const answers = [0, 0, 1];
    const waiter = new PollingWaiter({ ppoll: () => answers.shift()! }, 5);
    await waiter.wait();
    expect(answers).toEqual([]);
  });

  // The caller finds the error with its next read.
  test("resolves on an error", async () => {
    await new PollingWaiter({ ppoll: () => -1 }, 5).wait();
  });

  // The descriptor is never readable.
  test("close ends a wait", async () => {
    const waiter = new PollingWaiter({ ppoll: () => 0 }, 5);
    const waiting = waiter.wait();
    await waiter.close();
    await waiting;
  });
});
