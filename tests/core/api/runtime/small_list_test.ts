import { describe, expect, test } from "bun:test";
import {
  forEachOf,
  type SmallList,
  withOne,
  withoutOne,
} from "../../../../core/api/runtime/small_list.ts";

const [A, B, C] = [{ name: "a" }, { name: "b" }, { name: "c" }];

function namesOf(list: SmallList<{ name: string }>): string {
  let names = "";
  forEachOf(list, ({ name }) => names += name);
  return names;
}

describe("SmallList", () => {
  // The list grows from none to several, and shrinks again.
  test("keeps the order", () => {
    let list: SmallList<{ name: string }> = undefined;
    expect(namesOf(list)).toBe("");
    list = withOne(list, A);
    expect(list).toBe(A);
    list = withOne(withOne(list, B), C);
    expect(namesOf(list)).toBe("abc");
    list = withoutOne(list, B);
    expect(namesOf(list)).toBe("ac");
    list = withoutOne(list, A);
    expect(list).toBe(C);
    expect(withoutOne(list, A)).toBe(C);
    expect(withoutOne(list, C)).toBe(undefined);
  });

  // The second is removed by the first, which adds a third.
  test("calls those that were there before", () => {
    let list: SmallList<{ name: string }> = withOne(withOne(undefined, A), B);
    const called: string[] = [];
    forEachOf(list, (one) => {
      called.push(one.name);
      if (one === A) list = withOne(withoutOne(list, B), C);
    });
    expect(called).toEqual(["a", "b"]);
    expect(namesOf(list)).toBe("ac");
  });
});
