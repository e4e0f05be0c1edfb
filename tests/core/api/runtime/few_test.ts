import { describe, expect, test } from "bun:test";
import { type Few, forEachOf, withOne, withoutOne } from "../../../../core/api/runtime/few.ts";

const [A, B, C] = [{ name: "a" }, { name: "b" }, { name: "c" }];

function namesOf(few: Few<{ name: string }>): string {
  let names = "";
  forEachOf(few, ({ name }) => names += name);
  return names;
}

describe("Few", () => {
  // None, one, several, and back.
  test("keeps the order", () => {
    let few: Few<{ name: string }> = undefined;
    expect(namesOf(few)).toBe("");
    few = withOne(few, A);
    expect(few).toBe(A);
    few = withOne(withOne(few, B), C);
    expect(namesOf(few)).toBe("abc");
    few = withoutOne(few, B);
    expect(namesOf(few)).toBe("ac");
    few = withoutOne(few, A);
    expect(few).toBe(C);
    expect(withoutOne(few, A)).toBe(C);
    expect(withoutOne(few, C)).toBe(undefined);
  });

  // The second is removed by the first, which adds a third.
  test("calls those that were there before", () => {
    let few: Few<{ name: string }> = withOne(withOne(undefined, A), B);
    const called: string[] = [];
    forEachOf(few, (one) => {
      called.push(one.name);
      if (one === A) few = withOne(withoutOne(few, B), C);
    });
    expect(called).toEqual(["a", "b"]);
    expect(namesOf(few)).toBe("ac");
  });
});
