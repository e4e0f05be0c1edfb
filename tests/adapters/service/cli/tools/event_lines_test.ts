import { describe, expect, test } from "bun:test";
import { EventLines } from "../../../../../adapters/service/cli/tools/event_lines.ts";
import type { TcpEvent } from "../../../../../core/tcp/event_log/events.ts";
import { loggedTransfer } from "../../../../support/logged_transfer.ts";

/** Midnight of this machine. */
const MIDNIGHT = new Date(2026, 0, 1).getTime();

function linesOf(events: readonly TcpEvent[], verbose = false): string[] {
  const lines = new EventLines({ clockStarted: MIDNIGHT, verbose });
  return events.map((event) => lines.format(event)).filter((line) => line !== undefined);
}

describe("EventLines", () => {
  // A whole connection: each kind of line.
  test("writes segments as tcpdump does, and what happens in between", async () => {
    const { events } = await loggedTransfer({ bytes: 300_000, data: { loss: 0.06 } });
    const text = linesOf(events).join("\n");
    const missing = [
      /^00:00:01\.000000 10\.0\.0\.2:\d+ > 10\.0\.0\.1:9: SYN-SENT, cubic, .*cwnd \d+/m,
      /^00:00:01\.000000 10\.0\.0\.2:\d+ > 10\.0\.0\.1:9: Flags \[SEW\], seq \d+, win 65535, mss 1460, length 0$/m,
      /^00:00:01\.04\d+ 10\.0\.0\.1:9 > 10\.0\.0\.2:\d+: Flags \[S.*\.\], seq \d+, ack 1, win /m,
      /> 10\.0\.0\.1:9: Flags \[P?\.\], seq 1:1449, ack 1, win 262144, ECT\(0\), length 1448$/m,
      /> 10\.0\.0\.2:\d+: Flags \[\.\], ack 1449, win \d+, length 0$/m,
      /, sack \d+:\d+/,
      /^ {16}SYN-SENT > ESTABLISHED$/m,
      /^ {16}lost \d+:\d+ \(rack\)$/m,
      /^ {16}slow start > recovery$/m,
      / {2}\[retransmission\]$/m,
      /^ {16}cwnd \d+(\.\d+)?, .*srtt \d+/m,
      /^ {16}application wrote 262144, not sent 262144$/m,
    ].filter((pattern) => !pattern.test(text));
    expect(missing).toEqual([]);
    expect(text).not.toContain("in flight 1448");
    expect(text).not.toContain("undefined");
    expect(text).not.toContain("NaN");
  });

  // Timers and the bytes in flight change with each segment.
  test("has timers and all metrics only on request", async () => {
    const { events } = await loggedTransfer({ bytes: 30_000 });
    expect(linesOf(events).some((line) => line.includes("timer retransmission set"))).toBe(false);
    const all = linesOf(events, true);
    expect(all.length).toBe(events.length);
    expect(all.some((line) => /timer retransmission set for [\d.]+ ms$/.test(line))).toBe(true);
    expect(all.some((line) => line.includes("in flight 1448"))).toBe(true);
  });

  test("says how many events are missing", () => {
    expect(linesOf([{ time: 1, name: "tcp:events_dropped", data: { count: 7 } }]))
      .toEqual([" ".repeat(16) + "7 events are missing: this reader was too slow"]);
  });
});
