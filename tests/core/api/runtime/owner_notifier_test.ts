import { beforeEach, describe, expect, test } from "bun:test";
import { MAX_OWNERS, OwnerNotifier, TURN_MS } from "../../../../core/api/runtime/owner_notifier.ts";

/** Pending events by kind; each owner records that it was notified. */
let waiting: { connection: number; listener: number; eventLog: number; datagrams: number };
let notified: string[];
let notifier: OwnerNotifier;

beforeEach(() => {
  waiting = { connection: 0, listener: 0, eventLog: 0, datagrams: 0 };
  notified = [];
  const poll = (what: keyof typeof waiting) => () =>
    waiting[what]-- > 0 ? { handle: { onEvent: () => notified.push(what) } } : undefined;
  notifier = new OwnerNotifier({
    tcp: {
      pollConnection: poll("connection"),
      pollListener: poll("listener"),
      pollEventLog: poll("eventLog"),
    },
    udp: { pollEvent: poll("datagrams") },
  });
});

/** Notifies once; returns the number of notified owners. */
function notify(): number {
  const before = notified.length;
  notifier.notify();
  return notified.length - before;
}

describe("OwnerNotifier", () => {
  // The first turn notifies the maximum, the next one the rest.
  test("notifies up to MAX_OWNERS owners in a turn", () => {
    waiting.connection = MAX_OWNERS + 10;
    expect([notify(), notifier.hasMore]).toEqual([MAX_OWNERS, true]);
    expect([notify(), notifier.hasMore]).toEqual([10, false]);
    expect([notify(), notifier.hasMore]).toEqual([0, false]);
  });

  // New connections and datagrams do not wait for all busy connections.
  test("lets connections, listeners and UDP take turns", () => {
    Object.assign(waiting, { connection: 1000, listener: 2, datagrams: 1 });
    notify();
    expect(notified.slice(0, 6)).toEqual([
      ...["connection", "listener", "datagrams"],
      ...["connection", "listener", "connection"],
    ]);
  });

  // After a turn that was ten times too long, a tenth of the owners is notified; if a single owner takes too long,
  // one at a time.
  test("notifies fewer owners after a long turn, but at least one", () => {
    waiting.connection = 1000;
    notifier.turnTook(10 * TURN_MS);
    expect(notify()).toBe(Math.floor(MAX_OWNERS / 10));
    notifier.turnTook(1000 * TURN_MS);
    expect(notify()).toBe(1);
    notifier.turnTook(1000 * TURN_MS);
    expect([notify(), notifier.hasMore]).toEqual([1, true]);
  });

  // After each short turn twice as many are notified, up to the maximum.
  test("notifies more owners after short turns", () => {
    waiting.connection = 1000;
    notifier.turnTook(1000 * TURN_MS);
    const counts = Array.from({ length: 8 }, () => {
      notifier.turnTook(0);
      return notify();
    });
    expect(counts).toEqual([2, 4, 8, 16, 32, 64, 64, 64]);
    notifier.turnTook(TURN_MS - 1);
    expect(notify()).toBe(64);
  });

  // The stack is closing: every owner is notified.
  test("notifies all before the end", () => {
    waiting.connection = 1000;
    notifier.turnTook(1000 * TURN_MS);
    notifier.notifyAll();
    expect([notified.length, notifier.hasMore]).toEqual([1000, false]);
  });
});
