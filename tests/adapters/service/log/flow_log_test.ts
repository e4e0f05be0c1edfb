import { describe, expect, test } from "bun:test";
import { limitLines } from "../../../../adapters/service/log/flow_log.ts";

describe("limitLines", () => {
  // 100,000 flows of forged addresses end within ten seconds: a hundred lines, then ten a second.
  // Each line after dropped ones has their number.
  test("writes ten lines per second after a burst of a hundred", () => {
    let now = 0;
    const lines: (Readonly<Record<string, unknown>> | undefined)[] = [];
    const none = () => {};
    const log = limitLines(
      { debug: none, info: (_, fields) => void lines.push(fields), warn: none, error: none },
      { now: () => now },
    );
    for (let i = 0; i < 100_000; i++) {
      now = i / 10;
      log.info("flow", { port: 53 });
    }
    expect(lines.length).toBe(199);
    expect(lines[0]).toEqual({ port: 53 });
    const others = lines.map((fields) => Number(fields?.["others"] ?? 0));
    expect(others.slice(0, 100).some((count) => count > 0)).toBe(false);
    expect(others.slice(110).every((count) => count === 999)).toBe(true);
    expect(others.reduce((sum, count) => sum + count, 0) + lines.length).toBeGreaterThan(98_000);
  });

  // A stranger connects a thousand times in a second, and once more a minute later.
  test("limits warnings too, and can be stricter", () => {
    let now = 0;
    const lines: unknown[] = [];
    const none = () => {};
    const log = limitLines(
      { debug: none, info: none, warn: (_, fields) => void lines.push(fields), error: none },
      { perSecond: 1 / 60, burst: 5, now: () => now },
    );
    for (; now < 1000; now++) log.warn("refused", { reason: "no secret" });
    expect(lines.length).toBe(5);
    now = 61_000;
    log.warn("refused", { reason: "no secret" });
    expect(lines[5]).toEqual({ reason: "no secret", others: 995 });
  });
});
