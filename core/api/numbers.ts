/**
 * Numbers of options. Each has a least and a largest value, so that none can stop a timer, overflow
 * one, or make a sum infinite; `tests/rules_test.ts` keeps other numbers out of the schemas.
 *
 * @module
 */
import { z } from "zod";

/** A year: the longest time that an option can name, in milliseconds. */
export const MAX_MILLISECONDS = 365 * 86_400_000;

/** The most that can be counted: a `Map` of the runtimes has room for 16,777,216 entries. */
export const MAX_COUNT = 10_000_000;

/** The most bytes that are buffered for one connection. */
export const MAX_BYTES = 2 ** 30;

/** The fastest that anything is limited to, in bytes or events per second. */
const MAX_RATE = 1e12;

/** A time in milliseconds; 1 at least, where 0 has no meaning of its own. */
export function milliseconds(least = 1, most: number = MAX_MILLISECONDS): z.ZodNumber {
  return number(least, most, "milliseconds");
}

/** How many of something there are; 1 at least. */
export function count(least = 1, most: number = MAX_COUNT): z.ZodNumber {
  return wholeNumber(least, most);
}

/** A size in bytes; 1 at least. */
export function bytes(least = 1, most: number = MAX_BYTES): z.ZodNumber {
  return wholeNumber(least, most, "bytes");
}

/** How much or how many in a second. */
export function perSecond(least: number): z.ZodNumber {
  return number(least, MAX_RATE);
}

/** A whole number between two values. */
export function wholeNumber(least: number, most: number, unit = ""): z.ZodNumber {
  const error = messageFor("a whole number", least, most, unit);
  return z.number({ error }).min(least, { error, abort: true }).max(most, { error, abort: true })
    .multipleOf(1, { error });
}

/** A number between two values, with a fraction where it has one. */
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
