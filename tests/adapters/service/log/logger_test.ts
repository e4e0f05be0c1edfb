import { describe, expect, test } from "bun:test";
import { VirtualClock } from "../../../../adapters/runtime/virtual_clock.ts";
import type { LogFormat } from "../../../../adapters/service/log/line_format.ts";
import { createLogger, type LogLevel } from "../../../../adapters/service/log/logger.ts";

function record(level: LogLevel, format: LogFormat = "text") {
  const lines: string[] = [];
  const now = () => new Date(0);
  const clock = new VirtualClock();
  const write = (line: string) => void lines.push(line);
  return { lines, clock, log: createLogger({ level, format, now, write, clock }) };
}

describe("format json", () => {
  // An object on each line, whose own names cannot be replaced; numbers stay numbers.
  test("writes objects", () => {
    const { lines, log } = record("info", "json");
    log.warn("a\nb", {
      port: 80,
      ok: true,
      none: undefined,
      reason: new Error('no "x"'),
      ratio: NaN,
      time: "then",
      level: "mine",
    });
    expect(lines.length).toBe(1);
    expect(JSON.parse(lines[0]!)).toEqual({
      ...{ time: "1970-01-01T00:00:00.000Z", level: "warn", message: "a\nb", port: 80, ok: true },
      ...{ reason: 'no "x"', ratio: "NaN", time_: "then", level_: "mine" },
    });
    expect(lines[0]).not.toContain("\n");
  });
});

// ESC, CSI as one character (C1), DEL, a line separator and a change of direction: a peer that chooses a value must not
// control the terminal that shows the log, and the value can be recovered.
test.each(["text", "json"] as const)(
  "format %s escapes control characters of a terminal",
  (format) => {
    const { lines, log } = record("info", format);
    const value = "a\x1b[2J\x9b2J\x7f\r\n\u2028\u202e\u2066z";
    log.info(`said ${value}`, { value });
    expect(lines.length).toBe(1);
    expect(lines[0]).toMatch(/^[\x20-\x7e]+$/);
    const [, quoted] = /value"?[=:](".*")/.exec(lines[0]!)!;
    expect(JSON.parse(quoted!)).toBe(value);
  },
);

describe("a repeated line", () => {
  // 100,000 equal lines: the first, and their number when another line comes.
  test("is counted until another line comes", () => {
    const { lines, log } = record("info");
    for (let i = 0; i < 100_000; i++) log.warn("target is down", { target: "a" });
    expect(lines.length).toBe(1);
    log.warn("target is down", { target: "b" });
    expect(lines.map((line) => line.slice(25))).toEqual([
      "warn  target is down target=a",
      "warn  the last line was repeated times=99999",
      "warn  target is down target=b",
    ]);
  });

  // The number is written every ten seconds while the line comes again and again, and at the end.
  test("is counted for ten seconds", async () => {
    const { lines, clock, log } = record("info", "json");
    log.error("fault");
    log.error("fault");
    await clock.advance(9_999);
    expect(lines.length).toBe(1);
    log.error("fault");
    await clock.advance(1);
    expect(JSON.parse(lines[1]!)).toMatchObject({ level: "error", times: 2 });
    log.error("fault");
    log.flush();
    expect(JSON.parse(lines[2]!)).toMatchObject({ times: 1 });
    log.flush();
    await clock.advance(60_000);
    expect(lines.length).toBe(3);
    log.error("fault");
    expect(lines.length).toBe(4);
    expect(clock.pending).toBe(0);
  });
});

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
