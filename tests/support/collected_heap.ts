/**
 * The size of the heap without garbage.
 *
 * @module
 */
import { getHeapStatistics, setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";

declare const Bun: { gc(force: boolean): void } | undefined;

/** Size in bytes of the objects that are left after the collector has run. */
export async function collectedHeap(): Promise<number> {
  const collect = typeof Bun === "undefined" ? exposedCollector() : () => Bun!.gc(true);
  // Objects that wait for a turn of the event loop or for a finalizer are garbage afterwards.
  for (let turn = 0; turn < 3; turn++) {
    await new Promise((resolve) => setTimeout(resolve, 0));
    collect();
  }
  if (typeof Bun === "undefined") return getHeapStatistics().used_heap_size;
  const name = "bun:jsc";
  return ((await import(name)) as { heapStats(): { heapSize: number } }).heapStats().heapSize;
}

/** Exposes the collector at run time, so that the test runner need not be started with `--v8-flags=--expose-gc`. */
function exposedCollector(): () => void {
  setFlagsFromString("--expose-gc");
  return runInNewContext("gc") as () => void;
}
