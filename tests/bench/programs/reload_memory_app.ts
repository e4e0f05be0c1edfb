/**
 * Reports how much memory its process has, before and after the collector has run, as JSON. On Deno this needs
 * `--v8-flags=--expose-gc`.
 *
 * @module
 */
import { readFileSync } from "node:fs";
import process from "node:process";
import { Hono } from "hono";

/** Memory in bytes. */
export interface MemoryFigures {
  /** Resident memory before a collection. */
  readonly resident: number;
  /** The same after the collector has run. */
  readonly collected: number;
  /** Objects on the heap after the collector has run. */
  readonly heap: number;
}

declare const Bun: { gc(force: boolean): void } | undefined;

function collect(): void {
  if (typeof Bun === "undefined") (globalThis as unknown as { gc(): void }).gc();
  else Bun.gc(true);
}

function resident(): number {
  return Number(/^VmRSS:\s*(\d+)/m.exec(readFileSync("/proc/self/status", "utf8"))![1]) * 1024;
}

async function figures(): Promise<MemoryFigures> {
  const before = resident();
  // Finalizers of the first collection release more.
  for (let turn = 0; turn < 3; turn++) {
    collect();
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  return { resident: before, collected: resident(), heap: await heapSize() };
}

async function heapSize(): Promise<number> {
  if (typeof Bun === "undefined") return process.memoryUsage().heapUsed;
  const name = "bun:jsc";
  const { heapStats } = await import(name) as { heapStats(): { heapSize: number } };
  return heapStats().heapSize;
}

const app: Hono = new Hono();
app.get("/hello", (c) => c.text("hello"));
app.get("/", async (c) => c.json(await figures()));

export default app;
