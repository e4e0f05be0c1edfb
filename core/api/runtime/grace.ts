/**
 * The grace time of `close()`, `remove()` and `end()`.
 *
 * @module
 */
import { z } from "zod";
import { milliseconds } from "../numbers.ts";
import { checkOptions } from "../options.ts";

const schema = z.object({ graceMs: milliseconds(0).default(0) });

/**
 * The grace time in milliseconds, by default 0; `Infinity`: without limit.
 *
 * @throws {TypeError} `graceMs` is not valid.
 */
export function graceOf(name: string, options: { readonly graceMs?: number }): number {
  if (options.graceMs === Infinity) return Infinity;
  return checkOptions(name, schema, options).graceMs;
}
