import { describe, expect, test } from "bun:test";
import { TcbSmall } from "../../../core/tcp/tcb_small.ts";

/** Each number with its least and its greatest value. */
const RANGES = [
  ["events", 0, 0xf],
  ["synDecision", "none", "accepted"],
  ["sndWndShift", 0, 14],
  ["rcvWndShift", 0, 14],
  ["packetId", 0, 0xffff],
] as const;
const NAMES = RANGES.map(([name]) => name);

function valuesOf(tcb: TcbSmall): unknown[] {
  return NAMES.map((name) => tcb[name]);
}

describe("TcbSmall", () => {
  // Each alone at its greatest, then each alone at its least: no two share a bit.
  test("has bits for each number", () => {
    const least = RANGES.map(([, value]) => value);
    const greatest = RANGES.map(([, , value]) => value);
    RANGES.forEach(([name, , most], i) => {
      const tcb = new TcbSmall();
      expect(valuesOf(tcb)).toEqual(least);
      Object.assign(tcb, { [name]: most });
      expect(valuesOf(tcb)).toEqual(least.with(i, most as never));
      NAMES.forEach((other, j) => Object.assign(tcb, { [other]: greatest[j] }));
      Object.assign(tcb, { [name]: least[i] });
      expect(valuesOf(tcb)).toEqual(greatest.with(i, least[i] as never));
    });
  });
});
