import { describe, expect, test } from "bun:test";
import { MAX_WAITING_LENGTH, StderrQueue } from "../../../../adapters/service/log/stderr_queue.ts";

/** A reader that a test stops. */
function reader() {
  let text = "";
  let resume: (() => void) | undefined;
  let stopped: Promise<void> | undefined;
  const queue = new StderrQueue(async (bytes, at) => {
    await stopped;
    // Not more than a pipe has room for.
    const some = bytes.subarray(at, at + 65_536);
    text += new TextDecoder().decode(some);
    return some.length;
  });
  return {
    queue,
    text: () => text,
    stop: () => stopped = new Promise((resolve) => resume = resolve),
    resume: () => resume?.(),
  };
}

describe("StderrQueue", () => {
  // In order, in pieces that the pipe accepts.
  test("writes lines", async () => {
    const { queue, text } = reader();
    for (let i = 0; i < 10_000; i++) queue.write(`line ${i} ${"x".repeat(20)}`);
    await queue.finish();
    const lines = text().trim().split("\n");
    expect([lines.length, lines[0]!.slice(0, 6), lines.at(-1)!.slice(0, 9)])
      .toEqual([10_000, "line 0", "line 9999"]);
  });

  // 100,000 lines without a reader: no call waits, a megabyte is kept, and the rest is counted. When the
  // reader goes on, a line says how many are missing.
  test("bounds what waits for a reader that has stopped", async () => {
    const { queue, text, stop, resume } = reader();
    stop();
    const line = "x".repeat(99);
    queue.write(line);
    await Promise.resolve();
    for (let i = 0; i < 100_000; i++) queue.write(line);
    const kept = Math.floor(MAX_WAITING_LENGTH / 99);
    expect(queue.lost).toBe(100_000 - kept);
    resume();
    await queue.finish();
    expect(text().split("\n").length - 1).toBe(kept + 2);
    expect(text()).toContain(
      `\nberth: ${queue.lost} log lines were lost, because stderr was not read\n`,
    );
  });

  // The terminal has closed.
  test("survives a reader that is gone", async () => {
    const queue = new StderrQueue(() => Promise.reject(new Error("EPIPE")));
    for (let i = 0; i < 3; i++) {
      queue.write("line");
      await queue.finish();
    }
    expect(queue.lost).toBe(0);
  });
});
