import { describe, expect, test } from "bun:test";
import type { StandardSchemaV1 } from "@standard-schema/spec";
import { z } from "zod";
import { count, milliseconds } from "../../../core/api/numbers.ts";
import { checkOptions, describeIssues } from "../../../core/api/options.ts";

const schema = z.strictObject({
  to: z.string().min(1),
  mode: z.enum(["fast", "slow"]).default("fast"),
  timeoutMs: milliseconds().default(100),
  names: z.array(z.string()).min(1).optional(),
  quiet: z.boolean().optional(),
  check: z.strictObject({ everyMs: milliseconds(), times: count().default(3) }).optional(),
  udp: z.union([z.literal(false), z.strictObject({})], "expected an object or false").optional(),
});

/** The message for options, without the name that all of them begin with. */
function faults(options: unknown): string {
  try {
    checkOptions("ship", schema, options);
  } catch (error) {
    return (error as Error).message.replace(/^ship: /, "");
  }
  return "";
}

describe("checkOptions", () => {
  // The result has a value for every key.
  test("fills in the defaults", () => {
    expect(checkOptions("ship", schema, { to: "Hull" })).toEqual({
      to: "Hull",
      mode: "fast",
      timeoutMs: 100,
    });
  });

  const wrong: [unknown, string | RegExp][] = [
    [undefined, "options.to: missing, expected a string"],
    [5, "options: expected an object, got 5"],
    [{ to: 5 }, "options.to: expected a string, got 5"],
    [{ to: "" }, 'options.to: expected at least one character, got ""'],
    [{ to: "a", mode: "slack" }, 'options.mode: expected "fast" or "slow", got "slack"'],
    [{ to: "a", quiet: "yes" }, 'options.quiet: expected true or false, got "yes"'],
    [{ to: "a", names: [] }, "options.names: expected at least one item, got an empty list"],
    [{ to: "a", names: ["b", null] }, "options.names.1: expected a string, got null"],
    [{ to: "a", names: { b: 1 } }, "options.names: expected a list, got an object"],
    [
      { to: "a", check: { everyMs: 0 } },
      /^options.check.everyMs: expected .* from 1 to .*, got 0$/,
    ],
    [{ to: "a", udp: true }, "options.udp: expected an object or false, got true"],
    [
      { to: "a", colour: 1 },
      "options.colour: unknown key; the keys are to, mode, timeoutMs, names, quiet, check, udp",
    ],
    [
      { to: "a", check: { everyMs: 1, often: 1 } },
      "options.check.often: unknown key; the keys are everyMs, times",
    ],
    [{ to: "a", udp: undefined, mode: "m".repeat(99) }, /got "m{60}…"$/],
  ];

  // A message names the key and the value, and what to write instead.
  test.each(wrong)("says what to write: %j", (options, message) => {
    if (typeof message === "string") expect(faults(options)).toBe(message);
    else expect(faults(options)).toMatch(message);
  });

  // All faults are in the one message.
  test("names every fault", () => {
    expect(faults({ to: 5, mode: 6 })).toBe(
      'options.to: expected a string, got 5; options.mode: expected "fast" or "slow", got 6',
    );
  });
});

/** A schema written by hand, for an object with a text. */
const byHand: StandardSchemaV1<{ text: string }, { text: string; length: number }> = {
  "~standard": {
    version: 1,
    vendor: "by-hand",
    validate(value) {
      const { text } = Object(value) as { text?: unknown };
      return typeof text === "string" && text !== "" ? { value: { text, length: text.length } } : {
        issues: [
          { message: "Invalid type: expected text", path: [{ key: "text" }] },
          { message: "no length" },
        ],
      };
    },
  },
};

describe("checkOptions with a schema of another library", () => {
  // The value of the result is used, as zod's defaults are.
  test("returns the checked value", () => {
    expect(checkOptions("ship", byHand, { text: "ho" })).toEqual({ text: "ho", length: 2 });
  });

  // Messages of other libraries say what was given themselves; a path may consist of objects.
  test("reports its issues unchanged, with their paths", () => {
    expect(() => checkOptions("ship", byHand, { text: 5 })).toThrow(
      new TypeError("ship: options.text: Invalid type: expected text; options: no length"),
    );
  });

  // A factory checks its options synchronously, so the schema has to be synchronous.
  test.each([
    ["that is asynchronous", z.string().refine(() => Promise.resolve(true))],
    [
      "that rejects",
      { "~standard": { ...byHand["~standard"], validate: () => Promise.reject(new Error("no")) } },
    ],
    [
      "that throws",
      z.unknown().refine(() => {
        throw new Error("a mistake");
      }),
    ],
  ])("refuses a schema %s", (_which: string, schema: StandardSchemaV1<unknown, unknown>) => {
    const check = () => checkOptions("ship", schema, "a");
    expect(check).toThrow(TypeError);
    expect(check).toThrow(/^ship: options: the schema checks asynchronously or has thrown/);
  });
});

describe("describeIssues", () => {
  // A flag of the command line has no keys, and a value is shown only if it is passed in.
  test("does without a path and without a value", () => {
    const { error } = z.enum(["a", "b"]).safeParse("c");
    expect(describeIssues(error!.issues)).toBe('expected "a" or "b"');
    expect(describeIssues(error!.issues, ["listen"])).toBe('listen: expected "a" or "b"');
  });
});
