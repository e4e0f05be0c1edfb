import { describe, expect, test } from "bun:test";
import { MAX_STACK_TEXT, messageOf, stackOf } from "../../../core/api/error_text.ts";

describe("stackOf", () => {
  // A log line needs the stacks of the error and of its causes.
  test("returns the stacks of an error and its causes", () => {
    const cause = new TypeError("the cause", { cause: new RangeError("the first") });
    const text = stackOf(new Error("the error", { cause }))!;
    expect(text).toMatch(/^Error: the error\n[^]*error_text_test/);
    expect(text).toMatch(
      /\nCaused by: TypeError: the cause\n[^]*\nCaused by: RangeError: the first/,
    );
    expect(stackOf(new AggregateError([new Error("one"), "two"], "several")))
      .toMatch(/several[^]*\nHolds: Error: one[^]*\nHolds: two/);
  });

  // Causes can be circular, and messages can be very long.
  test("returns text of bounded length", () => {
    const one = new Error("one");
    one.cause = new Error("two", { cause: one });
    expect(stackOf(one)!.match(/one/g)!.length).toBeLessThan(5);
    const long = new Error("x".repeat(100_000), { cause: new Error("y".repeat(100_000)) });
    expect(stackOf(long)!.length).toBe(MAX_STACK_TEXT);
    let deep = new Error("0");
    for (let i = 0; i < 10_000; i++) deep = new Error(String(i), { cause: deep });
    expect(stackOf(deep)!.length).toBeLessThanOrEqual(MAX_STACK_TEXT);
    expect(stackOf(new AggregateError(new Array(10_000).fill(one), "many"))!.length)
      .toBeLessThanOrEqual(MAX_STACK_TEXT);
  });

  // Any value can be thrown, including one whose accessors throw.
  test("never throws", () => {
    for (const thrown of [undefined, null, "text", 5, Symbol("x"), Object.create(null)]) {
      expect(stackOf(thrown)).toBe(undefined);
      expect(typeof messageOf(thrown)).toBe("string");
    }
    const hostile = Object.defineProperties(new Error("x"), {
      stack: {
        get: () => {
          throw new Error("no");
        },
      },
      message: {
        get: () => {
          throw new Error("no");
        },
      },
      cause: {
        get: () => {
          throw new Error("no");
        },
      },
    });
    expect(stackOf(hostile)).toBe("an error that cannot be converted to text");
    expect(messageOf(hostile)).toBe("an error that cannot be converted to text");
  });
});
