/**
 * What is in use after the garbage has been collected.
 *
 * @module
 */
import process from "node:process";

/** Bytes in use. */
export interface Used {
  /** Objects. */
  readonly heap: number;
  /** What typed arrays and the like hold outside of the heap. */
  readonly external: number;
  /** What the process takes of the machine. */
  readonly resident: number;
}

/** What Bun has, and Deno with `--v8-flags=--expose-gc`. */
const host = globalThis as {
  gc?: () => void;
  Bun?: { gc(synchronously: boolean): void };
};

/** Collects all garbage, then measures. Throws where the runtime offers no way to. */
export async function usedMemory(): Promise<Used> {
  // Finalizers run between collections, and free more.
  for (let round = 0; round < 3; round++) {
    collect();
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  const { heapUsed, external, rss } = process.memoryUsage();
  return { heap: heapUsed, external, resident: rss };
}

function collect(): void {
  if (host.Bun !== undefined) host.Bun.gc(true);
  else if (host.gc !== undefined) host.gc();
  else throw new Error("Garbage cannot be collected: run Deno with --v8-flags=--expose-gc");
}
