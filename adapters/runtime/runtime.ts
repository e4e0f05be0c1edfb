/** Whether this is a single program that Bun compiled, whose modules are not on disk. */
export const isCompiled: boolean = import.meta.url.startsWith("file:///$bunfs/");

/** The supported runtimes. */
export type RuntimeName = "deno" | "bun";

/**
 * The current runtime.
 *
 * @throws {Error} The runtime is neither Deno nor Bun.
 */
export function runtimeName(): RuntimeName {
  // Deno does not define `Bun`.
  if ("Bun" in globalThis) return "bun";
  if ("Deno" in globalThis) return "deno";
  throw new Error("this needs Deno or Bun: start the program with one of them");
}
