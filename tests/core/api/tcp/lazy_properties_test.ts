import { describe, expect, test } from "bun:test";
import { LazyProperties } from "../../../../core/api/tcp/lazy_properties.ts";

describe("LazyProperties", () => {
  test("runs the callbacks in order, once", () => {
    const calls: string[] = [];
    const lazy = new LazyProperties();
    for (const name of ["a", "b", "c"]) lazy.addOnFinished(() => calls.push(name));
    for (let i = 0; i < 2; i++) lazy.runOnFinished();
    expect(calls).toEqual(["a", "b", "c"]);
  });
});
