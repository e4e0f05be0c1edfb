import { describe, expect, test } from "bun:test";
import * as flags from "../../../core/tcp/tcb_flags.ts";
import { freshTcb } from "../../support/fresh_tcb.ts";

const FLAGS = Object.values(flags);

describe("Tcb.flags", () => {
  // 32 flags in a signed 32-bit integer; the last one is its sign.
  test("has a bit for each flag", () => {
    expect(new Set(FLAGS).size).toBe(FLAGS.length);
    for (const flag of FLAGS) {
      expect([Math.abs(flag) > 0, flag & (flag - 1), flag | 0]).toEqual([true, 0, flag]);
    }
  });

  // Each is set and cleared while all others are clear, then while all others are set.
  test("set and clear change one flag", () => {
    const tcb = freshTcb();
    const all = FLAGS.reduce((sum, flag) => sum | flag, 0);
    for (const flag of FLAGS) {
      for (const others of [0, all & ~flag]) {
        tcb.flags = others;
        tcb.set(flag);
        expect([tcb.flags, tcb.has(flag)]).toEqual([others | flag, true]);
        tcb.clear(flag);
        expect([tcb.flags, tcb.has(flag)]).toEqual([others, false]);
        tcb.set(flag, true);
        expect(tcb.has(flag)).toBe(true);
        tcb.set(flag, false);
        expect(tcb.flags).toBe(others);
      }
    }
  });
});
