import { describe, expect, test } from "bun:test";
import { VirtualClock } from "../../../../adapters/runtime/virtual_clock.ts";
import { Readiness, type ServingState } from "../../../../adapters/service/readiness/readiness.ts";

/** A service's state, with the times of its changes. */
function readiness() {
  const clock = new VirtualClock();
  const changes: [number, ServingState][] = [];
  const state = new Readiness(clock, (state) => void changes.push([clock.now(), state]));
  return { clock, changes, state };
}

describe("Readiness", () => {
  // SYNs are accepted for a second after readiness has ended.
  test("is a lame duck for the given time before it drains", async () => {
    const { clock, changes, state } = readiness();
    expect(state.state).toBe("serving");
    const withdrawn = state.withdraw(1000);
    await clock.advance(999);
    expect(state.state).toBe("lame duck");
    await clock.advance(1);
    await withdrawn;
    expect(changes).toEqual([[0, "lame duck"], [1000, "draining"]]);
  });

  // For SIGTERM after POST /drain, the time runs only once.
  test("waits once, however often it is withdrawn", async () => {
    const { clock, changes, state } = readiness();
    const both = Promise.all([state.withdraw(500), state.withdraw(9000)]);
    await clock.advance(500);
    await both;
    await state.withdraw(9000);
    expect(changes).toEqual([[0, "lame duck"], [500, "draining"]]);
  });

  // The other instances do not know this one yet, so new clients' segments could get lost.
  test("is joining until the other instances know it", () => {
    let hasJoined = false;
    const state = new Readiness(new VirtualClock(), undefined, () => hasJoined);
    expect(state.state).toBe("joining");
    hasJoined = true;
    expect(state.state).toBe("serving");
  });

  // The default keeps the behaviour of a service without a router in front.
  test("drains at once without a time as a lame duck", async () => {
    const { changes, state } = readiness();
    await state.withdraw(0);
    expect(changes).toEqual([[0, "draining"]]);
  });

  // The link fails while the service is a lame duck, or earlier.
  test("drains at once when the time is skipped", async () => {
    const { changes, state } = readiness();
    const withdrawn = state.withdraw(1000);
    state.skipLameDuck();
    await withdrawn;
    expect(changes).toEqual([[0, "lame duck"], [0, "draining"]]);
  });
});
