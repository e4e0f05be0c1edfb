import { describe, expect, test } from "bun:test";
import {
  MAX_WAITING_LINES,
  waitingLines,
  type WorkerLine,
  workerLogger,
  writeWorkerLine,
} from "../../../../adapters/service/workers/worker_log.ts";
import type { LogLevel } from "../../../../adapters/service/log/logger.ts";
import { silentLogger } from "../../../../core/api/environment.ts";

function worker(level: LogLevel) {
  const posted: WorkerLine[] = [];
  const waiting = waitingLines();
  // A line as the structured clone of a message returns it.
  const log = workerLogger(level, waiting, (line) => void posted.push(structuredClone(line)));
  return { posted, waiting, log };
}

describe("workerLogger", () => {
  // An error, a function and an object that cannot be cloned are sent as text.
  test("sends lines that a message can carry", () => {
    const { posted, log } = worker("info");
    log.error("failed", { error: new Error("why"), port: 80, made: parseInt, none: undefined });
    expect(posted).toEqual([
      {
        level: "error",
        message: "failed",
        fields: { error: "why", port: 80, made: String(parseInt) },
      },
    ]);
  });

  // The level can be changed while it runs, and nothing is sent below it.
  test("has a level", () => {
    const { posted, log } = worker("warn");
    log.info("too little");
    expect(log.isEnabled?.("info")).toBe(false);
    log.level = "debug";
    log.debug("enough");
    expect(log.isEnabled?.("debug")).toBe(true);
    expect(posted.map(({ message }) => message)).toEqual(["enough"]);
  });

  // The main thread may have a separate file for these lines, and applies the log level itself.
  test("sends the lines of an access log whatever the level", () => {
    const { posted, log } = worker("error");
    log.info("access", { line: "a request" });
    log.info("connection");
    expect(posted).toEqual([{ level: "info", message: "access", fields: { line: "a request" } }]);
  });

  // 10,000 lines while the main thread is busy: a thousand wait, and the next line says how many
  // were dropped.
  test("bounds the lines that wait for the main thread", () => {
    const { posted, waiting, log } = worker("info");
    for (let i = 0; i < 10_000; i++) log.info("line");
    expect(posted.length).toBe(MAX_WAITING_LINES);
    const written: unknown[] = [];
    const main = { ...silentLogger, info: (_: string, fields: unknown) => written.push(fields) };
    for (const line of posted.splice(0)) writeWorkerLine(line, waiting, 3, main);
    expect(written.length).toBe(MAX_WAITING_LINES);
    expect(written[0]).toEqual({ worker: 3 });
    log.info("after");
    expect(posted).toEqual([
      { level: "info", message: "after", fields: { dropped: 10_000 - MAX_WAITING_LINES } },
    ]);
    log.info("last");
    expect(posted[1]!.fields).toEqual({});
  });
});
