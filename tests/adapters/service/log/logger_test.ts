import { describe, expect, test } from "bun:test";
import { createLogger, type LogLevel } from "../../../../adapters/service/log/logger.ts";

function record(level: LogLevel) {
  const lines: string[] = [];
  const now = () => new Date(0);
  return { lines, log: createLogger({ level, now, write: (line) => void lines.push(line) }) };
}

describe("createLogger", () => {
  // Time, level, message and fields on one line.
  test("writes a line", () => {
    const { lines, log } = record("info");
    log.info("connection", { port: 80, remote: "[fd07::1]:5", end: undefined, ok: true });
    expect(lines).toEqual([
      "1970-01-01T00:00:00.000Z info  connection port=80 remote=[fd07::1]:5 ok=true",
    ]);
  });

  // Data from a peer or an exception cannot forge a line or a field.
  test("quotes ambiguous values", () => {
    const { lines, log } = record("debug");
    log.error("a\nb", { reason: new Error('no "x"\n= 1'), empty: "" });
    expect(lines).toEqual([
      '1970-01-01T00:00:00.000Z error a b reason="no \\"x\\"\\n= 1" empty=""',
    ]);
  });

  // Each level includes the more severe ones.
  test.each([
    ["debug", 4],
    ["info", 3],
    ["warn", 2],
    ["error", 1],
    ["off", 0],
  ])("writes at level %s %d of four lines", (level: string, count: number) => {
    const { lines, log } = record(level as LogLevel);
    log.debug("d");
    log.info("i");
    log.warn("w");
    log.error("e");
    expect(lines.length).toBe(count);
  });
});
