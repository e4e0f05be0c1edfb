import { describe, expect, test } from "bun:test";
import { VirtualClock } from "../../../../adapters/runtime/virtual_clock.ts";
import { ConnectionTimeouts } from "../../../../plugins/shared/http/connection_timeouts.ts";

describe("Deadlines", () => {
  // Each deadline is reported once when it passes, and not if it was cleared or moved.
  test("expire when they have passed, not before", async () => {
    const { clock, deadlines, expired } = setUp();
    deadlines.setRead(100);
    deadlines.setWrite(200);
    await clock.advance(99);
    expect(expired).toEqual([]);
    await clock.advance(1);
    expect(expired).toEqual(["read"]);
    deadlines.clearWrite();
    await clock.advance(1000);
    expect(expired).toEqual(["read"]);
    deadlines.setRead(100);
    await clock.advance(50);
    deadlines.setRead(100);
    await clock.advance(99);
    expect(expired).toEqual(["read"]);
    await clock.advance(1);
    expect(expired).toEqual(["read", "read"]);
    expect(clock.pending).toBe(0);
  });

  // Two at the same instant: both are reported.
  test("expire together", async () => {
    const { clock, deadlines, expired } = setUp();
    deadlines.setWrite(100);
    deadlines.setRead(100);
    await clock.advance(100);
    expect(expired).toEqual(["read", "write"]);
  });

  // A busy connection moves its deadlines constantly; the timer is not set again until it fires.
  test("move later without touching the timer", async () => {
    const { clock, deadlines, expired, armed } = setUp();
    for (let i = 0; i < 1000; i++) {
      deadlines.setRead(60_000);
      deadlines.setWrite(30_000);
      deadlines.clearWrite();
      await clock.advance(60);
    }
    expect(armed()).toBeLessThanOrEqual(6);
    expect(expired).toEqual([]);
    expect(clock.pending).toBe(1);
  });

  // A connection that has ended keeps no process alive.
  test("leave no timer behind once disposed", () => {
    const { clock, deadlines } = setUp();
    deadlines.setRead(100);
    deadlines.dispose();
    deadlines.setWrite(100);
    expect(clock.pending).toBe(0);
  });
});

function setUp() {
  const clock = new VirtualClock();
  const expired: string[] = [];
  let armed = 0;
  const counting = {
    now: () => clock.now(),
    schedule: (at: number, wake: () => void) => {
      armed++;
      return clock.schedule(at, wake);
    },
  };
  const deadlines = new ConnectionTimeouts(counting, (wait) => expired.push(wait));
  return { clock, deadlines, expired, armed: () => armed };
}
