import { describe, expect, test } from "bun:test";
import { TIMER } from "../../../core/tcp/timers/timers.ts";
import { inEstablished } from "../../support/dsl/builders.ts";
import type { Trace } from "../../support/dsl/trace.ts";

const SYN = { mss: 1460, sackPermitted: true };
const TEN_MINUTES = 600_000;

/** Timeouts until the next that sends something of another size, and that size. */
function timeoutsUntilSmaller(t: Trace): [number, number] {
  const size = t.tcb.sendMss;
  for (let timeouts = 1; timeouts < 20; timeouts++) {
    t.wire.advanceUntilSent(100_000);
    const sent = t.recvAll().at(-1)!;
    if (sent.text.length !== size) return [timeouts, sent.text.length];
  }
  throw new Error("it does not give in");
}

/** A full segment is on its way; it and what follows vanishes. */
function silent(mtuCarried: boolean): Trace {
  const t = inEstablished({ profile: "internet", syn: SYN });
  if (mtuCarried) {
    t.write(1460);
    t.recvAll();
    t.send({ at: 10 });
  }
  t.write(1460);
  t.recvAll();
  // The probe of the tail is not what this is about.
  t.tcb.timers.stop(TIMER.TAIL_PROBE);
  return t;
}

describe("full segments that vanish without a word", () => {
  // None has ever got through: after three timeouts smaller ones are tried, which every tunnel
  // carries, and then the least that is obeyed.
  test("make segments smaller after three timeouts (RFC 8899 4.2)", () => {
    const t = silent(false);
    expect(timeoutsUntilSmaller(t)).toEqual([3, 1240]);
    expect(timeoutsUntilSmaller(t)).toEqual([3, 512]);
  });

  // They got through before: that is rather bad luck, and not so soon a matter of size.
  test("make segments smaller later where they got through before", () => {
    expect(timeoutsUntilSmaller(silent(true))).toEqual([6, 1240]);
  });

  // The least vanishes too: it was not the size.
  test("are sent again in full when small ones vanish too", () => {
    const t = silent(false);
    timeoutsUntilSmaller(t);
    timeoutsUntilSmaller(t);
    for (let i = 0; i < 3; i++) {
      t.wire.advanceUntilSent(100_000);
      t.recvAll();
    }
    expect(t.tcb.sendMss).toBe(1460);
  });

  // Small ones get through; after a while the full size has another chance (RFC 8899 5.1.1).
  test("are tried again after ten minutes (RFC 8899 5.1.1)", () => {
    const t = silent(false);
    timeoutsUntilSmaller(t);
    t.send({ ack: 1461 });
    t.recvAll();
    expect(t.tcb.sendMss).toBe(1240);
    t.write(100);
    t.recvAll();
    t.send({});
    expect(t.tcb.sendMss).toBe(1240);
    t.after(TEN_MINUTES);
    t.write(100);
    t.recvAll();
    t.send({});
    expect(t.tcb.sendMss).toBe(1460);
  });
});
