import { describe, expect, test } from "bun:test";
import type { Handler } from "../../../core/api/types.ts";
import { echo } from "../../../plugins/echo.ts";
import { trace } from "../../../plugins/middleware/trace.ts";
import type { TraceEvent } from "../../../plugins/shared/connection_span.ts";
import { bytes, codeOf, readText, StackPair } from "../../core/api/stack_pair.ts";
import { ask, dial } from "./support.ts";

const names = (events: readonly TraceEvent[]) => events.map(({ name }) => name);

describe("trace", () => {
  // All events in order, with one span ID in W3C format.
  test("reports every read, write and end with its bytes", async () => {
    await using pair = new StackPair();
    const events: TraceEvent[] = [];
    pair.server.use(7, trace({ onEvent: (event) => events.push(event) }), echo());
    expect(await ask(pair, 7, "ahoy")).toBe("ahoy");
    await pair.clock.advance(10);
    expect(names(events)).toEqual(["open", "read", "write", "read", "closeWrite", "connection"]);
    expect(events.map((event) => event.bytes)).toEqual([0, 4, 4, 0, 0, 8]);
    expect(events[0]!.traceId).toMatch(/^[0-9a-f]{32}$/);
    expect(events[0]!.spanId).toMatch(/^[0-9a-f]{16}$/);
    expect(new Set(events.map(({ spanId }) => spanId)).size).toBe(1);
    expect(events[0]).toMatchObject({ local: "10.0.0.2:7" });
  });

  // The second read takes the second between the peer's two messages.
  test("measures the duration of each", async () => {
    await using pair = new StackPair();
    const events: TraceEvent[] = [];
    pair.server.use(7, trace({ onEvent: (event) => events.push(event) }), echo());
    const client = dial(pair, 7);
    await client.write(bytes("one"));
    await pair.clock.advance(1000);
    await client.write(bytes("two"));
    await client.closeWrite();
    expect(await pair.run(readText(client))).toBe("onetwo");
    const reads = events.filter(({ name }) => name === "read");
    expect(Math.round(reads[1]!.durationMs / 10)).toBe(100);
    await pair.clock.advance(1000);
    expect(events.at(-1)!.name).toBe("connection");
    expect(events.at(-1)!.durationMs).toBeGreaterThanOrEqual(1000);
    expect(events.at(-1)!.durationMs).toBeLessThan(2000);
  });

  // Later plugins can propagate the span.
  test("provides the span's context to later plugins", async () => {
    await using pair = new StackPair();
    const seen: (string | undefined)[] = [];
    const handler: Handler = (c) => void seen.push(c.get<string>("traceparent"));
    const events: TraceEvent[] = [];
    pair.server.use(7, trace({ onEvent: (event) => events.push(event) }), handler);
    await ask(pair, 7, "");
    expect(seen).toEqual([`00-${events[0]!.traceId}-${events[0]!.spanId}-01`]);
  });

  // The failed read and the connection have the reason.
  test("reports the reason of failures", async () => {
    await using pair = new StackPair();
    const events: TraceEvent[] = [];
    pair.server.use(7, trace({ onEvent: (event) => events.push(event) }), echo());
    const client = dial(pair, 7);
    await pair.run(client.opened);
    client.abort();
    await pair.clock.advance(10);
    expect(names(events).sort()).toEqual(["connection", "open", "read"]);
    expect(events.filter(({ error }) => error?.includes("reset the connection"))).toHaveLength(2);
  });

  // Without a callback it logs; a callback that throws does not affect the connection.
  test("logs, and survives a callback that throws", async () => {
    await using pair = new StackPair();
    pair.server.use(7, trace(), echo()).use(
      8,
      trace({
        onEvent: () => {
          throw new Error("full");
        },
      }),
      echo(),
    );
    await ask(pair, 7, "ahoy");
    expect(pair.lines.map(({ message }) => message)).toContain("trace");
    expect(await ask(pair, 8, "ahoy")).toBe("ahoy");
    expect(pair.lines.some(({ level }) => level === "error")).toBe(true);
    expect(await pair.run(codeOf(dial(pair, 8).opened))).toBe("none");
    // @ts-expect-error -- no function
    expect(() => trace({ onEvent: 5 })).toThrow(/^trace: options\.onEvent: expected a function/);
  });
});
