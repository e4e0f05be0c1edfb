import { describe, expect, test } from "bun:test";
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

describe("describeIssues", () => {
  // A flag of the command line has no keys, and a value is shown only if it is passed in.
  test("does without a path and without a value", () => {
    const { error } = z.enum(["a", "b"]).safeParse("c");
    expect(describeIssues(error!.issues)).toBe('expected "a" or "b"');
    expect(describeIssues(error!.issues, ["listen"])).toBe('listen: expected "a" or "b"');
  });
});
