import { describe, expect, test } from "bun:test";
import {
  bitRate,
  bytes,
  count,
  duration,
  milliseconds,
  text,
} from "../../../../adapters/pages/shared/format.ts";
import { History } from "../../../../adapters/pages/shared/history.ts";
import { readEvents } from "../../../../adapters/pages/shared/events.ts";

describe("numbers on a page", () => {
  // Three digits, whatever the size.
  test("have a unit that suits them", () => {
    expect([0, 999, 999.6, 1460, 99_999, 1e6, 2.5e15].map((value) => text(bytes(value))))
      .toEqual(["0 B", "999 B", "1.00 kB", "1.46 kB", "100 kB", "1.00 MB", "2.50 PB"]);
    expect([0, 12_345, 3.82e6].map((value) => text(bitRate(value))))
      .toEqual(["0 bit/s", "12.3 kbit/s", "3.82 Mbit/s"]);
    expect([0.123, 12.34, 1234].map((value) => text(milliseconds(value))))
      .toEqual(["0.12 ms", "12.3 ms", "1234 ms"]);
    expect([5, 119, 120, 7200, 200_000].map((value) => text(duration(value))))
      .toEqual(["5 s", "119 s", "2 min", "2 h", "2 d"]);
    expect(count(1_234_567)).toBe("1,234,567");
  });
});

describe("History", () => {
  test("holds the latest rows", () => {
    const history = new History(2, 3);
    expect(history.last(0)).toBe(0);
    for (const second of [1, 2, 3, 4]) history.add(second, second * 10, null);
    expect(history.columns).toEqual([[2, 3, 4], [20, 30, 40], [null, null, null]]);
    expect([history.last(0), history.last(1)]).toEqual([40, 0]);
  });
});

describe("readEvents", () => {
  // Events are read however the bytes are divided into chunks.
  test("passes on each event", async () => {
    const bytes = new TextEncoder().encode(
      ': hello\n\ndata: {"a":"ü"}\n\nevent: x\ndata: 2\n\ndata: 3',
    );
    const body = new ReadableStream<Uint8Array<ArrayBuffer>>({
      start(controller) {
        for (const byte of bytes) controller.enqueue(Uint8Array.of(byte));
        controller.close();
      },
    });
    const events: unknown[] = [];
    await readEvents(new Response(body), (data) => events.push(data));
    expect(events).toEqual([{ a: "ü" }, 2]);
  });
});
