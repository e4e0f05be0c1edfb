import { describe, expect, test } from "bun:test";
import { TcbFlags } from "../../../core/tcp/tcb_flags.ts";

type Name = keyof TcbFlags;

const NAMES = Object.entries(Object.getOwnPropertyDescriptors(TcbFlags.prototype))
  .filter(([, { set }]) => set !== undefined).map(([name]) => name as Name);

function setOf(flags: TcbFlags): Name[] {
  return NAMES.filter((name) => flags[name]);
}

describe("TcbFlags", () => {
  // Each alone on, then each alone off: no two share a bit.
  test("has a bit for each flag", () => {
    expect(NAMES.length).toBeGreaterThan(20);
    for (const name of NAMES) {
      const flags = new TcbFlags();
      expect(setOf(flags)).toEqual([]);
      flags[name] = true;
      expect(setOf(flags)).toEqual([name]);
      for (const each of NAMES) flags[each] = true;
      flags[name] = false;
      expect(setOf(flags)).toEqual(NAMES.filter((other) => other !== name));
    }
  });
});
