/** Whether this program was compiled by Bun, so that its modules are not on disk. */
export const isCompiled: boolean = import.meta.url.startsWith("file:///$bunfs/");

/** The runtimes: Deno and Bun run everything, Node.js runs the library. */
export type RuntimeName = "deno" | "bun" | "node";

/**
 * The current runtime.
 *
 * @throws {Error} The runtime is none of these.
 */
export function runtimeName(): RuntimeName {
  const { Bun, Deno, process } = globalThis as {
    Bun?: unknown;
    Deno?: unknown;
    process?: { versions?: { node?: string } };
  };
  if (Bun !== undefined) return "bun";
  if (Deno !== undefined) return "deno";
  if (process?.versions?.node !== undefined) return "node";
  throw new Error("this needs Deno or Bun: start the program with one of them");
}
