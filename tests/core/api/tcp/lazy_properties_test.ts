import { describe, expect, test } from "bun:test";
import { LazyProperties } from "../../../../core/api/tcp/lazy_properties.ts";

describe("LazyProperties", () => {
  test("runs the callbacks in order, once", () => {
    const calls: string[] = [];
    const lazy = new LazyProperties();
    for (const name of ["a", "b", "c"]) {
      lazy.addOnEnd(() => calls.push(`end ${name}`));
      lazy.addOnFinished(() => calls.push(`finished ${name}`));
    }
    for (let i = 0; i < 2; i++) {
      lazy.runOnEnd();
      lazy.runOnFinished();
    }
    const names = ["a", "b", "c"];
    expect(calls).toEqual([
      ...names.map((name) => `end ${name}`),
      ...names.map((name) => `finished ${name}`),
    ]);
  });

  test("runs a callback that is added by another at the next call", () => {
    const calls: string[] = [];
    const lazy = new LazyProperties();
    lazy.addOnEnd(() => lazy.addOnEnd(() => calls.push("added")));
    lazy.runOnEnd();
    expect(calls).toEqual([]);
    lazy.runOnEnd();
    expect(calls).toEqual(["added"]);
  });
});
