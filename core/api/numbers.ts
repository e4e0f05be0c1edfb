/**
 * Schemas of numeric options. Each has a minimum and a maximum, so that no value can stop or overflow a timer, or
 * make a sum infinite; `tests/rules_test.ts` keeps other number schemas out.
 *
 * @module
 */
import { z } from "zod";

/** A year: the longest time of an option, in milliseconds. */
export const MAX_MILLISECONDS = 365 * 86_400_000;

/** The largest count: a `Map` of either runtime has at most 16,777,216 entries. */
export const MAX_COUNT = 10_000_000;

/** The largest buffer of one connection, in bytes. */
export const MAX_BYTES = 2 ** 30;

/** The highest rate limit, in bytes or events per second. */
const MAX_RATE = 1e12;

/**
 * A time in milliseconds; at least 1, unless 0 has a meaning. A time between 0 and 1 is refused in both cases: a
 * timer that recurs after it would block the event loop.
 */
export function milliseconds(least = 1, most: number = MAX_MILLISECONDS): z.ZodNumber {
  if (least > 0) return number(least, most, "milliseconds");
  const error = messageFor("0 or a number", 1, most, "milliseconds");
  return z.number({ error }).min(least, { error, abort: true }).max(most, { error, abort: true })
    .refine((ms) => ms === 0 || ms >= 1, { error });
}

/** A count; at least 1. */
export function count(least = 1, most: number = MAX_COUNT): z.ZodNumber {
  return wholeNumber(least, most);
}

/** A size in bytes; at least 1. */
export function bytes(least = 1, most: number = MAX_BYTES): z.ZodNumber {
  return wholeNumber(least, most, "bytes");
}

/** A rate per second. */
export function perSecond(least: number): z.ZodNumber {
  return number(least, MAX_RATE);
}

/** A whole number between two values. */
export function wholeNumber(least: number, most: number, unit = ""): z.ZodNumber {
  const error = messageFor("a whole number", least, most, unit);
  return z.number({ error }).min(least, { error, abort: true }).max(most, { error, abort: true })
    .multipleOf(1, { error })
    // `multipleOf` compares decimal digits, and takes 5e-324 for a whole number.
    .refine(Number.isInteger, { error });
}

/** A number between two values; fractions are allowed. */
export function number(least: number, most: number, unit = ""): z.ZodNumber {
  const error = messageFor("a number", least, most, unit);
  return z.number({ error }).min(least, { error, abort: true }).max(most, { error, abort: true });
}

function messageFor(
  what: string,
  least: number,
  most: number,
  unit: string,
): (issue: { readonly input?: unknown }) => string {
  const expected = `expected ${what}${unit && ` of ${unit}`} from ${least} to ${most}`;
  return ({ input }) => `${expected}, got ${typeof input === "string" ? `"${input}"` : input}`;
}
