/**
 * Values of a link's options: text in, what it means out.
 *
 * @module
 */
import { z } from "zod";

/** `on` or `off`. */
export const onOff: z.ZodType<boolean, string> = z.enum(["on", "off"], {
  error: ({ input }) => `expected on or off, got ${input}`,
}).transform((text) => text === "on");

/** Digits. */
export const wholeNumber: z.ZodType<number, string> = z.string().regex(/^\d{1,10}$/, {
  error: ({ input }) => `expected a whole number, got ${input}`,
}).transform(Number);

/** One text or, where it was repeated, several. */
export const texts: z.ZodType<string[], string | string[]> = z
  .union([z.string(), z.array(z.string())])
  .transform((value) => [value].flat());
