import { describe, expect, test } from "bun:test";
import { TcbOccasions } from "../../../core/tcp/tcb_occasions.ts";

const NAMES = Object.entries(Object.getOwnPropertyDescriptors(TcbOccasions.prototype))
  .filter(([, { set }]) => set !== undefined).map(([name]) => name as keyof TcbOccasions);

function valuesOf(tcb: TcbOccasions): unknown[] {
  return NAMES.map((name) => tcb[name]);
}

describe("TcbOccasions", () => {
  // Each is set alone: the others keep their defaults, and so does every other connection.
  test("keeps each value apart from the others and from other connections'", () => {
    const defaults = valuesOf(new TcbOccasions());
    expect(NAMES.length).toBeGreaterThan(20);
    NAMES.forEach((name, i) => {
      const tcb = new TcbOccasions();
      Object.assign(tcb, { [name]: "other" });
      expect(valuesOf(tcb)).toEqual(defaults.with(i, "other"));
      expect(valuesOf(new TcbOccasions())).toEqual(defaults);
      Object.assign(tcb, { [name]: defaults[i] });
      expect(valuesOf(tcb)).toEqual(defaults);
    });
  });

  // What is not as it was stays.
  test("gives back what is needed no longer", () => {
    NAMES.forEach((name) => {
      const tcb = new TcbOccasions();
      const { [name]: before } = tcb;
      Object.assign(tcb, { [name]: "other" });
      tcb.forgetOccasions();
      expect([tcb.isOrdinary, tcb[name]]).toEqual([false, "other" as never]);
      Object.assign(tcb, { [name]: before });
      tcb.forgetOccasions();
      expect([tcb.isOrdinary, tcb[name]]).toEqual([true, before]);
    });
  });
});
