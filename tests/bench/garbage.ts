/**
 * Measures memory in use after garbage collection.
 *
 * @module
 */
import process from "node:process";

/** Bytes in use. */
export interface Used {
  /** Objects. */
  readonly heap: number;
  /** Bytes outside the heap, of typed arrays and the like. */
  readonly external: number;
  /** Resident memory of the process. */
  readonly resident: number;
}

/** Available on Bun, and on Deno with `--v8-flags=--expose-gc`. */
const host = globalThis as {
  gc?: () => void;
  Bun?: { gc(synchronously: boolean): void };
};

/** Collects all garbage, then measures. Throws if the runtime cannot do so. */
export async function usedMemory(): Promise<Used> {
  // Finalizers run between collections and free more memory.
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
