import { describe, expect, test } from "bun:test";
import { EventQueue } from "../../../../core/tcp/event_log/event_queue.ts";
import type { TcpEvent } from "../../../../core/tcp/event_log/events.ts";

const event = (time: number): TcpEvent => ({
  time,
  name: "tcp:data_read",
  data: { length: 1, unread: 0 },
});

describe("EventQueue", () => {
  // A reader that has stopped costs a bounded amount of memory.
  test("holds at most its limit, and counts the rest", () => {
    const queue = new EventQueue(16);
    for (let time = 0; time < 100_000; time++) queue.push(event(time));
    expect([queue.count, queue.dropped]).toEqual([16, 100_000 - 16]);
    expect(queue.shift()?.time).toBe(0);
  });

  // Otherwise the log would alternate between single events and gaps.
  test("continues after a gap once half of it has been read, with the number of missing events", () => {
    const queue = new EventQueue(16);
    for (let time = 0; time < 20; time++) queue.push(event(time));
    for (let i = 0; i < 7; i++) queue.shift();
    expect(queue.canResume).toBe(false);
    queue.push(event(20)); // there is room, but what came before is missing
    expect(queue.dropped).toBe(5);
    queue.shift();
    expect(queue.canResume).toBe(true);
    queue.resume(event(21));
    expect(queue.canResume).toBe(false);
    queue.push(event(22));
    const rest = Array.from({ length: queue.count }, () => queue.shift()!);
    expect(rest.slice(0, 8).map(({ time }) => time)).toEqual([8, 9, 10, 11, 12, 13, 14, 15]);
    expect(rest.slice(8)).toEqual([
      { time: 21, name: "tcp:events_dropped", data: { count: 5 } },
      event(21),
      event(22),
    ]);
  });
});
