import { describe, expect, test } from "bun:test";
import { VirtualClock } from "../../../adapters/runtime/virtual_clock.ts";
import { ExchangeDeadlines } from "../../../plugins/http2/exchange_deadlines.ts";

/** An exchange that records when it expires. */
function exchangeWith(deadline: number) {
  const expired: number[] = [];
  return {
    expired,
    deadline,
    expire(now: number) {
      expired.push(now);
      this.deadline = Infinity;
    },
  };
}

describe("ExchangeDeadlines", () => {
  // The deadlines are at 10 and 30, with one timer at a time.
  test("expires exchanges when their deadlines pass", async () => {
    const clock = new VirtualClock();
    const exchanges = [exchangeWith(30), exchangeWith(10), exchangeWith(Infinity)];
    const deadlines = new ExchangeDeadlines(clock, () => exchanges);
    deadlines.watch(30);
    deadlines.watch(10);
    expect(clock.pending).toBe(1);
    await clock.advance(50);
    expect(exchanges.map(({ expired }) => expired)).toEqual([[30], [10], []]);
    expect(clock.pending).toBe(0);
  });

  // The exchange moved its deadline from 10 to 20 in the meantime.
  test("follows a deadline that was moved later", async () => {
    const clock = new VirtualClock();
    const exchange = exchangeWith(10);
    const deadlines = new ExchangeDeadlines(clock, () => [exchange]);
    deadlines.watch(10);
    exchange.deadline = 20;
    await clock.advance(15);
    expect(exchange.expired).toEqual([]);
    await clock.advance(15);
    expect(exchange.expired).toEqual([20]);
  });

  // The connection has ended.
  test("leaves no timer behind", () => {
    const clock = new VirtualClock();
    const deadlines = new ExchangeDeadlines(clock, () => []);
    deadlines.watch(10);
    deadlines.dispose();
    expect(clock.pending).toBe(0);
  });
});
