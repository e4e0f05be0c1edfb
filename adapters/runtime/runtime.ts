/** The runtimes that the adapters are written for. */
export type RuntimeName = "deno" | "bun";

/**
 * Which runtime this is.
 *
 * @throws {Error} Neither Deno nor Bun.
 */
export function runtimeName(): RuntimeName {
  // Deno defines neither `Bun` nor a version of it; Bun has both.
  if ("Bun" in globalThis) return "bun";
  if ("Deno" in globalThis) return "deno";
  throw new Error("berth runs on Deno and on Bun: start it with one of these");
}
